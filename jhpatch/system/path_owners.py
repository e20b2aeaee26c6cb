"""Who else can write a path: root trusts only what root alone can write.

Root neither runs an interpreter nor writes in a directory that another user can
write: a directory of a user may turn into a symlink between two system calls, and an
interpreter of a user is a program that the user wrote. For such a target jhpatch
becomes that user first (``become_user``).
"""

import os
import stat
from typing import Iterator, List, Optional, Tuple

from jhpatch.errors import Failed, Refused, shell_command
from jhpatch.namedtuple import NamedTuple


class Writer(NamedTuple):
    """A path that another user than root can write, and its stat's owner and mode."""

    path: str
    uid: int
    mode: int


def writer_of(path: str) -> Optional[Writer]:
    """The first part of ``path``, from the root down, that not only root can write.

    Symlinks are followed step by step, and each step counts. A sticky folder such as
    /tmp counts as safe on the way: only an owner can replace what lies in it
    (inode(7)). Raises Failed where a part is missing or cannot be looked at.
    """
    found = None
    try:
        for part in _steps(path):
            found = os.lstat(part)
            mode = stat.S_IMODE(found.st_mode)
            if found.st_uid != 0:
                return Writer(part, found.st_uid, mode)
            if not stat.S_ISLNK(found.st_mode) and _is_open(found, is_last=False):
                return Writer(part, 0, mode)
    except OSError as error:
        raise Failed(
            "cannot tell who can write this path: %s" % error.strerror,
            path=str(error.filename or path),
            expected="a path that is there",
        )
    if found and stat.S_ISDIR(found.st_mode) and _is_open(found, is_last=True):
        return Writer(part, 0, stat.S_IMODE(found.st_mode))
    return None


def _is_open(found: os.stat_result, is_last: bool) -> bool:
    """Whether others than the owner can write: a group that has no members is nobody.

    In a sticky folder they cannot replace what is there, but they can add to it.
    """
    if found.st_mode & stat.S_ISVTX and stat.S_ISDIR(found.st_mode) and not is_last:
        return False
    if found.st_mode & stat.S_IWOTH:
        return True
    return bool(found.st_mode & stat.S_IWGRP) and found.st_gid != 0 and _has_members(found.st_gid)


def _has_members(gid: int) -> bool:
    import grp
    import pwd

    try:
        members = set(grp.getgrgid(gid).gr_mem) - {"root"}
    except KeyError:
        members = set()
    return bool(members) or any(one.pw_gid == gid and one.pw_uid for one in pwd.getpwall())


def _steps(path: str) -> Iterator[str]:
    """Each folder and symlink that the kernel passes through on the way to ``path``."""
    # Not abspath(): it takes "link/.." for nothing, the kernel goes where the link leads.
    whole = os.path.join(os.getcwd(), path)
    todo = [part for part in whole.split("/") if part not in ("", ".")][::-1]
    here = "/"
    yield here
    hops = 0
    while todo:
        part = todo.pop()
        if part == "..":
            here = os.path.dirname(here)
            continue
        below = os.path.join(here, part)
        yield below
        if os.path.islink(below) and hops < 40:
            hops += 1
            target = os.readlink(below)
            here = "/" if target.startswith("/") else here
            todo += [step for step in target.split("/") if step not in ("", ".")][::-1]
        else:
            here = below


def refuse_foreign(folder: str) -> None:
    """Root does not go on with a folder of which somebody else can write any part.

    Raises Refused, with the path, its owner and its mode; Failed where a part cannot be
    looked at; OSError where a folder cannot be listed.
    """
    if os.geteuid() != 0:
        return
    below = (_writer_below(*one) for one in _below(folder))
    writer = writer_of(folder) or next(filter(None, below), None)
    if writer is not None:
        raise Refused(
            "root does not trust what somebody else can write",
            path=writer.path,
            expected="a path that root alone can write, as all of " + folder,
            found="owner uid %d, mode %o" % (writer.uid, writer.mode),
            next=shell_command("chown", "-h", "root", writer.path)
            + " && "
            + shell_command("chmod", "go-w", writer.path),
        )


def _below(folder: str) -> Iterator[Tuple[str, os.stat_result]]:
    """All that lies in a folder, at any depth, each with its own stat."""
    try:
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda one: one.name)
    except (FileNotFoundError, NotADirectoryError):
        return  # whoever reads it next says so
    for entry in ordered:
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue  # a .pyc that another run has renamed meanwhile
        yield entry.path, found
        if stat.S_ISDIR(found.st_mode):
            yield from _below(entry.path)


def _writer_below(path: str, found: os.stat_result) -> Optional[Writer]:
    """Who else can write a path whose folders have been looked at already."""
    if stat.S_ISLNK(found.st_mode):
        if not os.path.exists(path):
            raise Failed("a symlink that leads nowhere", path=path, found=os.readlink(path))
        return writer_of(path)
    if found.st_uid or _is_open(found, is_last=True):
        return Writer(path, found.st_uid, stat.S_IMODE(found.st_mode))
    return None


def owner_to_become(paths: List[str]) -> Optional[int]:
    """The uid to become before ``paths`` are run or written; None to stay as we are.

    Raises Refused where no single user is safe to become: a path that a group or
    everybody can write.
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
