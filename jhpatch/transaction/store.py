"""The files in ``.jhpatch``: believed only where nobody else can have written them."""

import contextlib
import errno
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
    """The journal that lies in a site; None where none does. Raises Untrusted, OSError."""
    found = _trusted(root, JOURNAL)
    return None if found is None else journals.parse(found.data, os.path.join(root.path, JOURNAL))


def remove_journal(root: RootDir) -> None:
    """The point of no return; it lasts once the directory is synced. Raises OSError."""
    with root.directory(STATE_DIR) as folder:
        folder.unlink("journal.json")


def sync_journal(root: RootDir, at: Callable[[str, str], None]) -> None:
    """Makes the journal's unlink last. Raises OSError."""
    at("settle", JOURNAL)
    with root.directory(STATE_DIR) as folder:
        folder.sync()


def original(root: RootDir, sha256: str) -> bytes:
    """A saved original, proved by its hash. Raises Untrusted, OSError."""
    path = "%s/%s" % (ORIGINALS, sha256)
    found = _trusted(root, path)
    if found is None or _sha256(found.data) != sha256:
        raise Untrusted(
            "a saved original is missing or damaged",
            path=os.path.join(root.path, path),
            expected="sha256:" + sha256,
            found="nothing" if found is None else "sha256:" + _sha256(found.data),
        )
    return found.data


def saved(root: RootDir, name: str) -> Optional[bytes]:
    """A file of .jhpatch that nobody else can have written; None where there is none.

    Raises Untrusted where it is a symlink, too large, or another user's.
    """
    found = _trusted(root, "%s/%s" % (STATE_DIR, name))
    return None if found is None else found.data


def _trusted(root: RootDir, path: str) -> Optional[FileContent]:
    """A file of .jhpatch, if nobody else can have written it. Raises Untrusted, OSError."""
    try:
        folder = root.directory(STATE_DIR)
    except FileNotFoundError:
        return None
    except UnsafePath:
        raise not_ours(os.path.join(root.path, STATE_DIR), "a symlink or a file")
    with folder:
        refuse_others(root, os.fstat(folder.fd), os.path.join(root.path, STATE_DIR))
    try:
        found = root.read(path)
    except UnsafePath as error:
        raise not_ours(os.path.join(root.path, path), str(error.strerror))
    if found is not None:
        refuse_others(root, found.stat, os.path.join(root.path, path))
    return found


def refuse_others(root: RootDir, found: os.stat_result, path: str) -> None:
    """Saved files must be of one who may write the site anyway: root, its owner, or ourselves.

    Root reads a user's own state so, and writes there only after becoming that user.
    Raises Untrusted.
    """
    with root.directory("") as top:
        site = os.fstat(top.fd)
    writers = {0, site.st_uid, os.geteuid()}
    if found.st_uid not in writers or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise not_ours(path, "uid %d, mode %o" % (found.st_uid, stat.S_IMODE(found.st_mode)))


def not_ours(path: str, found: str) -> Untrusted:
    """The error for a saved file that cannot be believed."""
    return Untrusted(
        "a saved file that somebody else can write",
        path=path,
        expected="a plain file or folder that only its owner can write",
        found=found,
    )


# Writing.


def make_directories(root: RootDir, path: str) -> None:
    """The folders above ``path``, which lies in .jhpatch: the only ones that are ever made."""
    parts = path.split("/")[:-1]
    for depth in range(2, len(parts) + 1):
        folder, name = root.parent("/".join(parts[:depth]))
        with folder:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=folder.fd)
            with root.directory("/".join(parts[:depth])) as made:
                set_mode(made.fd, 0o755)
            folder.sync()


def set_mode(fd: int, mode: int) -> None:
    """The mode of one's own file or folder, whatever the umask was when it was made."""
    found = os.fstat(fd)
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != mode:
        os.fchmod(fd, mode)


def write(root: RootDir, path: str, data: bytes, step: Callable[[str], None]) -> None:
    """A file of .jhpatch: replaced at once, and on the disk when this returns."""
    folder, _ = root.parent(path)
    with folder:
        _put(folder, path, data, step)
        folder.sync()


