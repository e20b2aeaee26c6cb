"""A fault that the deployed code found in a Spark, as a finding or as an error."""

from typing import Optional

from jhpatch.deployed import reasons
from jhpatch.deployed.reasons import Fault
from jhpatch.errors import NextStep, Refused, jhpatch_command
from jhpatch.report.result import Finding

_COMMAND = "python -m jhpatch "


def finding_of(fault: Fault, user: Optional[str] = None) -> Finding:
    """A fault as a finding."""
    cause = reasons.CAUSES[fault.code]
    path, step = fault.path or None, _step(fault.next)
    return Finding(fault.code, cause.severity, fault.message, path, cause.why, step, user)


def refusal(fault: Fault) -> Refused:
    """A fault as an error of a command that would have written a kernel."""
    why = reasons.CAUSES[fault.code].why
    return Refused(fault.message, path=fault.path or None, expected=why, next=_step(fault.next))


def _step(words: str) -> NextStep:
    """The next step of a fault: the deployed code has it as words, a command ahead of them."""
    if not words.startswith(_COMMAND):
        return NextStep(words)
    ends = (words.find(";"), words.find(" ("), len(words))
    end = min(position for position in ends if position >= 0)
    return jhpatch_command(*words[len(_COMMAND) : end].split(" ")) + words[end:]
