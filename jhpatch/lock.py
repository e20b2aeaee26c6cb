"""The lock of a site: one file, ``.jhpatch/lock``, that only its owner can open.

Anyone who may read a file may flock it, so nothing but this file is ever locked.
"""

import contextlib
import errno
import fcntl
import os
import stat
from typing import Callable, Collection, Optional

from jhpatch.beneath import Folder, NotPlain, Root
from jhpatch.errors import Failed, Locked
from jhpatch.saved import FOLDER, ORIGINALS, not_ours, refuse_others

_POLL = 0.05  # seconds between two tries


def acquire(
    root: Root, deadline: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> int:
    while True:
        fd = _try_lock(root)
        if fd is not None:
            return fd
        if clock() >= deadline:
            raise Locked(
                "another run holds the lock of this site",
                path=os.path.join(root.path, FOLDER, "lock"),
                next="wait for it, or give a longer --lock-timeout",
            )
        sleep(_POLL)


def _try_lock(root: Root) -> Optional[int]:
    fd = -1
    try:
        with root.folder("") as top:
            with contextlib.suppress(FileExistsError):
                os.mkdir(FOLDER, 0o755, dir_fd=top.fd)
                with root.folder(FOLDER) as made:
                    os.fchmod(made.fd, 0o755)
                top.sync()  # a journal in a folder that a power cut takes away is none
        with root.folder(FOLDER) as folder:
            refuse_others(root, os.fstat(folder.fd), os.path.join(root.path, FOLDER))
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open("lock", flags, 0o600, dir_fd=folder.fd)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_current(root, fd):
            return fd
    except NotPlain as error:
        raise not_ours(os.path.join(root.path, FOLDER), str(error.strerror))
    except FileNotFoundError:
        pass  # the last revert took the folder away in between
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK):
            if fd >= 0:
                os.close(fd)
            raise not_writable(os.path.join(root.path, FOLDER), os.stat(root.path), error)
    if fd >= 0:
        os.close(fd)
    return None


def _is_current(root: Root, fd: int) -> bool:
    """Whether the file that we locked is still the one that others will find."""
    with root.folder(FOLDER) as folder:
        found = folder.lstat("lock")
    held = os.fstat(fd)
    return found is not None and (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)


def not_writable(path: str, found: os.stat_result, error: Optional[OSError] = None) -> Failed:
    """The error for a site that this user may not change."""
    return Failed(
        "cannot write here: %s" % (error.strerror if error else "permission denied"),
        path=path,
        expected="a folder that uid %d can write" % os.geteuid(),
        found="owner uid %d, mode %o" % (found.st_uid, stat.S_IMODE(found.st_mode)),
        next="run it as its owner, such as: sudo -H <python> -I -m jhpatch …",
    )


def tidy(root: Root) -> None:
    """Takes away what a kill has left half written, and .jhpatch where nothing is recorded."""
    with root.folder(FOLDER) as folder:
        names = set(folder.names())
        if "originals" in names:
            with root.folder(ORIGINALS) as originals:
                _unlink_all(originals, names & {"state.json", "journal.json"})
        _unlink_new(folder)
        if names - {"lock", "originals"} - {name for name in names if name.endswith(".new")}:
            return
        if "originals" in names:
            os.rmdir("originals", dir_fd=folder.fd)
        os.unlink("lock", dir_fd=folder.fd)
    with root.folder("") as top:
        os.rmdir(FOLDER, dir_fd=top.fd)
        top.sync()


def _unlink_new(folder: Folder) -> None:
    for name in folder.names():
        if name.endswith(".new"):
            os.unlink(name, dir_fd=folder.fd)


def _unlink_all(originals: Folder, needed: Collection[str]) -> None:
    """Saved originals; where a state or a journal may need them, only half-written ones."""
    if needed:
        _unlink_new(originals)
        return
    for name in originals.names():
        os.unlink(name, dir_fd=originals.fd)
