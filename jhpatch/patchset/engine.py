"""The strict application of a diff to the bytes of a file.

patch_ng parses the diff but does not apply it: its ``apply`` changes files in place,
strips ``..`` from paths and returns True for half a patch. Here every context line and
every removed line must be at the stated line, and the result must have the SHA-256 that
the patch declares.
"""

import contextlib
import functools
import re
import sys
import types
from typing import Any, Dict, Iterator, List, Tuple

from jhpatch.errors import BadPatch
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset.edition import Change, Edition
from jhpatch.system.sha256 import sha256


class Hunk(NamedTuple):
    """Old and new lines; their start in the old and in the new file, counted from 0."""

    old_start: int
    new_start: int
    old: Tuple[bytes, ...]
    new: Tuple[bytes, ...]


def after_of(edition: Edition, before: Dict[str, bytes]) -> Dict[str, bytes]:
    """Return the patched bytes of files of ``edition``, from their unpatched bytes, by path.

    Raises BadPatch if the result is not what the header declares.
    """
    spliced = unchecked_after_of(edition, before)
    return {
        change.path: _checked(spliced[change.path], change.after, edition, change)
        for change in edition.changes
        if change.path in before
    }


def unchecked_after_of(edition: Edition, before: Dict[str, bytes]) -> Dict[str, bytes]:
    """Return the same as ``after_of``, unverified, to write a header.

    Raises BadPatch if a hunk is not at its line.
    """
    hunks_by_path = hunks(edition)
    return {
        change.path: _splice(before[change.path], hunks_by_path[change.path], edition)
        for change in edition.changes
        if change.path in before
    }


def before_of(edition: Edition, after: Dict[str, bytes]) -> Dict[str, bytes]:
    """Return the unpatched bytes of files of ``edition``, from their patched bytes, by path.

    For a site without saved originals. Raises BadPatch if the result does not have the
    SHA-256 of the release.
    """
    undo = {
        path: tuple(Hunk(hunk.new_start, hunk.old_start, hunk.new, hunk.old) for hunk in group)
        for path, group in hunks(edition).items()
    }
    return {
        change.path: _checked(
            _splice(after[change.path], undo[change.path], edition), change.before, edition, change
        )
        for change in edition.changes
        if change.path in after
    }


def _checked(data: bytes, expected: str, edition: Edition, change: Change) -> bytes:
    digest = sha256(data)
    if digest != expected:
        raise BadPatch(
            "the diff does not give the bytes that its header declares for " + change.path,
            path=edition.file,
            expected="sha256:" + expected,
            found="sha256:" + digest,
        )
    return data


def _splice(data: bytes, file_hunks: Tuple[Hunk, ...], edition: Edition) -> bytes:
    lines = data.split(b"\n")
    if lines[-1] != b"":
        raise BadPatch("a file without a final newline cannot be patched", path=edition.file)
    lines.pop()
    out: List[bytes] = []
    position = 0
    for hunk in file_hunks:
        end = hunk.old_start + len(hunk.old)
        out += lines[position : hunk.old_start]
        if hunk.old_start < position or tuple(lines[hunk.old_start : end]) != hunk.old:
            raise BadPatch(
                "a hunk does not stand at line %d" % (hunk.old_start + 1), path=edition.file
            )
        if len(out) != hunk.new_start:
            raise BadPatch("a hunk's new line is not %d" % (hunk.new_start + 1), path=edition.file)
        out += hunk.new
        position = end
    out += lines[position:]
    return b"".join(line + b"\n" for line in out)


def hunks(edition: Edition) -> Dict[str, Tuple[Hunk, ...]]:
    """Return the hunks of an edition's diff by path.

    Raises BadPatch unless it only changes the files that the header declares.
    """
    return _hunks(edition.diff, edition)


@functools.lru_cache(maxsize=64)  # apply plans twice: 0.13 s saved for a thousand files
def _hunks(diff: bytes, edition: Edition) -> Dict[str, Tuple[Hunk, ...]]:
    counts = _count_hunks(diff, edition)
    try:
        parsed = _parser().fromstring(diff)
    except MemoryError:
        raise  # not an error of the patch
    except Exception as error:  # patch_ng can raise anything for an invalid diff
        raise BadPatch("the diff cannot be parsed: %r" % error, path=edition.file)
    if not parsed or parsed.errors or parsed.warnings:
        raise BadPatch("the diff cannot be parsed", path=edition.file)
    hunks_by_path: Dict[str, Tuple[Hunk, ...]] = {}
    for file in parsed.items:
        source, target = _path_text(file.source), _path_text(file.target)
        path = target[len("b/") :]
        if path in hunks_by_path or (source, target) != ("a/" + path, "b/" + path):
            raise BadPatch("a file stands twice, or is renamed: " + path, path=edition.file)
        hunks_by_path[path] = tuple(_hunk(hunk, edition) for hunk in file.hunks)
    if {path: len(group) for path, group in hunks_by_path.items()} != counts:
        raise BadPatch("the diff cannot be parsed: it has other hunks", path=edition.file)
    return hunks_by_path


