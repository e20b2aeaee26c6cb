"""What a transaction is asked to do."""

from typing import Optional

from jhpatch.namedtuple import NamedTuple


class FileChange(NamedTuple):
    """A file's bytes now and as they shall be; None means no file.

    ``guard`` is a file of the same distribution that is put back only together with
    this one: where its bytes are neither of those that we knew, the distribution is
    no longer the one that this file belonged to.
    """

    path: str
    before: Optional[bytes]
    after: Optional[bytes]
    guard: Optional[str] = None
