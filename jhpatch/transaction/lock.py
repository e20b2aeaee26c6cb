"""The lock of a site: one file, ``.jhpatch/lock``, that only its owner can open.

Anyone who may read a file may flock it, so nothing but this file is ever locked.
"""

import contextlib
import errno
import fcntl
import os
import stat
from typing import Callable, Optional

from jhpatch.errors import Command, Failed, Locked, NextStep
from jhpatch.system.rooted_files import Dir, RootDir, UnsafePath
from jhpatch.transaction.store import STATE_DIR, not_ours, refuse_others, set_mode

_POLL = 0.05  # seconds between two tries
_ISOLATED = NextStep(Command((), "jhpatch", flags=("-I",)))
_NOT_PLAIN = (errno.ELOOP, errno.EISDIR, errno.ENXIO)


def acquire(
    root: RootDir, deadline: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> int:
    """The descriptor that holds the lock; ``deadline`` is in ``clock``'s seconds.

    Raises Locked after it, Failed where the site cannot be written, Untrusted where
    .jhpatch is somebody else's.
    """
    while True:
        fd = _try_lock(root)
        if fd is not None:
            return fd
        if clock() >= deadline:
            raise Locked(
                "another run holds the lock of this site",
                path=os.path.join(root.path, STATE_DIR, "lock"),
                next="wait for it, or give a longer --lock-timeout",
            )
        sleep(_POLL)


def _try_lock(root: RootDir) -> Optional[int]:
    """The locked file; None where another run holds it, or has just taken it away."""
    try:
        fd = _opened(root)
    except UnsafePath as error:
        raise not_ours(os.path.join(root.path, STATE_DIR), str(error.strerror))
    except FileNotFoundError:
        return None  # the last revert took the folder away in between
    except OSError as error:
        if error.errno in _NOT_PLAIN:
            raise not_ours(os.path.join(root.path, STATE_DIR, "lock"), str(error.strerror))
        raise not_writable(os.path.join(root.path, STATE_DIR), os.stat(root.path), error)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_current(root, fd):
            return fd
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        os.close(fd)
        raise not_writable(os.path.join(root.path, STATE_DIR, "lock"), os.stat(root.path), error)
    os.close(fd)
    return None


def _opened(root: RootDir) -> int:
    with root.directory("") as top:
        made = _made_folder(top)
        try:
            with root.directory(STATE_DIR) as folder:
                refuse_others(root, os.fstat(folder.fd), os.path.join(root.path, STATE_DIR))
                set_mode(folder.fd, 0o755)
                # A journal in a folder that a power cut takes away is none; and the folder
                # may be of a run that was killed before it came so far.
                top.sync()
                return _opened_lock(folder)
        except BaseException:
            if made:
                with contextlib.suppress(OSError):
                    os.rmdir(STATE_DIR, dir_fd=top.fd)
            raise


def _made_folder(top: Dir) -> bool:
    try:
        os.mkdir(STATE_DIR, 0o755, dir_fd=top.fd)
    except FileExistsError:
        return False
    return True


def _opened_lock(folder: Dir) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open("lock", flags, 0o600, dir_fd=folder.fd)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.ENXIO, "not a regular file")
        set_mode(fd, 0o600)
    except OSError:
        os.close(fd)
        raise
    return fd


def _is_current(root: RootDir, fd: int) -> bool:
    """Whether the file that we locked is still the one that others will find."""
    with root.directory(STATE_DIR) as folder:
        found = folder.lstat("lock")
    held = os.fstat(fd)
    return found is not None and (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)


def not_writable(path: str, found: os.stat_result, error: Optional[OSError] = None) -> Failed:
    """The error for a site that this user may not change, or that takes no new file."""
    denied = error is None or error.errno in (errno.EACCES, errno.EPERM)
    return Failed(
        "cannot write here: %s" % (error.strerror if error else "permission denied"),
        path=path,
        expected="a folder that uid %d can write" % os.geteuid(),
        found="owner uid %d, mode %o" % (found.st_uid, stat.S_IMODE(found.st_mode)),
        next="run it as its owner, such as: sudo -H " + _ISOLATED + " …"
        if denied and os.geteuid() != 0
        else "make it writable (lsattr and findmnt tell what keeps root out), then run the same "
        "command again",
    )
