"""Before bytes and a diff → after bytes, strictly.

patch_ng takes the diff apart; it never applies anything: its ``apply`` changes a
live tree, strips ``..`` from paths and returns True for half a patch. Here every
context line and every removed line must stand at the stated line, and the result
counts only with the SHA-256 that the patch declares.
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
    """Old and new lines at a line of the old file, counted from 0, and at one of the new."""

    old_start: int
    new_start: int
    old: Tuple[bytes, ...]
    new: Tuple[bytes, ...]


def after_of(edition: Edition, before: Dict[str, bytes]) -> Dict[str, bytes]:
    """The patched bytes of files of ``edition``, from their unpatched bytes, by path.

    Raises BadPatch where the diff does not give what the header declares.
    """
    spliced = unchecked_after_of(edition, before)
    return {
        change.path: _checked(spliced[change.path], change.after, edition, change)
        for change in edition.changes
        if change.path in before
    }


def unchecked_after_of(edition: Edition, before: Dict[str, bytes]) -> Dict[str, bytes]:
    """The same without the check of the result, for whoever fills a header in.

    Raises BadPatch where a hunk does not stand at its line.
    """
    found = hunks(edition)
    return {
        change.path: _splice(before[change.path], found[change.path], edition)
        for change in edition.changes
        if change.path in before
    }


def before_of(edition: Edition, after: Dict[str, bytes]) -> Dict[str, bytes]:
    """The unpatched bytes of files of ``edition``, from their patched bytes, by path.

    Only for a site whose saved originals are gone: the result counts only with the
    SHA-256 of the release. Raises BadPatch where it has another.
    """
    back = {
        path: tuple(Hunk(h.new_start, h.old_start, h.new, h.old) for h in several)
        for path, several in hunks(edition).items()
    }
    return {
        change.path: _checked(
            _splice(after[change.path], back[change.path], edition), change.before, edition, change
        )
        for change in edition.changes
        if change.path in after
    }


def _checked(data: bytes, expected: str, edition: Edition, change: Change) -> bytes:
    found = sha256(data)
    if found != expected:
        raise BadPatch(
            "the diff does not give the bytes that its header declares for " + change.path,
            path=edition.file,
            expected="sha256:" + expected,
            found="sha256:" + found,
        )
    return data


def _splice(data: bytes, several: Tuple[Hunk, ...], edition: Edition) -> bytes:
    lines = data.split(b"\n")
    if lines[-1] != b"":
        raise BadPatch("a file without a final newline cannot be patched", path=edition.file)
    lines.pop()
    out: List[bytes] = []
    at = 0
    for hunk in several:
        end = hunk.old_start + len(hunk.old)
        out += lines[at : hunk.old_start]
        if hunk.old_start < at or tuple(lines[hunk.old_start : end]) != hunk.old:
            raise BadPatch(
                "a hunk does not stand at line %d" % (hunk.old_start + 1), path=edition.file
            )
        if len(out) != hunk.new_start:
            raise BadPatch("a hunk's new line is not %d" % (hunk.new_start + 1), path=edition.file)
        out += hunk.new
        at = end
    out += lines[at:]
    return b"".join(line + b"\n" for line in out)


def hunks(edition: Edition) -> Dict[str, Tuple[Hunk, ...]]:
    """The hunks of an edition's diff, by file. Raises BadPatch for anything else than a
    plain change of the files that the header declares.
    """
    return _hunks(edition.diff, edition)


@functools.lru_cache(maxsize=64)  # apply plans twice: 0.13 s saved for a thousand files
def _hunks(diff: bytes, edition: Edition) -> Dict[str, Tuple[Hunk, ...]]:
    counted = _counted(diff, edition)
    try:
        parsed = _parser().fromstring(diff)
    except MemoryError:
        raise  # which is no fault of the patch
    except Exception as error:  # whatever a parser of others makes of odd bytes
        raise BadPatch("the diff cannot be parsed: %r" % error, path=edition.file)
    if not parsed or parsed.errors or parsed.warnings:
        raise BadPatch("the diff cannot be parsed", path=edition.file)
    found: Dict[str, Tuple[Hunk, ...]] = {}
    for item in parsed.items:
        source, target = _text(item.source), _text(item.target)
        path = target[len("b/") :]
        if path in found or (source, target) != ("a/" + path, "b/" + path):
            raise BadPatch("a file stands twice, or is renamed: " + path, path=edition.file)
        found[path] = tuple(_hunk(hunk, edition) for hunk in item.hunks)
    if {path: len(several) for path, several in found.items()} != counted:
        raise BadPatch("the diff cannot be parsed: it has other hunks", path=edition.file)
    return found


# What patch_ng wants for what we never ask of it, to fetch a patch from a URL and to write
# files: 25 ms of http, ssl and email, more than the rest of an apply; logging is 5 ms.
_UNUSED = ("urllib.request", "tempfile", "shutil", "logging")


def _parser() -> Any:
    """patch_ng, with empty modules in the places of those that it does not need to parse."""
    with contextlib.suppress(ImportError, AttributeError), _emptied():
        import patch_ng

        return patch_ng
    import patch_ng  # a release that needs more of them

    return patch_ng


@contextlib.contextmanager
def _emptied() -> Iterator[None]:
    empty = [name for name in _UNUSED if name not in sys.modules]
    for name in empty:
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(_SILENCE)
    try:
        yield
    finally:
        for name in empty:
            del sys.modules[name]


class _Silent:
    """A logger, and a handler of one: what a parser says of a diff, we say in our words."""

    def addHandler(self, *ignored: Any) -> None:
        """Nothing, as all of these."""

    debug = info = warning = error = addHandler


_SILENCE = {name: lambda *_: _Silent() for name in ("getLogger", "StreamHandler", "NullHandler")}


_HEADER = rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@(?: .*)?\Z"
_PLAIN = "--- a/ and +++ b/ of one file, @@, a context line, + or -"


def _counted(diff: bytes, edition: Edition) -> Dict[str, int]:
    """How many hunks each file has by the diff's own counts, so that a parser that skips one
    is noticed. Raises BadPatch for everything that a plain change of the declared files does
    not need, before a parser sees it.
    """
    counts: Dict[str, int] = {}
    lines = diff.split(b"\n")
    path, old, new = b"", 0, 0
    header = re.compile(_HEADER)
    for number, line in enumerate(lines[:-1], 1):
        head = header.match(line) if path and not (old or new) else None
        if b"\r" in line or b"\0" in line:
            raise _odd(number, line, edition)
        if old or new:
            old -= line[:1] != b"+"
            new -= line[:1] != b"-"
            if line[:1] not in (b" ", b"+", b"-") or min(old, new) < 0:
                raise _odd(
                    number, line, edition, "the diff cannot be parsed: a hunk ends in line %d"
                )
        elif head:
            counts[_text(path)] += 1
            old, new = int(head.group(2) or 1), int(head.group(4) or 1)
            if not old:
                raise BadPatch("a hunk without a line of context", path=edition.file)
        elif line.startswith(b"--- a/"):
            if path and not counts[_text(path)]:
                raise _odd(number, line, edition, "a file without a hunk in front of line %d")
            path = line[len(b"--- a/") :]
            if _text(path) in counts or lines[number] != b"+++ b/" + path:
                raise _odd(number, line, edition, "a file stands twice, or is renamed: line %d")
            counts[_text(path)] = 0
        elif not (path and line == b"+++ b/" + path and lines[number - 2] == b"--- a/" + path):
            raise _odd(number, line, edition)
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


def _odd(
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
    old = tuple(_bodies(lines, b" -"))
    new = tuple(_bodies(lines, b" +"))
    if hunk.invalid or len(old) != hunk.linessrc or len(new) != hunk.linestgt or not old:
        raise BadPatch("a hunk's counts are wrong", path=edition.file)
    return Hunk(hunk.startsrc - 1, hunk.starttgt - 1, old, new)


def _bodies(lines: List[bytes], kinds: bytes) -> Iterator[bytes]:
    return (line[1:].rstrip(b"\n") for line in lines if line[:1] in (kinds[:1], kinds[1:]))


def _text(path: Any) -> str:
    return path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else str(path)
