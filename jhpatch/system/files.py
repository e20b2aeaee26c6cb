"""Files outside of sites: read up to a cap, written whole."""

import contextlib
import errno
import os
import stat
from typing import Callable, Optional

from jhpatch.namedtuple import NamedTuple


class FileContent(NamedTuple):
    """A regular file: its bytes and its stat."""

    data: bytes
    stat: os.stat_result


def read_file(path: str, cap: int, follow: bool = True) -> FileContent:
    """A regular file of at most ``cap`` bytes; a symlink only where ``follow`` allows it.

    Raises OSError, also for a file that is not regular (EINVAL) or is larger (EFBIG).
    """
    content = _read(path, cap + 1, follow)
    if len(content.data) > cap:
        raise OSError(errno.EFBIG, "is larger than %d bytes" % cap, path)
    return content


def read_text(path: str, cap: int = 1024 * 1024) -> str:
    """Return the text of a regular file of at most ``cap`` bytes; bytes that are not UTF-8
    are replaced.

    Raises OSError as ``read_file`` does.
    """
    return read_file(path, cap).data.decode("utf-8", "replace")


def read_head(path: str, size: int) -> bytes:
    """The first ``size`` bytes of a regular file. Raises OSError."""
    return _read(path, size, follow=True).data


def _read(path: str, size: int, follow: bool) -> FileContent:
    # O_NONBLOCK: not to wait for the writer of a FIFO (open(2)).
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    fd = os.open(path, flags)
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "is no regular file", path)
        return FileContent(file.read(size), found)


def write_file(
    path: str,
    data: bytes,
    mode: int = 0o644,
    is_new: bool = False,
    check: Optional[Callable[[], None]] = None,
) -> None:
    """Puts a file in place whole and on the disk, or not at all; ``mode`` whatever the umask.

    ``check`` is called right before the rename. Raises OSError; FileExistsError where the
    file must be new (``is_new``) and is there.
    """
    temp = "%s.%s" % (path, os.urandom(4).hex())
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temp, flags, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(fd, mode)
            os.fsync(fd)
        if check is not None:
            check()
        if is_new:
            os.link(temp, path)
            os.unlink(temp)
        else:
            os.replace(temp, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temp)
        raise
    _sync(os.path.dirname(path) or ".")


def _sync(directory: str) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
