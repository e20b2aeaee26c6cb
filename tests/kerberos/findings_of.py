"""What the tests of doctor's Kerberos modules share."""

from jhpatch.checks.accounts import Account

ALICE = Account("alice", 1001, 1001, "/home/alice", (1001,))
KEYTAB = "/home/alice/alice.keytab"


def codes(findings, *severities):
    """Return the codes of findings, of errors and warnings if no severity is named."""
    wanted = severities or ("error", "warning")
    return {finding.code for finding in findings if finding.severity in wanted}
