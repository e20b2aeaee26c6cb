"""The exceptions of jhpatch and their exit codes.

::

    JhpatchError            1
    ├── Failed              1   something broke; the site is as it was, or the message describes it
    │   ├── MissingModule   1   a package that jhpatch needs is not installed
    │   ├── Untrusted       1   a saved state or journal that cannot be trusted
    │   └── BadPatch        1   a patch file that breaks the rules of patches/README.md
    ├── Usage               2   the command line is wrong, or a name is unknown
    ├── Locked              4   another run holds the lock of the site
    └── Refused             5   jhpatch refuses: nothing was changed

Each contains what the user needs to continue: the file, what was expected, what was
found, and the next command to type.
"""

import os
import sys
from typing import Any, Callable, Iterable, List, Optional, Tuple, Union

from jhpatch.namedtuple import NamedTuple


class Command(NamedTuple):
    """A command as its arguments; ``report.next_command`` quotes them when it is shown."""

    arguments: Tuple[str, ...]
    module: Optional[str] = None
    """Run as ``python -m MODULE``; None for a program, whose name is the first argument."""
    before: Tuple[str, ...] = ()
    """The arguments before that Python, such as those of sudo."""
    again: bool = False
    """Whether it is the command of this run, with its arguments; ``arguments`` is then empty."""
    alone: bool = False
    """Whether it omits the ``--python`` and ``--site`` of this run."""
    corrected: Tuple[str, ...] = ()
    """With ``again``: an argument of this run, and the one that replaces it."""


class NextStep:
    """What to do next: text and commands, in the order in which they are shown."""

    def __init__(self, *parts: Union[str, Command]) -> None:
        self.parts = parts

    def __add__(self, other: "Union[str, NextStep]") -> "NextStep":
        return NextStep(*self.parts, *(other.parts if isinstance(other, NextStep) else [other]))

    def __radd__(self, words: str) -> "NextStep":
        return NextStep(words, *self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NextStep) and self.parts == other.parts

    __hash__ = None  # type: ignore[assignment]

    def packed(self) -> List[Any]:
        """Return the parts as JSON values."""
        return [part if isinstance(part, str) else list(part) for part in self.parts]

    @classmethod
    def unpacked(cls, parts: Any) -> "NextStep":
        """Return the next step from the value of ``packed``. Raises TypeError, ValueError."""
        return cls(*(part if isinstance(part, str) else _command(*part) for part in parts))


def _command(
    arguments: Any, module: Any, before: Any, again: Any, alone: Any, corrected: Any = ()
) -> Command:
    rows = [tuple(str(word) for word in row) for row in (arguments, before, corrected)]
    name = None if module is None else str(module)
    return Command(rows[0], name, rows[1], bool(again), bool(alone), rows[2])


def jhpatch_command(*arguments: str) -> NextStep:
    """Return ``python -m jhpatch ARGUMENTS`` with the interpreter and the options of this run."""
    return NextStep(Command(arguments, "jhpatch"))


def python_command(module: str, *arguments: str) -> NextStep:
    """Return ``python -m MODULE ARGUMENTS`` with the interpreter that runs jhpatch."""
    return NextStep(Command(arguments, module))


def install_command(*requirements: str) -> NextStep:
    """Return how to install a package into the environment that runs jhpatch.

    It is text, not a command, if that environment has no pip (uv) or is externally managed
    (PEP 668).
    """
    import importlib.util
    import sysconfig

    stdlib = sysconfig.get_path("stdlib") or ""
    is_venv = sys.prefix != sys.base_prefix
    is_managed = not is_venv and os.path.exists(os.path.join(stdlib, "EXTERNALLY-MANAGED"))
    if is_managed or importlib.util.find_spec("pip") is None:
        words = "install %s into %s with the tool that manages this environment"
        return NextStep(words % (" ".join(requirements), sys.prefix))
    return python_command("pip", "install", *requirements)


def same_command(*before: str) -> NextStep:
    """Return the command of this run, with the arguments ``before`` it, such as those of sudo."""
    return NextStep(Command((), "jhpatch", before, again=True))


