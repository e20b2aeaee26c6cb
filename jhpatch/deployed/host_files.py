"""Read small files and ask programs of the host; nothing here fails or waits for ever.

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
    """Return what a program prints on both its streams; nothing if it cannot run."""
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
    """Return the beginning of a small file's text; empty if there is none."""
    try:
        return bytes_of(path, 65536).decode("utf-8", "replace")
    except OSError:
        return ""


def bytes_of(path: str, size: int) -> bytes:
    """Return at most ``size`` bytes of a regular file. Raises OSError.

    A FIFO is not waited for: the path may be a user's, and the reader root.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", path)
        return file.read(size)


def escaped(path: str) -> str:
    return glob.escape(path)
