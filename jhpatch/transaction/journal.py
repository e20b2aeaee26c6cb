"""The undo journal of a transaction as a value: parse at the border, dump, who wrote it.

The journal alone must be enough to undo: it names each file, what it was and what
it was to become by SHA-256, and the temporary file beside it. It needs no catalog
and no state, so a newer or an older jhpatch, without the patches, can recover.
"""

import os
import re
from typing import Any, Callable, Dict, Optional, Tuple

from jhpatch.errors import Untrusted
from jhpatch.namedtuple import NamedTuple
from jhpatch.system import processes, untrusted_json
from jhpatch.system.rooted_files import is_relative, is_sha256

SCHEMA = 1
_TEMP = "[.]jhpatch-[0-9a-f]{16}-[0-9]{1,6}"


class Row(NamedTuple):
    """A file of a transaction. A SHA-256 of None means: no file."""

    path: str
    before: Optional[str]
    after: Optional[str]
    temp: str
    mode: int
    uid: int
    gid: int
    guard: Optional[str]
    """The file whose bytes tell that the distribution is still the one that we knew."""


class Journal(NamedTuple):
    """A transaction under way, or one that was interrupted."""

    pid: int
    started: str
    """Start of the writer, in clock ticks since boot (proc(5), stat field 22)."""
    boot: str
    host: str
    python: Optional[str]
    rows: Tuple[Row, ...]


def of_this_process(python: Optional[str], rows: Tuple[Row, ...]) -> Journal:
    """A journal with this process as its writer."""
    pid = os.getpid()
    return Journal(pid, _start_of(pid) or "", _boot(), os.uname().nodename, python, rows)


def is_writer_alive(journal: Journal) -> bool:
    """Whether the process that wrote the journal still runs, on this machine."""
    here = (journal.host, journal.boot) == (os.uname().nodename, _boot())
    return here and _start_of(journal.pid) == journal.started


def is_undone(
    rows: Dict[str, Row],
    row: Row,
    hash_of: Callable[[str], Optional[str]],
    has_directory_of: Callable[[str], bool],
) -> bool:
    """Whether an undo acts on a file: it is as this journal made it. ``rows``: all, by path.

    To take away what we put there, its bytes are enough. What an undo puts back, a
    patched module or the helper, belongs to the distribution that we knew: a newer
    release may have the very bytes that a revert had given back. A missing file is
    missing by our hand only where its folder is still there. A guard without a row
    was not there.
    """
    if row.before == row.after or hash_of(row.path) != row.after:
        return False
    if row.before is None:
        return True
    if row.after is None and not has_directory_of(row.path):
        return False
    guard = rows.get(row.guard) if row.guard else None
    known = (guard.before, guard.after) if guard else (None,)
    return row.guard is None or hash_of(row.guard) in known


def dump(journal: Journal) -> bytes:
    """The journal as JSON."""
    import json

    document = dict(journal._asdict(), schema=SCHEMA)
    document["rows"] = [row._asdict() for row in journal.rows]
    return json.dumps(document, sort_keys=True).encode("utf-8") + b"\n"


def parse(data: bytes, path: str) -> Journal:
    """The journal in ``data``. Raises Untrusted for anything that we did not write."""
    try:
        document = untrusted_json.load(data)
        schema, shown = untrusted_json.schema(document)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _untrusted(path, "a journal of schema %d" % SCHEMA, "something else")
    if schema != SCHEMA:
        raise _untrusted(path, "schema %d" % SCHEMA, "schema " + shown)
    try:
        journal = Journal(
            untrusted_json.number(document["pid"]),
            untrusted_json.text(document["started"]),
            untrusted_json.text(document["boot"]),
            untrusted_json.text(document["host"]),
            None if document["python"] is None else untrusted_json.text(document["python"]),
            tuple(_row(row) for row in document["rows"]),
        )
        untrusted_json.refuse_repeated([row.path for row in journal.rows])
        return journal
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found = (str(error) or type(error).__name__)[:200]
        raise _untrusted(path, "rows that jhpatch wrote", found)


def _row(row: Dict[str, Any]) -> Row:
    if set(row) != set(Row._fields):
        raise ValueError("a row with other fields than ours")
    made = Row(**row)
    hashes = [value for value in (made.before, made.after) if value is not None]
    paths = [made.path] + ([] if made.guard is None else [made.guard])
    if not all(is_relative(untrusted_json.text(path)) for path in paths):
        raise ValueError("a path that is not beneath the site: %r" % (paths,))
    if not hashes or not all(map(is_sha256, hashes)):
        raise ValueError("a hash that is none")
    if not _is_temp(made.temp):
        raise ValueError("a temporary name that is not ours: %.80r" % (made.temp,))
    # 2**32 - 1 means "leave it" to chown(2); more does not fit into a uid_t.
    if not all(
        untrusted_json.number(value) < 2**32 - 1 for value in (made.mode, made.uid, made.gid)
    ):
        raise ValueError("a mode or an owner that is none")
    return made._replace(mode=made.mode & 0o777)


def _is_temp(name: object) -> bool:
    """``.jhpatch-<16 hex digits>-<number>``: no journal can name any other file to remove."""
    return isinstance(name, str) and bool(re.fullmatch(_TEMP, name))


def _untrusted(path: str, expected: str, found: str) -> Untrusted:
    return Untrusted(
        "the journal of an interrupted run cannot be believed",
        path=path,
        expected=expected,
        found=found,
    )


def _start_of(pid: int) -> Optional[str]:
    ticks = processes.start_ticks(pid)
    return None if ticks is None else str(ticks)


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""
