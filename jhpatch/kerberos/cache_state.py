"""Why a credential cache has no ticket, and where else a user has one."""

import contextlib
import errno
import os
import stat
from typing import Iterator, List, Optional, Tuple

from jhpatch.deployed.kerberos import schedule
from jhpatch.deployed.kerberos.ccache import SIZE_CAP, Malformed, Ticket, read_cache
from jhpatch.deployed.kerberos.store import read_own, usable

_MOST_NAMES = 10000  # that are inspected in a directory: any user can fill /tmp
_MOST_CACHES = 5


def describe_content(data: bytes) -> str:
    """Return why the bytes of a cache contain no usable ticket; empty if they contain one."""
    if not data:
        return "the cache is empty"
    if len(data) > SIZE_CAP:
        return "the file is larger than %d bytes, the limit for a cache" % SIZE_CAP
    try:
        ticket = read_cache(data)
    except Malformed as error:
        return "the file is not a credential cache: %s" % error
    return "" if ticket else "the cache has no ticket-granting ticket"


def why_absent(path: str, uid: int) -> str:
    """Return why the FILE cache at ``path`` has no ticket for a user; empty if it has one.

    The process must be the user's.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return "the cache does not exist"
    except OSError as error:
        return "the cache cannot be inspected: %s" % error.strerror
    if stat.S_ISLNK(status.st_mode):
        return "the cache is a symlink, which the ticket service does not follow but replaces"
    if not stat.S_ISREG(status.st_mode):
        return "the cache is not a regular file"
    if status.st_uid != uid:
        return "the cache belongs to uid %d" % status.st_uid
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return "the cache cannot be read: %s" % os.strerror(error.errno or errno.EIO)
    return describe_content(read_own(path, uid))


def is_foreign(path: str) -> bool:
    """Return whether another user owns what is at ``path``."""
    try:
        return bool(path) and os.lstat(path).st_uid != os.geteuid()
    except OSError:
        return False


def valid_caches(
    uid: int, without: str, directories: Optional[Tuple[str, ...]] = None
) -> Tuple[Tuple[str, Ticket], ...]:
    """Return the names of other caches of a user with a valid ticket, the last to expire first.

    There are at most five, under the names that kinit(1), pam_krb5 and sshd use. ``without`` is
    a path to leave out. The process must be the user's.
    """
    if directories is None:
        directories = ("/tmp", "/run/user/%d" % uid)
    found: List[Tuple[str, Ticket]] = []
    for directory in directories:
        for name in sorted(_names(directory)):
            path = os.path.join(directory, name)
            if path == without or not _may_be_cache(name, uid, directory):
                continue
            ticket = usable(read_own(path, uid))
            if ticket and schedule.is_valid(ticket):
                found.append(("FILE:" + path, ticket))
    found.sort(key=lambda row: (-row[1].end, row[0]))
    return tuple(found[:_MOST_CACHES])


def _may_be_cache(name: str, uid: int, directory: str) -> bool:
    own = "krb5cc_%d" % uid
    in_own_directory = directory.endswith("/%d" % uid) and name.startswith("krb5cc")
    return name == own or name.startswith(own + "_") or in_own_directory


def _names(directory: str) -> Iterator[str]:
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for number, entry in enumerate(entries):
            if number >= _MOST_NAMES:
                return
            yield entry.name
