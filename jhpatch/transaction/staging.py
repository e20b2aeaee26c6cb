"""Single steps on the files of a site; in which order they do no harm is transaction.py's."""

import contextlib
import os
from typing import Callable, Dict, Iterable, List, Optional, Set

from jhpatch.system.rooted_files import Dir, RootDir, UnsafePath
from jhpatch.system.sha256 import sha256
from jhpatch.transaction.journal import Row

At = Callable[[str, str], None]
"""Told what is done to which path: for the message of an error, and for a test's fault."""


def hash_of(root: RootDir, path: str) -> Optional[str]:
    """The SHA-256 of a file; None for none, "" for what is no plain file."""
    try:
        found = root.read(path)
    except UnsafePath:
        return ""
    return None if found is None else sha256(found.data)


def write_temp(root: RootDir, row: Row, data: bytes) -> None:
    """The new bytes beside their target, with the target's owner, mode and attributes."""
    folder, name = root.parent(row.path)
    with folder:
        old = folder.lstat(name)

        def dress(fd: int) -> None:
            made = os.fstat(fd)
            if (made.st_uid, made.st_gid) != (row.uid, row.gid):
                _chown(fd, row)
            if old is not None:
                folder.copy_attributes(name, fd)
            os.fchmod(fd, row.mode)
            if old is not None and int(made.st_mtime) == int(old.st_mtime):
                # Python takes a .pyc for fresh by size and whole second of the source.
                later = made.st_mtime_ns + 1000000000
                os.utime(fd, ns=(later, later))

        folder.write_new(row.temp, data, dress)


def _chown(fd: int, row: Row) -> None:
    try:
        os.fchown(fd, row.uid, row.gid)
    except PermissionError:
        # A new file of one's own may have one's own group; another's file must keep its owner.
        if row.uid != os.geteuid() or row.before is not None:
            raise


def drop_temp(root: RootDir, row: Row) -> None:
    """Takes the temporary file of a row away, where it is there."""
    with contextlib.suppress(FileNotFoundError, UnsafePath):
        folder, _ = root.parent(row.path)
        with folder:
            folder.unlink(row.temp)


def remove_empty_directories(root: RootDir, paths: Iterable[str]) -> None:
    """Takes away the folders above ``paths`` where nothing is left in them.

    A folder without files imports as a namespace package, and one that is named
    ``….dist-info`` passes for a distribution.
    """
    full: Set[str] = set()  # not to look a second time for the next file of the same folder
    for path in paths:
        above = path.rpartition("/")[0]
        while above and not above.startswith(".jhpatch") and above not in full:
            if not _drop_empty(root, above):
                full.add(above)
                break
            above = above.rpartition("/")[0]
            full.discard(above)


def _drop_empty(root: RootDir, path: str) -> bool:
    try:
        with root.directory(path) as folder:
            names = folder.names()
            if names == ["__pycache__"]:
                os.rmdir("__pycache__", dir_fd=folder.fd)
            elif names:
                return False
        above, name = root.parent(path)
        with above:
            os.rmdir(name, dir_fd=above.fd)
            above.sync()
    except FileNotFoundError:
        return True  # an earlier path's folder was the same
    except OSError:  # a symlink, or somebody has put something there
        return False
    return True


class Bytecode:
    """The .pyc files of a site, of every interpreter; each folder is read once."""

    def __init__(self, root: RootDir) -> None:
        self._root = root
        self._known: Dict[str, Dict[str, List[str]]] = {}

    def drop(self, path: str) -> List[str]:
        """Drops every .pyc of a module; says which there were."""
        above, slash, name = path.rpartition("/")
        if not name.endswith(".py"):
            return []
        cache = above + slash + "__pycache__"
        names = self._in(cache).get(name[: -len(".py")], [])
        return _dropped(self._root, cache, names) + _dropped(self._root, above, [name + "c"])

    def _in(self, cache: str) -> Dict[str, List[str]]:
        """The .pyc files of a __pycache__ by all that may be their module's name."""
        if cache not in self._known:
            found: Dict[str, List[str]] = {}
            with contextlib.suppress(FileNotFoundError, UnsafePath), self._root.directory(
                cache
            ) as one:
                for name in one.names():
                    parts = name.split(".") if name.endswith(".pyc") else []
                    for end in range(1, len(parts)):
                        found.setdefault(".".join(parts[:end]), []).append(name)
            self._known[cache] = found
        return self._known[cache]


def _dropped(root: RootDir, path: str, names: List[str]) -> List[str]:
    dropped: List[str] = []
    if not names:
        return dropped
    with contextlib.suppress(FileNotFoundError, UnsafePath), root.directory(path) as folder:
        for name in names:
            with contextlib.suppress(IsADirectoryError):
                if folder.unlink(name):
                    dropped.append(path + "/" + name if path else name)
    return dropped


def drop_bytecode(root: RootDir, rows: Iterable[Row], at: At) -> List[str]:
    """Drops every .pyc of the modules that change; says which there were."""
    dropped: List[str] = []
    bytecode = Bytecode(root)
    for row in rows:
        if row.before != row.after:
            at("bytecode", row.path)
            dropped += bytecode.drop(row.path)
    return dropped


def sync_directories(root: RootDir, rows: Iterable[Row], at: At) -> None:
    """Makes the renames of ``rows`` last.

    A directory that somebody took away holds nothing of ours.
    """
    for path in sorted({row.path.rpartition("/")[0] for row in rows}):
        at("sync", path)
        with contextlib.suppress(FileNotFoundError, UnsafePath), root.directory(path) as directory:
            directory.sync()


def put(directory: Dir, name: str, temp: Optional[str]) -> None:
    """Renames ``temp`` over ``name``; without one, removes ``name``."""
    if temp is None:
        directory.unlink(name)
    else:
        directory.rename(temp, name)
