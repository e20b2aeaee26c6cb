"""Files below a root directory, never outside it and never through a symlink.

Each part of a path is opened from its parent directory with O_NOFOLLOW
(openat(2)). A directory that another process replaces by a symlink is therefore not
followed. Paths are relative, with ``/``; a path with ``..``, an empty part or a
leading ``/`` is refused before it reaches the kernel.
"""

import errno
import functools
import os
import re
import stat
from typing import Callable, Iterator, List, Optional, Tuple, Type

from jhpatch.system.files import FileContent

# In bytes. Python modules and RECORDs are smaller; a larger saved file is refused.
SIZE_CAP = 16 * 1024 * 1024

_PATH_MAX, _NAME_MAX = 4096, 255  # bytes (limits.h)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_REMOVED = (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class UnsafePath(OSError):
    """A path that is or contains a symlink, is not a regular file, or is too large."""


@functools.lru_cache(maxsize=4096)  # apply checks a path ten times: 0.07 s saved for a thousand
def is_relative(path: str) -> bool:
    """Return whether ``path`` is below a root directory and in normal form."""
    try:
        raw = os.fsencode(path)
    except UnicodeEncodeError:  # a lone surrogate, or not in this locale: no file has that name
        return False
    parts = raw.split(b"/")
    fits = len(raw) < _PATH_MAX and all(len(part) <= _NAME_MAX for part in parts)
    return fits and b"\0" not in raw and not {b"", b".", b".."}.intersection(parts)


def is_sha256(value: object) -> bool:
    """Return whether ``value`` is a SHA-256 as 64 lower-case hex digits."""
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


class RootDir:
    """An open directory; all paths passed to its methods are relative to it."""

    _fd = -1  # Ctrl-C can end __init__ before its first line; __del__ runs even then

    def __init__(self, path: str) -> None:
        """Open ``path``, which may contain symlinks itself. Raises OSError."""
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> "RootDir":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: object, trace: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the directory; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def directory(self, path: str) -> "Dir":
        """Open the directory ``path`` (``""`` is the root). Raises OSError, UnsafePath."""
        fd = os.dup(self._fd)
        for part in path.split("/") if path else []:
            if part in ("", ".", ".."):
                os.close(fd)
                raise UnsafePath(errno.EINVAL, "not a path beneath the site", path)
            try:
                inner_fd = os.open(part, _DIRECTORY, dir_fd=fd)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR):
                    raise UnsafePath(
                        error.errno, "a part of this path is a symlink or a file", path
                    )
                raise self._of_whole_path(error, path)
            finally:
                os.close(fd)
            fd = inner_fd
        return Dir(fd)

    def parent(self, path: str) -> "Tuple[Dir, str]":
        """Open the parent directory of ``path``; return it and the last part of ``path``."""
        if not is_relative(path):
            raise UnsafePath(errno.EINVAL, "not a path beneath the site", path)
        directory_path, _, name = path.rpartition("/")
        return self.directory(directory_path), name

    def nearest_parent(self, path: str) -> "Tuple[Dir, str]":
        """Open the deepest existing directory above ``path``; return it and the rest of ``path``.

        The rest has a ``/`` if directories are missing. Raises OSError, UnsafePath.
        """
        directory_path = path.rpartition("/")[0]
        while is_relative(path):
            try:
                start = len(directory_path) + 1 if directory_path else 0
                return self.directory(directory_path), path[start:]
            except FileNotFoundError:
                if not directory_path:
                    raise
                directory_path = directory_path.rpartition("/")[0]
        raise UnsafePath(errno.EINVAL, "not a path beneath the site", path)

    def has_directory_of(self, path: str) -> bool:
        """Return whether the parent directory of ``path`` exists, without a symlink on the way."""
        try:
            with self.parent(path)[0]:
                return True
        except (FileNotFoundError, UnsafePath):
            return False

    def mode_of(self, path: str) -> Optional[int]:
        """Return the permissions of the file at ``path``; None if it is missing."""
        try:
            directory, name = self.parent(path)
            with directory:
                status = directory.lstat(name)
        except (FileNotFoundError, UnsafePath):
            return None
        return stat.S_IMODE(status.st_mode) & 0o777 if status else None

    def read(self, path: str, cap: int = SIZE_CAP) -> Optional[FileContent]:
        """Read the regular file at ``path``; None if there is none. Raises OSError, UnsafePath."""
        try:
            directory, name = self.parent(path)
        except FileNotFoundError:
            return None
        with directory:
            try:
                return directory.read(name, cap)
            except UnsafePath as error:
                raise UnsafePath(error.errno, error.strerror, path)
            except OSError as error:
                raise self._of_whole_path(error, path)

    def _of_whole_path(self, error: OSError, path: str) -> OSError:
        """Return the error of a system call on a part of ``path``, for a person to read."""
        return OSError(error.errno, error.strerror, os.path.join(self.path, path))


