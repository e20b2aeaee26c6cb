"""Single steps on the files of a site; ``transaction`` decides on their order."""

import contextlib
import os
from typing import Callable, Dict, Iterable, List, Optional, Set, Union

from jhpatch.system.rooted_files import Dir, RootDir, UnsafePath
from jhpatch.system.sha256 import sha256
from jhpatch.transaction.journal import Directory, Row

At = Callable[[str, str], None]
"""Receives each step and its path, for error messages and for injected faults of tests."""


def hash_of(root: RootDir, path: str) -> Optional[str]:
    """Return the SHA-256 of a file; None if it is missing, "" if it is not a regular file."""
    try:
        content = root.read(path)
    except UnsafePath:
        return ""
    return None if content is None else sha256(content.data)


def write_temp(root: RootDir, row: Row, data: bytes) -> None:
    """Write the new bytes beside their target, with its owner, mode and attributes."""
    directory, name = root.parent(row.path)
    with directory:
        target = directory.lstat(name)

        def set_metadata(fd: int) -> None:
            status = os.fstat(fd)
            if (status.st_uid, status.st_gid) != (row.uid, row.gid):
                _chown(fd, row)
            if target is not None:
                directory.copy_attributes(name, fd)
            os.fchmod(fd, row.mode)
            if target is not None and int(status.st_mtime) == int(target.st_mtime):
                # Python compares the size and the whole second of a source with its .pyc.
                mtime_ns = status.st_mtime_ns + 1000000000
                os.utime(fd, ns=(mtime_ns, mtime_ns))

        directory.write_new(row.temp, data, set_metadata)


def _chown(fd: int, row: Row) -> None:
    try:
        os.fchown(fd, row.uid, row.gid)
    except PermissionError:
        # A new file may have this user's group; an existing file must keep its owner.
        if row.uid != os.geteuid() or row.before is not None:
            raise


def drop_temp(root: RootDir, row: Row) -> None:
    """Remove the temporary file of a row if it exists."""
    with contextlib.suppress(FileNotFoundError, UnsafePath):
        directory, _ = root.parent(row.path)
        with directory:
            directory.unlink(row.temp)


def remove_empty_directories(root: RootDir, paths: Iterable[str]) -> None:
    """Remove the parent directories of ``paths`` that are empty.

    Python imports a directory without files as a namespace package, and takes one that is
    named ``….dist-info`` for a distribution.
    """
    kept: Set[str] = set()  # not empty: not read again for the next file of the same directory
    for path in paths:
        parent_path = path.rpartition("/")[0]
        while parent_path and not parent_path.startswith(".jhpatch") and parent_path not in kept:
            if not _remove_empty(root, parent_path):
                kept.add(parent_path)
                break
            parent_path = parent_path.rpartition("/")[0]
            kept.discard(parent_path)


def _remove_empty(root: RootDir, path: str) -> bool:
    try:
        with root.directory(path) as directory:
            names = directory.names()
            if names == ["__pycache__"]:
                os.rmdir("__pycache__", dir_fd=directory.fd)
            elif names:
                return False
        parent, name = root.parent(path)
        with parent:
            os.rmdir(name, dir_fd=parent.fd)
            parent.sync()
    except FileNotFoundError:
        return True  # removed for an earlier path
    except OSError:  # a symlink, or another process has just created a file there
        return False
    return True


class Bytecode:
    """The .pyc files of a site, of every interpreter; each directory is read once."""

    def __init__(self, root: RootDir) -> None:
        self._root = root
        self._cache_names: Dict[str, Dict[str, List[str]]] = {}

    def drop(self, path: str) -> List[str]:
        """Remove every .pyc of a module; return their paths."""
        parent, slash, name = path.rpartition("/")
        if not name.endswith(".py"):
            return []
        cache = parent + slash + "__pycache__"
        names = self._names_in(cache).get(name[: -len(".py")], [])
        return _unlink(self._root, cache, names) + _unlink(self._root, parent, [name + "c"])

    def _names_in(self, cache: str) -> Dict[str, List[str]]:
        """Return the .pyc files of a __pycache__ by each possible name of their module."""
        if cache not in self._cache_names:
            names_by_module: Dict[str, List[str]] = {}
            with contextlib.suppress(FileNotFoundError, UnsafePath), self._root.directory(
                cache
            ) as directory:
                for name in directory.names():
                    parts = name.split(".") if name.endswith(".pyc") else []
                    for end in range(1, len(parts)):
                        names_by_module.setdefault(".".join(parts[:end]), []).append(name)
            self._cache_names[cache] = names_by_module
        return self._cache_names[cache]


def _unlink(root: RootDir, path: str, names: List[str]) -> List[str]:
    dropped: List[str] = []
    if not names:
        return dropped
    with contextlib.suppress(FileNotFoundError, UnsafePath), root.directory(path) as directory:
        for name in names:
            with contextlib.suppress(IsADirectoryError):
                if directory.unlink(name):
                    dropped.append(path + "/" + name if path else name)
    return dropped


def drop_bytecode(root: RootDir, rows: Iterable[Row], at: At) -> List[str]:
    """Remove every .pyc of the modules that change; return their paths."""
    dropped: List[str] = []
    bytecode = Bytecode(root)
    for row in rows:
        if row.before != row.after:
            at("bytecode", row.path)
            dropped += bytecode.drop(row.path)
    return dropped


def sync_directories(root: RootDir, rows: Iterable[Union[Row, Directory]], at: At) -> None:
    """Sync the changes of ``rows`` to the disk; skip directories that were removed."""
    for path in sorted({row.path.rpartition("/")[0] for row in rows}):
        at("sync", path)
        with contextlib.suppress(FileNotFoundError, UnsafePath), root.directory(path) as directory:
            directory.sync()


def rename_over(directory: Dir, name: str, temp: Optional[str]) -> None:
    """Rename ``temp`` over ``name``; if ``temp`` is None, remove ``name``."""
    if temp is None:
        directory.unlink(name)
    else:
        directory.rename(temp, name)
