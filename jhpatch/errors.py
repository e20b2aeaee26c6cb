"""The exceptions of jhpatch and their exit codes.

::

    JhpatchError            1
    ├── Failed              1   something broke; the site is as it was, or says how it is
    │   ├── Untrusted       1   a saved state or journal that cannot be believed
    │   └── BadPatch        1   a patch file that breaks the rules of patches/README.md
    ├── Usage               2   the command line, or the name of a patch, is wrong
    ├── Locked              4   another run holds the lock of the site
    └── Refused             5   a command that would change a site will not: nothing changed

Each carries what a person needs to go on: the file, what was expected, what was
found, and the next command to type.
"""

from typing import Any, Iterable, List, Optional, Tuple, Union

from jhpatch.namedtuple import NamedTuple


class Command(NamedTuple):
    """A command as its arguments; ``report.next_command`` quotes them when it is shown."""

    arguments: Tuple[str, ...]
    module: Optional[str] = None
    """Run as ``python -m MODULE``; None for a program, whose name is the first argument."""
    flags: Tuple[str, ...] = ()
    """Of that Python."""
    of_site: bool = False
    """By the Python of the site that the error is about, not by the one that runs jhpatch."""


class NextStep:
    """What to do next: words and commands, in the order in which they are shown."""

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
        """The parts as JSON holds them."""
        return [part if isinstance(part, str) else list(part) for part in self.parts]

    @classmethod
    def unpacked(cls, parts: Any) -> "NextStep":
        """The value of ``packed``. Raises TypeError, ValueError."""
        return cls(*(part if isinstance(part, str) else _command(*part) for part in parts))


def _command(arguments: Any, module: Any, flags: Any, of_site: Any) -> Command:
    words = [str(word) for word in arguments], [str(flag) for flag in flags]
    return Command(
        tuple(words[0]), None if module is None else str(module), tuple(words[1]), bool(of_site)
    )


def jhpatch_command(*arguments: str) -> NextStep:
    """``python -m jhpatch ARGUMENTS``, with the interpreter and the options of this run."""
    return NextStep(Command(arguments, "jhpatch"))


def python_command(module: str, *arguments: str) -> NextStep:
    """``python -m MODULE ARGUMENTS`` with the interpreter that runs jhpatch."""
    return NextStep(Command(arguments, module))


def reinstall_command(*requirements: str) -> NextStep:
    """pip, of the site's own Python, brings distributions back as they were released."""
    options = ("install", "--force-reinstall", "--no-deps")
    return NextStep(Command(options + requirements, "pip", of_site=True))


def shell_command(*arguments: str) -> NextStep:
    """Any program with its arguments."""
    return NextStep(Command(arguments))


class JhpatchError(Exception):
    """An error that a user can read; ``exit_code`` is the process's."""

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


class Failed(JhpatchError):
    """Something that should have worked did not."""


class Untrusted(Failed):
    """State, journal or originals of a site that are damaged, newer, or not ours."""

    code = "untrusted"


class BadPatch(Failed):
    """A patch file that breaks its own rules."""

    code = "bad-patch"


class Usage(JhpatchError):
    """Wrong arguments, or a name that no patch has."""

    exit_code = 2
    code = "usage"


class Locked(JhpatchError):
    """Another run holds the lock of the site."""

    exit_code = 4
    code = "locked"


class Refused(JhpatchError):
    """A command that would change the site decided not to."""

    exit_code = 5
    code = "refused"


def worst(codes: Iterable[int]) -> int:
    """The exit code of several sites: the first of 1, 2, 4, 5, 3, 0 that any has."""
    present = set(codes)
    return next((code for code in (1, 2, 4, 5, 3) if code in present), 0)
