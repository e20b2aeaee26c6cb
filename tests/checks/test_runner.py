"""Checks are bounded in time, and one cannot hold up the others."""

import re
import threading
import time

from jhpatch.checks import runner
from jhpatch.checks.finding import FindingTable, error, note, warning
from jhpatch.checks.runner import Check, Deadline, NotRun

_KINDS = {"broken": error("it fails"), "hung": error("it hangs"), "bad": warning("it can fail")}
finding = FindingTable(_KINDS).finding
notes = FindingTable({"all-is-well": note("it works")}).finding


def codes(*checks, **limits):
    """Return the codes of what the checks find."""
    return [row.code for row in found(*checks, **limits)]


def found(*checks, **limits):
    """Return what the checks find."""
    return runner.findings_of(runner.run_checks(checks, **limits))


def quick(deadline):
    """Find something at once."""
    yield finding("broken", "x")


def hanging(deadline):
    """Find something and never end."""
    yield finding("hung", "x")
    threading.Event().wait()


def test_a_check_that_never_ends_is_given_up():
    """What it found until then is kept, and the next check runs."""
    rows = codes(Check("hanging", hanging), Check("quick", quick), each=0.3)
    assert rows == ["hung", "check-timeout", "broken"]


def test_checks_for_which_no_time_is_left_are_named():
    """They are a warning, not a success."""
    rows = found(Check("hanging", hanging), Check("quick", quick), total=0.2)
    assert [row.code for row in rows] == ["hung", "check-timeout", "check-left-out"]
    assert rows[-1].message.startswith("quick:") and rows[-1].severity == "warning"


def test_the_limit_of_a_late_check_is_named():
    """Also if it was less than a second; with less time than a program needs, none runs."""
    rows = found(Check("hanging", hanging), total=0.34)
    assert re.search(r"not finished after 0\.3\d* s$", rows[-1].message)
    rows = found(Check("hanging", hanging), total=0.04)
    assert [row.code for row in rows] == ["check-left-out"]


def test_an_exception_is_a_finding():
    """It ends its own check alone, and its message is shown."""

    def broken(deadline):
        yield finding("broken", "x")
        raise RuntimeError("oops")

    rows = found(Check("faulty", broken), Check("quick", quick))
    assert [row.code for row in rows] == ["broken", "check-failed", "broken"]
    assert rows[1].message == "faulty: unexpected RuntimeError: oops"


def test_each_check_is_announced():
    """``step`` receives the name of each check before it runs, of one without time as well."""
    events = []

    def probe(deadline):
        events.append("ran")
        return []

    runner.run_checks([Check("one", probe), Check("two", probe)], step=events.append)
    assert events == ["one", "ran", "two", "ran"]


def test_a_check_receives_its_own_deadline():
    """The time that is left is that of one check, and never more than that of all."""
    times = []

    def probe(deadline):
        times.append(deadline.left(60))
        return []

    runner.run_checks([Check("one", probe)], each=20, total=40)
    runner.run_checks([Check("one", probe)], each=20, total=10)
    runner.run_checks([Check("one", probe, 10)], each=20, total=40)
    assert 10 < times[0] < 20 and times[1] < 10 and 20 < times[2] < 30


def skipped(deadline):
    """Find that there is nothing to check."""
    raise NotRun


def test_the_summary_adds_up():
    """Each check counts once, by its worst finding; one that could not check is not run."""

    def worse(deadline):
        yield notes("all-is-well", "x")
        yield finding("bad", "x")
        yield finding("broken", "x")
        yield finding("broken", "y")

    checks = [Check("a", quick), Check("b", worse), Check("c", lambda deadline: [])]
    checks += [Check("d", lambda deadline: [finding("bad", "x")]), Check("e", skipped)]
    checks += [Check("f", lambda deadline: [notes("all-is-well", "x")])]
    text = runner.summary(runner.run_checks(checks))
    assert text == "6 checks: 2 passed, 2 with errors, 1 with warnings, 1 not run"
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    assert numbers[0] == sum(numbers[1:]) == len(checks)


def test_a_summary_names_no_result_that_no_check_has():
    """One check is in the singular."""
    assert runner.summary(runner.run_checks([Check("a", quick)])) == "1 check: 1 with errors"
    left_out = runner.run_checks([Check("a", quick)], total=0)
    assert runner.summary(left_out) == "1 check: 1 not run"


def test_what_is_left_until_a_deadline():
    """A margin is kept; a program has at most what it asked for, and never nothing."""
    now = [0.0]
    deadline = Deadline(5, lambda: now[0])
    assert (deadline.left(2), deadline.left(60)) == (2, 5 - runner.MARGIN)
    now[0] = 4.5
    assert round(deadline.left(2), 9) == 0.2
    now[0] = time.monotonic()
    assert deadline.left(2) == 0.05
