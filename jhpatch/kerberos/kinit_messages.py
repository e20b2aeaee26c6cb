"""What kinit's messages mean to an administrator."""

import re
from typing import Tuple

INIT_FAILED = "krb5-init-failed"
"""The code of messages about libkrb5 itself, not about a keytab, a principal or a KDC."""
NOT_STARTED = "kinit-not-started"
"""The code of messages about a program that did not start."""
UNTRUSTED = (
    "doctor does not run klist or kinit as root with a krb5.conf that an ordinary user can write"
)

# MIT krb5 1.15 to 1.21: src/lib/krb5/error_tables/krb5_err.et, k5e1_err.et, kv5m_err.et,
# src/util/profile/prof_err.et, and the texts of src/clients/kinit/kinit.c,
# src/lib/krb5/krb/gic_keytab.c and krb/get_in_tkt.c; Heimdal's where it differs.
_PATTERNS: Tuple[Tuple[str, str], ...] = (
    (UNTRUSTED, INIT_FAILED),
    (r"while initializing (krb5|Kerberos 5 library)", INIT_FAILED),
    (r"krb5_init_context failed|Improper format of Kerberos configuration file", INIT_FAILED),
    (r"Included profile (file|directory) could not be read|in profile\b", INIT_FAILED),
    (r"Invalid format of Kerberos lifetime|Invalid (integer|boolean) value", INIT_FAILED),
    (r"config file error", INIT_FAILED),
    # NEVER_VALID, of MIT krb5 and of Heimdal: the ticket ends before the KDC's time.
    (r"Clock skew|Requested (effective lifetime|start time)", "kinit-clock"),
    (r"Unsupported key table format|Bad format in keytab", "keytab-malformed"),
    (r"Key table file .* not found|Key table file not found", "keytab-missing"),
    # setpriv's message, and that of a shell, bash or dash.
    (r"failed to execute|^cannot run |^\S+: (line )?\d+: /", NOT_STARTED),
    (r"Permission denied while", "keytab-unreadable"),
    (r"no suitable keys|Key table entry not found|No key table entry", "kinit-no-key"),
    # Of the client only: similar messages concern the server, the krbtgt of the realm.
    (r"Client.* not found in Kerberos database|Client unknown", "kinit-client-unknown"),
    (r"Realm not local", "kinit-client-unknown"),
    (r"Client.* (revoked|locked|expired)|Password has expired", "kinit-client-locked"),
    (r"no support for encryption type|[Ee]ncryption type|enctype|Bad encryption", "kinit-enctype"),
    (r"[Pp]re-?authentication failed|Decrypt integrity check failed", "kinit-key-wrong"),
    (r"Password incorrect", "kinit-key-wrong"),
    (r"Cannot (contact any|find|resolve).* (KDC|servers?)\b|unable to reach any", "kinit-no-kdc"),
    (r"network address for KDC", "kinit-no-kdc"),
    (r"Invalid argument while getting", "kinit-no-kdc"),  # of a kdc line: locate_kdc.c
    (r"no answer within", "kinit-timeout"),
)


_KEYTAB_FAULTS = ("keytab-missing", "keytab-unreadable", "keytab-malformed", INIT_FAILED)


def classify_listing(message: str) -> str:
    """Return the code of the finding about a ``klist -ke`` that failed.

    The keytab is malformed only if klist reports that of the keytab.
    """
    code = classify(message)
    return code if code in _KEYTAB_FAULTS else "keytab-not-listed"


def classify(message: str) -> str:
    """Return the code of the finding that a message of kinit or klist stands for."""
    for pattern, code in _PATTERNS:
        if re.search(pattern, message, re.I):
            return code
    return "kinit-failed"
