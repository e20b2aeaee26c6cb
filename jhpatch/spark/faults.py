"""A fault that the deployed code found in a Spark, as a finding or as an error."""

from typing import Optional

from jhpatch.deployed import reasons
from jhpatch.deployed.reasons import Fault
from jhpatch.errors import NextStep, Refused, jhpatch_command
from jhpatch.report.result import Finding

_COMMAND = "python -m jhpatch "


def finding_of(fault: Fault, user: Optional[str] = None) -> Finding:
    """Return a fault as a finding."""
    cause = reasons.CAUSES[fault.code]
    path, step = fault.path or None, _next_step(fault.next)
    return Finding(fault.code, cause.severity, fault.message, path, cause.why, step, user)


def refusal_of(fault: Fault) -> Refused:
    """Return a fault as the error of a command that would have written a kernel."""
    why = reasons.CAUSES[fault.code].why
    return Refused(
        fault.message, path=fault.path or None, expected=why, next=_next_step(fault.next)
    )


def prevents_start(fault: Fault) -> bool:
    """Whether Spark does not start with this fault."""
    return reasons.CAUSES[fault.code].severity == "error"


def _next_step(text: str) -> NextStep:
    """Parse the text of the deployed code, which may begin with a command."""
    if not text.startswith(_COMMAND):
        return NextStep(text)
    ends = (text.find(";"), text.find(" ("), len(text))
    end = min(position for position in ends if position >= 0)
    return jhpatch_command(*text[len(_COMMAND) : end].split(" ")) + text[end:]
