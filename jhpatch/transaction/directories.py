"""The directories that a change creates or removes; ``transaction`` decides on the order.

A directory is created for its first file. It is removed only if it contains nothing but files
that the change removes, and their bytecode.
"""

import contextlib
import os
import stat
from typing import Dict, Iterable, Iterator, List, Tuple

from jhpatch.system.rooted_files import RootDir, UnsafePath
from jhpatch.transaction.change import FileChange
from jhpatch.transaction.journal import Directory
from jhpatch.transaction.store import STATE_DIR

_CACHE = "__pycache__"


def missing(path: str, rest: str, status: os.stat_result) -> Iterator[Directory]:
    """Yield the parent directories of ``path`` that do not exist, the outermost first.

    ``rest`` is as in ``RootDir.nearest_parent``, ``status`` that of the existing directory:
    the new ones have its owner, and its group is inherited if it has the setgid bit.
    """
    mode = 0o755 | status.st_mode & stat.S_ISGID
    existing = path[: -len(rest)]
    parts = rest.split("/")[:-1]
    for depth in range(len(parts)):
        name = existing + "/".join(parts[: depth + 1])
        yield Directory(name, mode, status.st_uid, status.st_gid, True)


def emptied(root: RootDir, changes: Iterable[FileChange]) -> Tuple[Directory, ...]:
    """Return the directories that ``changes`` leave empty, the outermost first. Raises OSError.

    Bytecode does not count: ``remove`` leaves a directory with that of other modules.
    """
    changes = [change for change in changes if not change.path.startswith(STATE_DIR + "/")]
    removed = {change.path for change in changes if change.after is None}
    kept = {path for change in changes if change.after is not None for path in _above(change.path)}
    candidates = {path for removed_path in removed for path in _above(removed_path)} - kept
    found: Dict[str, Directory] = {}
    for path in sorted(candidates, key=_depth, reverse=True):
        with root.directory(path) as directory:
            names = set(directory.names()) - {_CACHE}
            status = os.fstat(directory.fd)
        if all(path + "/" + name in removed for name in names):
            mode = stat.S_IMODE(status.st_mode)
            found[path] = Directory(path, mode, status.st_uid, status.st_gid, False)
            removed.add(path)
    return tuple(reversed(list(found.values())))


def _above(path: str) -> List[str]:
    """Return the directories above a path, without the root."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _depth(path: str) -> Tuple[int, str]:
    return path.count("/"), path


def make(root: RootDir, directory: Directory) -> None:
    """Create a directory with its mode and owner, and sync it. Raises OSError if it exists."""
    parent, name = root.parent(directory.path)
    with parent:
        os.mkdir(name, 0o755, dir_fd=parent.fd)
        _set_metadata(root, directory)
        parent.sync()


def make_again(root: RootDir, directory: Directory) -> None:
    """Create a directory that was removed; give one that exists its mode and owner again.

    An undo that was killed may have created it, or the disk may have lost its mode.
    """
    with contextlib.suppress(FileExistsError):
        make(root, directory)
        return
    _set_metadata(root, directory)
    parent, _ = root.parent(directory.path)
    with parent:
        parent.sync()


def _set_metadata(root: RootDir, directory: Directory) -> None:
    """Set the owner and mode of a directory, regardless of the umask."""
    with root.directory(directory.path) as opened:
        status = os.fstat(opened.fd)
        if (status.st_uid, status.st_gid) != (directory.uid, directory.gid):
            try:
                os.fchown(opened.fd, directory.uid, directory.gid)
            except PermissionError:
                if status.st_uid != directory.uid:  # a foreign group is no reason to fail
                    raise
        if stat.S_IMODE(os.fstat(opened.fd).st_mode) != directory.mode:
            os.fchmod(opened.fd, directory.mode)
        opened.sync()


def remove(root: RootDir, path: str) -> None:
    """Remove a directory if it is empty, or has only an empty __pycache__; not synced yet.

    A directory with other files stays. One that another program has removed or replaced is left
    as it is. Raises OSError.
    """
    with contextlib.suppress(FileNotFoundError, UnsafePath):
        with root.directory(path) as directory:
            if directory.names() == [_CACHE]:
                directory.rmdir_if_empty(_CACHE)
        parent, name = root.parent(path)
        with parent:
            parent.rmdir_if_empty(name)
