"""Run kinit, with its trace, for a principal that no realm has: the answer shows a working KDC."""

import re
import time
from typing import List, Mapping, Optional

from jhpatch.deployed.kerberos import identity
from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.errors import Problem, Unresponsive
from jhpatch.deployed.kerberos.process import Child
from jhpatch.kerberos import kinit_trace
from jhpatch.kerberos.kinit_trace import Trace
from jhpatch.namedtuple import NamedTuple

PROBE = "jhpatch-doctor"
"""A principal that no realm has: the KDC's log shows who asked, and no principal can be locked."""
_EXIT = re.compile(r"jhpatch: exit code (\d{1,3})$")
# The user owns the shell, and so the pipe to cat: kinit could not open root's pipe by /dev/stdout.
_SCRIPT = """
{
    KRB5_TRACE=/dev/stdout "$0" -c MEMORY:jhpatch -- "$1"
    echo "jhpatch: exit code $?"
} | cat
"""


class KinitRun(NamedTuple):
    """What one kinit did."""

    exit_code: Optional[int]
    """None if it was killed at its limit, ended after a KDC's answer, or could not start."""
    message: str
    """Its error message, or why it was killed or did not start, on one line."""
    trace: Trace
    was_killed: bool = False
    """Whether it was killed at its limit."""

    @property
    def has_ticket(self) -> bool:
        """Whether kinit obtained a ticket."""
        return self.exit_code == 0


def ask_kdc(
    kinit: str,
    realm: str,
    environ: Mapping[str, str],
    seconds: float,
    account: Optional[Account],
) -> KinitRun:
    """Run kinit as ``account``, for at most ``seconds``, until a KDC of the realm has answered.

    After that answer, kinit would go on to ask the primary KDC. If kinit is killed, the result
    has the trace up to that time.
    """
    end = time.monotonic() + seconds
    lines: List[str] = []
    errors, exit_code, was_killed = "", None, False
    try:
        argv = identity.become(account, seconds) if account else []
        environment = identity.environment_of(account, environ)
        argv += ["/bin/sh", "-c", _SCRIPT, kinit, "%s@%s" % (PROBE, realm)]
        with Child(argv, environment, end) as child:
            child.close_input()
            for line in iter(child.line, None):
                lines.append((line or b"").decode("utf-8", "replace"))
                exit_line = _EXIT.match(lines[-1])
                exit_code = int(exit_line.group(1)) if exit_line else exit_code
                if _has_answer(lines):
                    break
            else:
                errors = child.finish().err
            errors = errors or child.errors()
    except Unresponsive:
        was_killed = exit_code is None
        errors = "no answer within %.1f s" % seconds if was_killed else errors
    except Problem as problem:
        errors = str(problem)
    trace = kinit_trace.parse("\n".join(lines))
    return KinitRun(exit_code, " ".join(errors.split()), trace, was_killed)


def _has_answer(lines: List[str]) -> bool:
    """Return whether kinit has an answer, and now begins to ask the primary KDC."""
    is_primary = re.search(r"Retrying AS request with (primary|master) KDC", lines[-1])
    return bool(is_primary) and any("Received answer (" in line for line in lines)
