"""Who else can write a path: root trusts only what root alone can write.

As root, jhpatch neither runs an interpreter nor writes in a directory that another user
can write. The user can replace their directory by a symlink between two system calls,
and can write any program in the place of the interpreter. For such a target jhpatch
becomes that user first (``become_user``).
"""

import os
import stat
from typing import Iterator, List, Optional, Tuple

from jhpatch.errors import Failed, Refused, shell_command
from jhpatch.namedtuple import NamedTuple


class Writer(NamedTuple):
    """A path that users other than root can write, and its owner and mode."""

    path: str
    uid: int
    mode: int


def writer_of(path: str) -> Optional[Writer]:
    """Return the first part of ``path``, from the root, that not only root can write.

    Symlinks are followed step by step, and each step is checked. A sticky parent directory
    such as /tmp is safe: only the owner of an entry can replace it (inode(7)). Raises
    Failed if a part is missing or cannot be read.
    """
    status = None
    try:
        for part in _path_steps(path):
            status = os.lstat(part)
            mode = stat.S_IMODE(status.st_mode)
            if status.st_uid != 0:
                return Writer(part, status.st_uid, mode)
            if not stat.S_ISLNK(status.st_mode) and _is_open(status, is_last=False):
                return Writer(part, 0, mode)
    except OSError as error:
        raise Failed(
            "cannot tell who can write this path: %s" % error.strerror,
            path=str(error.filename or path),
            expected="a path that is there",
        )
    if status and stat.S_ISDIR(status.st_mode) and _is_open(status, is_last=True):
        return Writer(part, 0, stat.S_IMODE(status.st_mode))
    return None


def _is_open(status: os.stat_result, is_last: bool) -> bool:
    """Return whether others than the owner can write; a group without members does not count.

    In a sticky directory they cannot replace entries, but they can add some (``is_last``).
    """
    if status.st_mode & stat.S_ISVTX and stat.S_ISDIR(status.st_mode) and not is_last:
        return False
    if status.st_mode & stat.S_IWOTH:
        return True
    return (
        bool(status.st_mode & stat.S_IWGRP) and status.st_gid != 0 and _has_members(status.st_gid)
    )


def _has_members(gid: int) -> bool:
    import grp
    import pwd

    try:
        members = set(grp.getgrgid(gid).gr_mem) - {"root"}
    except KeyError:
        members = set()
    return bool(members) or any(user.pw_gid == gid and user.pw_uid for user in pwd.getpwall())


def _path_steps(path: str) -> Iterator[str]:
    """Return each directory and symlink that the kernel resolves on the way to ``path``."""
    # Not abspath(): it drops "link/..", but the kernel follows the link first.
    absolute = os.path.join(os.getcwd(), path)
    pending = [part for part in absolute.split("/") if part not in ("", ".")][::-1]
    current = "/"
    yield current
    hops = 0
    while pending:
        part = pending.pop()
        if part == "..":
            current = os.path.dirname(current)
            continue
        step = os.path.join(current, part)
        yield step
        if os.path.islink(step) and hops < 40:
            hops += 1
            target = os.readlink(step)
            current = "/" if target.startswith("/") else current
            pending += [name for name in target.split("/") if name not in ("", ".")][::-1]
        else:
            current = step


def refuse_foreign(directory: str) -> None:
    """Raise Refused if, as root, another user can write any part of a directory.

    The error names the path, its owner and its mode. Raises Failed if a part cannot be
    read; OSError if a directory cannot be listed.
    """
    if os.geteuid() != 0:
        return
    writers = (_writer_below(*row) for row in _entries_below(directory))
    writer = writer_of(directory) or next(filter(None, writers), None)
    if writer is not None:
        raise Refused(
            "root does not trust what somebody else can write",
            path=writer.path,
            expected="a path that root alone can write, as all of " + directory,
            found="owner uid %d, mode %o" % (writer.uid, writer.mode),
            next=shell_command("chown", "-h", "root", writer.path)
            + " && "
            + shell_command("chmod", "go-w", writer.path),
        )


def _entries_below(directory: str) -> Iterator[Tuple[str, os.stat_result]]:
    """Return every entry of a directory, at any depth, with its status."""
    try:
        with os.scandir(directory) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return  # the next reader reports it
    for entry in ordered:
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # a .pyc that another run has just renamed
        yield entry.path, status
        if stat.S_ISDIR(status.st_mode):
            yield from _entries_below(entry.path)


def _writer_below(path: str, status: os.stat_result) -> Optional[Writer]:
    """Return who else can write a path; its parent directories have been checked."""
    if stat.S_ISLNK(status.st_mode):
        if not os.path.exists(path):
            raise Failed("a symlink that leads nowhere", path=path, found=os.readlink(path))
        return writer_of(path)
    if status.st_uid or _is_open(status, is_last=True):
        return Writer(path, status.st_uid, stat.S_IMODE(status.st_mode))
    return None


def owner_to_become(paths: List[str]) -> Optional[int]:
    """Return the uid to become before ``paths`` are run or written; None for no change.

    Raises Refused if no single user is safe to become: a group, everybody or several
    users can write.
    """
    if os.geteuid() != 0:
        return None
    writers = [writer for writer in map(writer_of, paths) if writer]
    for writer in writers:
        if writer.uid == 0 or any(other.uid != writer.uid for other in writers):
            raise Refused(
                "root does not write or run what several others can write",
                path=writer.path,
                expected="a path that root alone, or one user alone, can write",
                found="owner uid %d, mode %o" % (writer.uid, writer.mode),
                next=shell_command("chmod", "go-w", writer.path),
            )
    return writers[0].uid if writers else None