def corrected_command(wrong: str, right: str) -> NextStep:
    """Return the command of this run with one of its arguments corrected."""
    return NextStep(Command((), "jhpatch", again=True, corrected=(wrong, right)))


def command_alone(*arguments: str) -> NextStep:
    """Return ``python -m jhpatch ARGUMENTS`` without this run's ``--python`` and ``--site``."""
    return NextStep(Command(arguments, "jhpatch", alone=True))


def shell_command(*arguments: str) -> NextStep:
    """Return the command of any program with its arguments."""
    return NextStep(Command(arguments))


class JhpatchError(Exception):
    """An error that is reported to the user; ``exit_code`` is that of the process."""

    exit_code = 1
    code = "failed"

    def __init__(
        self,
        message: str,
        path: Optional[str] = None,
        expected: Optional[str] = None,
        found: Optional[str] = None,
        next: Union[str, NextStep, None] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.expected = expected
        self.found = found
        self.next = NextStep(next) if isinstance(next, str) else next
        self.further: Tuple[JhpatchError, ...] = ()
        """The other errors that are reported with this one."""


class Failed(JhpatchError):
    """Something that should have worked did not."""


class Untrusted(Failed):
    """The state, journal or originals of a site are damaged, newer, or not jhpatch's."""

    code = "untrusted"


class MissingModule(Failed):
    """A package that jhpatch depends on cannot be imported."""

    code = "missing-module"


def missing_module(error: ImportError, distribution: str) -> MissingModule:
    """Return the error for a distribution that jhpatch needs and that cannot be imported."""
    return MissingModule(
        "a package that jhpatch needs is not installed: " + distribution,
        expected="%s in the environment of %s" % (distribution, sys.executable),
        found=str(error),
        next=install_command(distribution),
    )


def permission_denied(message: str, path: str) -> Failed:
    """Return the error for a path that this user cannot access."""
    return Failed(
        message,
        path=path,
        expected="a path that uid %d can access" % os.geteuid(),
        found="permission denied",
        next="run the same command as a user who can access the path",
    )


class BadPatch(Failed):
    """A patch file that breaks the rules of patches/README.md, or cannot be read."""

    code = "bad-patch"


class Usage(JhpatchError):
    """Wrong arguments, or an unknown name."""

    exit_code = 2
    code = "usage"


def unknown_name(
    kind: str,
    name: str,
    names: Iterable[str],
    next: NextStep,
    is_harmless: Callable[[str], bool] = lambda name: True,
) -> Usage:
    """Return the error for a name that ``names`` lacks, with the similar ones.

    Its next step is the corrected command if only one name is similar and ``is_harmless``.
    """
    names = list(names)
    similar = similar_names(name, names)
    is_clear = len(similar) == 1 and is_harmless(similar[0])
    return Usage(
        "unknown %s: %s" % (kind, name)
        + ("; did you mean %s?" % " or ".join(similar) if similar else ""),
        expected="one of " + ", ".join(names),
        found=name,
        next=corrected_command(name, similar[0]) if is_clear else next,
    )


def similar_names(name: str, names: List[str]) -> List[str]:
    """Return the names that begin with ``name``, else those with this slug, else similar ones."""
    bare = name.lstrip("-")
    wholes = [other for other in names if bare and other.startswith(name)]
    wholes = wholes or [other for other in names if other.endswith("/" + name)]
    if wholes or not bare:
        return wholes
    import difflib

    # All options begin with two dashes, which make none of them similar.
    ratios = {
        other: difflib.SequenceMatcher(None, bare, other.lstrip("-")).ratio() for other in names
    }
    best = max(ratios.values(), default=0.0)
    return [other for other in names if ratios[other] >= max(0.7, best - 0.1)]


class Locked(JhpatchError):
    """Another run holds the lock of the site."""

    exit_code = 4
    code = "locked"


class Refused(JhpatchError):
    """jhpatch refuses to do what the command asks for; nothing was changed."""

    exit_code = 5
    code = "refused"


def worst(codes: Iterable[int]) -> int:
    """Return the exit code for several: the first of 1, 2, 4, 5, 3, 0 that is among ``codes``."""
    present = set(codes)
    return next((code for code in (1, 2, 4, 5, 3) if code in present), 0)
