"""Orders to the process that reads and stores a cache as its owner (cache_child.py)."""

import binascii
import itertools
import json
import os
import stat
import sys
import time
from typing import Any, List, Mapping, Optional

from . import identity
from .account import Account
from .ccache import SIZE_CAP, Malformed, Ticket, read_cache
from .errors import Problem, Unresponsive
from .process import Child
from .programs import NO_KLIST

_END = b"!"  # the line after klist's output
_FAILED = b"!failed "  # how the line begins, with kinit's exit code, if there is no new cache
_MOST_LINES = 1000  # of klist: a user can write into its pipe
_KEPT = b"kept"  # the line after the rename: the private directory is gone too
_CLEANING = 1.0  # seconds to wait for the removal of stale directories: others can add names
_CHANGED = 75  # CHANGED of cache_child.py
_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cache_child.py")
_STALE = 60  # seconds beyond the deadline after which a directory is stale
_LOCK_WAIT = 3  # seconds to wait for another process that renews the same cache


class Changed(Exception):
    """Another process has replaced the cache since it was read."""


class KinitFailed(Problem):
    """kinit's error message."""


class Store(Child):
    """A child, already the user, that reads a cache and stores a new one over it.

    Call the methods in this order. Each may raise Changed, Problem or Unresponsive.
    """

    has_files = False  # until the first order

    def __init__(
        self,
        account: Account,
        cache: str,
        klist: str,
        kinit: List[str],
        environment: Mapping[str, str],
        end: float,
        is_cleaned: bool = False,
    ) -> None:
        """``cache`` is its path; if empty, ``klist`` names it. ``kinit`` is an argv.

        ``end`` is the deadline, by the monotonic clock; ``is_cleaned``: whether to remove stale
        directories after a ticket is stored. Raises Problem.
        """
        left = end - time.monotonic()
        self._account, self._is_cleaned = account, is_cleaned
        self._options = json.dumps(
            {
                "cache": identity.latin(cache),
                "klist": identity.latin(klist),
                "kinit": [identity.latin(word) for word in kinit],
                "uid": account.uid,
                "lock_wait": min(_LOCK_WAIT, left / 2),
                "stale": left + _STALE if is_cleaned else 0,
            }
        )
        super().__init__([sys.executable, "-I", "-S", _PROGRAM, self._options], environment, end)

    def _start(
        self, argv: List[str], environment: Mapping[str, str], cwd: str, files: List[int]
    ) -> Any:
        if not identity.is_other(self._account):
            return super()._start(argv, environment, cwd, files)
        from . import forked_process  # not in the package of a user's server

        return forked_process.start(self._account, self._options, environment, files)

    def klist(self) -> str:
        """Return klist's output, if no path was given."""
        try:
            lines = list(itertools.islice(iter(self._next, _END), _MOST_LINES + 1))
        except Unresponsive:
            raise Problem(NO_KLIST)
        if len(lines) > _MOST_LINES:
            raise Problem("klist prints more than %d lines" % _MOST_LINES)
        return b"\n".join(lines).decode("utf-8", "replace")

    def choose(self, path: str) -> None:
        """Send the path of the cache, after ``klist``."""
        self.send(os.fsencode(path) + b"\n")

    def cache(self) -> bytes:
        """Return the bytes of the cache; empty if it is unusable, and can be replaced."""
        try:
            return _decoded(self._next())
        except Unresponsive:
            raise Problem(
                "the cache cannot be read in time: check its file server and the directory service"
            )

    def kinit(self, order: str) -> bytes:
        """Run kinit (``kinit``), or ``kinit -R`` (``renew``); return the new cache.

        Raises KinitFailed.
        """
        self.has_files = True
        self.send(order.encode("ascii") + b"\n")
        line = self._next()
        errors = " ".join(self.errors().split())
        if line.startswith(_FAILED):
            code = line[len(_FAILED) :].decode("ascii", "replace")
            raise KinitFailed(errors or "kinit ended with exit code %s" % code)
        return _decoded(line)

    def prepare(self) -> None:
        """Have the child make its private directory while this process does something else."""
        self.has_files = True
        self.send(b"prepare\n")

    def keep(self) -> None:
        """Rename the new cache over the old one."""
        self._keep(b"")

    def give(self, data: bytes) -> None:
        """Store a cache with these bytes."""
        self._keep(b"give %d\n" % len(data) + data)

    def _keep(self, orders: bytes) -> None:
        self.has_files = True
        self.send(orders + b"keep\n", close=True)
        if self._next() != _KEPT:
            raise Problem("the cache cannot be stored")
        self.has_files = False
        if self._is_cleaned:
            self.wait(_CLEANING)

    def _next(self) -> bytes:
        line = self.line()
        if line is None:
            self._finish()
            raise Problem("the child process that stores the cache has ended")
        return line

    def _finish(self) -> None:
        done = self.finish()
        if done.code == _CHANGED and not done.err:
            raise Changed()
        if done.code:
            errors = " ".join(done.err.split())
            raise Problem(errors or "the cache cannot be stored (exit code %d)" % done.code)


def _decoded(line: bytes) -> bytes:
    try:
        return binascii.a2b_base64(line)
    except binascii.Error:
        return b""


def usable(data: bytes) -> Optional[Ticket]:
    """Return the ticket in a cache's bytes; None if they are not a usable cache."""
    if not data or len(data) > SIZE_CAP:
        return None
    try:
        return read_cache(data)
    except Malformed:
        return None


def read_own(path: str, uid: int) -> bytes:
    """Return the bytes of a cache of this process's user; empty if it is unusable."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != uid:
            return b""
        with os.fdopen(fd, "rb", closefd=False) as file:
            return file.read(SIZE_CAP + 1)
    except OSError:
        return b""
    finally:
        os.close(fd)
