"""Apply the output of ``git diff``, ``git format-patch``, ``diff -u`` or ``diff -ru`` to the files
of a release.

The names in the diff are matched with those of the release: a checkout has ``src/``, two
unpacked directories have their own names. Text between the sections, such as that of a mail, is
ignored. A section that cannot be read, or whose change no patch can contain (binary, renamed, a
symlink, ``Only in``), is an error. So is a change of the permissions of a file of the release.
"""

import collections
import re
from typing import Collection, Dict, List, Optional, Tuple

from jhpatch.errors import BadPatch
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset import engine
from jhpatch.patchset.diff_sections import NO_NEWLINE

_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_DATE = re.compile(rb"19(70-01-01|69-12-31) (\d\d):(\d\d):(\d\d)(?:\.0+)? ([+-])(\d\d)(\d\d)\s*\Z")
_BEYOND = re.compile(rb"\+| .*\S|-(?!- ?\Z|-- )")
"""A line after a hunk that was probably meant to be part of it; ``-- `` is a signature."""
_SPECIAL = re.compile(
    rb"((new|deleted) file mode|(old|new) mode|index [0-9a-f]+\.\.[0-9a-f]+) 1[26]0000\Z"
)
_HEADER = re.compile(rb"(old mode|new mode|new file mode|deleted file mode|index) ")
_MODE = re.compile(rb"(new mode 100\d{3}|new file mode 100(?!644)\d{3})\Z")
_CONTEXT_DIFF = re.compile(rb"\*\*\* \d+(,\d+)? \*\*\*\*")
_PLAIN = "a diff of text: git diff --no-renames, or diff -ruN"
_NO_CONTENT = re.compile(
    rb"(GIT binary patch|Binary files .* differ|rename from |copy from |Only in (?!.*__pycache__))"
)


class Section(NamedTuple):
    """The diff of a file: its old and its new name, None for no file, and its hunks."""

    old: Optional[str]
    new: Optional[str]
    body: bytes
    mode: bytes = b""
    """The line of git that changes its permissions, or makes a new file executable."""


def sections(data: bytes, file: str) -> List[Section]:
    """Split the bytes of the diff ``file``. Raises BadPatch."""
    found: List[Section] = []
    lines = data.split(b"\n")
    index = 0
    in_diff = False
    while index < len(lines):
        line = lines[index].rstrip(b"\r")
        if _NO_CONTENT.match(line) or _SPECIAL.match(line):
            message = "line %d of the diff does not describe a change of text" % (index + 1)
            raise _error(message, file, _PLAIN, line)
        if _CONTEXT_DIFF.match(line) or (in_diff and line.startswith(b"@@")):
            message = "line %d of the diff is not the start of a unified diff hunk" % (index + 1)
            raise _error(message, file, "@@ -LINE,COUNT +LINE,COUNT @@", line)
        following = lines[index + 1].rstrip(b"\r") if index + 1 < len(lines) else b""
        if line.startswith(b"--- ") and following.startswith(b"+++ "):
            start = index
            body, index = _body(lines, index + 2, file)
            in_diff = True
            if body:
                mode = _mode_in(lines[max(0, start - 3) : start])
                found.append(_section(line[4:], following[4:], body)._replace(mode=mode))
            continue
        kind = re.match(rb"(new|deleted) file mode|old mode", following)
        is_git = line.startswith(b"diff --git ") and kind is not None
        names = _git_names(line[len(b"diff --git ") :]) if is_git else ()
        # A file with text has its names on the next lines, too.
        if is_git and kind and not _has_text(lines[index + 1 : index + 6], names):
            if not names:
                message = "the names in line %d of the diff cannot be parsed" % (index + 1)
                raise _error(message, file, "diff --git a/NAME b/NAME", line)
            old, new = names
            if kind.group(1):
                old, new = (None, new) if kind.group(1) == b"new" else (old, None)
            found.append(Section(old, new, b"", _mode_in(lines[index + 1 : index + 3])))
        index += 1
    if not found:
        raise _error(
            "the file contains no diff", file, "the output of git diff, diff -u or diff -ru", b""
        )
    return found


def _mode_in(lines: List[bytes]) -> bytes:
    """Return the line that sets permissions in the last lines of a header of git, or b""."""
    for line in (line.rstrip(b"\r") for line in reversed(lines)):
        if _MODE.match(line):
            return line
        if not _HEADER.match(line):
            break
    return b""


def _git_names(names: bytes) -> Tuple[Optional[str], ...]:
    """Return the names of one file in a ``diff --git`` line; () for those of two files."""
    half = len(names) // 2
    old, new = names[:half], names[half + 1 :]
    is_one = old == new or old.partition(b"/")[2] == new.partition(b"/")[2] != b""
    return (_name(old), _name(new)) if names[half : half + 1] == b" " and is_one else ()


