"""Which other users can write a path: root trusts only paths that only root can write.

As root, jhpatch neither runs an interpreter nor writes in a directory that another user
can write. That user can replace the directory by a symlink between two system calls, and
the interpreter by any program. For such a target, jhpatch becomes that user first
(``become_user``).
"""

import contextlib
import os
import stat
from typing import Callable, Iterable, Iterator, List, Optional, Set, Tuple, Union

from jhpatch.errors import Failed, NextStep, Refused, shell_command
from jhpatch.namedtuple import NamedTuple
from jhpatch.system import user_namespace


class Writer(NamedTuple):
    """A path that users other than root can write, and its owner and mode."""

    path: str
    uid: int
    mode: int


class Account(NamedTuple):
    """An entry of the password database."""

    name: str
    gid: int
    home: str


def account_of(uid: int) -> Optional[Account]:
    """Return the entry of a uid in the password database, or None."""
    import pwd

    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_gid, entry.pw_dir)


Trusts = Callable[[int], bool]
_UNKNOWN = -1  # the uid of a group's member whom the password database lacks


def _is_root(uid: int) -> bool:
    return uid == 0


def writer_of(path: str, trusts: Trusts = _is_root) -> Optional[Writer]:
    """Return the first part of ``path``, from the root, that not only root can write.

    ``trusts`` returns whether a uid is trusted like root, which always is.
    Symlinks are followed step by step, and each step is checked. A sticky parent directory
    such as /tmp is safe: only the owner of an entry can replace it (inode(7)). Raises
    Failed if a part is missing or cannot be read.
    """
    return next(_writers_of(path, trusts), None)


def untrusted_writer(program: str) -> Optional[Writer]:
    """Return who besides root can write a program; None if it may be run.

    The check applies only to root. A missing program has no writer.
    """
    try:
        return writer_of(program) if os.geteuid() == 0 else None
    except Failed:
        return None


def _writers_of(path: str, trusts: Trusts = _is_root) -> Iterator[Writer]:
    status = None
    try:
        for part in _path_steps(path):
            status = os.lstat(part)
            mode = stat.S_IMODE(status.st_mode)
            is_safe = _is_root(status.st_uid) or trusts(status.st_uid)
            if not is_safe and not user_namespace.is_outside(part, status):
                yield Writer(part, status.st_uid, mode)
            elif not stat.S_ISLNK(status.st_mode) and _is_open(status, False, trusts):
                yield Writer(part, status.st_uid, mode)
    except OSError as error:
        raise Failed(
            "cannot determine who can write this path: %s" % error.strerror,
            path=str(error.filename or path),
            expected="an existing path",
        )
    is_sticky = bool(status and status.st_mode & stat.S_ISVTX)
    if status and stat.S_ISDIR(status.st_mode) and is_sticky and _is_open(status, True, trusts):
        yield Writer(part, status.st_uid, stat.S_IMODE(status.st_mode))


def _is_open(status: os.stat_result, is_last: bool, trusts: Trusts = _is_root) -> bool:
    """Return whether untrusted users can write by the group or mode of a file.

    In a sticky directory they cannot replace entries, but they can add some (``is_last``).
    """
    if status.st_mode & stat.S_ISVTX and stat.S_ISDIR(status.st_mode) and not is_last:
        return False
    return _can_write(status, lambda uid: _is_root(uid) or trusts(uid))


def can_others_write(status: os.stat_result, users: Set[int]) -> bool:
    """Return whether users other than ``users`` can write a file by its group or mode.

    The group of root counts as root; that of a single user, as that user.
    """
    return _can_write(status, users.__contains__)


def _can_write(status: os.stat_result, trusts: Trusts) -> bool:
    """Return whether a user who is not trusted can write a file by its group or mode."""
    if status.st_mode & stat.S_IWOTH:
        return True
    is_groups = bool(status.st_mode & stat.S_IWGRP) and status.st_gid != 0
    return is_groups and not all(map(trusts, _members_of(status.st_gid)))


def _members_of(gid: int) -> Set[int]:
    """Return the uids of a group: those whose primary group it is, and its other members."""
    import grp
    import pwd

    uids = {user.pw_uid for user in pwd.getpwall() if user.pw_gid == gid}
    try:
        names = grp.getgrgid(gid).gr_mem
    except KeyError:
        names = []
    for name in names:  # a directory service may know users that it does not enumerate
        try:
            uids.add(pwd.getpwnam(name).pw_uid)
        except KeyError:
            uids.add(_UNKNOWN)
    return uids


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


def refuse_foreign(directory: str, instead: Optional[str] = None) -> None:
    """Raise Refused if, as root, another user can write any part of a directory.

    The error names the path, its owner and its mode. If no command is safe, its next step is
    ``instead``, or else to use a copy of the directory. Raises Failed if a part cannot be
    read; OSError if a directory cannot be listed.
    """
    if os.geteuid() != 0:
        return
    directory = os.path.abspath(directory)
    writers = (_writer_below(*row) for row in _entries_below(directory))
    writer = writer_of(directory) or next(filter(None, writers), None)
    if writer is not None:
        raise _foreign(writer, directory, _way_to_trust(directory, writer, instead))


