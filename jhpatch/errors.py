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

from typing import Iterable, Optional

REINSTALL = "python -m pip install --force-reinstall --no-deps"
"""How a distribution comes back as it was released; its own site's Python is meant."""


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
        next: Optional[str] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.expected = expected
        self.found = found
        self.next = next


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
