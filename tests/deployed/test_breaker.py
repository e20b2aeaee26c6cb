"""A KDC that is silent: one timeout for all, nobody else's logins, and no user can feign it."""

import concurrent.futures
import os
import threading
import time

import pytest

from jhpatch.deployed import kerberos
from jhpatch.deployed.kerberos import Breaker, Getter, Hub, KerberosTicket, Silent
from testing.kdc import SilentKdc
from testing.users import ROOT_ONLY
from testing.waiting import until


@pytest.fixture
def silence(tmp_path, monkeypatch):
    """A realm whose KDC takes what it is sent and says nothing."""
    with SilentKdc(str(tmp_path)) as silent:
        for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
            folder.chmod(0o755)
        monkeypatch.setenv("KRB5_CONFIG", silent.krb5_conf)
        yield silent.krb5_conf


def hub_of(log, caches, keytab, **more):
    """A hub whose users have caches of their own."""
    settings = dict(keytab=keytab, principal="alice/service@EXAMPLE.TEST", timeout=2.0, retry=0.5)
    settings.update(ccache=str(caches / "cc_{username}"), **more)
    return Hub(KerberosTicket(**settings), log)


NAMES = ["nobody", "daemon", "bin", "sys", "games", "man", "lp", "mail", "news", "uucp"]


@pytest.mark.slow
@ROOT_ONLY
def test_a_silent_kdc_is_asked_once(log, caches, keytab, silence, kdc, monkeypatch):
    """All who log in wait one timeout, together; the next wait for nothing; then all goes on."""
    hub = hub_of(log, caches, keytab)
    began = time.monotonic()
    problems = [hub.ticket(name, "login", None) for name in NAMES]
    assert all("no answer within 2 s" in problem.result() for problem in problems)
    together = time.monotonic() - began
    until(hub.breaker.is_open)
    began = time.monotonic()
    for name in NAMES:
        assert "has not answered since" in hub.ticket(name, "login", None).result()
    assert time.monotonic() - began < together
    errors = [line for line in log.lines if line.startswith("ERROR")]
    assert len(errors) == 1 and "does not answer" in errors[0]
    # The KDC comes back: a probe finds it, and no login has to.
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    until(hub.breaker.due)
    for principal in hub.breaker.due():
        hub.breaker.probe(principal)
    assert not hub.breaker.is_open() and "answers again" in log.lines[-1]
    assert hub.ticket("nobody", "login", None).result() is None


@pytest.mark.slow
@ROOT_ONLY
def test_a_ticket_that_is_there_needs_no_kdc(log, caches, keytab, silence, kdc, monkeypatch):
    """While the breaker is open, who has a fresh ticket logs in as ever."""
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    hub = hub_of(log, caches, keytab)
    assert hub.ticket("nobody", "login", None).result() is None
    monkeypatch.setenv("KRB5_CONFIG", silence)
    hub.breaker.probe("x@EXAMPLE.TEST")
    assert hub.breaker.is_open()
    assert hub.ticket("nobody", "login", None).result() is None
    assert hub.ticket("daemon", "login", None).result() is not None


@ROOT_ONLY
@pytest.mark.parametrize(
    "how", [pytest.param("a FIFO as keytab", marks=pytest.mark.slow), "a kinit that lies"]
)
def test_a_user_cannot_feign_it(log, caches, kdc, monkeypatch, tmp_path, how, script, keytab):
    """Their own kinit hangs, or says that no KDC answers: the others get their tickets."""
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    fifo = tmp_path / "keytab"
    os.mkfifo(str(fifo))
    fifo.chmod(0o666)
    hub = hub_of(log, caches, lambda name: str(fifo) if name == "daemon" else keytab)
    probes = []
    ask = hub.breaker._ask
    hub.breaker._ask = lambda principal: probes.append(principal) or ask(principal)
    if how == "a kinit that lies":
        lie = kerberos.Done(1, b"", "kinit: Cannot contact any KDC for realm 'EXAMPLE.TEST'")
        run = hub.getter._run

        def lying(account, argv, *rest, **more):
            return (
                lie if account and account.name == "daemon" else run(account, argv, *rest, **more)
            )

        monkeypatch.setattr(hub.getter, "_run", lying)
        hub.getter.default_cache = lambda account: kerberos.cache_of("/tmp/none", 1)
    assert hub.ticket("daemon", "login", None).result() is not None
    until(lambda: probes and not hub.breaker._asking)
    assert not hub.breaker.is_open()
    assert hub.ticket("nobody", "login", None).result() is None


