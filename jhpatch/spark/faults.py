"""A fault that the deployed code found in a Spark, as a finding or as an error."""

import shlex
from typing import Optional, Sequence, Tuple

from jhpatch.deployed.causes import CAUSES, INSTALL, Fault
from jhpatch.errors import Command, NextStep, Refused, jhpatch_command
from jhpatch.report.result import Finding

_COMMAND = "python -m jhpatch "


def finding_of(fault: Fault, user: Optional[str] = None, kernel: str = "") -> Finding:
    """Return a fault as a finding; ``kernel`` is the name of the one that has it."""
    cause = CAUSES[fault.code]
    if kernel:
        fault = fault._replace(fill=dict(fault.fill, kernel="the kernel " + kernel))
    path, step = fault.path or None, NextStep(fault.next)
    if fault.next.startswith(_COMMAND):
        step = jhpatch_command(*fault.next[len(_COMMAND) :].split(" "))
    return Finding(fault.code, cause.severity, fault.message, path, cause.why, step, user)


def refusal_of(fault: Fault) -> Refused:
    """Return a fault as the error of ``kernelspec install``, which repeats its options itself."""
    cause = CAUSES[fault.code]
    step = NextStep(fault.next)
    if cause.next.startswith(INSTALL):
        step = jhpatch_command("kernelspec", "install", *cause.next[len(INSTALL) :].split(" "))
    return Refused(fault.message, path=fault.path or None, expected=cause.why, next=step)


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
