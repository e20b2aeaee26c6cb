"""A KDC that is silent: one timeout for all, nobody else's logins, and no user can feign it."""

import re

import pytest

from jhpatch.deployed.kerberos.hub import HubTickets
from jhpatch.deployed.kerberos.settings import Settings
from testing.kdc import SilentKdc
from testing.users import ROOT_ONLY, make_reachable
from testing.waiting import LIMIT, until
from tests.deployed.stand_ins import program

TOO_LATE = "no answer within|has not answered since|in time|did not start within"
"""The KDC's silence, or on a busy machine that of setpriv or klist before it."""
NAMES = ["nobody", "daemon", "bin", "sys", "games", "man", "lp", "mail", "news", "uucp"]


@pytest.fixture
def silence(tmp_path, monkeypatch):
    """A realm whose KDC takes what it is sent and says nothing."""
    with SilentKdc(str(tmp_path)) as silent:
        make_reachable(str(tmp_path))
        monkeypatch.setenv("KRB5_CONFIG", silent.krb5_conf)
        yield silent.krb5_conf


def hub_of(log, caches, keytab, **more):
    """A hub whose users have caches of their own."""
    settings = dict(keytab=keytab, principal="alice/service@EXAMPLE.TEST", timeout=2.0, retry=0.5)
    settings.update(ccache=str(caches / "cc_{username}"), **more)
    return HubTickets(Settings(**settings), log)


@pytest.mark.slow
@ROOT_ONLY
def test_a_silent_kdc_is_asked_once(log, caches, keytab, silence, kdc, monkeypatch):
    """All who log in wait one timeout, together; the next wait for nothing; then all goes on."""
    hub = hub_of(log, caches, keytab)

    def is_known():
        problems = [hub.request(name, "login") for name in NAMES]
        for problem in problems:
            assert re.search(TOO_LATE, problem.result(LIMIT)), problem.result()
        return hub.breaker.unresponsive()

    until(is_known)
    kinits = []
    monkeypatch.setattr(hub.kinit, "_run_kinit", lambda *_: kinits.append(1))
    for name in NAMES:
        until(lambda: "has not answered since" in hub.request(name, "login").result(LIMIT))  # noqa: B023
    assert not kinits
    monkeypatch.undo()
    errors = [line for line in log.lines if line.startswith("ERROR")]
    assert len(errors) == 1 and "does not answer" in errors[0]
    # The KDC comes back: a probe finds it, and no login has to.
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)

    def is_found():
        for principal in hub.breaker.due():
            hub.breaker.probe(principal)  # which may take too long on a busy machine
        return not hub.breaker.unresponsive()

    until(is_found)
    assert any("answers again" in line for line in log.lines)
    until(lambda: hub.request("nobody", "login").result(LIMIT) is None)


@pytest.mark.slow
@ROOT_ONLY
def test_a_ticket_that_is_there_needs_no_kdc(log, caches, keytab, silence, kdc, monkeypatch):
    """While the breaker is open, who has a fresh ticket logs in as ever."""
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    patient = hub_of(log, caches, keytab, timeout=LIMIT)
    assert patient.request("nobody", "login").result(2 * LIMIT) is None
    hub = hub_of(log, caches, keytab)
    monkeypatch.setenv("KRB5_CONFIG", silence)
    hub.breaker.probe("x@EXAMPLE.TEST")
    assert hub.breaker.unresponsive()
    assert hub.request("nobody", "login").result(LIMIT) is None
    assert hub.request("daemon", "login").result(LIMIT) is not None


@ROOT_ONLY
@pytest.mark.slow
def test_a_fifo_as_keytab_feigns_nothing(log, caches, kdc, monkeypatch, fifo, keytab):
    """Their own kinit hangs: the others get their tickets."""
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    # Long, so that the live KDC answers within it on a busy machine, too.
    hub = hub_of(log, caches, lambda name: fifo if name == "daemon" else keytab, timeout=10.0)
    probes = noted_probes(hub)
    assert hub.request("daemon", "login").result(LIMIT) is not None
    until(lambda: probes and not hub.breaker._asking)
    assert not hub.breaker.unresponsive()
    assert hub.request("nobody", "login").result(LIMIT) is None


@ROOT_ONLY
def test_a_lie_of_a_users_kinit_feigns_nothing(log, caches, kdc, monkeypatch, keytab, script):
    """It says that no KDC answers: the probe, which is no user's, asks the KDC itself."""
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    kinit = script(
        program(
            'test $(id -u) = 0 && exec /usr/bin/kinit "$@"\n'
            "echo \"kinit: Cannot contact any KDC for realm 'EXAMPLE.TEST'\" >&2; exit 1\n"
        )
    )
    hub = hub_of(log, caches, keytab, kinit=kinit, timeout=LIMIT)
    probes = noted_probes(hub)
    assert "Cannot contact" in hub.request("nobody", "login").result(LIMIT)
    until(lambda: probes and not hub.breaker._asking)
    assert not hub.breaker.unresponsive()


def noted_probes(hub):
    """Return a list to which each question to a KDC is added."""
    probes, ask = [], hub.breaker._ask
    hub.breaker._ask = lambda principal: probes.append(principal) or ask(principal)
    return probes


@pytest.mark.slow
@ROOT_ONLY
def test_the_question_is_asked_while_they_wait(log, caches, keytab, silence):
    """A fifth of the timeout is enough to suspect: the answer is there when they give up."""
    hub = hub_of(log, caches, keytab, timeout=10.0)
    waiting = hub.request("nobody", "login")
    until(lambda: hub.breaker._asking)
    assert not waiting.done()
    hub.requests.close()


def test_a_kinit_that_is_gone_opens_no_breaker(log):
    """It tells nothing about the KDC: a line, once, and no thread dies of it."""
    hub = HubTickets(Settings(kinit="/nowhere/kinit", retry=0.1), log)
    for _ in range(2):
        hub.breaker._probe_alone("x@EXAMPLE.TEST")
    assert not hub.breaker.unresponsive()
    (line,) = log.lines
    assert "cannot probe the KDC" in line and "/nowhere/kinit" in line