class Dir:
    """An open directory; the names passed to its methods contain no ``/``."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __enter__(self) -> "Dir":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: object, trace: object) -> None:
        os.close(self.fd)

    def read(self, name: str, cap: int = SIZE_CAP) -> Optional[FileContent]:
        """Read the regular file ``name``; None if there is none. Raises OSError, UnsafePath."""
        try:
            fd = os.open(name, _FILE, dir_fd=self.fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            # ELOOP: a symlink; ENXIO: a socket or a FIFO without a writer (open(2)).
            if error.errno in (errno.ELOOP, errno.ENXIO):
                raise UnsafePath(error.errno, "not a regular file", name)
            raise
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise UnsafePath(errno.EINVAL, "not a regular file", name)
            data = b"" if status.st_size > cap else _read_all(fd, status.st_size, cap)
            if max(status.st_size, len(data)) > cap:
                raise UnsafePath(errno.EFBIG, "larger than %d bytes" % cap, name)
            return FileContent(data, status)
        finally:
            os.close(fd)

    def lstat(self, name: str) -> Optional[os.stat_result]:
        """Return the status of ``name`` itself, not of a symlink's target; None if missing."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def names(self) -> List[str]:
        """Return the names of all entries."""
        return os.listdir(self.fd)

    def write_new(self, name: str, data: bytes, set_metadata: Callable[[int], None]) -> None:
        """Write a new file and sync it; ``set_metadata`` sets its owner and mode.

        Raises FileExistsError if ``name`` exists, OSError.
        """
        fd = os.open(name, _NEW, 0o600, dir_fd=self.fd)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            set_metadata(fd)
            os.fsync(fd)
        finally:
            os.close(fd)

    def rename(self, old: str, new: str) -> None:
        """Replace ``new`` by ``old`` atomically (rename(2))."""
        os.replace(old, new, src_dir_fd=self.fd, dst_dir_fd=self.fd)

    def unlink(self, name: str) -> bool:
        """Remove a file; return False if there was none."""
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            return False
        return True

    def rmdir_if_empty(self, name: str) -> None:
        """Remove a directory; do nothing if it is missing, not empty or not a directory."""
        try:
            os.rmdir(name, dir_fd=self.fd)
        except OSError as error:
            if error.errno not in _NOT_REMOVED:
                raise

    def copy_attributes(self, name: str, fd: int) -> None:
        """Set the extended attributes of the open file ``fd`` to exactly those of ``name``.

        POSIX ACLs are among them (system.posix_acl_access, acl(5)); a new file may have
        inherited one from its directory.
        """
        source = os.open(name, _FILE, dir_fd=self.fd)
        try:
            attributes = {key: os.getxattr(source, key) for key in os.listxattr(source)}
            for key in set(os.listxattr(fd)) | set(attributes):
                _set_attribute(fd, key, attributes.get(key))
        except OSError as error:
            if error.errno != errno.ENOTSUP:
                raise
        finally:
            os.close(source)

    def sync(self) -> None:
        """Sync the renames and unlinks in this directory to the disk (fsync(2))."""
        os.fsync(self.fd)


def _set_attribute(fd: int, name: str, value: Optional[bytes]) -> None:
    try:
        if value is None:
            os.removexattr(fd, name)
        else:
            os.setxattr(fd, name, value)
    except PermissionError:
        # Only root or the kernel may set these; the kernel labels the new file itself.
        if not re.match(r"^(security|trusted)\.", name):
            raise


def _read_all(fd: int, size: int, cap: int) -> bytes:
    """Return a file's bytes; of a file that grows meanwhile, at least ``cap`` + 1 bytes."""
    data = os.read(fd, size + 1)  # a short read: the end of the file
    return data if len(data) == size else b"".join([data, *_blocks(fd, cap - len(data))])


def _blocks(fd: int, cap: int) -> Iterator[bytes]:
    remaining = cap + 1  # stop at the cap, even if another process still appends
    while remaining > 0:
        block = os.read(fd, min(remaining, 1 << 20))
        if not block:
            return
        remaining -= len(block)
        yield block
