"""Owners that have no uid in this user namespace (user_namespaces(7)).

Linux shows the same overflow uid for all of them, so such an owner is unknown. Root of an
unprivileged namespace has no more rights than the user who created it.
"""

import functools
import os
import stat
from typing import Tuple

from jhpatch.errors import Refused

_WHOLE = [0, 0, 4294967295]


@functools.lru_cache(maxsize=1)
def _overflow_uid() -> Tuple[int, bool]:
    """Return the overflow uid, and whether a user of this namespace can have it too.

    The uid is -1 if every user is mapped.
    """
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            numbers = [int(number) for number in file.read().split()]
        if numbers == _WHOLE:
            return -1, False
        with open("/proc/sys/kernel/overflowuid", encoding="ascii") as file:
            uid = int(file.read())
    except (OSError, ValueError):
        return -1, False
    starts, counts = numbers[::3], numbers[2::3]
    return uid, any(start <= uid < start + count for start, count in zip(starts, counts))


def is_outside(path: str, status: os.stat_result) -> bool:
    """Return whether the owner of ``path`` has no uid here; ``status`` is its lstat.

    If a mapped user can have the overflow uid, too, access decides: root can write the files of
    mapped users. For a file that all users can write, the group decides.
    """
    uid, is_ambiguous = _overflow_uid()
    if status.st_uid != uid:
        return False
    if not is_ambiguous or stat.S_ISLNK(status.st_mode):
        return True
    if status.st_mode & stat.S_IWOTH:
        return status.st_gid == uid  # the overflow gid is the same number
    return not os.access(path, os.W_OK)


def refuse_outside(path: str) -> None:
    """Raise Refused if the owner of ``path`` has no uid here. Raises OSError."""
    status = os.stat(path)
    if is_outside(path, status):
        raise Refused(
            "the owner of a path has no uid in this user namespace",
            path=path,
            expected="an owner that /proc/self/uid_map maps",
            found="owner uid %d, which represents all unmapped owners" % status.st_uid,
            next="run jhpatch outside of the namespace, as the owner of the path",
        )
