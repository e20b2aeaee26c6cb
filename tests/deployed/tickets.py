"""The ticket that the tests ask for, and the account that it is for."""

from jhpatch.deployed.kerberos import Account, Wanted

NOBODY = Account("nobody", 65534, 65534, "/nonexistent")
PRINCIPAL = "alice/service@EXAMPLE.TEST"


def wanted(keytab, caches, principal="alice/service", name="cc"):
    """The ticket that is wanted."""
    return Wanted(principal, str(keytab), str(caches / name))
