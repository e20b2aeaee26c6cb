"""The principals of users whose principal differs from the template: ``principal_map``."""

import os
import stat
from typing import Callable, Dict, Optional, Tuple

from .errors import Problem

_CAP = 16 * 1024 * 1024  # bytes; 100,000 users fit


class _Unreadable(Problem):
    """A file that cannot be read now."""


def read_map(path: str) -> Dict[str, str]:
    """Return the principals of a ``principal_map`` by user name. Raises Problem with the line.

    Whoever can write the file could obtain any user's tickets. So root must own it, or in a
    process that is not root, the user of that process. The group of root counts as root.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("not a regular file")
            if status.st_size > _CAP:
                raise ValueError("larger than %d bytes" % _CAP)
            lines = file.read(_CAP).decode("utf-8").split("\n")
    except OSError as error:
        raise _Unreadable("%s: %s" % (path, error.strerror))
    except ValueError as error:
        raise Problem("%s: %s" % (path, error))
    open_bits = 0o022 if status.st_gid else 0o002
    if status.st_uid not in (0, os.geteuid()) or status.st_mode & open_bits:
        values = (path, status.st_uid, stat.S_IMODE(status.st_mode))
        raise Problem("%s: another user can write it (owner uid %d, mode %04o)" % values)
    principals: Dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if words and (len(words) != 2 or words[0] in principals or "\0" in line):
            expected = "a user name that occurs only once, and a principal"
            raise Problem("%s:%d: expected %s; found %r" % (path, number, expected, line))
        if words:
            principals[words[0]] = words[1]
    return principals


def _open_at_once(path: str, flags: int) -> int:
    """Open a file, without waiting for the other end of a FIFO."""
    return os.open(path, flags | os.O_NONBLOCK)


class PrincipalMap:
    """The principal_map of a hub: read again when it changes, kept while it is unreadable.

    For one reader at a time; ``warn`` is called once for each new problem.
    """

    def __init__(self, path: str, warn: Callable[[str], None]) -> None:
        self._path = path
        self._warn = warn
        self._stamp: Optional[Tuple[int, int, int, int]] = None
        self._problem = ""
        self._principals: Dict[str, str] = {}

    def read(self) -> Dict[str, str]:
        """Return the principals by user name."""
        if not self._path:
            return {}
        try:
            status = os.stat(self._path)
            # Mode and ctime too: a repaired mode or owner counts as a change.
            stamp = status.st_ino, status.st_ctime_ns, status.st_size, status.st_mode
            if stamp != self._stamp:
                self._stamp = stamp  # also of an invalid map: it is read again if it changes
                self._principals = read_map(self._path)
                self._problem = ""
        except (OSError, Problem) as error:
            if isinstance(error, (OSError, _Unreadable)):
                self._stamp = None
            if str(error) != self._problem:
                self._problem = str(error)
                self._warn("the hub continues with the previous principals: %s" % error)
        return self._principals
