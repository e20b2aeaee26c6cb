"""Commands of jhpatch as tests run them, and what a command answers."""

import os
import re
import subprocess
import sys
from typing import Any, Dict, Iterable, List, NamedTuple, Tuple

from testing import ROOT


class Answer(NamedTuple):
    """The outcome of a command: exit code, JSON document and standard error."""

    code: int
    document: Dict[str, Any]
    talk: str

    @property
    def states(self) -> Dict[str, str]:
        """The state of each patch whose distribution is installed, of all sites together."""
        return {patch: state for patch, state in self.all_states.items() if state != "absent"}

    @property
    def all_states(self) -> Dict[str, str]:
        """The state of each patch, of all sites together."""
        sites = self.document["sites"]
        return {patch["patch"]: patch["state"] for site in sites for patch in site["patches"]}

    @property
    def reasons(self) -> Dict[str, str]:
        """Why each patch is in its state."""
        sites = self.document["sites"]
        return {patch["patch"]: patch["reason"] for site in sites for patch in site["patches"]}

    @property
    def error(self) -> Dict[str, Any]:
        """The first error, of the command or of a site."""
        errors = [self.document["error"]] + [site["error"] for site in self.document["sites"]]
        return next((error for error in errors if error), {})

    @property
    def next(self) -> str:
        """The next command, without the Python that runs it and the options that say where."""
        return re.sub(r"\S+/python\S* (?=-)| --(python|site|patches) \S+", "", self.error["next"])


def typed(
    *arguments: str, cwd: str = "/", environment: Iterable[Tuple[str, str]] = (), **options: Any
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command in a process of its own, as a person types it, with little environment."""
    return subprocess.run(
        [sys.executable, "-m", "jhpatch"] + list(arguments),
        cwd=cwd,
        env=dict({"PYTHONPATH": ROOT, "PATH": os.defpath}, **dict(environment)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def die_between_modules(*arguments: str) -> None:
    """Run a command in a child that dies, as if by kill -9, before its second module."""
    pid = os.fork()
    if pid == 0:
        try:
            _die_between_modules(list(arguments))
        finally:
            os._exit(1)
    assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 9


def _die_between_modules(arguments: List[str]) -> None:
    from jhpatch.cli.main import main
    from jhpatch.transaction import transaction

    put: Any = transaction._put
    seen: List[str] = []

    def dies(directory: Any, name: str, temp: Any) -> None:
        if name == "handlers.py" and seen:
            os._exit(9)
        seen.extend([name] * (name == "handlers.py"))
        put(directory, name, temp)

    transaction._put = dies
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    main(arguments)
