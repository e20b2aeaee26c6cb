"""What the messages of kinit and klist mean."""

import pytest

from jhpatch.kerberos import kinit_messages
from jhpatch.kerberos.findings import TABLE

MESSAGES = [
    ("kinit: Preauthentication failed while getting initial credentials", "kinit-key-wrong"),
    ("kinit: Password incorrect while getting initial credentials", "kinit-key-wrong"),
    ("kinit: Decrypt integrity check failed while", "kinit-key-wrong"),
    ("kinit: Clock skew too great while getting initial credentials", "kinit-clock"),
    ("kinit: Clock skew too great in KDC reply while getting", "kinit-clock"),
    ("kinit: Requested effective lifetime is negative or too short while", "kinit-clock"),
    ("kinit: krb5_get_init_creds: Requested start time is later than end time", "kinit-clock"),
    ("kinit: Client 'x@Y' not found in Kerberos database while", "kinit-client-unknown"),
    ("kinit: Client not found in Kerberos database while", "kinit-client-unknown"),
    ("kinit: Server not found in Kerberos database while", "kinit-failed"),
    ("kinit: Realm not local to KDC while getting", "kinit-client-unknown"),
    ("kinit: Client's credentials have been revoked while", "kinit-client-locked"),
    ("kinit: Clients credentials have been revoked while", "kinit-client-locked"),
    ("kinit: krb5_get_init_creds: Client (x@Y) is locked out", "kinit-client-locked"),
    ("kinit: Client's entry in database has expired while", "kinit-client-locked"),
    ("kinit: Server's entry in database has expired while", "kinit-failed"),
    ("kinit: Credentials for server have been revoked while", "kinit-failed"),
    ("kinit: Password has expired while getting", "kinit-client-locked"),
    ("kinit: KDC has no support for encryption type while", "kinit-enctype"),
    ("kinit: Encryption type aes256-cts not permitted while", "kinit-enctype"),
    ("kinit: Cannot contact any KDC for realm 'X' while", "kinit-no-kdc"),
    ('kinit: Cannot find KDC for realm "X" while', "kinit-no-kdc"),
    ("kinit: Cannot resolve servers for KDC in realm", "kinit-no-kdc"),
    ("kinit: krb5_get_init_creds: unable to reach any KDC in realm X", "kinit-no-kdc"),
    ("kinit: Keytab contains no suitable keys for x@Y while", "kinit-no-key"),
    ("kinit: Pre-authentication failed: Permission denied while", "keytab-unreadable"),
    ("kinit: Pre-authentication failed: Unsupported key table format", "keytab-malformed"),
    ("kinit: Pre-authentication failed: Key table file '/x' not found", "keytab-missing"),
    ("kinit: Generic preauthentication failure while", "kinit-failed"),
    ("kinit: Invalid argument while getting initial credentials", "kinit-no-kdc"),
    (
        "kinit: Improper format of Kerberos configuration file while initializing Kerberos 5 "
        "library",
        "krb5-init-failed",
    ),
    ("klist: Permission denied while initializing krb5", "krb5-init-failed"),
    (kinit_messages.UNTRUSTED, "krb5-init-failed"),
    ("kinit: Included profile file could not be read while initializing", "krb5-init-failed"),
    ("kinit: Included profile directory could not be read while", "krb5-init-failed"),
    ("kinit: Extra closing brace in profile while initializing", "krb5-init-failed"),
    ("kinit: Invalid format of Kerberos lifetime or clock skew string while", "krb5-init-failed"),
    ("kinit: Invalid integer value while getting initial credentials", "krb5-init-failed"),
    ("kinit: No supported encryption types (config file error?) while", "krb5-init-failed"),
    ("setpriv: failed to execute /opt/kinit: Permission denied", "kinit-not-started"),
    ("jhpatch: 70: /opt/kinit: Permission denied", "kinit-not-started"),
    ("/bin/sh: line 85: /opt/keytab/kinit: No such file or directory", "kinit-not-started"),
    ("cannot run /opt/kinit: Permission denied", "kinit-not-started"),
    ("no answer within 4.0 s", "kinit-timeout"),
    ("kinit: something new", "kinit-failed"),
]


@pytest.mark.parametrize("message, code", MESSAGES)
def test_a_message_is_classified(message, code):
    """Each of kinit's errors is an error of doctor, with a reason and a next step."""
    assert kinit_messages.classify(message) == code
    assert TABLE.kinds[code].severity == "error"


def test_each_code_is_known():
    """No pattern stands for a finding that the table lacks."""
    assert {code for _, code in kinit_messages._PATTERNS} <= set(TABLE.kinds)


@pytest.mark.parametrize(
    "message, code",
    [
        (
            "klist: Unsupported key table format version number while starting keytab scan",
            "keytab-malformed",
        ),
        ("klist: Bad format in keytab while scanning keytab", "keytab-malformed"),
        ("klist: Key table file '/k' not found while starting keytab scan", "keytab-missing"),
        ("klist: Permission denied while starting keytab scan", "keytab-unreadable"),
        ("klist: Permission denied while initializing krb5", "krb5-init-failed"),
        ("no answer within 2.0 s", "keytab-not-listed"),
        ("setpriv: failed to execute /opt/keytab/klist: Permission denied", "keytab-not-listed"),
        ("klist: something new", "keytab-not-listed"),
        ("klist: Input/output error while scanning keytab", "keytab-not-listed"),
    ],
)
def test_why_klist_listed_no_keys(message, code):
    """The keytab is blamed only if klist reports that of the keytab."""
    assert kinit_messages.classify_listing(message) == code
    assert code in TABLE.kinds
