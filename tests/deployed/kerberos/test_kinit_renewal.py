"""kinit -R, canonical principals, and one refresh in flight: real kinit, a real KDC."""

import os
import subprocess
import sys
import time

import pytest

from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.kinit import Kinit
from jhpatch.deployed.kerberos.settings import Settings, TicketSpec
from jhpatch.deployed.kerberos.store import Store
from testing import ROOT
from testing.users import ROOT_ONLY
from tests.deployed.tickets import NOBODY, PRINCIPAL, klist, requests, wanted

pytestmark = ROOT_ONLY


@pytest.mark.slow
@pytest.mark.parametrize("how", ["absent", "of other keys"])
def test_without_a_keytab_the_ticket_is_renewed(kdc, keytab, caches, at, how):
    """kinit -R while it may still be renewed; the keytab's problem is not hidden by that."""
    service = Kinit(Settings(lifetime="1h"), kdc.env())
    ticket = service.ensure(NOBODY, wanted(keytab, caches)).ticket
    time.sleep(1.1)
    at(ticket.start + 1900)
    other = "/nowhere/keytab" if how == "absent" else os.path.join(kdc.folder, "bob.keytab")
    renewed, is_new, problem = service.ensure(NOBODY, wanted(other, caches))
    assert is_new and renewed.start > ticket.start and renewed.principal == PRINCIPAL
    assert renewed.renew_till == ticket.renew_till
    assert "/nowhere/keytab" in problem or "no suitable keys" in problem
    assert os.listdir(str(caches)) == ["cc"]
    at(renewed.start + 1900)
    assert service.ensure(NOBODY, wanted(keytab, caches)).keytab_problem == ""


def test_both_reasons_are_reported(kdc, keytab, caches, at, script):
    """The keytab's and kinit -R's."""
    service = Kinit(Settings(lifetime="1h"), kdc.env())
    ticket = service.ensure(NOBODY, wanted(keytab, caches)).ticket
    kinit = script('case "$*" in *-R*) echo no renewal;; *) echo no keytab;; esac >&2; exit 1\n')
    at(ticket.start + 1900)
    with pytest.raises(Problem) as problem:
        Kinit(Settings(kinit=kinit), kdc.env()).ensure(NOBODY, wanted(keytab, caches))
    assert str(problem.value) == "no keytab; kinit -R: no renewal"


# Canonical principals.


@pytest.fixture
def canonical(kdc, keytab, script):
    """A kinit to which the KDC returns bob's ticket when it is asked for another name."""
    bob = os.path.join(kdc.folder, "bob.keytab")
    path = script(
        'case "$*" in\n*-R*) exec /usr/bin/kinit "$@" ;;\nesac\n'
        "test -e %s || { echo no keytab >&2; exit 1; }\n"
        "exec /usr/bin/kinit $1 $2 -k -t %s -l 1h -r 7d bob\n" % (bob + ".ok", bob)
    )
    open(bob + ".ok", "w").close()
    yield Settings(kinit=path), bob + ".ok"
    if os.path.exists(bob + ".ok"):
        os.unlink(bob + ".ok")


@pytest.mark.slow
def test_a_canonical_principal_is_the_one_that_was_asked_for(canonical, kdc, caches, at):
    """At the second login, after kinit -R, and for another process, which reads the cache."""
    settings, marker = canonical
    spec = wanted("/k", caches, "robert@EXAMPLE.TEST")
    ticket, is_new, _ = Kinit(settings, kdc.env()).ensure(NOBODY, spec)
    assert is_new and (ticket.principal, ticket.asked) == ("bob@EXAMPLE.TEST", spec.principal)
    second = Kinit(settings, kdc.env()).ensure(NOBODY, spec)
    assert (second.ticket, second.is_new) == (ticket, False)
    for name in ("bob", "bob@EXAMPLE.TEST"):
        assert not Kinit(settings, kdc.env()).ensure(NOBODY, spec._replace(principal=name)).is_new
    time.sleep(1.1)
    os.unlink(marker)
    at(ticket.start + 1900)
    third = Kinit(settings, kdc.env()).ensure(NOBODY, spec)
    assert third.is_new and third.keytab_problem == "no keytab"
    assert third.ticket.start > ticket.start and third.ticket.asked == spec.principal
    at(third.ticket.start + 1900)
    by_its_name = spec._replace(principal="bob")
    fourth = Kinit(settings, kdc.env()).ensure(NOBODY, by_its_name)
    assert fourth.is_new and fourth.ticket.asked == spec.principal
    at(fourth.ticket.start)
    assert not Kinit(settings, kdc.env()).ensure(NOBODY, spec).is_new
    with pytest.raises(Problem) as problem:
        Kinit(settings, kdc.env()).ensure(NOBODY, wanted("/k", caches, "mallory"))
    assert "does not replace before" in str(problem.value)


