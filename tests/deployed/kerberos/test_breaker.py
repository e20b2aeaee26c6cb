"""The circuit breaker: one question for all, and it closes by itself."""

import concurrent.futures
import threading
import time

import pytest

from jhpatch.deployed.kerberos.breaker import CircuitBreaker
from jhpatch.deployed.kerberos.errors import Unresponsive
from testing.waiting import LIMIT, until


class Kdc:
    """A KDC that answers if it is told to, and waits for a gate if there is one."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.gate = threading.Event()
        self.gate.set()

    def ask(self, principal):
        """Answer for a principal; an exception is raised."""
        self.asked.append(principal)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        assert self.gate.wait(LIMIT)
        if isinstance(answer, Exception):
            raise answer
        return answer


def breaker_of(log, kdc, retry=30.0):
    """Return a breaker."""
    return CircuitBreaker(retry, log, kdc.ask)


def test_realms_are_apart(log):
    """The silence of one realm's KDC keeps nobody of another from asking theirs."""
    breaker = CircuitBreaker(30, log, lambda principal: principal != "a@DEAD.TEST")
    breaker.probe("a@DEAD.TEST")
    breaker.probe("b@ALIVE.TEST")
    with pytest.raises(Unresponsive):
        breaker.check("c@DEAD.TEST")
    breaker.check("c@ALIVE.TEST")
    breaker.check("c")
    assert len(log.lines) == 1 and "DEAD.TEST" in log.lines[0]
    assert breaker.unresponsive() == {"DEAD.TEST"}


def test_many_suspicions_are_one_question(log):
    """A class that waits is one probe, in a thread that nobody waits for."""
    kdc = Kdc(True)
    kdc.gate.clear()
    breaker = breaker_of(log, kdc)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(breaker.suspect, ["u@EXAMPLE.TEST"] * 100))
    until(lambda: kdc.asked)
    breaker.suspect("u@EXAMPLE.TEST")
    kdc.gate.set()
    until(lambda: not breaker._asking)
    breaker.suspect("u@EXAMPLE.TEST")
    assert len(kdc.asked) == 1


def test_a_question_that_came_to_nothing_is_asked_again(log, monkeypatch):
    """No thread was to be had, or the probe itself failed: the next who comes asks."""
    kdc = Kdc(RuntimeError("odd"), True)

    def no_thread(_):
        raise RuntimeError("can't start new thread")

    breaker = breaker_of(log, kdc)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        breaker.suspect("u@EXAMPLE.TEST")
    assert not kdc.asked and not breaker._asking
    with pytest.raises(RuntimeError, match="odd"):
        breaker.probe("u@EXAMPLE.TEST")
    assert not breaker._asking
    breaker._asked.clear()
    breaker.suspect("u@EXAMPLE.TEST")
    until(lambda: len(kdc.asked) == 2)


def test_a_probe_that_fails_is_a_line_and_no_traceback_of_a_thread(log):
    """kinit has gone: the thread that asks says so in the log, not on standard error."""
    breaker = breaker_of(log, Kdc(OSError("no\x1bkinit")))
    breaker.suspect("u@EXAMPLE.TEST")
    until(lambda: log.lines)
    (text,) = log.lines
    assert "cannot probe the KDC" in text and "\x1b" not in text
    assert not breaker.unresponsive()


@pytest.mark.parametrize("old, new", [(False, True), (True, False)])
def test_an_older_question_does_not_overrule_a_later_one(log, old, new):
    """A silent KDC takes the whole timeout to say nothing; meanwhile it may have come back."""
    gate, asked = threading.Event(), []

    def ask(principal):
        asked.append(principal)
        if len(asked) == 1:
            assert gate.wait(LIMIT)
            return old
        return new

    breaker = CircuitBreaker(30, log, ask)
    slow = threading.Thread(target=breaker.probe, args=("u@EXAMPLE.TEST",))
    slow.start()
    until(lambda: asked)
    breaker.probe("u@EXAMPLE.TEST")
    gate.set()
    slow.join()
    assert bool(breaker.unresponsive()) is not new and len(log.lines) == (not new)


def test_the_reason_names_the_time(log):
    """Who is refused reads since when; the log says it once, however often it is asked."""
    breaker = breaker_of(log, Kdc(False))
    for _ in range(3):
        breaker.probe("")
    assert len(log.lines) == 1
    with pytest.raises(Unresponsive, match=time.strftime("%Y-%m-%d")):
        breaker.check("alice")


def test_it_closes_without_a_renewer(log):
    """Where nobody runs in the background, whoever wants a ticket has the KDC asked again."""
    kdc = Kdc(False, True)
    breaker = breaker_of(log, kdc, retry=0.1)
    breaker.probe("alice@R")
    assert breaker.unresponsive()

    def is_closed():
        try:
            breaker.check("bob@R")
        except Unresponsive:
            return False
        return True

    until(is_closed)
    assert not breaker.unresponsive() and "answers again" in log.lines[-1]


def test_who_is_due_is_asked_as_a_principal_of_its_realm(log):
    """The renewer probes an unresponsive realm once in ``retry``."""
    breaker = breaker_of(log, Kdc(False), retry=30)
    breaker.probe("alice@R")
    assert breaker.due() == []
    breaker._asked.clear()
    assert breaker.due() == ["@R"]


def test_a_realm_is_a_printable_line(log):
    """It comes from a user name, where the principal is one."""
    breaker = breaker_of(log, Kdc(False))
    breaker.probe("alice@X\n[I 2026] \x1b[2J" + "A" * 5000)
    assert log.lines[0].isprintable() and len(log.lines[0]) < 1000
