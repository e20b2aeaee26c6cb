"""The interpreters of this machine."""

import glob
import os
import shutil
from typing import Optional


def interpreter(minor: str) -> Optional[str]:
    """Return the real path of a Python ``3.X`` from pyenv or PATH; None if there is none."""
    pyenv = os.path.expanduser("~/.pyenv/versions/%s.*/bin/python%s" % (minor, minor))
    for path in sorted(glob.glob(pyenv)) + [shutil.which("python" + minor)]:
        if path and not _is_shim(path):
            return os.path.realpath(path)
    return None


def _is_shim(path: str) -> bool:
    """Whether a program is one of pyenv's shims, scripts that need its settings."""
    with open(path, "rb") as file:
        return file.read(2) == b"#!"
