"""The undo journal of a transaction as a value: parsing, dumping, and its writer.

The journal alone is enough to undo. It names each file with its SHA-256 before and after the
change and the temporary file beside it, and the directories that the change creates and
removes. Recovery needs neither the catalog nor the state, so another version of jhpatch
without the patches can recover.
"""

import os
import re
from typing import Any, Callable, Dict, Optional, Tuple

from jhpatch.errors import Untrusted
from jhpatch.namedtuple import NamedTuple
from jhpatch.system import processes, untrusted_json
from jhpatch.system.rooted_files import is_relative, is_sha256

SCHEMA = 2
_WITHOUT_DIRECTORIES = 1
"""The schema of a journal without directories, which older versions of jhpatch can undo."""
_TEMP = "[.]jhpatch-[0-9a-f]{16}-[0-9]{1,6}"


class Row(NamedTuple):
    """A file of a transaction. A SHA-256 of None means no file."""

    path: str
    before: Optional[str]
    after: Optional[str]
    temp: str
    mode: int
    uid: int
    gid: int
    guard: Optional[str]
    """The file whose bytes identify the distribution (``FileChange.guard``)."""


class Directory(NamedTuple):
    """A directory that a transaction creates, or removes if ``is_new`` is false."""

    path: str
    mode: int
    uid: int
    gid: int
    is_new: bool


class Journal(NamedTuple):
    """A transaction that runs or was interrupted."""

    pid: int
    started: str
    """The start of the writer, in clock ticks since boot (proc(5), stat field 22)."""
    boot: str
    host: str
    python: Optional[str]
    rows: Tuple[Row, ...]
    directories: Tuple[Directory, ...] = ()
    """Each parent is before the directories inside it."""


def of_this_process(
    python: Optional[str], rows: Tuple[Row, ...], directories: Tuple[Directory, ...] = ()
) -> Journal:
    """Return a journal with this process as its writer."""
    pid = os.getpid()
    started, host = _start_time(pid) or "", os.uname().nodename
    return Journal(pid, started, _boot_id(), host, python, rows, directories)


def is_writer_alive(journal: Journal) -> bool:
    """Return whether the process that wrote the journal still runs, on this machine."""
    is_this_boot = (journal.host, journal.boot) == (os.uname().nodename, _boot_id())
    return is_this_boot and _start_time(journal.pid) == journal.started


def is_undone(
    rows: Dict[str, Row],
    row: Row,
    hash_of: Callable[[str], Optional[str]],
    has_directory_of: Callable[[str], bool],
) -> bool:
    """Return whether an undo restores a file: it is as the transaction left it.

    ``rows`` are all rows by path. An undo removes a file that jhpatch added if its bytes match.
    To restore a file, the guard must match, too: a newer release can have the same bytes. A
    missing file was removed by jhpatch only if its directory still exists. A guard without a row
    did not exist.
    """
    if row.before == row.after or hash_of(row.path) != row.after:
        return False
    if row.before is None:
        return True
    if row.after is None and not has_directory_of(row.path):
        return False
    guard = rows.get(row.guard) if row.guard else None
    guard_hashes = (guard.before, guard.after) if guard else (None,)
    return row.guard is None or hash_of(row.guard) in guard_hashes


def before_removal(
    journal: Journal, has_directory_of: Callable[[str], bool]
) -> Callable[[str], bool]:
    """Return ``has_directory_of`` for the site as it was before ``journal`` removed directories.

    A directory that the journal removed counts as existing if its parent exists: pip, which
    removes a distribution, removes the parent, too.
    """
    removed = {directory.path for directory in journal.directories if not directory.is_new}

    def had_directory_of(path: str) -> bool:
        parent = path.rpartition("/")[0]
        while parent in removed:
            path, parent = parent, parent.rpartition("/")[0]
        return has_directory_of(path)

    return had_directory_of


def dump(journal: Journal) -> bytes:
    """Return the journal as JSON."""
    import json

    document = dict(journal._asdict(), schema=SCHEMA)
    document["rows"] = [row._asdict() for row in journal.rows]
    document["directories"] = [directory._asdict() for directory in journal.directories]
    if not journal.directories:
        del document["directories"]
        document["schema"] = _WITHOUT_DIRECTORIES
    return json.dumps(document, sort_keys=True).encode("utf-8") + b"\n"


