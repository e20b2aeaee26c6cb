"""The lock of a site: one file, ``.jhpatch/lock``, that only its owner can open.

Every user who can read a file can flock it; jhpatch therefore locks no other file.
"""

import contextlib
import errno
import fcntl
import os
import stat
from typing import Callable, Optional, Tuple

from jhpatch.errors import Failed, Locked, same_command
from jhpatch.system import processes
from jhpatch.system.rooted_files import Dir, RootDir, UnsafePath
from jhpatch.transaction.store import STATE_DIR, not_ours, refuse_others, set_mode

_POLL = 0.05  # seconds between two attempts
_NOT_REGULAR = (errno.ELOOP, errno.EISDIR, errno.ENXIO)


def acquire(
    root: RootDir, deadline: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> int:
    """Acquire the lock and return its descriptor; ``deadline`` is in ``clock``'s seconds.

    Raises Locked after the deadline, Failed if the site cannot be written, Untrusted if
    another user owns or can write .jhpatch.
    """
    while True:
        fd = _try_lock(root)
        if fd is not None:
            return fd
        if clock() >= deadline:
            raise Locked(
                "another run holds the lock of this site",
                path=os.path.join(root.path, STATE_DIR, "lock"),
                found=_holder(root),
                next="wait until the other run ends, or use a longer --lock-timeout",
            )
        sleep(_POLL)


def _try_lock(root: RootDir) -> Optional[int]:
    """Return the descriptor; None if another run holds the lock or has just removed it."""
    try:
        fd = _open_lock(root)
    except UnsafePath as error:
        raise not_ours(os.path.join(root.path, STATE_DIR), str(error.strerror))
    except FileNotFoundError:
        return None  # a revert has just removed the directory
    except OSError as error:
        if error.errno in _NOT_REGULAR:
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


def _open_lock(root: RootDir) -> int:
    with root.directory("") as site_dir:
        is_new = _make_state_dir(site_dir)
        try:
            with root.directory(STATE_DIR) as state_dir:
                refuse_others(root, os.fstat(state_dir.fd), os.path.join(root.path, STATE_DIR))
                set_mode(state_dir.fd, 0o755)
                # Without the sync, a power cut can lose the directory and its journal. A run that
                # was killed before its own sync may have left an existing directory.
                site_dir.sync()
                return _open_lock_file(state_dir)
        except BaseException:
            if is_new:
                with contextlib.suppress(OSError):
                    os.rmdir(STATE_DIR, dir_fd=site_dir.fd)
            raise


def _make_state_dir(site_dir: Dir) -> bool:
    try:
        os.mkdir(STATE_DIR, 0o755, dir_fd=site_dir.fd)
    except FileExistsError:
        return False
    return True


def _open_lock_file(state_dir: Dir) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open("lock", flags, 0o600, dir_fd=state_dir.fd)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.ENXIO, "not a regular file")
        set_mode(fd, 0o600)
    except OSError:
        os.close(fd)
        raise
    return fd


def _is_current(root: RootDir, fd: int) -> bool:
    """Return whether the locked file is still the one that other runs open."""
    with root.directory(STATE_DIR) as state_dir:
        entry = state_dir.lstat("lock")
    locked = os.fstat(fd)
    return entry is not None and (entry.st_dev, entry.st_ino) == (locked.st_dev, locked.st_ino)


def _holder(root: RootDir) -> Optional[str]:
    """Return the process that holds the lock as text; None if /proc does not show it."""
    try:
        with root.directory(STATE_DIR) as state_dir:
            entry = state_dir.lstat("lock")
        with open("/proc/locks") as file:
            pid = entry and holder_of(entry, file.read())
    except OSError:
        return None
    return processes.described(pid) if pid else None


def holder_of(status: os.stat_result, locks: str) -> Optional[int]:
    """Return the pid that /proc/locks shows for the flock(2) of a file (proc_locks(5)).

    None if it shows none, as on file systems with several devices, or if the process is in
    another PID namespace.
    """
    numbers = os.major(status.st_dev), os.minor(status.st_dev), status.st_ino
    for row in (line.split() for line in locks.splitlines()):
        if row[1:2] == ["FLOCK"] and row[5:6] == ["%02x:%02x:%d" % numbers] and row[4].isdigit():
            return int(row[4]) or None
    return None


def not_writable(path: str, status: os.stat_result, error: Optional[OSError] = None) -> Failed:
    """Return the error for a site in which this user cannot write."""
    denied = error is None or error.errno in (errno.EACCES, errno.EPERM)
    return Failed(
        "cannot write to this path: %s" % (error.strerror if error else "permission denied"),
        path=path,
        expected="a directory that this user (uid %d) can write" % os.geteuid(),
        found="owner uid %d, mode %04o" % (status.st_uid, stat.S_IMODE(status.st_mode)),
        next=same_command("sudo", "-H", *user_of(status.st_uid))
        if denied and os.geteuid() not in (0, status.st_uid)
        else "correct the cause, such as the mode, a read-only mount (findmnt) or an attribute "
        "(lsattr); then run the same command again",
    )


def user_of(uid: int) -> Tuple[str, ...]:
    """Return the options of sudo that name a user; sudo's default is root."""
    return ("-u", "#%d" % uid) if uid else ()
