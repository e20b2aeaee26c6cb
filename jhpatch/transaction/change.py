"""The input of a transaction."""

from typing import Optional

from jhpatch.namedtuple import NamedTuple


class FileChange(NamedTuple):
    """The bytes of a file before and after the change; None means no file.

    ``guard`` is a file that identifies the distribution. If its bytes are neither those
    before nor those after the change, another release was installed since then, and an undo does
    not restore this file.
    """

    path: str
    before: Optional[bytes]
    after: Optional[bytes]
    guard: Optional[str] = None
    mode: Optional[int] = None
    """The permissions of a file that is created; by default 0644."""
