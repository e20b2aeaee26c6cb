"""What a user's name and home mean for their tickets."""

import pytest

from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.settings import TicketSpec
from jhpatch.kerberos.users import check_user
from tests.kerberos.findings_of import ALICE, KEYTAB, codes

FULL = Account("alice@corp.example.test", 1001, 1001, "/home/alice")


@pytest.mark.parametrize(
    "account, principal, expected",
    [
        (ALICE, "alice", set()),
        (ALICE, "alice@CORP.EXAMPLE.TEST", set()),
        (FULL, "alice@corp.example.test", {"user-name-has-domain"}),
        (FULL, "alice@CORP.EXAMPLE.TEST", set()),
        (FULL, "alice", set()),
    ],
)
def test_a_user_name_of_sssd(account, principal, expected):
    """A full name is no principal: what follows the @ is a domain."""
    assert codes(check_user(account, TicketSpec(principal, "", ""), "/nowhere")) == expected


@pytest.mark.parametrize(
    "keytab, ccache, mode, is_noted",
    [
        (KEYTAB, "", "1", True),
        ("", "FILE:/home/alice/cc", "1\n", True),
        ("", "FILE:/home/alice2/cc", "1", False),
        ("/etc/keytabs/alice", "FILE:/tmp/krb5cc_1001", "1", False),
        (KEYTAB, "", "0", False),
        (KEYTAB, "", None, False),
    ],
)
def test_selinux_is_noted(tmp_path, keytab, ccache, mode, is_noted):
    """Where it is enforcing, and something of the ticket lies in the home."""
    enforce = tmp_path / "enforce"
    if mode is not None:
        enforce.write_text(mode)
    findings = list(check_user(ALICE, TicketSpec("alice", keytab, ccache), str(enforce)))
    assert [row.code for row in findings] == ["selinux"] * is_noted
    assert codes(findings) == set()
