"""The undo of a transaction that failed or was killed, from its journal alone."""

from typing import List, Optional, Tuple

from jhpatch.namedtuple import NamedTuple
from jhpatch.system.rooted_files import RootDir
from jhpatch.transaction import directories, staging, store
from jhpatch.transaction import journal as journals
from jhpatch.transaction.journal import Journal, Row
from jhpatch.transaction.staging import At
from jhpatch.transaction.store import JOURNAL


class Recovery(NamedTuple):
    """The files that a recovery restored, and those that others have changed since."""

    restored: Tuple[str, ...]
    foreign: Tuple[str, ...]
    left: Tuple[str, ...] = ()
    """Those of ``foreign`` that exist and that jhpatch had added."""


def undo(root: RootDir, journal: Journal, at: At) -> Recovery:
    """Restore every file that is as ``journal`` left it, then remove the journal.

    Raises OSError; Untrusted if a saved original is damaged.
    """
    rows = {row.path: row for row in journal.rows}

    def hash_of(path: str) -> Optional[str]:
        return staging.hash_of(root, path)

    had_directory_of = journals.before_removal(journal, root.has_directory_of)
    undone = {
        row.path
        for row in journal.rows
        if journals.is_undone(rows, row, hash_of, had_directory_of)
    }
    # Read and verify all of them before the first write.
    originals = {
        row.path: store.original(root, row.before)
        for row in journal.rows
        if row.path in undone and row.before is not None
    }
    for directory in journal.directories:
        inside = directory.path + "/"
        if not directory.is_new and any(path.startswith(inside) for path in undone):
            at("restore", directory.path)
            directories.make_again(root, directory)
    restored: List[str] = []
    foreign: List[str] = []
    left: List[str] = []
    for row in reversed(journal.rows):
        at("undo", row.path)
        staging.drop_temp(root, row)
        content = hash_of(row.path)
        if content == row.after and row.path in undone:
            _restore(root, row, originals.get(row.path), at)
            restored.append(row.path)
        elif content != row.before:
            foreign.append(row.path)
            if content is not None and row.before is None:
                left.append(row.path)
    staging.drop_bytecode(root, journal.rows, at)
    for directory in reversed(journal.directories):
        if directory.is_new:
            at("undo", directory.path)
            directories.remove(root, directory.path)
    staging.sync_directories(root, journal.rows + journal.directories, at)
    # Our temporary files kept the directories of a distribution that was removed meanwhile.
    staging.remove_empty_directories(root, (row.path for row in journal.rows if row.before))
    at("undone", JOURNAL)
    store.remove_journal(root)
    store.sync_journal(root, at)
    return Recovery(tuple(restored), tuple(foreign), tuple(left))


def _restore(root: RootDir, row: Row, data: Optional[bytes], at: At) -> None:
    if data is not None:
        staging.write_temp(root, row, data)
    directory, name = root.parent(row.path)
    with directory:
        at("restore", row.path)
        staging.rename_over(directory, name, row.temp if data is not None else None)
