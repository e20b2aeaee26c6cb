"""What was applied to a site, as a value: versioned JSON in ``.jhpatch/state.json``.

State says what was meant; only hashes say what is. Nothing in it is believed
without one, and a state that jhpatch did not write is refused whole.
"""

from typing import Any, NamedTuple, Optional, Tuple

from jhpatch.beneath import is_relative, is_sha256
from jhpatch.errors import Untrusted

SCHEMA = 1
STATE = ".jhpatch/state.json"


class File(NamedTuple):
    """A file by SHA-256 without and with the patch; a ``before`` of None was no file."""

    path: str
    before: Optional[str]
    after: str


class Applied(NamedTuple):
    """A patch that was applied. ``digest``: of the patch's bytes and of what it adds."""

    patch: str
    edition: str
    digest: str
    when: str
    """UTC, ISO 8601."""
    files: Tuple[File, ...]


class Patched(NamedTuple):
    """A distribution that patches were applied to, and its RECORD (None: it has none)."""

    name: str
    version: str
    record: Optional[File]
    applied: Tuple[Applied, ...]


class State(NamedTuple):
    """The state of a site. ``tool`` is the version of jhpatch that wrote it."""

    tool: str
    patched: Tuple[Patched, ...]

    def of(self, distribution: str) -> Optional[Patched]:
        """What was applied to a distribution, by its normalized name."""
        return next((one for one in self.patched if one.name == distribution), None)

    def originals(self) -> Tuple[str, ...]:
        """The SHA-256 of every original that a revert needs."""
        files = [file for one in self.patched for a in one.applied for file in a.files]
        files += [one.record for one in self.patched if one.record]
        return tuple(sorted({file.before for file in files if file.before is not None}))


def dump(state: State) -> bytes:
    """The state as JSON: the same state gives the same bytes."""
    import json

    document = {
        "schema": SCHEMA,
        "tool": state.tool,
        "distributions": [
            {
                "name": one.name,
                "version": one.version,
                "record": one.record and one.record._asdict(),
                "patches": [
                    dict(applied._asdict(), files=[file._asdict() for file in applied.files])
                    for applied in one.applied
                ],
            }
            for one in state.patched
        ],
    }
    return json.dumps(document, indent=1, sort_keys=True).encode("utf-8") + b"\n"


def parse(data: bytes, path: str) -> State:
    """The state in ``data``. Raises Untrusted for anything that jhpatch did not write."""
    import json

    try:
        # int() of a million digits takes hours (CVE-2020-10735).
        document = json.loads(data.decode("utf-8"), parse_int=lambda text: int(text[:20]))
        schema = document["schema"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _untrusted(path, "a state of schema %d" % SCHEMA, "something else")
    if schema != SCHEMA:
        raise _untrusted(path, "schema %d" % SCHEMA, "schema %r" % (schema,))
    try:
        return State(_text(document["tool"]), tuple(map(_patched, document["distributions"])))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _untrusted(path, "what jhpatch wrote", str(error) or type(error).__name__)


def _patched(row: Any) -> Patched:
    record = None if row["record"] is None else _file(row["record"])
    patches = tuple(map(_applied, row["patches"]))
    return Patched(_name(row["name"]), _text(row["version"]), record, patches)


def _applied(row: Any) -> Applied:
    texts = [_text(row[key]) for key in ("edition", "digest", "when")]
    files = tuple(map(_file, row["files"]))
    return Applied(_name(row["patch"]), texts[0], texts[1], texts[2], files)


def _file(row: Any) -> File:
    file = File(**row)
    if not is_relative(_text(file.path)) or file.path.startswith(".jhpatch/"):
        raise ValueError("a path that is not of the site: %r" % file.path)
    if not all(map(is_sha256, [file.after] + [file.before] * (file.before is not None))):
        raise ValueError("a hash that is none")
    return file


def _name(value: Any) -> str:
    if not all(part and part[0].isalnum() for part in _text(value).split("/")):
        raise ValueError("a name that is none: %r" % value)
    return str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 4096:
        raise ValueError("text expected")
    return value


def _untrusted(path: str, expected: str, found: str) -> Untrusted:
    return Untrusted(
        "the state of this site cannot be believed", path=path, expected=expected, found=found
    )
