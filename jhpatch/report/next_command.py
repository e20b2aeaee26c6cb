"""The next step of an error, a finding or a result as it is typed: quoted once, here."""

import re
from typing import Optional, Tuple

from jhpatch.errors import Command, NextStep
from jhpatch.namedtuple import NamedTuple

MAINTENANCE = ("lint", "rebase", "survey")
"""The commands for patch maintainers: they inspect no site."""


class Runner(NamedTuple):
    """What runs jhpatch, and the options that say where: a command that is typed next needs
    both, to work from any shell."""

    python: str = "python"
    options: Tuple[str, ...] = ()
    """``--python``, ``--site`` and ``--patches``, as they were typed."""
    patches: Tuple[str, ...] = ()
    """``--patches`` alone, which is all that the commands for patch maintainers take."""

    def shown(self, step: NextStep, site_python: Optional[str] = None) -> str:
        """A next step as text; ``site_python``: the Python of the site that it is about."""
        return "".join(
            part if isinstance(part, str) else self._typed(part, site_python)
            for part in step.parts
        )

    def _typed(self, command: Command, site_python: Optional[str]) -> str:
        words = list(command.arguments)
        if command.module == "jhpatch" and words and not words[0].startswith("-"):
            words[1:1] = self.patches if words[0] in MAINTENANCE else self.options
        if command.module is not None:
            python = site_python if command.of_site and site_python else self.python
            words[:0] = [python, *command.flags, "-m", command.module]
        return " ".join(map(quoted, words))


def quoted(word: str) -> str:
    """A word as a shell takes it."""
    if re.fullmatch(r"[\w./-]+", word):
        return word
    from shlex import quote

    return quote(word)
