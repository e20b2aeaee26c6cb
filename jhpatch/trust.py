"""Who else can write a path, and becoming that user.

Root neither runs an interpreter nor writes in a folder that somebody else can
write: a folder of a user may turn into a symlink between two system calls, and an
interpreter of his is a program that he wrote. For such a target jhpatch becomes
that user first, in a child.
"""

import json
import os
import stat
from typing import Any, Callable, Iterator, List, NamedTuple, Optional

from jhpatch.errors import Failed, Refused

_ANSWER_CAP = 64 * 1024 * 1024


class Writer(NamedTuple):
    """A path that another user than root can write, and its stat's owner and mode."""

    path: str
    uid: int
    mode: int


def writer_of(path: str) -> Optional[Writer]:
    """The first part of ``path``, from the root down, that not only root can write.

    Symlinks are followed step by step, and each step counts. A sticky folder such as
    /tmp counts as safe: only an owner can replace what lies in it (inode(7)).
    """
    for part in _steps(path):
        found = os.lstat(part)
        if stat.S_ISLNK(found.st_mode):
            if found.st_uid != 0:
                return Writer(part, found.st_uid, stat.S_IMODE(found.st_mode))
            continue
        if found.st_uid != 0:
            return Writer(part, found.st_uid, stat.S_IMODE(found.st_mode))
        if _is_open(found):
            return Writer(part, 0, stat.S_IMODE(found.st_mode))
    return None


def _is_open(found: os.stat_result) -> bool:
    """Whether others than the owner can write: a group that has no members is nobody."""
    if found.st_mode & stat.S_ISVTX and stat.S_ISDIR(found.st_mode):
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
    todo = [part for part in os.path.abspath(path).split("/") if part][::-1]
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
                next="chmod go-w %s" % writer.path,
            )
    return writers[0].uid if writers else None


def run_as(uid: int, job: Callable[[], Any]) -> Any:
    """``job()`` in a child that has become user ``uid``; its answer comes back as JSON.

    Everything that the job imports or reads from root's own files must be loaded
    already. Raises Failed where the child dies.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            _become(uid)
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(json.dumps(job()).encode("ascii"))
            code = 0
        finally:
            os._exit(code)  # never the parent's exit handlers
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        data = pipe.read(_ANSWER_CAP)
    _, status = os.waitpid(pid, 0)
    try:
        if status:
            raise ValueError("status %d" % status)
        return json.loads(data.decode("ascii"))
    except ValueError as error:
        raise Failed("the child that works as uid %d failed: %s" % (uid, error))


def _become(uid: int) -> None:
    """Groups, gid and uid, real, effective and saved, of the password database."""
    import pwd

    entry = pwd.getpwuid(uid)
    os.chdir("/")
    os.initgroups(entry.pw_name, entry.pw_gid)
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(uid, uid, uid)
    os.environ.clear()
    os.environ.update({"PATH": os.defpath, "HOME": entry.pw_dir, "LC_ALL": "C"})