def parse(data: bytes, path: str) -> Journal:
    """Parse a journal. Raises Untrusted if jhpatch cannot have written ``data``."""
    try:
        document = untrusted_json.load(data)
        schema, shown = untrusted_json.schema(document)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _untrusted(path, "a journal of schema %d" % SCHEMA, "something else")
    if schema not in (_WITHOUT_DIRECTORIES, SCHEMA):
        hint = untrusted_json.hint(schema, SCHEMA)
        raise _untrusted(path, "schema %d" % SCHEMA, "schema " + shown, hint)
    try:
        journal = Journal(
            untrusted_json.number(document["pid"]),
            untrusted_json.text(document["started"]),
            untrusted_json.text(document["boot"]),
            untrusted_json.text(document["host"]),
            None if document["python"] is None else untrusted_json.text(document["python"]),
            tuple(_row(row) for row in document["rows"]),
        )
        if schema != _WITHOUT_DIRECTORIES:
            directories = (_directory(row, journal.rows) for row in document["directories"])
            journal = journal._replace(directories=tuple(sorted(directories)))
        untrusted_json.refuse_repeated([row.path for row in journal.rows + journal.directories])
        return journal
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found = (str(error) or type(error).__name__)[:200]
        raise _untrusted(path, "rows that jhpatch wrote", found)


def _row(row: Dict[str, Any]) -> Row:
    if set(row) != set(Row._fields):
        raise ValueError("a row with unknown or missing fields")
    parsed = Row(**row)
    hashes = [value for value in (parsed.before, parsed.after) if value is not None]
    paths = [parsed.path] + ([] if parsed.guard is None else [parsed.guard])
    if not all(is_relative(untrusted_json.text(path)) for path in paths):
        raise ValueError("a path that is not beneath the site: %r" % (paths,))
    if not hashes or not all(map(is_sha256, hashes)):
        raise ValueError("not a hash")
    if not _is_temp(parsed.temp):
        raise ValueError("an unknown temporary name: %.80r" % (parsed.temp,))
    _refuse_metadata(parsed.mode, parsed.uid, parsed.gid)
    return parsed._replace(mode=parsed.mode & 0o777)


def _directory(row: Dict[str, Any], rows: Tuple[Row, ...]) -> Directory:
    if set(row) != set(Directory._fields):
        raise ValueError("a directory with unknown or missing fields")
    parsed = Directory(**row)
    path = untrusted_json.text(parsed.path)
    if not is_relative(path) or path.split("/")[0] == ".jhpatch":
        raise ValueError("a directory outside of the site: %.80r" % path)
    if not any(row.path.startswith(path + "/") for row in rows):
        raise ValueError("a directory without a file: %.80r" % path)
    if not isinstance(parsed.is_new, bool):
        raise ValueError("a directory that is neither created nor removed")
    _refuse_metadata(parsed.mode, parsed.uid, parsed.gid)
    return parsed._replace(mode=parsed.mode & 0o7777)


def _refuse_metadata(*numbers: object) -> None:
    # chown(2) takes 2**32 - 1 as "no change"; more does not fit into a uid_t.
    if not all(untrusted_json.number(value) < 2**32 - 1 for value in numbers):
        raise ValueError("an invalid mode or owner")


def _is_temp(name: object) -> bool:
    """Return whether a name is ``.jhpatch-<16 hex digits>-<number>``; jhpatch removes no other."""
    return isinstance(name, str) and bool(re.fullmatch(_TEMP, name))


def _untrusted(path: str, expected: str, found: str, next_step: Optional[str] = None) -> Untrusted:
    return Untrusted(
        "the journal of an interrupted run is %s"
        % ("that of a newer jhpatch" if next_step else "invalid"),
        path=path,
        expected=expected,
        found=found,
        next=next_step,
    )


def _start_time(pid: int) -> Optional[str]:
    ticks = processes.start_ticks(pid)
    return None if ticks is None else str(ticks)


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""
