"""Read small files and run programs of the host, with limits of size and time.

Copied into a kernelspec's directory as ``jhpatch_host_files.py``.
"""

import errno
import glob
import os
import stat
import subprocess
from typing import List, Mapping

CAP = 4 * 1024 * 1024
"""Bytes of a configuration file, at most."""


def ran(argv: List[str], environ: Mapping[str, str], seconds: float = 5) -> str:
    """Return what a program prints on both streams; empty if it cannot run or is too slow."""
    try:
        done = subprocess.run(
            argv,
            env=dict(environ),
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


def text_of(path: str) -> str:
    """Return the first 64 KiB of a file as text; empty if it cannot be read."""
    try:
        return bytes_of(path, 65536).decode("utf-8", "replace")
    except OSError:
        return ""


def bytes_of(path: str, size: int) -> bytes:
    """Return at most ``size`` bytes of a regular file. Raises OSError.

    This does not wait for a FIFO: root may read a path that a user controls.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", path)
        return file.read(size)


def escaped(path: str) -> str:
    """Return a path whose special characters have no meaning for ``glob``."""
    return glob.escape(path)
