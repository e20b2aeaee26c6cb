"""Files outside of sites: read up to a size limit, written atomically."""

import contextlib
import errno
import os
import stat
from typing import Callable, Optional

from jhpatch.namedtuple import NamedTuple


class FileContent(NamedTuple):
    """The bytes and the status of a regular file."""

    data: bytes
    stat: os.stat_result


def read_file(path: str, cap: int, follow: bool = True) -> FileContent:
    """Read a regular file of at most ``cap`` bytes; follow a symlink if ``follow`` is set.

    Raises OSError: EINVAL if the file is not regular, EFBIG if it is larger.
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
    """Read the first ``size`` bytes of a regular file. Raises OSError."""
    return _read(path, size, follow=True).data


def _read(path: str, size: int, follow: bool) -> FileContent:
    # O_NONBLOCK: open(2) does not wait for the writer of a FIFO.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    fd = os.open(path, flags)
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", path)
        return FileContent(file.read(size), status)


def write_file(
    path: str,
    data: bytes,
    mode: int = 0o644,
    is_new: bool = False,
    check: Optional[Callable[[], None]] = None,
) -> None:
    """Write and sync a whole file atomically, with ``mode`` regardless of the umask.

    ``check`` is called right before the rename. Raises OSError; FileExistsError if the
    file must be new (``is_new``) and exists.
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
    _sync_directory(os.path.dirname(path) or ".")


def _sync_directory(directory: str) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