# patch_ng imports these to fetch a patch from a URL and to write files, which jhpatch does
# not use: 25 ms for http, ssl and email, more than the rest of an apply; 5 ms for logging.
_UNUSED_MODULES = ("urllib.request", "tempfile", "shutil", "logging")


def _parser() -> Any:
    """Import patch_ng with empty modules instead of those that its parser does not need."""
    with contextlib.suppress(ImportError, AttributeError), _empty_modules():
        import patch_ng

        return patch_ng
    import patch_ng  # a release whose import needs the real modules

    return patch_ng


@contextlib.contextmanager
def _empty_modules() -> Iterator[None]:
    names = [name for name in _UNUSED_MODULES if name not in sys.modules]
    for name in names:
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(_LOGGERS)
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


class _Silent:
    """A logger and a handler that drop all messages: jhpatch reports errors itself."""

    def addHandler(self, *ignored: Any) -> None:
        """Do nothing, as all methods."""

    debug = info = warning = error = addHandler


_LOGGERS = {name: lambda *_: _Silent() for name in ("getLogger", "StreamHandler", "NullHandler")}


_HEADER = rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@(?: .*)?\Z"
_PLAIN = "--- a/ and +++ b/ of one file, @@, a context line, + or -"


def _count_hunks(diff: bytes, edition: Edition) -> Dict[str, int]:
    """Count the hunks of each file, to detect a parser that skips some.

    Raises BadPatch for any line that a plain change of the declared files does not need,
    before the parser reads it.
    """
    counts: Dict[str, int] = {}
    lines = diff.split(b"\n")
    path, old, new = b"", 0, 0
    header = re.compile(_HEADER)
    for number, line in enumerate(lines[:-1], 1):
        head = header.match(line) if path and not (old or new) else None
        if b"\r" in line or b"\0" in line:
            raise _error(number, line, edition)
        if old or new:
            old -= line[:1] != b"+"
            new -= line[:1] != b"-"
            if line[:1] not in (b" ", b"+", b"-") or min(old, new) < 0:
                raise _error(
                    number, line, edition, "the diff cannot be parsed: a hunk ends in line %d"
                )
        elif head:
            counts[_path_text(path)] += 1
            old, new = int(head.group(2) or 1), int(head.group(4) or 1)
            if not old:
                raise BadPatch("a hunk without a line of context", path=edition.file)
        elif line.startswith(b"--- a/"):
            if path and not counts[_path_text(path)]:
                raise _error(number, line, edition, "a file without a hunk in front of line %d")
            path = line[len(b"--- a/") :]
            if _path_text(path) in counts or lines[number] != b"+++ b/" + path:
                raise _error(number, line, edition, "a file stands twice, or is renamed: line %d")
            counts[_path_text(path)] = 0
        elif not (path and line == b"+++ b/" + path and lines[number - 2] == b"--- a/" + path):
            raise _error(number, line, edition)
    if lines[-1] or old or new:
        raise BadPatch("the diff ends in the middle of a line or of a hunk", path=edition.file)
    expected = {change.path for change in edition.changes}
    if set(counts) != expected or not all(counts.values()):
        raise BadPatch(
            "the diff and the header do not name the same files",
            path=edition.file,
            expected=", ".join(sorted(expected))[:400],
            found=", ".join(sorted(counts))[:400] or "none",
        )
    return counts


def _error(
    number: int,
    line: bytes,
    edition: Edition,
    message: str = "line %d of the diff is not of a plain unified diff",
) -> BadPatch:
    return BadPatch(
        message % number,
        path=edition.file,
        expected=_PLAIN,
        found=repr(line[:60])[1:],
    )


def _hunk(hunk: Any, edition: Edition) -> Hunk:
    lines = [bytes(line) for line in hunk.text]
    old = tuple(_line_bodies(lines, b" -"))
    new = tuple(_line_bodies(lines, b" +"))
    if hunk.invalid or len(old) != hunk.linessrc or len(new) != hunk.linestgt or not old:
        raise BadPatch("a hunk's counts are wrong", path=edition.file)
    return Hunk(hunk.startsrc - 1, hunk.starttgt - 1, old, new)


def _line_bodies(lines: List[bytes], kinds: bytes) -> Iterator[bytes]:
    return (line[1:].rstrip(b"\n") for line in lines if line[:1] in (kinds[:1], kinds[1:]))


def _path_text(path: Any) -> str:
    return path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else str(path)
