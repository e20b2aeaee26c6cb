"""Obtaining a ticket as root for a user: a real KDC, real kinit."""

import os
import stat
import time

import pytest

from jhpatch.deployed.kerberos import kinit
from jhpatch.deployed.kerberos.account import make_private_directory
from jhpatch.deployed.kerberos.errors import Problem, Unresponsive
from jhpatch.deployed.kerberos.kinit import Kinit, NotRenewed
from jhpatch.deployed.kerberos.settings import Settings, TicketSpec
from testing.kdc import SilentKdc
from testing.users import ROOT_ONLY
from testing.waiting import until
from tests.deployed.tickets import (
    NOBODY,
    PRINCIPAL,
    Breaker,
    given_up,
    requests,
    shift,
    wanted,
    with_defaults,
)

pytestmark = ROOT_ONLY


def test_a_ticket_is_the_users_own(service, keytab, caches):
    """The right principal, mode 0600, owned by the user; nothing else is left there."""
    ticket, is_new, problem = service.ensure(NOBODY, wanted(keytab, caches))
    assert is_new and ticket.principal == PRINCIPAL and ticket.end > time.time() + 3600
    assert (ticket.asked, problem) == ("", "")
    status = os.lstat(str(caches / "cc"))
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o600, 65534, 65534)
    assert os.listdir(str(caches)) == ["cc"]


def test_a_fresh_ticket_is_left_alone(service, kdc, keytab, caches):
    """The second time nothing is asked of the KDC, and the file is the same, and not written."""

    def written():
        status = os.stat(str(caches / "cc"))  # not all of it: reading changes atime
        return status.st_ino, status.st_mtime_ns

    first = service.ensure(NOBODY, wanted(keytab, caches))
    before, asked = written(), requests(kdc)
    second = service.ensure(NOBODY, wanted(keytab, caches))
    assert (second.ticket, second.is_new) == (first.ticket, False)
    assert written() == before and requests(kdc) == asked


def test_half_of_its_life_is_enough(service, keytab, caches, at):
    """A ticket of which half has passed is renewed, though it is valid still."""
    ticket = service.ensure(NOBODY, wanted(keytab, caches)).ticket
    middle = (ticket.start + ticket.end) / 2
    for now, expected in ((middle - 60, False), (middle + 60, True)):
        at(now)
        assert service.ensure(NOBODY, wanted(keytab, caches)).is_new is expected


def test_another_part_of_its_life_can_be_asked_for(service, keytab, caches, at):
    """The hub looks later than the server, whose ticket it is first."""
    ticket = service.ensure(NOBODY, wanted(keytab, caches)).ticket
    at(ticket.start + 0.6 * (ticket.end - ticket.start))
    for part, expected in ((0.7, False), (0.55, True)):
        assert service.ensure(NOBODY, wanted(keytab, caches), part).is_new is expected


def test_a_ticket_of_the_future_is_replaced(service, keytab, caches):
    """The clock was stepped back by an hour: what looks fresh is not to be used."""
    ticket = service.ensure(NOBODY, wanted(keytab, caches)).ticket
    shift(caches / "cc", ticket, 3600)
    assert service.ensure(NOBODY, wanted(keytab, caches)).is_new


def test_somebody_elses_valid_ticket_is_left_alone(service, kdc, keytab, caches):
    """The user's own kinit as another principal stays; the message says what they can do."""
    bob = wanted(os.path.join(kdc.folder, "bob.keytab"), caches, "bob")
    ticket = service.ensure(NOBODY, bob).ticket
    before = (caches / "cc").read_bytes()
    with pytest.raises(Problem) as problem:
        service.ensure(NOBODY, wanted(keytab, caches))
    text = str(problem.value)
    assert "bob@EXAMPLE.TEST" in text and "before it expires at 20" in text
    assert text.endswith("run: kdestroy -c FILE:%s/cc" % caches)
    assert (caches / "cc").read_bytes() == before
    shift(caches / "cc", ticket, -36000)
    assert service.ensure(NOBODY, wanted(keytab, caches)).ticket.principal == PRINCIPAL


