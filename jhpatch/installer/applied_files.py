"""Which files of recorded patches belong to other patches or to a new installation. Pure."""

from typing import Callable, Container, FrozenSet, Optional, Tuple

from jhpatch.installer.state import State
from jhpatch.system.sha256 import sha256


def owner_of(
    state: Optional[State],
    patch: str,
    paths: Container[str],
    hash_of: Callable[[str], Optional[str]],
) -> Optional[Tuple[str, str]]:
    """Return the first of ``paths`` that another applied patch uses, and that patch."""
    for other in state.patches() if state else ():
        for file in other.files if other.patch != patch else ():
            if file.path in paths and hash_of(file.path) == file.after:
                return file.path, other.patch
    return None


def listed_by_the_release(
    state: Optional[State], distribution: str, record: Optional[bytes]
) -> FrozenSet[str]:
    """Return the paths that a RECORD lists; none if jhpatch wrote this RECORD."""
    from jhpatch.installer.record import parse  # csv takes 2 ms

    entry = state.of(distribution) if state else None
    ours = entry.record.after if entry and entry.record else None
    if record is None or sha256(record) == ours:
        return frozenset()
    return frozenset(row.path for row in parse(record))
