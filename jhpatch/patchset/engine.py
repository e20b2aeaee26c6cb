"""The strict application of a diff to the bytes of a file.

patch_ng parses the diff but does not apply it: its ``apply`` changes files in place,
strips ``..`` from paths and returns True for half a patch. Here every context line and
every removed line must be at the stated line, and the result must have the SHA-256 that
the patch declares.
"""

import contextlib
import functools
import sys
import types
from typing import Any, Dict, Iterator, List, Optional, Tuple

from jhpatch.errors import BadPatch, missing_module
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset.diff_sections import Section, sections, unescaped
from jhpatch.patchset.edition import Change, Edition
from jhpatch.system.sha256 import sha256

Files = Dict[str, Optional[bytes]]
"""The bytes of files by path; None for a file that does not exist."""


class Hunk(NamedTuple):
    """Old and new lines, each with its line end, and where they start in the old and in the new
    file, counted from 0."""

    old_start: int
    new_start: int
    old: Tuple[bytes, ...]
    new: Tuple[bytes, ...]


class FileDiff(NamedTuple):
    """The diff of a file, which creates it if ``is_new`` and removes it if ``is_removed``."""

    hunks: Tuple[Hunk, ...]
    is_new: bool = False
    is_removed: bool = False


def after_of(edition: Edition, before: Files) -> Files:
    """Return the patched bytes of files of ``edition``, from their unpatched bytes, by path.

    Raises BadPatch if the result is not what the header declares.
    """
    spliced = unchecked_after_of(edition, before)
    return {
        change.path: _checked(spliced[change.path], change.after, edition, change)
        for change in edition.changes
        if change.path in before
    }


def unchecked_after_of(edition: Edition, before: Files) -> Files:
    """Return what ``after_of`` returns, but unverified, to write a header.

    Raises BadPatch if a hunk is not at its line.
    """
    diffs = file_diffs(edition)
    return {
        change.path: spliced(before[change.path], diffs[change.path], edition.file)
        for change in edition.changes
        if change.path in before
    }


def before_of(edition: Edition, after: Files) -> Files:
    """Return the unpatched bytes of files of ``edition``, from their patched bytes, by path.

    For a site without saved originals. Raises BadPatch if the result does not have the
    SHA-256 of the release.
    """
    undo = {path: _inverse(diff) for path, diff in file_diffs(edition).items()}
    return {
        change.path: _checked(
            spliced(after[change.path], undo[change.path], edition.file),
            change.before,
            edition,
            change,
        )
        for change in edition.changes
        if change.path in after
    }


def _inverse(diff: FileDiff) -> FileDiff:
    hunks = (Hunk(hunk.new_start, hunk.old_start, hunk.new, hunk.old) for hunk in diff.hunks)
    return FileDiff(tuple(hunks), diff.is_removed, diff.is_new)


def _checked(
    data: Optional[bytes], expected: Optional[str], edition: Edition, change: Change
) -> Optional[bytes]:
    digest = None if data is None else sha256(data)
    if digest != expected:
        raise BadPatch(
            "the diff does not produce the bytes that the header declares for " + change.path,
            path=edition.file,
            expected="sha256:" + expected if expected else "no file",
            found="sha256:" + digest if digest else "no file",
        )
    return data


def spliced(data: Optional[bytes], diff: FileDiff, file: str) -> Optional[bytes]:
    """Return the new bytes of a file, by the diff of the patch file ``file``. Raises BadPatch."""
    if diff.is_new != (data is None):
        verb = (
            "creates a file that exists" if diff.is_new else "changes a file that does not exist"
        )
        raise BadPatch("the diff " + verb, path=file)
    lines = lines_of(data or b"")
    out: List[bytes] = []
    position = 0
    for hunk in diff.hunks:
        end = hunk.old_start + len(hunk.old)
        out += lines[position : hunk.old_start]
        if hunk.old_start < position or tuple(lines[hunk.old_start : end]) != hunk.old:
            raise BadPatch(
                "a hunk does not match the file at line %d" % (hunk.old_start + 1), path=file
            )
        if len(out) != hunk.new_start:
            raise BadPatch(
                "a hunk has a wrong new line number: %d" % (hunk.new_start + 1), path=file
            )
        out += hunk.new
        position = end
    out += lines[position:]
    if any(not line.endswith(b"\n") for line in out[:-1]):
        raise BadPatch("a line before the last one has no newline", path=file)
    if diff.is_removed and out:
        raise BadPatch("the diff removes a file, but not all of its lines", path=file)
    return None if diff.is_removed else b"".join(out)