def _section(old: bytes, new: bytes, body: bytes) -> Section:
    """Return the section of a ``---`` and a ``+++`` field."""
    ranges = _HUNK.findall(body)[0]
    return Section(_side(old, ranges[:2]), _side(new, ranges[2:]), body)


def _side(field: bytes, lines: Tuple[bytes, ...]) -> Optional[str]:
    """Return the name of a file, by the range of its first hunk; None for no file."""
    return None if lines == (b"0", b"0") and _is_of_the_epoch(field) else _name(field)


def _is_of_the_epoch(field: bytes) -> bool:
    """Return whether the date of a ``---`` or ``+++`` line is that of a missing file.

    diff -N writes the second 0 of Unix time, as local time.
    """
    match = _DATE.match(field.partition(b"\t")[2])
    if not match:
        return False
    hours, minutes, seconds, zone_hours, zone_minutes = map(int, match.group(2, 3, 4, 6, 7))
    zone = (zone_hours * 60 + zone_minutes) * (-1 if match.group(5) == b"-" else 1)
    days = 0 if match.group(1) == b"70-01-01" else -1
    return ((days * 24 + hours) * 60 + minutes - zone) * 60 + seconds == 0


def _has_text(lines: List[bytes], names: Tuple[Optional[str], ...]) -> bool:
    """Return whether ``lines`` go on with the ``---`` and ``+++`` of a file with these names."""
    start = next((n for n, line in enumerate(lines) if not _HEADER.match(line)), len(lines))
    pair = [line.rstrip(b"\r") for line in lines[start : start + 2]]
    if len(pair) < 2 or not (pair[0].startswith(b"--- ") and pair[1].startswith(b"+++ ")):
        return False
    return not names or any(_name(line[4:]) in names for line in pair)


def _body(lines: List[bytes], index: int, file: str) -> Tuple[bytes, int]:
    """Return the hunks from the line ``index`` on, and the index of the line after them."""
    body: List[bytes] = []
    while index < len(lines):
        match = _HUNK.match(lines[index])
        if not match:
            break
        body.append(match.group())
        old, new = (int(match.group(number) or 1) for number in (2, 4))
        index += 1
        while index < len(lines) and (old or new or lines[index].startswith(b"\\ ")):
            line = lines[index] or b" "  # a mailer strips the space of an empty line
            if line.startswith(b"\\ "):
                line = NO_NEWLINE  # in any language
            elif line[:1] in (b" ", b"+", b"-"):
                old -= line[:1] != b"+"
                new -= line[:1] != b"-"
            else:
                break
            body.append(line)
            index += 1
        if old or new:
            message = "a hunk of the diff ends too early, in line %d" % (index + 1)
            raise _error(
                message,
                file,
                "a line that starts with a space, + or -",
                b"".join(lines[index:][:1]),
            )
    if body and index < len(lines) and _BEYOND.match(lines[index]):
        message = "a hunk of the diff has more lines than its @@ line states: line %d" % (
            index + 1
        )
        raise _error(message, file, "as many lines as the @@ line states", lines[index])
    return b"".join(line + b"\n" for line in body), index


def _name(field: bytes) -> Optional[str]:
    """Return the name in a ``---`` or ``+++`` line, without the date; None for no file."""
    name, _, date = field.partition(b"\t")
    if name == b"/dev/null":
        return None
    if name[:1] == b'"':
        name = re.sub(rb"\\([0-7]{3}|.)", _unquoted, name.strip(b'"'))
    elif not date:
        name = re.sub(rb"  *\d{4}-\d\d-\d\d .*", b"", name)
    return name.decode("utf-8", "surrogateescape")


def _unquoted(match: "re.Match[bytes]") -> bytes:
    code = match.group(1)
    if len(code) == 3:
        return bytes([int(code, 8) & 0xFF])
    return {b"n": b"\n", b"t": b"\t", b"r": b"\r"}.get(code, code)


def matched(
    rows: List[Section], paths: Collection[str], file: str
) -> Tuple[Dict[str, Section], List[str]]:
    """Return the sections by the path of their file in the site, and the names of the others.

    ``paths`` are those of the release. Of the prefixes that its files have in the diff, the most
    frequent one counts. Raises BadPatch for two sections of one file, because
    their order is unknown: ``git log -p`` prints the newest commit first.
    """
    known = set(paths)
    directories = {path.rpartition("/")[0] for path in known}
    prefixes = {
        side: _prefix([getattr(row, side) for row in rows], known, directories)
        for side in ("old", "new")
    }
    by_path: Dict[str, Section] = {}
    others: List[str] = []
    for index, row in enumerate(rows):
        for side in ("new", "old"):
            name, prefix = getattr(row, side), prefixes[side]
            if name is not None and prefix is not None and name.startswith(prefix):
                path = name[len(prefix) :]
                is_new = row.old is None and _is_below(path, directories)
                if path in by_path:
                    raise BadPatch(
                        "the diff has two sections for %s" % path,
                        path=file,
                        expected="one section for each file",
                        found="section %d is for the same file" % (index + 1),
                        next="make one diff of all commits: git diff FIRST^ LAST",
                    )
                if path in known or is_new:
                    by_path[path] = row
                    break
        else:
            others.append(row.new or row.old or "")
    return by_path, others