def test_the_command_of_the_message_is_quoted(service, kdc, keytab, caches):
    """It is runnable as printed."""
    bob = wanted(os.path.join(kdc.folder, "bob.keytab"), caches, "bob", "my cc")
    service.ensure(NOBODY, bob)
    with pytest.raises(Problem) as problem:
        service.ensure(NOBODY, wanted(keytab, caches, name="my cc"))
    assert str(problem.value).endswith("kdestroy -c 'FILE:%s/my cc'" % caches)


def test_without_a_keytab_the_reason_is_one_line(service, caches):
    """kinit's own words, on one line."""
    with pytest.raises(Problem) as problem:
        service.ensure(NOBODY, wanted("/nowhere/bob.keytab", caches))
    assert "/nowhere/bob.keytab" in str(problem.value) and "\n" not in str(problem.value)
    assert os.listdir(str(caches)) == []


def test_a_failed_renewal_keeps_the_ticket(kdc, keytab, caches, at):
    """A valid ticket counts, whatever the keytab says: the exception has it."""
    service = Kinit(Settings(renewable="", lifetime="1h"), kdc.env())
    ticket = service.ensure(NOBODY, wanted(keytab, caches)).ticket
    before = (caches / "cc").read_bytes()
    at(ticket.start + 0.7 * (ticket.end - ticket.start))
    with pytest.raises(NotRenewed) as problem:
        service.ensure(NOBODY, wanted("/nowhere/keytab", caches))
    assert problem.value.ticket == ticket and "kinit -R" not in str(problem.value)
    at(ticket.end)
    with pytest.raises(Problem) as problem:
        service.ensure(NOBODY, wanted("/nowhere/keytab", caches))
    assert not isinstance(problem.value, NotRenewed)
    assert (caches / "cc").read_bytes() == before


def test_a_kdc_that_is_known_not_to_answer_is_not_asked(kdc, keytab, caches, at):
    """A valid ticket counts all the same; without one the reason is the KDC."""
    breaker = Breaker()
    service = Kinit(Settings(), kdc.env(), breaker)
    ticket = service.ensure(NOBODY, wanted(keytab, caches)).ticket
    breaker.is_open, asked = True, requests(kdc)
    assert not service.ensure(NOBODY, wanted(keytab, caches)).is_new
    at(ticket.start + 0.7 * (ticket.end - ticket.start))
    with pytest.raises(NotRenewed):
        service.ensure(NOBODY, wanted(keytab, caches))
    at(ticket.end)
    with pytest.raises(Unresponsive):
        service.ensure(NOBODY, wanted(keytab, caches))
    assert requests(kdc) == asked and breaker.suspected == []


@pytest.mark.parametrize("how", ["silent", "refused"])
def test_a_kdc_that_does_not_answer_is_suspected(keytab, caches, tmp_path, how):
    """While kinit waits for it, or by kinit's words."""
    breaker = Breaker()
    with SilentKdc(str(tmp_path)) as silent:
        if how == "refused":
            silent.close()
        environ = {"KRB5_CONFIG": silent.krb5_conf}

        def ensure(timeout):
            Kinit(Settings(timeout=timeout), environ, breaker).ensure(
                NOBODY, wanted(keytab, caches)
            )

        assert isinstance(given_up(ensure), Unresponsive)
    assert breaker.suspected and set(breaker.suspected) == {"alice/service"}
    assert os.listdir(str(caches)) == []


def test_a_keytab_that_is_wrong_suspects_no_kdc(kdc, caches):
    """The KDC has answered, or was not asked."""
    breaker = Breaker()
    service = Kinit(Settings(), kdc.env(), breaker)
    for keytab in ("/nowhere/keytab", os.path.join(kdc.folder, "bob.keytab")):
        with pytest.raises(Problem):
            service.ensure(NOBODY, wanted(keytab, caches))
    assert breaker.suspected == []


