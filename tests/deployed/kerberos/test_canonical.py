"""A KDC that returns another name than was asked for: the ticket is still the right one."""

import os

import pytest

from jhpatch.deployed.kerberos import process
from jhpatch.deployed.kerberos.canonical import CanonicalNames, is_of, realm_of
from jhpatch.deployed.kerberos.ccache import Ticket
from jhpatch.deployed.kerberos.kinit import Kinit
from jhpatch.deployed.kerberos.settings import Settings, TicketSpec
from testing.users import ROOT_ONLY
from tests.deployed.tickets import NOBODY, klist, wanted

BOB = Ticket("bob@R", 0, 1, 2)
SPEC = TicketSpec("robert@R", "", "")


def test_whose_a_ticket_is():
    """The principal, with or without its realm, or what was asked for; nobody else."""
    assert is_of(BOB, "bob@R") and is_of(BOB, "bob")
    assert is_of(BOB._replace(asked="robert@R"), "robert@R")
    assert not is_of(BOB, "robert@R") and not is_of(BOB, "bob@S")


def test_a_name_is_known_by_uid_and_by_what_was_asked_for():
    """What one user's child says is no other user's; a name of any length takes little room."""
    names = CanonicalNames()
    assert names.known(NOBODY, SPEC, BOB) == BOB
    names.learn(NOBODY, SPEC, BOB)
    assert names.known(NOBODY, SPEC, BOB).asked == "robert@R"
    other = NOBODY._replace(uid=33)
    assert names.known(other, SPEC, BOB) == BOB
    assert names.known(NOBODY, SPEC._replace(principal="mallory"), BOB) == BOB
    assert names.known(NOBODY, SPEC, BOB._replace(principal="eve@R")).asked == ""
    names.learn(other, SPEC, BOB._replace(principal="x" * 100000))
    assert max(map(len, names._names.values())) == 1000
    assert names.known(NOBODY, SPEC, None) is None


def test_a_cache_that_names_it_teaches_it():
    """Another process obtained the ticket: its entry is believed for that user."""
    names = CanonicalNames()
    names.known(NOBODY, SPEC, BOB._replace(asked="robert@R"))
    assert names.known(NOBODY, SPEC, BOB).asked == "robert@R"


@ROOT_ONLY
def test_a_renewal_by_another_program_forgets_no_alias(kdc, script, caches):
    """The user's own kinit -R (Hadoop's renewer) drops the entry that names what was asked for."""
    bob = os.path.join(kdc.folder, "bob.keytab")
    kinit = script("exec /usr/bin/kinit $1 $2 -k -t %s -l 1h -r 7d bob\n" % bob)
    service = Kinit(Settings(kinit=kinit), kdc.env())
    spec = wanted("/k", caches, "robert@EXAMPLE.TEST")
    assert service.ensure(NOBODY, spec).ticket.asked == spec.principal
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "kinit", "-R", "-c"]
    environment = dict(kdc.env(), PATH="/usr/bin:/bin")
    done = process.run([*argv, spec.ccache], environment, 60)
    assert done.code == 0 and "robert" not in klist(kdc, spec.ccache, "-C")
    assert not service.ensure(NOBODY, spec).is_new


@pytest.mark.parametrize(
    "principal, realm",
    [
        ("alice@X", "X"),
        ("alice/host@X", "X"),
        ("alice", ""),
        ("svc account@X", "X"),
        ("a\\@corp.example", ""),
        ("a\\@corp.example@X", "X"),
        ("a\\\\@X", "X"),
        ("@X", "X"),
        ("", ""),
    ],
)
def test_the_realm_of_a_principal(principal, realm):
    """An escaped @ belongs to the name."""
    assert realm_of(principal) == realm
