"""The journal of a change, from the site as it is before the first write."""

import os
import stat
from typing import Dict, Optional, Tuple, Union

from jhpatch.errors import Failed, NextStep, Refused, same_command
from jhpatch.system.files import FileContent
from jhpatch.system.rooted_files import RootDir, is_relative
from jhpatch.system.sha256 import sha256
from jhpatch.transaction import directories, failures, staging, store
from jhpatch.transaction import journal as journals
from jhpatch.transaction.change import FileChange
from jhpatch.transaction.journal import Directory, Journal, Row
from jhpatch.transaction.lock import not_writable, user_of
from jhpatch.transaction.store import STATE_DIR


def journal_of(root: RootDir, changes: Tuple[FileChange, ...], python: Optional[str]) -> Journal:
    """Return the journal of ``changes``: a row for each, in their order, then their guards.

    It also lists the directories that the change creates and removes. Raises Failed if a file has
    other bytes than its change expects, or cannot be changed; Refused if its owner cannot be
    preserved.
    """
    paths = [change.path for change in changes]
    if len(set(paths)) != len(paths) or not all(map(is_relative, paths)):
        raise Failed("the plan names a file twice, or a file outside of the site")
    token = os.urandom(8).hex()
    missing: Dict[str, Directory] = {}
    rows = tuple(
        _row(root, change, ".jhpatch-%s-%d" % (token, number), missing)
        for number, change in enumerate(changes)
    )
    changed = tuple(missing.values()) + _emptied(root, changes)
    return journals.of_this_process(python, rows + _guards(root, rows), changed)


def _row(root: RootDir, change: FileChange, temp: str, missing: Dict[str, Directory]) -> Row:
    """Return the row of a change; add the directories that it needs to ``missing``."""
    path = os.path.join(root.path, change.path)
    try:
        if change.path.startswith(STATE_DIR + "/"):
            store.make_directories(root, change.path)
        directory, rest = root.nearest_parent(change.path)
        with directory:
            content = directory.read(rest) if "/" not in rest else None
            if (content and content.data) != change.before:
                error = failures.changed_meanwhile(path, change.before, content)
                raise failures.unchanged(error)
            status = os.fstat(directory.fd)
            is_writable = os.access(
                ".", os.W_OK | os.X_OK, dir_fd=directory.fd, effective_ids=True
            )
            _refuse_foreign(root, path, status, content, is_writable)
            if not is_writable:
                raise not_writable(path, status)
    except OSError as error:
        raise Failed("cannot change a file: %s" % error.strerror, path=path)
    for new in directories.missing(change.path, rest, status):
        missing.setdefault(new.path, new)
    if content:
        status = content.stat
    mode = stat.S_IMODE(status.st_mode) if content else change.mode or 0o644
    before, after = _sha256(change.before), _sha256(change.after)
    return Row(change.path, before, after, temp, mode, status.st_uid, status.st_gid, change.guard)


def _refuse_foreign(
    root: RootDir,
    path: str,
    directory: os.stat_result,
    content: Optional[FileContent],
    is_writable: bool,
) -> None:
    """Raise Refused for a file whose owner or group a replacement could not have.

    In an image, a layer that root built leaves such files in the site of a user. jhpatch
    preserves owners.
    """
    site = os.stat(root.path)
    status = content.stat if content else directory
    if os.geteuid() == 0 or (
        (content is None or _can_have_owner(status, directory))
        and (is_writable or directory.st_uid == site.st_uid)
    ):
        return
    raise Refused(
        "this user cannot replace a file and preserve its owner and group",
        path=path,
        expected="owner uid %d, like the site, and a group of that user" % site.st_uid,
        found="owner uid %d, gid %d, mode %04o"
        % (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)),
        next=_way_to_replace(root.path, site, status),
    )


def _way_to_replace(
    path: str, site: os.stat_result, status: os.stat_result
) -> Union[str, NextStep]:
    """Return how to replace a file of a site; root becomes the site's owner first."""
    if os.geteuid() != site.st_uid:
        return same_command("sudo", "-H", *user_of(status.st_uid))
    if status.st_uid == site.st_uid and status.st_gid != site.st_gid:
        return "as root, change the group of this file to gid %d, that of the site" % site.st_gid
    if status.st_uid == site.st_uid:
        step = "as root, run the same command with --site %s instead of --python"
        return step % path
    return "install the distribution as uid %d, which owns the site" % site.st_uid


def _can_have_owner(status: os.stat_result, directory: os.stat_result) -> bool:
    """Return whether a new file of this user in ``directory`` can have an owner and a group."""
    is_inherited = directory.st_mode & stat.S_ISGID and directory.st_gid == status.st_gid
    gids = {os.getegid(), *os.getgroups()}
    return status.st_uid == os.geteuid() and bool(is_inherited or status.st_gid in gids)


def _emptied(root: RootDir, changes: Tuple[FileChange, ...]) -> Tuple[Directory, ...]:
    try:
        return directories.emptied(root, changes)
    except OSError as error:
        name = error.filename if isinstance(error.filename, str) else ""
        path = os.path.join(root.path, name) if name else root.path
        raise Failed("cannot read a directory in the site: %s" % error.strerror, path=path)


def _guards(root: RootDir, rows: Tuple[Row, ...]) -> Tuple[Row, ...]:
    """Return rows without a change for the guards that are not among ``rows``."""
    paths = {row.guard for row in rows if row.guard} - {row.path for row in rows}
    hashes = [(path, staging.hash_of(root, path)) for path in sorted(paths)]
    temp = rows[0].temp if rows else ""
    return tuple(Row(p, h, h, temp, 0, 0, 0, None) for p, h in hashes if h)


def _sha256(data: Optional[bytes]) -> Optional[str]:
    return None if data is None else sha256(data)
