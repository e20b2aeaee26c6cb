"""A directory as values, to compare before and after."""

import hashlib
import os
import stat
from typing import Dict, Tuple


def tree(folder: str) -> Dict[str, Tuple[str, int, int, int]]:
    """Return hash, mode, owner and group of everything below ``folder`` but ``__pycache__``."""
    found = {}
    for path in _paths(folder):
        info = os.lstat(path)
        found[os.path.relpath(path, folder)] = (
            _digest(path, info),
            info.st_mode,
            info.st_uid,
            info.st_gid,
        )
    return found


def times(folder: str) -> Dict[str, Tuple[int, int, int]]:
    """Return mtime and ctime (ns) and inode of everything below ``folder`` and of itself."""
    found = {}
    for path in [folder, *_paths(folder)]:
        info = os.lstat(path)
        found[path] = (info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
    return found


def _paths(folder: str):
    for above, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names) + folders:
            yield os.path.join(above, name)


def _digest(path: str, info: os.stat_result) -> str:
    if stat.S_ISLNK(info.st_mode):
        return os.readlink(path)
    if not stat.S_ISREG(info.st_mode):
        return ""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
