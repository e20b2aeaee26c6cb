"""A fault that the deployed code found in a Spark, as a finding or as an error."""

import shlex
from typing import Optional, Sequence, Tuple

from jhpatch.deployed.causes import CAUSES, Fault
from jhpatch.errors import Command, NextStep, Refused, jhpatch_command
from jhpatch.report.result import Finding

_COMMAND = "python -m jhpatch "


def finding_of(fault: Fault, user: Optional[str] = None, kernel: str = "") -> Finding:
    """Return a fault as a finding; ``kernel`` is the one that its next step writes again."""
    cause = CAUSES[fault.code]
    path, step = fault.path or None, _next_step(fault.next)
    if kernel:
        step = repeated(step, (("--name", kernel),)) or step
    return Finding(fault.code, cause.severity, fault.message, path, cause.why, step, user)


def refusal_of(fault: Fault) -> Refused:
    """Return a fault as the error of a command that would have written a kernel."""
    why = CAUSES[fault.code].why
    return Refused(
        fault.message, path=fault.path or None, expected=why, next=_next_step(fault.next)
    )


def no_ipykernel(python: str) -> Fault:
    """Return the fault of a Python without ipykernel."""
    message = "%s has no ipykernel" % python
    return Fault("kernel-no-ipykernel", message, python, {"python": shlex.quote(python)})


def prevents_start(fault: Fault) -> bool:
    """Return whether Spark does not start with this fault."""
    return CAUSES[fault.code].severity == "error"


def repeated(step: Optional[NextStep], given: Sequence[Tuple[str, str]]) -> Optional[NextStep]:
    """Return a next step whose ``kernelspec install`` repeats the options that were given.

    ``given``: options with their values. An option that the step itself has takes precedence.
    """
    if step is None:
        return None
    parts = []
    for part in step.parts:
        if isinstance(part, Command) and part.arguments[:2] == ("kernelspec", "install"):
            own = part.arguments[2:]
            words = [
                word
                for option, value in given
                if option not in own or option in ("--conf", "--env")
                for word in ((option, value) if value else (option,))
            ]
            part = part._replace(arguments=part.arguments[:2] + tuple(words) + own)
        parts.append(part)
    return NextStep(*parts)


def _next_step(text: str) -> NextStep:
    """Parse the text of the deployed code, which may begin with a command."""
    if not text.startswith(_COMMAND):
        return NextStep(text)
    ends = (text.find(";"), text.find(" ("), len(text))
    end = min(position for position in ends if position >= 0)
    return jhpatch_command(*text[len(_COMMAND) : end].split(" ")) + text[end:]
