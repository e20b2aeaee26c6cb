"""The files in ``.jhpatch``; jhpatch trusts them only if no other user can have written them."""

import contextlib
import os
import stat
from typing import Callable, Collection, Iterable, Iterator, List, Optional

from jhpatch.errors import Untrusted
from jhpatch.system.files import FileContent
from jhpatch.system.rooted_files import Dir, RootDir, UnsafePath, is_sha256
from jhpatch.system.sha256 import sha256 as _sha256
from jhpatch.transaction import journal as journals
from jhpatch.transaction.journal import Journal

STATE_DIR = ".jhpatch"
JOURNAL = STATE_DIR + "/journal.json"
ORIGINALS = STATE_DIR + "/originals"
_FORCED = STATE_DIR + "/forced"


def journal_of(root: RootDir) -> Optional[Journal]:
    """Read the journal of a site; None if there is none. Raises Untrusted, OSError."""
    content = _read_trusted(root, JOURNAL)
    return (
        None if content is None else journals.parse(content.data, os.path.join(root.path, JOURNAL))
    )


def remove_journal(root: RootDir) -> None:
    """Remove the journal, after which no undo is possible; not synced yet. Raises OSError."""
    with root.directory(STATE_DIR) as state_dir:
        state_dir.unlink("journal.json")


def sync_journal(root: RootDir, at: Callable[[str, str], None]) -> None:
    """Sync the unlink of the journal to the disk. Raises OSError."""
    at("settle", JOURNAL)
    with root.directory(STATE_DIR) as state_dir:
        state_dir.sync()


def original(root: RootDir, sha256: str) -> bytes:
    """Read a saved original and verify its hash. Raises Untrusted, OSError."""
    path = "%s/%s" % (ORIGINALS, sha256)
    content = _read_trusted(root, path)
    if content is None or _sha256(content.data) != sha256:
        raise Untrusted(
            "a saved original is missing or damaged",
            path=os.path.join(root.path, path),
            expected="sha256:" + sha256,
            found="nothing" if content is None else "sha256:" + _sha256(content.data),
        )
    return content.data


def saved(root: RootDir, name: str) -> Optional[bytes]:
    """Read a file of .jhpatch; None if there is none.

    Raises Untrusted if it is a symlink or too large, or if another user can have written it.
    """
    content = _read_trusted(root, "%s/%s" % (STATE_DIR, name))
    return None if content is None else content.data


def _read_trusted(root: RootDir, path: str) -> Optional[FileContent]:
    """Read a file of .jhpatch that no other user can write. Raises Untrusted, OSError."""
    try:
        state_dir = root.directory(STATE_DIR)
    except FileNotFoundError:
        return None
    except UnsafePath:
        raise not_ours(os.path.join(root.path, STATE_DIR), "a symlink or a file")
    with state_dir:
        refuse_others(root, os.fstat(state_dir.fd), os.path.join(root.path, STATE_DIR))
    try:
        content = root.read(path)
    except UnsafePath as error:
        raise not_ours(os.path.join(root.path, path), str(error.strerror))
    if content is not None:
        refuse_others(root, content.stat, os.path.join(root.path, path))
    return content


def refuse_others(root: RootDir, status: os.stat_result, path: str) -> None:
    """Raise Untrusted unless only users who can write the site anyway can write a file.

    These are root, the owner of the site and this user, and a group with no other members, as for
    the site itself (``path_owners``): some images grant a group the owner's rights. Root can thus
    read the state of a user's site; jhpatch writes there only after it has become that user.
    """
    with root.directory("") as site_dir:
        site_status = os.fstat(site_dir.fd)
    writers = {0, site_status.st_uid, os.geteuid()}
    is_shared = bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
    if is_shared:
        from jhpatch.system import path_owners  # not needed if only the owner can write

        is_shared = path_owners.can_others_write(status, writers)
    if status.st_uid not in writers or is_shared:
        raise not_ours(
            path, "owner uid %d, mode %04o" % (status.st_uid, stat.S_IMODE(status.st_mode))
        )


def not_ours(path: str, found: str) -> Untrusted:
    """Return the error for a saved file that cannot be trusted."""
    return Untrusted(
        "jhpatch does not trust this saved file or directory",
        path=path,
        expected="a regular file or directory that only root, the site's owner or you can write",
        found=found,
    )


# Writing.


def make_directories(root: RootDir, path: str) -> None:
    """Create the missing parent directories of ``path``, which is in .jhpatch."""
    parts = path.split("/")[:-1]
    for depth in range(2, len(parts) + 1):
        parent, name = root.parent("/".join(parts[:depth]))
        with parent:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=parent.fd)
            with root.directory("/".join(parts[:depth])) as directory:
                set_mode(directory.fd, 0o755)
            parent.sync()


