"""Users of this host, as the password database lists them."""

import contextlib
import errno
import os
import pwd
import sys
from typing import Any, Iterator, Optional

from .errors import Problem
from .namedtuple import NamedTuple

# setresuid(2) reads 4294967295 as -1 and keeps the id: a child would stay root. libc returns
# the one number, pwd the other (_PyLong_FromUid in Modules/posixmodule.c).
_NO_CHANGE = (2**32 - 1, -1)


class Account(NamedTuple):
    """A user's entry in the password database."""

    name: str
    uid: int
    gid: int
    home: str


class NoAccount(Problem):
    """A name that is not a user of this host."""


def account_of(name: str, min_uid: int) -> Account:
    """Return the account of a user who can have tickets. Raises Problem, NoAccount."""
    account = find_account(name)
    if account.uid < max(min_uid, 1):
        raise Problem("uid %d is below min_uid, which is at least 1" % account.uid)
    return account


def find_account(name: str) -> Account:
    """Return a user's account. Raises NoAccount, and Problem for an unsafe name or id.

    Do not call it on an event loop: the lookup can take long (LDAP).
    """
    _check_name(name)
    try:
        entry = _entry(name)
    except (KeyError, ValueError):  # ValueError: a lone surrogate
        raise NoAccount("%r is not a user of this host" % name)
    _check_name(entry.pw_name)  # a directory service may spell it differently
    if entry.pw_uid in _NO_CHANGE or entry.pw_gid in _NO_CHANGE:
        raise Problem("the uid or the gid of %r is not valid: 4294967295" % name)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def _check_name(name: str) -> None:
    if not name or name[0] in "-." or any(character in name for character in "/\0\n:"):
        raise Problem("the user name %r is not safe in a path" % name)


def _entry(name: str) -> Any:
    """Return the entry of a name, and release the interpreter lock during the lookup.

    pwd.getpwnam keeps the lock before Python 3.8, so this calls libc with Linux's struct there.
    """
    if sys.version_info >= (3, 8):
        return pwd.getpwnam(name)
    import ctypes

    class Entry(ctypes.Structure):
        _fields_ = [
            *((field, ctypes.c_char_p) for field in ("pw_name", "pw_passwd")),
            *((field, ctypes.c_uint32) for field in ("pw_uid", "pw_gid")),
            *((field, ctypes.c_char_p) for field in ("pw_gecos", "pw_dir", "pw_shell")),
        ]

    entry, found, size = Entry(), ctypes.c_void_p(), 1024
    code = errno.ERANGE
    while code == errno.ERANGE and size < 1 << 20:
        size *= 4
        text = ctypes.create_string_buffer(size)
        look_up = ctypes.CDLL(None).getpwnam_r
        arguments = ctypes.byref(entry), text, ctypes.c_size_t(size), ctypes.byref(found)
        code = look_up(os.fsencode(name), *arguments)
    if code or not found:
        raise KeyError(name)
    fields = [entry.pw_uid, entry.pw_gid, "", os.fsdecode(entry.pw_dir), ""]
    return pwd.struct_passwd([os.fsdecode(entry.pw_name), "", *fields])


def own_account() -> Account:
    """Return the account of this process's user. Raises KeyError."""
    entry = pwd.getpwuid(os.geteuid())
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


PRIVATE = "/run/jhpatch"
"""The parent of the private directories that root creates for users' caches."""
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def make_private_directory(path: str, account: Account, top: str = PRIVATE) -> None:
    """As root, create ``/run/jhpatch/NAME`` for a cache at ``path`` in it.

    The directory has mode 0700 and belongs to the user. /run is empty after a reboot, and only
    root can create a directory there. This does nothing for a path elsewhere, or if this process
    is not root. Only root may be able to write the parent of ``top``. Raises Problem.
    """
    directory, _, name = os.path.dirname(path).rpartition("/")
    if os.geteuid() != 0 or directory != top or name in ("", ".", ".."):
        return
    above, last = os.path.split(top)
    try:
        with _directory(above, None) as outer, _directory(last, outer) as middle:
            if not os.fstat(middle).st_mode & 0o001:  # new
                os.fchmod(middle, 0o755)
            with _directory(name, middle) as inner:
                _give(inner, account)
    except OSError as error:
        raise Problem("%s/%s: %s" % (top, name, error.strerror))


@contextlib.contextmanager
def _directory(name: str, parent: Optional[int]) -> Iterator[int]:
    """Open a directory in one that only root can write; create it, for root alone, if missing."""
    if parent is not None:
        status = os.fstat(parent)
        if status.st_uid != 0 or status.st_mode & 0o022:
            message = "another user can write a directory above it"
            raise PermissionError(errno.EPERM, message)
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent)
    fd = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)


def _give(directory: int, account: Account) -> None:
    """Make a user the owner of a new directory.

    A directory counts as new if it is empty and only root can enter it: a hub that was killed
    before this call leaves such a directory. Any other directory stays as it is.
    """
    status = os.fstat(directory)
    if status.st_uid == 0 and not status.st_mode & 0o077 and not os.listdir(directory):
        os.fchmod(directory, 0o700)  # whatever the umask
        os.fchown(directory, account.uid, account.gid)
    elif status.st_uid not in (0, account.uid):
        raise PermissionError(errno.EPERM, "this directory belongs to uid %d" % status.st_uid)
