"""The text of an ``errors.NextStep``, as users type it: the only place that quotes commands."""

import re
from typing import Optional, Tuple

from jhpatch.errors import Command, NextStep
from jhpatch.namedtuple import NamedTuple

MAINTENANCE = ("lint", "rebase", "survey")
"""The commands for patch maintainers, which inspect no site."""


class Runner(NamedTuple):
    """The Python that runs jhpatch and the options that select sites and patches: with them,
    the next command works in any shell."""

    python: str = "python"
    options: Tuple[str, ...] = ()
    """``--python``, ``--site`` and ``--patches``, as they were typed."""
    patches: Tuple[str, ...] = ()
    """``--patches`` alone, the only one of these that the maintainers' commands have."""

    def shown(self, step: NextStep, site_python: Optional[str] = None) -> str:
        """Return a next step as text; ``site_python`` is the Python of the site in question."""
        return "".join(
            part if isinstance(part, str) else self._typed(part, site_python)
            for part in step.parts
        )

    def _typed(self, command: Command, site_python: Optional[str]) -> str:
        arguments = list(command.arguments)
        if command.module == "jhpatch" and arguments and not arguments[0].startswith("-"):
            arguments[1:1] = self.patches if arguments[0] in MAINTENANCE else self.options
        if command.module is not None:
            python = site_python if command.of_site and site_python else self.python
            arguments[:0] = [python, *command.flags, "-m", command.module]
        return " ".join(map(quoted, arguments))


def quoted(argument: str) -> str:
    """Quote an argument for a shell."""
    if re.fullmatch(r"[\w./-]+", argument):
        return argument
    from shlex import quote

    return quote(argument)
