"""Run checks, each bounded in time."""

import threading
import time
from typing import Callable, Dict, Iterable, List, Tuple

from jhpatch.checks.finding import FindingKind, FindingTable, warning
from jhpatch.errors import same_command
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding

EACH = 5.0
"""Seconds that one check may take."""
ALL = 30.0
"""Seconds that all checks may take together."""
_LEAST = 0.05
"""Seconds that a program or a socket always has."""
MARGIN = 0.3
"""Seconds before the limit of a check; all that the check has started must end by then."""

KINDS: Dict[str, FindingKind] = {
    "check-timeout": warning(
        "the check took longer than its limit: a file system or a service such as LDAP may be "
        "unresponsive",
        same_command(),
    ),
    "check-left-out": warning("earlier checks or steps used up the time limit", same_command()),
    "check-failed": warning(
        "doctor did not expect this error: please report it", same_command() + " --json"
    ),
}
_finding = FindingTable(KINDS).finding


class Deadline:
    """The time at which a check must have ended."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left(self, most: float = EACH) -> float:
        """Return the seconds for a program or a socket: at most ``most``, at least _LEAST."""
        return min(max(self._end - self._clock() - MARGIN, _LEAST), most)


class Check(NamedTuple):
    """A part of the host to check: ``probe`` yields its findings, by the deadline."""

    name: str
    probe: Callable[[Deadline], Iterable[Finding]]
    more: float = 0.0
    """Seconds that it may take in addition to the limit of each check."""


class NotRun(Exception):
    """Raised by a probe that cannot check anything: another check reports why."""


class Checked(NamedTuple):
    """What one check found."""

    name: str
    findings: Tuple[Finding, ...]
    is_run: bool = True


def run_checks(
    checks: Iterable[Check],
    each: float = EACH,
    total: float = ALL,
    step: Callable[[str], None] = lambda name: None,
) -> Tuple[Checked, ...]:
    """Return what each check found; they run one after the other.

    A check ends after ``each`` seconds and its ``more``, all checks after ``total``; what a
    check found until then counts. ``step`` is called with the name of each check as it begins.
    """
    rows: List[Checked] = []
    end = time.monotonic() + total
    for check in checks:
        step(check.name)
        seconds = min(each + check.more, end - time.monotonic())
        if seconds < _LEAST:
            message = "%s: not run, because all checks together reached their limit of %g s" % (
                check.name,
                total,
            )
            rows.append(Checked(check.name, (_finding("check-left-out", message),), False))
        else:
            rows.append(_run_check(check, seconds))
    return tuple(rows)


def _run_check(check: Check, seconds: float) -> Checked:
    """Return what a check finds in a thread of its own.

    If a name service or an NFS server never answers, the thread continues in the background.
    """
    findings: List[Finding] = []
    skipped: List[bool] = []

    def probe() -> None:
        try:
            for finding in check.probe(Deadline(seconds)):
                findings.append(finding)
        except NotRun:
            skipped.append(True)
        except Exception as error:
            message = "%s: unexpected %s: %s" % (check.name, type(error).__name__, error)
            findings.append(_finding("check-failed", message))

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(seconds)
    rows = tuple(findings)
    if thread.is_alive():
        message = "%s: not finished after %.2g s" % (check.name, seconds)
        rows += (_finding("check-timeout", message),)
    return Checked(check.name, rows, not skipped)


def findings_of(rows: Iterable[Checked]) -> Tuple[Finding, ...]:
    """Return the findings of all checks, in order."""
    return tuple(finding for row in rows for finding in row.findings)


_RESULTS = ("passed", "with errors", "with warnings", "not run")


def summary(rows: Iterable[Checked]) -> str:
    """Return the number of checks, and of those with each result: the numbers add up.

    A check counts once. One without an error or a warning has passed, unless it was not run.
    """
    results = [_result(row) for row in rows]
    counts = ["%d %s" % (results.count(name), name) for name in _RESULTS if name in results]
    plural = "" if len(results) == 1 else "s"
    return "%d check%s: %s" % (len(results), plural, ", ".join(counts) or "none passed")


def _result(row: Checked) -> str:
    severities = {finding.severity for finding in row.findings}
    if "error" in severities:
        return "with errors"
    if not row.is_run:
        return "not run"
    return "with warnings" if "warning" in severities else "passed"
