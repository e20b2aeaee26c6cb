"""What the tests of doctor's Kerberos modules share."""

from jhpatch.deployed.kerberos.account import Account
from jhpatch.kerberos.hub_config_checks import check_hub_config
from jhpatch.kerberos.ticket_spec import read_settings
from tests.kerberos.hub_configs import config_of

ALICE = Account("alice", 1001, 1001, "/home/alice")
KEYTAB = "/home/alice/alice.keytab"


def codes(findings, *severities):
    """Return the codes of findings, of errors and warnings if no severity is named."""
    wanted = severities or ("error", "warning")
    return {finding.code for finding in findings if finding.severity in wanted}


def findings_of(text):
    """What doctor reports of a configuration file."""
    config = config_of(text)
    return [*check_hub_config(config), *read_settings(config)[1]]
