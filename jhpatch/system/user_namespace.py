"""Owners that have no uid in this user namespace (user_namespaces(7)).

Linux shows each of them as one overflow uid. Root of an unprivileged namespace has no more
rights than the user who made it; who such an owner is remains unknown.
"""

import functools
import os
import stat
from typing import Tuple

from jhpatch.errors import Refused

_WHOLE = [0, 0, 4294967295]


@functools.lru_cache(maxsize=1)
def _overflow_uid() -> Tuple[int, bool]:
    """Return the uid that stands for all others, and whether a user here can have it too.

    The uid is -1 if all users have one of their own.
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

    Root has its rights on the files of those who have one. What all users can write shows
    nothing; its group then decides.
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
