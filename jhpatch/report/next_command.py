"""The text of an ``errors.NextStep``, as users type it. No other module quotes commands."""

import re
from typing import Tuple

from jhpatch.errors import Command, NextStep
from jhpatch.namedtuple import NamedTuple

MAINTENANCE = ("lint", "rebase", "survey")
"""The commands for patch maintainers, which inspect no site."""
ONLY_PATCHES = "--only-patches"


class Runner(NamedTuple):
    """The Python that runs jhpatch, and the options that select sites and patches.

    With them, the next command acts on the same sites in any shell.
    """

    python: str = "python"
    options: Tuple[str, ...] = ()
    """``--python``, ``--site``, ``--patches`` and ``--only-patches``, as they were typed."""
    patches: Tuple[str, ...] = ()
    """``--patches`` and ``--only-patches``, which the commands for patch maintainers have, too."""
    flags: Tuple[str, ...] = ()
    """Of that Python: ``-I`` if this run has it, or if root runs it and ``-I`` finds jhpatch."""
    flags_of_others: Tuple[str, ...] = ()
    """The same for a command that another user runs, such as root through sudo."""
    arguments: Tuple[str, ...] = ()
    """The arguments of this run."""
    variables: Tuple[str, ...] = ()
    """``JHPATCH_PATCHES=VALUE`` of this run, which sudo does not pass on."""

    def shown(self, step: NextStep) -> str:
        """Return a next step as text."""
        return "".join(part if isinstance(part, str) else self._typed(part) for part in step.parts)

    def _typed(self, command: Command) -> str:
        arguments = list(self.arguments if command.again else command.arguments)
        if command.corrected:
            wrong, right = command.corrected
            names = [word.split("=")[0] for word in arguments]
            if wrong in names:
                place = names.index(wrong)
                arguments[place] = right + arguments[place][len(wrong) :]
        if command.module is not None:
            is_bare = command.again or command.module != "jhpatch"
            if not is_bare and arguments and not arguments[0].startswith("-"):
                is_alone = command.alone or arguments[0] in MAINTENANCE
                has_patches = is_alone and "--patches" in arguments
                options = () if has_patches else self.patches if is_alone else self.options
                if "--help" in arguments:  # one of them may be the wrong one
                    options = ()
                left_out = [ONLY_PATCHES] * (arguments[0] == "lint" or ONLY_PATCHES in arguments)
                arguments[1:1] = (word for word in options if word not in left_out)
            flags = self.flags_of_others if command.before else self.flags
            variables = ("env", *self.variables) if command.before and self.variables else ()
            arguments[:0] = [
                *command.before,
                *variables,
                self.python,
                *flags,
                "-m",
                command.module,
            ]
        return " ".join(map(quoted, arguments))


def quoted(argument: str) -> str:
    """Quote an argument for a shell."""
    if re.fullmatch(r"[\w./-]+", argument):
        return argument
    from shlex import quote

    return quote(argument)