@pytest.mark.slow
@ROOT_ONLY
def test_the_question_is_asked_while_they_wait(log, caches, keytab, silence):
    """A fifth of the timeout is enough to suspect: the answer is there when they give up."""
    hub = hub_of(log, caches, keytab, timeout=10.0)
    waiting = hub.ticket("nobody", "login", None)
    until(lambda: hub.breaker._asking)
    assert not waiting.done()
    hub.getter._settings.timeout = 0.5


def test_realms_are_apart(log):
    """The silence of one realm's KDC keeps nobody of another from asking theirs."""
    breaker = Breaker(KerberosTicket(), log, lambda principal: principal != "a@DEAD.TEST")
    breaker.probe("a@DEAD.TEST")
    breaker.probe("b@ALIVE.TEST")
    with pytest.raises(Silent):
        breaker.check("c@DEAD.TEST")
    breaker.check("c@ALIVE.TEST")
    breaker.check("c")
    assert len(log.lines) == 1 and "DEAD.TEST" in log.lines[0]


def test_many_suspicions_are_one_question(log):
    """A class that waits is one probe, in a thread that nobody waits for."""
    gate, asked = threading.Event(), []

    def ask(principal):
        asked.append(principal)
        gate.wait(10)
        return True

    breaker = Breaker(KerberosTicket(retry=30), log, ask)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(breaker.suspect, ["u@EXAMPLE.TEST"] * 100))
    until(lambda: asked)
    breaker.suspect("u@EXAMPLE.TEST")
    gate.set()
    until(lambda: not breaker._asking)
    breaker.suspect("u@EXAMPLE.TEST")
    assert len(asked) == 1


def test_a_question_that_came_to_nothing_is_asked_again(log, monkeypatch):
    """No thread was to be had, or the probe itself failed: the next who comes asks."""
    answers = [RuntimeError("odd"), True]

    def ask(principal):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def no_thread(*_):
        raise RuntimeError("can't start new thread")

    breaker = Breaker(KerberosTicket(), log, ask)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        breaker.suspect("u@EXAMPLE.TEST")
    assert len(answers) == 2 and not breaker._asking
    with pytest.raises(RuntimeError, match="odd"):
        breaker.probe("u@EXAMPLE.TEST")
    assert not breaker._asking
    breaker._asked.clear()
    breaker.suspect("u@EXAMPLE.TEST")
    until(lambda: not answers)


@pytest.mark.parametrize("old, new", [(False, True), (True, False)])
def test_an_older_question_does_not_overrule_a_later_one(log, old, new):
    """A silent KDC takes the whole timeout to say nothing; meanwhile it may have come back."""
    gate, asked = threading.Event(), []

    def ask(principal):
        asked.append(principal)
        if len(asked) == 1:
            gate.wait(10)
            return old
        return new

    breaker = Breaker(KerberosTicket(), log, ask)
    slow = threading.Thread(target=breaker.probe, args=("u@EXAMPLE.TEST",))
    slow.start()
    until(lambda: asked)
    breaker.probe("u@EXAMPLE.TEST")
    gate.set()
    slow.join()
    assert breaker.is_open() is not new and len(log.lines) == (not new)


def test_a_probe_that_fails_is_a_silent_kdc(log):
    """Without kinit nothing can be asked: that is said, and no thread dies of it."""
    getter = Getter(KerberosTicket(kinit="/nowhere/kinit"), {})
    assert getter.answers("x@EXAMPLE.TEST") is False


def test_the_reason_names_the_time(log):
    """Who is refused reads since when; the log says it once, however often it is asked."""
    breaker = Breaker(KerberosTicket(), log, lambda principal: False)
    for _ in range(3):
        breaker.probe("")
    assert len(log.lines) == 1
    with pytest.raises(Silent) as silent:
        breaker.check("alice")
    assert time.strftime("%Y-%m-%d") in str(silent.value)
