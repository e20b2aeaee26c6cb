"""What kinit's messages mean to an administrator."""

import re
from typing import Tuple

# MIT krb5 1.15 to 1.21: src/lib/krb5/error_tables/krb5_err.et, k5e1_err.et, kv5m_err.et, and
# the texts of src/lib/krb5/krb/gic_keytab.c and krb/get_in_tkt.c; Heimdal's where it differs.
_PATTERNS: Tuple[Tuple[str, str], ...] = (
    (r"clock skew too great|Clock skew|Requested start time", "kinit-clock"),
    (r"Unsupported key table format|Bad format in keytab", "keytab-malformed"),
    (r"Key table file .* not found|Key table file not found", "keytab-missing"),
    (r"Permission denied", "keytab-unreadable"),
    (r"no suitable keys|Key table entry not found|No key table entry", "kinit-no-key"),
    (r"not found in Kerberos database|Client unknown|Realm not local", "kinit-client-unknown"),
    (r"revoked|locked|Client's entry in database has expired", "kinit-client-locked"),
    (r"Password has expired|entry .* has expired", "kinit-client-locked"),
    (r"no support for encryption type|[Ee]ncryption type|enctype|Bad encryption", "kinit-enctype"),
    (r"[Pp]re-?authentication failed|Decrypt integrity check failed", "kinit-key-wrong"),
    (r"Password incorrect", "kinit-key-wrong"),
    (r"Cannot (contact any|find|resolve).* (KDC|servers?)\b|unable to reach any", "kinit-no-kdc"),
    (r"network address for KDC", "kinit-no-kdc"),
    (r"no answer within", "kinit-timeout"),
)


def classify(message: str) -> str:
    """Return the code of the finding that a message of kinit or klist stands for."""
    for pattern, code in _PATTERNS:
        if re.search(pattern, message, re.I):
            return code
    return "kinit-failed"
