"""Root's own temporary directory, for a ticket that it obtains with a central keytab."""

import contextlib
import os
import shutil
import stat
import tempfile
import time
from typing import Dict, Iterator

from .errors import Problem

_ROOT_PREFIX = "jhpatch-tickets-"
_due: Dict[str, float] = {}
"""By directory, the time of the next search for stale directories (monotonic clock)."""


@contextlib.contextmanager
def root_directory(timeout: float, top: str = "") -> Iterator[str]:
    """Create a private directory of this process's user in ``top``, and remove it at the end.

    ``top`` defaults to /run if that can be written, else to the directory of temporary files.
    Directories of killed processes are removed too, once they are older than ``timeout`` + 60
    seconds. Raises Problem.
    """
    top = top or ("/run" if os.access("/run", os.W_OK) else tempfile.gettempdir())
    now, age = time.monotonic(), timeout + 60
    try:
        if now >= _due.get(top, now):
            _due[top] = now + age
            _remove_stale(top, age)
        directory = tempfile.mkdtemp(prefix=_ROOT_PREFIX, dir=top)
    except OSError as error:
        raise Problem("cannot create a temporary directory in %s: %s" % (top, error.strerror))
    try:
        yield directory
    finally:
        _remove(directory)


def _remove(directory: str) -> None:
    """Remove a directory of this process, with kinit's files in it."""
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            os.unlink(os.path.join(directory, name))
        os.rmdir(directory)


def _remove_stale(top: str, age: float) -> None:
    """Remove the private directories of killed processes that are older than ``age`` seconds."""
    for name in os.listdir(top):
        if name.startswith(_ROOT_PREFIX):
            path = os.path.join(top, name)
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                is_own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
                if is_own and time.time() - status.st_mtime > age:
                    shutil.rmtree(path, ignore_errors=True)
