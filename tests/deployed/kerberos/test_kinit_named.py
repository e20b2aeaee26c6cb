"""Caches of other types: DIR, KEYRING, KCM; real kinit, a real KDC."""

import os
import subprocess
import time

import pytest

from jhpatch.deployed.kerberos.ccache import cache_of
from jhpatch.deployed.kerberos.errors import Problem, Unresponsive
from jhpatch.deployed.kerberos.kinit import Kinit, NotRenewed
from jhpatch.deployed.kerberos.settings import Settings, TicketSpec
from testing.tickets import is_after
from testing.users import ROOT_ONLY
from tests.deployed.tickets import AS_NOBODY, NOBODY, PRINCIPAL, Breaker, klist, with_defaults

pytestmark = ROOT_ONLY


def test_a_collection_gets_a_cache_of_ours(service, kdc, keytab, caches):
    """DIR: a subsidiary beside the user's own; which one is primary stays as it was."""
    directory = caches / "collection"
    bob = os.path.join(kdc.folder, "bob.keytab")
    service.ensure(NOBODY, TicketSpec("bob", bob, "DIR::%s/tkt" % directory))
    (directory / "primary").write_text("tkt\n")
    ours = TicketSpec("alice/service", keytab, "DIR:%s" % directory)
    ticket, is_new, _ = service.ensure(NOBODY, ours)
    assert is_new and ticket.principal == PRINCIPAL
    assert (directory / "primary").read_text() == "tkt\n"
    assert sorted(os.listdir(str(directory))) == ["primary", "tkt", "tktjhpatch"]
    assert "Default principal: bob@" in klist(kdc, "DIR:%s" % directory)
    assert PRINCIPAL in klist(kdc, "DIR::%s/tktjhpatch" % directory)
    assert service.ensure(NOBODY, ours)[:2] == (ticket, False)


@pytest.fixture
def keyring(kdc):
    """The name of a persistent keyring of nobody's, empty.

    The kernel keeps it for the uid, whoever asks: other runs of the tests take another name.
    """
    name = "KEYRING:persistent:65534:jhpatch-test-%d" % os.getpid()
    if "not permitted" in klist(kdc, name) or "not supported" in klist(kdc, name):
        pytest.skip("no persistent keyrings here")
    yield name
    argv = [*AS_NOBODY, "kdestroy", "-q", "-c", name]
    subprocess.run(argv, env=dict(kdc.env(), PATH="/usr/bin:/bin"))


def ensured(service, spec):
    """The outcome; skipped where the kernel keeps no keyrings for this process."""
    try:
        return service.ensure(NOBODY, spec)
    except Problem as problem:
        pytest.skip("no persistent keyrings here: %s" % problem)


def test_a_persistent_keyring(service, keytab, keyring):
    """No file: klist reads it, kinit replaces it, and a fresh ticket is left alone."""
    ours = TicketSpec("alice/service", keytab, keyring)
    began = time.time()
    ticket, is_new, _ = ensured(service, ours)
    assert is_new and ticket.principal == PRINCIPAL
    assert is_after(ticket.end, 36000, began) and is_after(ticket.start, 0, began)
    assert ticket.renew_till > ticket.end
    assert service.ensure(NOBODY, ours)[:2] == (ticket, False)
    service.destroy(NOBODY, ours)
    assert service.look(NOBODY, cache_of(keyring, 65534)) is None


def test_a_kdc_that_is_known_not_to_answer_is_not_asked(kdc, keytab, keyring, at):
    """A valid ticket counts all the same, as one in a file; without one the reason is the KDC."""
    breaker = Breaker()
    service, ours = (
        Kinit(Settings(), kdc.env(), breaker),
        TicketSpec("alice/service", keytab, keyring),
    )
    ticket = ensured(service, ours).ticket
    breaker.is_open = True
    at(ticket.start + 0.7 * (ticket.end - ticket.start))
    with pytest.raises(NotRenewed):
        service.ensure(NOBODY, ours)
    at(ticket.end)
    with pytest.raises(Unresponsive):
        service.ensure(NOBODY, ours)


def test_a_keyring_that_is_the_default(kdc, keytab, keyring, caches):
    """As on RHEL: krb5.conf's default, absent and then there; klist tells its name by halves."""
    line = " default_ccache_name = %s" % keyring
    service = Kinit(Settings(), with_defaults(kdc, caches.parent / "krb5.conf", line))
    spec = TicketSpec("alice/service", keytab, "")
    for new in (True, False):
        ticket, is_new, _ = ensured(service, spec)
        assert (ticket.principal, is_new) == (PRINCIPAL, new)
    assert service.programs.default_cache(NOBODY).name == keyring


def test_a_kcm_cache(service, kdc, keytab, kcm):
    """Of the daemon, in a subsidiary of ours; the user's own cache and primary stay."""
    bob = os.path.join(kdc.folder, "bob.keytab")
    service.ensure(NOBODY, TicketSpec("bob", bob, "KCM:65534:own"))
    ours = TicketSpec("alice/service", keytab, "KCM:")
    began = time.time()
    ticket, is_new, _ = service.ensure(NOBODY, ours)
    assert is_new and ticket.principal == PRINCIPAL
    assert is_after(ticket.end, 36000, began) and is_after(ticket.start, 0, began)
    assert service.ensure(NOBODY, ours)[:2] == (ticket, False)
    assert "bob@" in klist(kdc, "KCM:65534:own")
    for name in ("KCM:", "KCM:65534:own"):
        service.destroy(NOBODY, ours._replace(ccache=name))