def test_the_default_cache_is_what_libkrb5_says(kdc, keytab, caches):
    """Without a setting: krb5.conf's, asked as the user, absent or there."""
    line = " default_ccache_name = FILE:%s/own-%%{uid}" % caches
    service = Kinit(Settings(), with_defaults(kdc, caches.parent / "krb5.conf", line))
    for is_new in (True, False):
        assert service.ensure(NOBODY, TicketSpec("alice/service", keytab, "")).is_new is is_new
        assert os.listdir(str(caches)) == ["own-65534"]
    assert service.cache(NOBODY, TicketSpec("alice/service", keytab, "")).path == str(
        caches / "own-65534"
    )


@pytest.mark.parametrize("how", ["set", "krb5.conf"])
def test_a_private_directory_is_made_for_the_cache(kdc, keytab, caches, monkeypatch, how):
    """/run/jhpatch/{uid}/cc works at the first login after a reboot, set or libkrb5's own."""
    top = "/run/jhpatch-test-kinit-%d" % os.getpid()

    def make(path, account):
        make_private_directory(path, account, top)

    monkeypatch.setattr(kinit, "make_private_directory", make)
    environ = kdc.env()
    if how == "krb5.conf":
        line = " default_ccache_name = FILE:%s/%%{uid}/cc" % top
        environ = with_defaults(kdc, caches.parent / "krb5.conf", line)
    ccache = "FILE:%s/65534/cc" % top if how == "set" else ""
    try:
        for is_new in (True, False):
            outcome = Kinit(Settings(), environ).ensure(
                NOBODY, TicketSpec("alice/service", keytab, ccache)
            )
            assert outcome.is_new is is_new
        assert os.listdir(top + "/65534") == ["cc"]
    finally:
        os.system("rm -rf " + top)


def test_destroy_removes_the_cache(service, keytab, caches):
    """kdestroy, as the user."""
    service.ensure(NOBODY, wanted(keytab, caches))
    service.destroy(NOBODY, wanted(keytab, caches))
    assert os.listdir(str(caches)) == []


def test_look_reads_a_cache_as_its_user(service, keytab, caches):
    """What is there, or None."""
    cache = service.cache(NOBODY, wanted(keytab, caches))
    assert service.look(NOBODY, cache) is None
    ticket = service.ensure(NOBODY, wanted(keytab, caches)).ticket
    assert service.look(NOBODY, cache) == ticket
    assert os.listdir(str(caches)) == ["cc"]


def test_stale_directories_are_looked_for_once(service, keytab, caches, at, monkeypatch):
    """With the first ticket of a user, and again after a child that was killed."""
    looked, store = [], kinit.Store

    def watched(*arguments):
        looked.append(arguments[-1])
        return store(*arguments)

    monkeypatch.setattr(kinit, "Store", watched)
    spec = wanted(keytab, caches)
    ticket = service.ensure(NOBODY, spec).ticket
    service.ensure(NOBODY, spec)
    at(ticket.start + 0.7 * (ticket.end - ticket.start))
    service.ensure(NOBODY, spec)
    assert looked == [True, False, False]
    with pytest.raises(Problem):
        service.ensure(NOBODY, spec._replace(keytab="/nowhere", ccache=spec.ccache + "2"))
    until(lambda: os.listdir(str(caches)) == ["cc"])


def test_more_of_the_environment(kdc, keytab, caches):
    """A caller can trace kinit; without that, no child has the variable."""
    trace = caches / "trace"
    spec = wanted(keytab, caches)
    Kinit(Settings(), dict(kdc.env(), KRB5_TRACE=str(trace))).ensure(NOBODY, spec)
    assert not trace.exists()
    traced = Kinit(Settings(), kdc.env(), more={"KRB5_TRACE": str(trace)})
    traced.ensure(NOBODY, spec._replace(ccache=str(caches / "other")))
    assert "Getting initial credentials for alice/service@" in trace.read_text()