def refuse_foreign_parent(path: str) -> None:
    """Raise Refused if, as root, another user can replace a directory that root creates.

    Raises Failed if a part of its parent is missing or cannot be read.
    """
    if os.geteuid() != 0:
        return
    parent = os.path.dirname(os.path.abspath(path))
    writer = writer_of(parent)
    # In a sticky directory only the owner of an entry can replace it.
    if writer is not None and (writer.uid != 0 or not writer.mode & stat.S_ISVTX):
        raise _foreign(writer, parent, "name a directory that only root can write")


def _foreign(writer: Writer, directory: str, next: Union[str, NextStep]) -> Refused:
    return _refused(
        "as root, jhpatch does not trust a path that another user can write",
        writer,
        "a path that only root can write (required for all of %s)" % directory,
        next,
    )


def _refused(message: str, writer: Writer, expected: str, next: Union[str, NextStep]) -> Refused:
    found = "owner uid %d, mode %04o" % (writer.uid, writer.mode)
    return Refused(message, path=writer.path, expected=expected, found=found, next=next)


def _way_to_trust(directory: str, writer: Writer, instead: Optional[str]) -> NextStep:
    """Return one command for the whole directory, or for the checkout that it is part of."""
    checkout = os.path.dirname(directory)
    for top in (checkout, directory):
        is_ours = top == directory or os.path.isfile(os.path.join(top, "setup.py"))
        if is_ours and not _is_shared(top) and (writer.path + "/").startswith(top + "/"):
            return (
                shell_command("chown", "-R", "-h", "root", top)
                + " && "
                + shell_command("chmod", "-R", "go-w", top)
            )
    if instead:
        return NextStep(instead)
    if _is_shared(directory):
        return NextStep("name a directory that only root can write, instead of " + directory)
    return NextStep(
        "copy %s to a directory that only root can write, such as one below /opt, and use "
        "that copy" % directory
    )


def _is_shared(directory: str) -> bool:
    """Return whether a directory has other uses: /tmp, a directory in /, a user's home."""
    status = os.stat(directory)
    path = os.path.realpath(directory)
    is_top = os.path.dirname(path) == "/"
    return bool(status.st_mode & stat.S_ISVTX) or is_top or _is_home(path, status)


def _is_home(path: str, status: os.stat_result) -> bool:
    """Return whether a directory is a user's home.

    It also looks up the owner and the user of its name, because a directory service (SSSD,
    LDAP) need not list its users.
    """
    import pwd

    entries = pwd.getpwall()
    with contextlib.suppress(KeyError):
        entries.append(pwd.getpwuid(status.st_uid))
    with contextlib.suppress(KeyError):
        entries.append(pwd.getpwnam(os.path.basename(path)))
    return any(os.path.realpath(entry.pw_dir) == path for entry in entries)


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
            raise Failed(
                "the target of a symlink does not exist", path=path, found=os.readlink(path)
            )
        return writer_of(path)
    is_foreign = status.st_uid != 0 and not user_namespace.is_outside(path, status)
    if is_foreign or _is_open(status, is_last=True):
        return Writer(path, status.st_uid, stat.S_IMODE(status.st_mode))
    return None


def owner_to_become(paths: List[str], directories: Iterable[str] = ()) -> Optional[int]:
    """Return the uid to become before ``paths`` are run or written; None for no change.

    ``directories`` are those below a path that are written, too; missing ones do not count.
    Raises Refused if no single user is safe to become: a group, all users or several
    users can write, or the owner has no uid in this user namespace.
    """
    if os.geteuid() != 0:
        return None
    writers = [writer for path in paths for writer in _writers_of(path)]
    for path in paths:
        user_namespace.refuse_outside(path)
    below = list(_writers_in(directories))
    users = {writer.uid for writer in writers}
    if not users - {0}:
        if writers:
            raise _open_to_several(writers + below)
        if below:
            raise _foreign_in_site(below)
        return None
    first = [next(_writers_of(path), None) for path in paths]
    uids = {writer.uid for writer in first if writer}
    if 0 in uids:
        raise _open_to_several([writer for writer in writers if writer.uid == 0])
    if len(uids) > 1:
        raise _open_to_several([writer for writer in first if writer])
    others = [writer for writer in below if writer.uid not in (0, *uids)]
    if others:
        raise _foreign_in_site(others)
    return uids.pop()


def _writers_in(directories: Iterable[str]) -> Iterator[Writer]:
    for path in directories:
        with contextlib.suppress(OSError):  # a missing one is created, any other error reported
            status = os.lstat(path)
            writer = _writer_below(path, status) if stat.S_ISDIR(status.st_mode) else None
            if writer:
                yield writer


def _foreign_in_site(writers: List[Writer]) -> Refused:
    return _refused(
        "as root, jhpatch does not change a directory that other users can write",
        writers[0],
        "a directory that, besides root, only the owner of the site can write",
        step_to_close(writers, "the owner of the site"),
    )


def _open_to_several(writers: List[Writer]) -> Refused:
    """Return the refusal, with one command for all parts of the paths."""
    return _refused(
        "as root, jhpatch does not use a path that several other users can write",
        writers[0],
        "a path that, besides root, at most one user can write",
        step_to_close(writers),
    )


def step_to_close(writers: List[Writer], whom: str = "one user") -> NextStep:
    """Return one command for all paths that several users can write; text if it is not safe."""
    paths = sorted({writer.path for writer in writers})
    if all(writer.uid == 0 and os.path.dirname(writer.path) != "/" for writer in writers):
        return shell_command("chmod", "go-w", *paths)
    return NextStep(
        "change the owner and mode so that only %s can write %s" % (whom, " and ".join(paths))
    )
