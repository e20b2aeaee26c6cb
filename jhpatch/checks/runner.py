"""Run checks, each bounded in time."""

import threading
import time
from typing import Callable, Dict, Iterable, List, Tuple

# spark/checks.py names both here.
from jhpatch.checks.accounts import Account as Account
from jhpatch.checks.accounts import account_of as account_of
from jhpatch.checks.finding import FindingKind, FindingTable, warning
from jhpatch.errors import jhpatch_command
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding

EACH = 5.0
"""Seconds that one check may take."""
ALL = 30.0
"""Seconds that all checks may take together."""
MARGIN = 0.3
"""Seconds before the limit of a check at which what it has started must have ended."""

KINDS: Dict[str, FindingKind] = {
    "check-timeout": warning(
        "each check has 5 s, all have 30 s: a service of this host does not answer",
        jhpatch_command("doctor"),
    ),
    "check-left-out": warning("each check has 5 s, all have 30 s", jhpatch_command("doctor")),
    "check-failed": warning(
        "a mistake in jhpatch: please report it", jhpatch_command("doctor", "--json")
    ),
}
_finding = FindingTable(KINDS).finding


class Deadline:
    """The time at which a check must have ended."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left(self, most: float = EACH) -> float:
        """Return the seconds for a program or a socket: at most ``most``, at least 0.05."""
        return min(max(self._end - self._clock() - MARGIN, 0.05), most)


class Check(NamedTuple):
    """A part of the host to check: ``probe`` yields its findings, by the deadline."""

    name: str
    probe: Callable[[Deadline], Iterable[Finding]]


def run_checks(
    checks: Iterable[Check],
    each: float = EACH,
    total: float = ALL,
    step: Callable[[str], None] = lambda name: None,
) -> Tuple[Finding, ...]:
    """Return the findings of all checks, which run one after the other.

    A check ends after ``each`` seconds, all checks after ``total``; what a check found
    until then counts. ``step`` is called with the name of each check as it begins.
    """
    findings: List[Finding] = []
    end = time.monotonic() + total
    for check in checks:
        step(check.name)
        seconds = min(each, end - time.monotonic())
        if seconds <= 0:
            message = "%s: no time was left for it" % check.name
            findings.append(_finding("check-left-out", message))
        else:
            findings += _run_check(check, seconds)
    return tuple(findings)


def _run_check(check: Check, seconds: float) -> List[Finding]:
    """Return what a check finds in a thread of its own.

    A name service or an NFS server may never answer: the thread is then left behind.
    """
    findings: List[Finding] = []

    def probe() -> None:
        try:
            for finding in check.probe(Deadline(seconds)):
                findings.append(finding)
        except Exception as error:
            message = "%s: unexpected %s: %s" % (check.name, type(error).__name__, error)
            findings.append(_finding("check-failed", message))

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        message = "%s: no end within %.0f s" % (check.name, seconds)
        return list(findings) + [_finding("check-timeout", message)]
    return findings
