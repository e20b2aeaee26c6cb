"""``jhpatch.namedtuple`` is that of the deployed code; its own test has the rules."""

from jhpatch import namedtuple
from jhpatch.deployed.kerberos import namedtuple as deployed


def test_there_is_one():
    """A value of the installer and one of the ticket service are of the same kind."""
    assert namedtuple.NamedTuple is deployed.NamedTuple