def set_mode(fd: int, mode: int) -> None:
    """Set the mode of a file or directory of this user, regardless of the umask."""
    status = os.fstat(fd)
    if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) != mode:
        os.fchmod(fd, mode)


def write(root: RootDir, path: str, data: bytes, step: Callable[[str], None]) -> None:
    """Replace a file of .jhpatch atomically and sync it to the disk."""
    directory, _ = root.parent(path)
    with directory:
        _write_synced(directory, path, data, step)
        directory.sync()


def _write_synced(directory: Dir, path: str, data: bytes, step: Callable[[str], None]) -> None:
    """Replace a file, with its bytes synced; the caller syncs the directory."""
    name = os.path.basename(path)
    directory.unlink(name + ".new")
    directory.write_new(name + ".new", data, lambda fd: os.fchmod(fd, 0o644))
    step("rename " + path)
    directory.rename(name + ".new", name)


def save_originals(
    root: RootDir, originals: Iterable[bytes], step: Callable[[str], None]
) -> Iterator[str]:
    """Save each original under its SHA-256, unless it is saved already.

    Yields the SHA-256 of each new one. One fsync of the directory at the end is enough, because
    no journal needs them before.
    """
    make_directories(root, ORIGINALS + "/")
    with root.directory(ORIGINALS) as directory:
        for data in originals:
            step("original")
            name = _sha256(data)
            content = directory.read(name)
            if content is None or content.data != data:
                yield name
                _write_synced(directory, "%s/%s" % (ORIGINALS, name), data, step)
        directory.sync()  # also for originals of a run that was killed before its sync


def prune(root: RootDir, keep: Collection[str], step: Callable[[str], None]) -> None:
    """Remove the saved originals that are not in ``keep``, and incomplete ones."""
    drop(root, [name for name in _original_names(root) if name not in keep], step)


def drop(root: RootDir, names: Iterable[str], step: Callable[[str], None]) -> None:
    """Remove saved originals by name, after a sync of .jhpatch.

    A run may have been killed between the unlink of its journal and its fsync. The journal
    on the disk would then need the originals.
    """
    names = list(names)
    if names:
        with root.directory(STATE_DIR) as directory:
            directory.sync()
    with contextlib.suppress(FileNotFoundError), root.directory(ORIGINALS) as directory:
        for name in names:
            step("prune " + name)
            directory.unlink(name)


def needs_clean_up(root: RootDir, keep: Collection[str]) -> bool:
    """Return whether ``clean_up`` would remove files of a run that died before its journal.

    ``keep`` are the SHA-256 of the saved originals that are needed. Raises OSError.
    """
    try:
        with root.directory(STATE_DIR) as state_dir:
            names = set(state_dir.names())
    except (FileNotFoundError, UnsafePath):
        return False
    unneeded = {name for name in _original_names(root) if name not in keep}
    is_unrecorded = names <= {"lock", "originals"}
    return bool(unneeded) or is_unrecorded or "journal.json.new" in names


def clean_up(root: RootDir) -> None:
    """Remove incomplete files, and .jhpatch if nothing is recorded.

    Only files with the names that jhpatch uses are removed. With others, .jhpatch stays.
    """
    with root.directory(STATE_DIR) as state_dir:
        state_dir.unlink("journal.json.new")
        names = set(state_dir.names())
        is_recorded = bool(names & {"state.json", "journal.json"})
        prune(root, _complete_originals(root) if is_recorded else (), lambda label: None)
        if is_recorded:
            return
        for path in (ORIGINALS, _FORCED):
            state_dir.rmdir_if_empty(path.rpartition("/")[2])
        if state_dir.names() != ["lock"]:
            return
        state_dir.unlink("lock")
    _remove_state_dir(root)


def _complete_originals(root: RootDir) -> Collection[str]:
    return set(filter(is_sha256, _original_names(root)))


def _original_names(root: RootDir) -> List[str]:
    """Return the names of the saved originals, including incomplete ones."""
    try:
        with root.directory(ORIGINALS) as directory:
            names = directory.names()
    except (FileNotFoundError, UnsafePath):
        return []
    return [n for n in names if is_sha256(n[: -len(".new")] if n.endswith(".new") else n)]


def _remove_state_dir(root: RootDir) -> None:
    with root.directory("") as site_dir:
        site_dir.rmdir_if_empty(STATE_DIR)  # unless another run has locked a new file there
        site_dir.sync()