def _is_below(path: str, directories: Collection[str]) -> bool:
    """Return whether a file lies in one of the directories, or in a new one below it."""
    parent = path.rpartition("/")[0]
    while parent and parent not in directories:
        parent = parent.rpartition("/")[0]
    return parent in directories if parent else "/" not in path and "" in directories


def _prefix(
    names: List[Optional[str]], known: Collection[str], directories: Collection[str]
) -> Optional[str]:
    """Return the most frequent prefix before a path of the release in names, or None."""
    counts: Dict[str, int] = collections.Counter()
    for wanted in (known, directories):
        for name in filter(None, names):
            parts = name.split("/")
            for start in range(len(parts)):
                path = "/".join(parts[start:])
                if (path if wanted is known else path.rpartition("/")[0]) in wanted:
                    counts[name[: len(name) - len(path)]] += 1
                    break
        if counts:
            return min(counts, key=lambda prefix: (-counts[prefix], len(prefix), prefix))
    return None


def applied(
    data: Optional[bytes], row: Section, path: str, file: str
) -> Tuple[Optional[bytes], List[str]]:
    """Return the bytes of a file with its section of the diff ``file``, and notes.

    If a hunk is not at its line, each hunk moves to the only place that has all its lines, or to
    the place that is as far from its line as the hunk before it. Raises BadPatch if there is none.
    """
    if row.mode:
        raise BadPatch(
            "the diff sets the permissions of %s" % path,
            path=file,
            expected="no permissions: a patch changes only bytes, and a new file gets mode 0644",
            found=row.mode.decode("ascii"),
            next="make the diff without permissions (new file mode 100644), or name the other "
            "files with --file PATH; then run the same command again",
        )
    diff = _parsed(row, file)
    lines = engine.lines_of(data or b"")
    notes: List[str] = []
    hunks: List[engine.Hunk] = []
    shift = 0
    for hunk, start in zip(diff.hunks, _starts(lines, diff.hunks, path, file)):
        if start != hunk.old_start:
            notes.append(
                "%s: a hunk for line %d is applied at line %d"
                % (path, hunk.old_start + 1, start + 1)
            )
        hunks.append(hunk._replace(old_start=start, new_start=start + shift))
        shift += len(hunk.new) - len(hunk.old)
    return engine.spliced(data, diff._replace(hunks=tuple(hunks)), file), notes


def _starts(lines: List[bytes], hunks: Tuple[engine.Hunk, ...], path: str, file: str) -> List[int]:
    """Return where each hunk stands in ``lines``. Raises BadPatch."""

    def fits(hunk: engine.Hunk, start: int) -> bool:
        end = start + len(hunk.old)
        return end <= len(lines) and tuple(lines[start:end]) == hunk.old

    if all(fits(hunk, hunk.old_start) for hunk in hunks):
        return [hunk.old_start for hunk in hunks]
    # The diff is for another release, so a line number alone proves nothing.
    starts: List[int] = []
    position = 0
    offset: Optional[int] = None
    for hunk in hunks:
        size = len(hunk.old)
        last = len(lines) - size
        places = [place for place in range(position, last + 1) if fits(hunk, place)]
        if offset is not None and hunk.old_start + offset in places:
            places = [hunk.old_start + offset]
        if len(places) != 1 or not size:
            raise _error(
                "a hunk of the diff matches %d places in %s" % (len(places), path),
                file,
                "exactly one place with the lines of the hunk for line %d" % (hunk.old_start + 1),
                b"".join(hunk.old[:1]).rstrip(),
            )
        starts += places
        offset = places[0] - hunk.old_start
        position = places[0] + size
    return starts


def _parsed(row: Section, file: str) -> engine.FileDiff:
    """Parse the hunks of a section as those of a patch file; their file is called ``f``."""
    if not row.body:
        return engine.FileDiff((), row.old is None, row.new is None)
    old, new = (
        "/dev/null" if name is None else mark
        for name, mark in ((row.old, "a/f"), (row.new, "b/f"))
    )
    head = "--- %s\n+++ %s\n" % (old, new)
    return engine.parsed(head.encode() + row.body, file)["f"]


def _error(message: str, file: str, expected: str, found: bytes) -> BadPatch:
    shown = found[:80].decode("utf-8", "replace")
    step = "make the diff again, or correct it; then run the same command again"
    return BadPatch(message, path=file, expected=expected, found=shown or None, next=step)