def lines_of(data: bytes) -> List[bytes]:
    """Return the lines of a file, each with its line end; only the last may have none."""
    lines = data.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + [lines[-1]] * bool(lines[-1])


def file_diffs(edition: Edition) -> Dict[str, FileDiff]:
    """Return the diffs of an edition by path.

    Raises BadPatch unless they are of exactly the files that the header declares; MissingModule
    without patch_ng.
    """
    return _edition_diffs(edition.diff, edition)


@functools.lru_cache(maxsize=64)  # apply plans twice: 0.13 s saved for a thousand files
def _edition_diffs(diff: bytes, edition: Edition) -> Dict[str, FileDiff]:
    diffs = parsed(diff, edition.file)
    expected = {change.path for change in edition.changes}
    if set(diffs) != expected:
        raise BadPatch(
            "the diff and the header do not name the same files",
            path=edition.file,
            expected=", ".join(sorted(expected))[:400],
            found=", ".join(sorted(diffs))[:400] or "none",
        )
    return diffs


def parsed(diff: bytes, file: str) -> Dict[str, FileDiff]:
    """Parse the diff of the patch file ``file``; return the diff of each file. Raises BadPatch."""
    rows = sections(diff, file)
    with_hunks = [row for row in rows if row.hunks]
    hunks = dict(zip((row.path for row in with_hunks), _parsed_hunks(with_hunks, file)))
    return {
        row.path: FileDiff(hunks.get(row.path, ()), row.is_new, row.is_removed) for row in rows
    }


def _parsed_hunks(rows: List[Section], file: str) -> List[Tuple[Hunk, ...]]:
    """Return the hunks of each section; numbers stand for paths: patch_ng changes some."""
    if not rows:
        return []
    heads = (b"--- a/%d\n+++ b/%d\n" % (number, number) for number in range(len(rows)))
    text = b"".join(head + row.body for head, row in zip(heads, rows))
    parser = _parser()
    try:
        patch = parser.fromstring(text)
    except MemoryError:
        raise  # not an error of the patch
    except Exception as error:  # patch_ng can raise any exception for an invalid diff
        raise BadPatch("the diff cannot be parsed: %r" % error, path=file)
    if not patch or patch.errors or patch.warnings:
        raise BadPatch(
            "the diff cannot be parsed",
            path=file,
            expected="a plain unified diff",
            found="a diff that patch_ng cannot parse without errors or warnings",
        )
    if [len(item.hunks) for item in patch.items] != [row.hunks for row in rows]:
        raise BadPatch("the diff cannot be parsed: patch_ng found other hunks", path=file)
    return [tuple(_hunk(hunk, file) for hunk in item.hunks) for item in patch.items]


# patch_ng imports these to fetch a patch from a URL and to write files, which jhpatch does
# not use: 25 ms for http, ssl and email, more than the rest of an apply; 5 ms for logging.
_UNUSED_MODULES = ("urllib.request", "tempfile", "shutil", "logging")


def _parser() -> Any:
    """Import patch_ng with empty modules instead of those that its parser does not need.

    Raises MissingModule.
    """
    with contextlib.suppress(ImportError, AttributeError), _empty_modules():
        import patch_ng

        return patch_ng
    try:
        import patch_ng  # a release whose import needs the real modules
    except ImportError as error:
        raise missing_module(error, "patch-ng")
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
        """Do nothing, like all methods."""

    debug = info = warning = error = addHandler


_LOGGERS = {name: lambda *_: _Silent() for name in ("getLogger", "StreamHandler", "NullHandler")}


def _hunk(hunk: Any, file: str) -> Hunk:
    lines = [bytes(line) for line in hunk.text]
    old = tuple(_line_bodies(lines, b" -"))
    new = tuple(_line_bodies(lines, b" +"))
    if hunk.invalid or len(old) != hunk.linessrc or len(new) != hunk.linestgt:
        raise BadPatch("the line counts of a hunk are wrong", path=file)
    # A range without a line is named after the line above it (POSIX diff).
    return Hunk(hunk.startsrc - bool(old), hunk.starttgt - bool(new), old, new)


def _line_bodies(lines: List[bytes], kinds: bytes) -> Iterator[bytes]:
    return (unescaped(line[1:]) for line in lines if line[:1] in (kinds[:1], kinds[1:]))