# Stand-ins for kinit and klist: what they print is what counts here.


def programs(script, kinit, klist_text):
    """Settings with a kinit and a klist of these scripts."""
    path = script(kinit)
    directory = os.path.dirname(path)
    os.unlink(directory + "/klist")
    with open(directory + "/klist", "w") as file:
        file.write("#!/bin/sh\n" + klist_text)
    os.chmod(directory + "/klist", 0o755)
    return path


def listed(principal, start, end, renew):
    """klist's text of a TGT; times in seconds."""
    words = [time.strftime("%m/%d/%y %H:%M:%S", time.gmtime(one)) for one in (start, end, renew)]
    return (
        "Ticket cache: KCM:65534:jhpatch\nDefault principal: %s@R\n\n"
        "%s  %s  krbtgt/R@R\n\trenew until %s\n" % (principal, words[0], words[1], words[2])
    )


SPEC = TicketSpec("robert", "/k", "KCM:")


def test_a_canonical_principal_in_a_cache_that_is_no_file(script, caches, at):
    """What was asked for is remembered in this process."""
    now = time.time()
    text = caches / "text"
    kinit = "printf '%%s' '%s' >%s\n" % (listed("bob", now, now + 3600, now + 9000), text)
    path = programs(script, kinit, "cat %s\n" % text)
    service = Kinit(Settings(kinit=path), {})
    ticket, is_new, _ = service.ensure(NOBODY, SPEC)
    assert is_new and ticket.principal == "bob@R"
    second = service.ensure(NOBODY, SPEC)
    assert not second.is_new and second.ticket.asked == "robert"
    with pytest.raises(Problem) as problem:
        service.ensure(NOBODY, SPEC._replace(principal="mallory"))
    assert str(problem.value).endswith("kdestroy -c KCM:65534:jhpatch")


@pytest.mark.parametrize("keytab, words", [("/k", "-k -t /k "), ("", "-k -i ")])
def test_kinit_has_the_keytab_or_the_client_keytab(script, caches, keytab, words):
    """Without a setting, libkrb5 knows it (kinit(1))."""
    now = time.time()
    text = listed("robert", now, now + 3600, now + 9000)
    kinit = "echo \"$*\" >%s/words; printf '%%s' '%s' >%s/text\n" % (caches, text, caches)
    path = programs(script, kinit, "cat %s/text\n" % caches)
    assert Kinit(Settings(kinit=path), {}).ensure(NOBODY, SPEC._replace(keytab=keytab)).is_new
    assert " %s" % words in (caches / "words").read_text()


def test_a_keytab_that_fails_is_reported_behind_kinit_r(script, caches):
    """Here too: the outcome has the keytab's problem; if both fail, the ticket counts."""
    now = time.time()
    old, new = (listed("robert", now - 1900 * n, now + 1700, now + 9000) for n in (1, 0))
    text = caches / "text"
    text.write_text(old)
    text.chmod(0o666)
    kinit = 'case "$*" in *-R*) printf "%%s" "%s" >%s ;; *) echo no keytab >&2; exit 1 ;; esac\n'
    path = programs(script, kinit % (new, text), "cat %s\n" % text)
    outcome = Kinit(Settings(kinit=path), {}).ensure(NOBODY, SPEC)
    assert outcome.is_new and outcome.keytab_problem == "no keytab"
    text.write_text(old)
    path = programs(script, "echo no; exit 1\n", "cat %s\n" % text)
    with pytest.raises(NotRenewed) as problem:
        Kinit(Settings(kinit=path), {}).ensure(NOBODY, SPEC)
    assert problem.value.ticket.principal == "robert@R"


@pytest.mark.parametrize("ccache", ["KCM:", ""])
def test_a_klist_that_hangs_is_no_kdc(script, ccache):
    """A daemon or a file server: one timeout in all, and nothing is suspected."""
    path = programs(script, "exit 0\n", "exec sleep 600\n")
    with pytest.raises(Problem) as problem:
        Kinit(Settings(kinit=path, timeout=0.5), {}).ensure(NOBODY, SPEC._replace(ccache=ccache))
    assert not isinstance(problem.value, Unresponsive)
    assert "klist does not answer" in str(problem.value)


@pytest.mark.parametrize("piece", ["(", "krbtgt/@@@@@@", "x"])
def test_a_klist_that_floods_is_capped(script, piece):
    """Two megabytes of it hold nobody up for longer than they take to read."""
    path = programs(script, "exit 0\n", "yes '%s' | tr -d '\\n' | head -c 2000000\n" % piece)
    for ccache in ("KCM:", ""):
        with pytest.raises(Problem):
            spec = SPEC._replace(ccache=ccache)
            Kinit(Settings(kinit=path, timeout=300.0), {}).ensure(NOBODY, spec)