def test_libkrb5_reads_what_remembers_the_name(canonical, kdc, caches):
    """klist, with configuration entries too; kvno adds a ticket; kinit -R renews."""
    settings, _ = canonical
    Kinit(settings, kdc.env()).ensure(NOBODY, wanted("/k", caches, "robert"))
    name = "FILE:%s/cc" % caches
    assert "Default principal: bob@EXAMPLE.TEST" in klist(kdc, name)
    assert "jhpatch_asked" in klist(kdc, name, "-C") and "robert" in klist(kdc, name, "-C")
    for argv in (["kvno", "-c", name, "krbtgt/EXAMPLE.TEST"], ["kinit", "-c", name, "-R"]):
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *argv],
            env=dict(kdc.env(), PATH="/usr/bin:/bin", LC_ALL="C"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, done.stdout
    assert "krbtgt/EXAMPLE.TEST" in klist(kdc, name)


# One refresh in flight.

_REFRESH = """
import os, sys
sys.path.insert(0, %r)
from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.kinit import Kinit
from jhpatch.deployed.kerberos.settings import Settings, TicketSpec
service = Kinit(Settings(renewable="", timeout=300.0), {"KRB5_CONFIG": %r})
sys.stdin.readline()
account = Account("nobody", 65534, 65534, "/")
print(service.ensure(account, TicketSpec("alice/service", %r, %r), float(sys.argv[1])).is_new)
"""


@pytest.mark.slow
def test_processes_refresh_a_cache_once(service, kdc, keytab, caches):
    """Named servers, the hub and a terminal at the same time: one of them asks the KDC."""
    spec = wanted(keytab, caches)
    service.ensure(NOBODY, spec)
    time.sleep(4)
    asked = requests(kdc)
    code = _REFRESH % (ROOT, kdc.krb5_conf, spec.keytab, spec.ccache)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, "0.0001"],  # due is what is older than 3.6 s
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(6)
    ]
    for child in children:
        child.stdin.write(b"\n")
        child.stdin.flush()
    got = [child.communicate()[0].strip() == b"True" for child in children]
    assert sum(got) == 1, got
    assert requests(kdc) - asked == 2  # the first is answered: preauthentication required


@pytest.mark.slow
def test_what_another_has_refreshed_meanwhile_is_taken(service, kdc, keytab, caches, monkeypatch):
    """Between the look and the lock: the second look finds it, and the KDC is not asked."""
    spec = wanted(keytab, caches)
    ticket = service.ensure(NOBODY, spec).ticket
    time.sleep(4)
    other, before, read = Kinit(Settings(), kdc.env()), requests(kdc), Store.cache
    looks = []

    def cache(self):
        data = read(self)
        looks.append(data)
        if len(looks) == 1:
            other.ensure(NOBODY, spec, 0.0)
        return data

    monkeypatch.setattr(Store, "cache", cache)
    fresh, is_new, _ = service.ensure(NOBODY, spec, 0.0001)
    assert not is_new and fresh.start > ticket.start
    assert len(looks) == 3 and requests(kdc) - before == 2  # the other's look and requests


def test_nobody_else_can_lock_a_cache(service, keytab, caches):
    """It is the user's, mode 0600: another user cannot open what the lock is on."""
    service.ensure(NOBODY, wanted(keytab, caches))
    argv = ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "flock", "-n"]
    done = subprocess.run([*argv, str(caches / "cc"), "true"], stderr=subprocess.DEVNULL)
    assert done.returncode


def test_a_cache_that_changes_all_the_time_is_given_up(service, keytab, caches, monkeypatch):
    """Three times; the reason is the cache."""
    spec = wanted(keytab, caches)
    read, looks = Store.cache, []

    def cache(self):
        data = read(self)
        looks.append(data)
        path = caches / "new"
        path.write_bytes(b"x")
        os.chown(str(path), 65534, 65534)
        os.rename(str(path), str(caches / "cc"))
        return data

    monkeypatch.setattr(Store, "cache", cache)
    with pytest.raises(Problem) as problem:
        service.ensure(NOBODY, spec)
    assert "keep changing the cache" in str(problem.value) and len(looks) == 3


@pytest.mark.slow
def test_a_server_renews_what_the_hub_has_obtained(kdc, caches, keytab, at):
    """It has no part in a central keytab, and names who has if it cannot renew."""
    own = Account("root", os.geteuid(), os.getegid(), "/")
    spec = TicketSpec("alice/service", keytab, "FILE:%s/cc" % caches, True)
    server = Kinit(Settings(), kdc.env())
    with pytest.raises(Problem) as problem:
        server.ensure(own, spec)
    assert "only the hub can read this keytab" in str(problem.value)
    hub = Kinit(Settings(lifetime="1h"), kdc.env())
    ticket = hub.ensure(own, spec._replace(central=False)).ticket
    time.sleep(1.1)
    at(ticket.start + 3000)
    renewed, is_new, problem = server.ensure(own, spec)
    assert is_new and renewed.start > ticket.start and problem == ""
