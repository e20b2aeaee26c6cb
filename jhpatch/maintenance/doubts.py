"""The refusals with which ``rebase`` leaves a decision to a person, collected for a patch."""

import contextlib
from typing import Dict, Iterator, Optional, Tuple

from jhpatch.errors import JhpatchError, Refused


def doubtful(
    message: str, path: str, expected: Optional[str] = None, found: Optional[str] = None
) -> Refused:
    """Return the refusal of a case that a person must decide."""
    return Refused(
        message,
        path=path,
        expected=expected,
        found=found,
        next="write this patch file by hand, as patches/README.md describes",
    )


class Doubts:
    """The refusals of several places, each once, in their order."""

    def __init__(self) -> None:
        self._errors: Dict[Tuple[str, Optional[str]], JhpatchError] = {}

    @contextlib.contextmanager
    def collected(self) -> Iterator[None]:
        """Keep a refusal that the block raises, and continue."""
        try:
            yield
        except Refused as error:
            for one in (error, *error.further):
                self._errors.setdefault((one.message, one.path), one)

    def refuse(self) -> None:
        """Raise the first refusal with the others, if there is one."""
        if self._errors:
            first, *others = self._errors.values()
            first.further = tuple(others)
            raise first