def _put(folder: Dir, path: str, data: bytes, step: Callable[[str], None]) -> None:
    """Its bytes are on the disk when this returns; its name is once its folder is synced."""
    name = os.path.basename(path)
    folder.unlink(name + ".new")
    folder.write_new(name + ".new", data, lambda fd: os.fchmod(fd, 0o644))
    step("rename " + path)
    folder.rename(name + ".new", name)


def save_originals(
    root: RootDir, originals: Iterable[bytes], step: Callable[[str], None]
) -> Iterator[str]:
    """Each under its hash; one that lies there already is not written again.

    Gives the SHA-256 of each that was not there. All are on the disk when it ends, by one
    fsync of their folder: until then no journal needs them.
    """
    make_directories(root, ORIGINALS + "/")
    with root.directory(ORIGINALS) as folder:
        for data in originals:
            step("original")
            name = _sha256(data)
            found = folder.read(name)
            if found is None or found.data != data:
                yield name
                _put(folder, "%s/%s" % (ORIGINALS, name), data, step)
        folder.sync()  # those that were there may be a dead run's, which had not come so far


def prune(root: RootDir, keep: Collection[str], step: Callable[[str], None]) -> None:
    """Takes away saved originals but those of ``keep``, and what lies there half written."""
    drop(root, [name for name in _names_of_originals(root) if name not in keep], step)


def drop(root: RootDir, names: Iterable[str], step: Callable[[str], None]) -> None:
    """Takes saved originals away, by name, once no journal on the disk needs them.

    A run may have been killed between the unlink of its journal and its fsync.
    """
    names = list(names)
    if names:
        with root.directory(STATE_DIR) as folder:
            folder.sync()
    with contextlib.suppress(FileNotFoundError), root.directory(ORIGINALS) as folder:
        for name in names:
            step("prune " + name)
            folder.unlink(name)


def needs_clean_up(root: RootDir, keep: Collection[str]) -> bool:
    """Whether a run that died before its journal has left something that ``clean_up`` takes away.

    ``keep`` names the saved originals that are needed, by SHA-256. Raises OSError.
    """
    try:
        with root.directory(STATE_DIR) as folder:
            names = set(folder.names())
    except (FileNotFoundError, UnsafePath):
        return False
    extra = {name for name in _names_of_originals(root) if name not in keep}
    nothing_recorded = names <= {"lock", "originals"}
    return bool(extra) or nothing_recorded or "journal.json.new" in names


def clean_up(root: RootDir) -> None:
    """Takes away what a kill has left half written, and .jhpatch where nothing is recorded.

    Only files that bear our names: somebody else's stay, and .jhpatch with them.
    """
    with root.directory(STATE_DIR) as folder:
        folder.unlink("journal.json.new")
        names = set(folder.names())
        recorded = bool(names & {"state.json", "journal.json"})
        prune(root, _whole_originals(root) if recorded else (), lambda label: None)
        if recorded:
            return
        for path in (ORIGINALS, _FORCED):
            _remove_empty(folder, path.rpartition("/")[2])
        if folder.names() != ["lock"]:
            return
        folder.unlink("lock")
    _remove_folder(root)


def _whole_originals(root: RootDir) -> Collection[str]:
    return set(filter(is_sha256, _names_of_originals(root)))


def _names_of_originals(root: RootDir) -> List[str]:
    """Saved originals, and those that lie there half written."""
    try:
        with root.directory(ORIGINALS) as folder:
            names = folder.names()
    except (FileNotFoundError, UnsafePath):
        return []
    return [n for n in names if is_sha256(n[: -len(".new")] if n.endswith(".new") else n)]


def _remove_folder(root: RootDir) -> None:
    with root.directory("") as top:
        _remove_empty(top, STATE_DIR)  # not empty: another run has locked a new file there
        top.sync()


def _remove_empty(above: Dir, name: str) -> None:
    """Takes an empty folder away; one that is not empty stays."""
    try:
        os.rmdir(name, dir_fd=above.fd)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST):
            raise
