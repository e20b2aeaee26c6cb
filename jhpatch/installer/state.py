"""The recorded state of a site as a value: versioned JSON in ``.jhpatch/state.json``.

The state lists what was applied; only hashes prove it. jhpatch refuses the whole state if it
cannot have written it.
"""

import functools
import re
from typing import Any, Dict, Optional, Tuple

from jhpatch.errors import Untrusted
from jhpatch.namedtuple import NamedTuple
from jhpatch.system import untrusted_json
from jhpatch.system.rooted_files import is_relative, is_sha256

SCHEMA = 1
STATE = ".jhpatch/state.json"
_TIME = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]+)?Z")


class FileHashes(NamedTuple):
    """The SHA-256 of a file before and after a patch.

    ``before`` is None for a file that the patch adds, ``after`` for one that it removes.
    """

    path: str
    before: Optional[str]
    after: Optional[str]
    mode: Optional[int] = None
    """The permissions of a removed file."""


class AppliedPatch(NamedTuple):
    """A patch that was applied. ``digest`` is that of ``edition.digest``."""

    patch: str
    edition: str
    digest: str
    when: str
    """UTC, ISO 8601."""
    files: Tuple[FileHashes, ...]


class DistributionState(NamedTuple):
    """A distribution with applied patches, and its RECORD (None if it has none)."""

    name: str
    version: str
    record: Optional[FileHashes]
    applied: Tuple[AppliedPatch, ...]


class State(NamedTuple):
    """The state of a site. ``tool`` is the version of jhpatch that wrote it."""

    tool: str
    distributions: Tuple[DistributionState, ...]

    def of(self, distribution: str) -> Optional[DistributionState]:
        """Return the entry of a distribution by its normalized name, or None."""
        entries = (entry for entry in self.distributions if entry.name == distribution)
        return next(entries, None)

    def patches(self) -> Tuple[AppliedPatch, ...]:
        """Return all patches that were applied."""
        return tuple(patch for entry in self.distributions for patch in entry.applied)

    def originals(self) -> Tuple[str, ...]:
        """Return the SHA-256 of every original that a revert needs."""
        files = [file for patch in self.patches() for file in patch.files]
        files += [entry.record for entry in self.distributions if entry.record]
        return tuple(sorted({file.before for file in files if file.before is not None}))


@functools.lru_cache(maxsize=8)  # apply plans twice: 10 ms saved for a thousand files
def dump(state: State) -> bytes:
    """Return the state as JSON; the same state gives the same bytes."""
    import json

    document = {
        "schema": SCHEMA,
        "tool": state.tool,
        "distributions": [
            {
                "name": entry.name,
                "version": entry.version,
                "record": entry.record and _dump_file(entry.record),
                "patches": [
                    dict(applied._asdict(), files=[_dump_file(file) for file in applied.files])
                    for applied in entry.applied
                ],
            }
            for entry in state.distributions
        ],
    }
    return json.dumps(document, indent=1, sort_keys=True).encode("utf-8") + b"\n"


def _dump_file(file: FileHashes) -> Dict[str, Any]:
    row = file._asdict()
    if file.mode is None:
        del row["mode"]  # only removed files have one
    return row


def parse(data: bytes, path: str) -> State:
    """Parse a state. Raises Untrusted if jhpatch cannot have written ``data``."""
    try:
        document = untrusted_json.load(data)
        schema, shown = untrusted_json.schema(document)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _untrusted(path, "a state of schema %d" % SCHEMA, "something else")
    if schema != SCHEMA:
        hint = untrusted_json.hint(schema, SCHEMA)
        raise _untrusted(path, "schema %d" % SCHEMA, "schema " + shown, hint)
    try:
        state = State(
            _version(document["tool"]), tuple(map(_distribution, document["distributions"]))
        )
        untrusted_json.refuse_repeated([entry.name for entry in state.distributions])
        return state
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found = (str(error) or type(error).__name__)[:200]
        raise _untrusted(path, "what jhpatch wrote", found)


def _distribution(row: Any) -> DistributionState:
    record = None if row["record"] is None else _file(row["record"])
    if record is not None and None in (record.before, record.after):
        raise ValueError("a RECORD entry without the hash before or after the change")
    patches = tuple(map(_patch, row["patches"]))
    untrusted_json.refuse_repeated([patch.patch for patch in patches])
    name = _name(row["name"], 1)
    for patch in patches:
        if re.sub("[-_.]+", "_", patch.patch.partition("/")[0]).lower() != name:
            raise ValueError("a patch of another distribution than %r: %r" % (name, patch.patch))
    return DistributionState(name, untrusted_json.text(row["version"]), record, patches)


def _patch(row: Any) -> AppliedPatch:
    patch, edition, digest = (
        _name(row["patch"], 2),
        untrusted_json.text(row["edition"]),
        untrusted_json.text(row["digest"]),
    )
    when = untrusted_json.text(row["when"])
    if not _TIME.fullmatch(when):
        raise ValueError("not a time: %.40r" % when)
    files = tuple(map(_file, row["files"]))
    untrusted_json.refuse_repeated([file.path for file in files])
    return AppliedPatch(patch, edition, digest, when, files)


def _file(row: Any) -> FileHashes:
    if set(row) | {"mode"} != set(FileHashes._fields):
        raise ValueError("a file with unknown or missing fields")
    file = FileHashes(**row)
    if file.mode is not None:
        file = file._replace(mode=untrusted_json.number(file.mode) & 0o777)
    if (
        not is_relative(untrusted_json.text(file.path))
        or file.path.partition("/")[0] == ".jhpatch"
    ):
        raise ValueError("a path outside of the site: %r" % file.path)
    hashes = [digest for digest in (file.before, file.after) if digest is not None]
    if not hashes or not all(map(is_sha256, hashes)):
        raise ValueError("not a hash")
    return file


def _name(value: Any, count: int) -> str:
    parts = untrusted_json.text(value).split("/")
    if len(parts) != count or not all(re.match(r"\w[\w.-]*\Z", part) for part in parts):
        raise ValueError("not a name: %.80r" % value)
    return str(value)


def _version(value: Any) -> str:
    if not re.match(r"[0-9A-Za-z.+!_-]{1,100}\Z", untrusted_json.text(value)):
        raise ValueError("not a version: %.80r" % value)
    return str(value)


def _untrusted(path: str, expected: str, found: str, next_step: Optional[str] = None) -> Untrusted:
    return Untrusted(
        "the saved state of this site is %s"
        % ("that of a newer jhpatch" if next_step else "invalid"),
        path=path,
        expected=expected,
        found=found,
        next=next_step,
    )
