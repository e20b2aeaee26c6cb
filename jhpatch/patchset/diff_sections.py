"""The sections of a unified diff, one for each file, checked line by line before the parser.

A section changes a file, creates it (``--- /dev/null``) or removes it (``+++ /dev/null``). An
empty file has no hunk: git's ``diff --git`` and ``new file mode`` create it. Any other line is an
error, so that the parser does not silently skip a section.
"""

import re
from typing import Dict, List

from jhpatch.errors import BadPatch
from jhpatch.namedtuple import NamedTuple

NO_NEWLINE = b"\\ No newline at end of file"
_CR, _NO_END = b"\0r", b"\0n"
_DEV_NULL = b"/dev/null"
_HUNK = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@(?: .*)?\Z")
_EMPTY = re.compile(
    rb"(new file mode 100644\nindex 0+\.\.e69de29[0-9a-f]*"
    rb"|deleted file mode 100644\nindex e69de29[0-9a-f]*\.\.0+)\Z"
)
"""e69de29 is the SHA-1 of an empty file in git."""
_MODE = re.compile(rb"(old mode|new mode|(new|deleted) file mode) \d{6}\Z")
_PLAIN = "--- a/NAME and +++ b/NAME, @@, or a line that starts with a space, + or -"

_HEADER = "--- a/NAME and +++ b/NAME of one file"
_AGAIN = "line %d of the diff names a file again, or renames it"


class Section(NamedTuple):
    """The diff of a file."""

    path: str
    is_new: bool
    is_removed: bool
    hunks: int
    """The number of hunks."""
    body: bytes
    """The hunks. Each CR is written as NUL ``r``, and a last line without a line end ends in NUL
    ``n``, because patch_ng can read neither. A diff of text has no NUL."""


def unescaped(line: bytes) -> bytes:
    """Return a line of a ``body`` as it is in the file, with its line end if it has one."""
    line = line.replace(_CR, b"\r")
    return line[: -len(_NO_END + b"\n")] if line.endswith(_NO_END + b"\n") else line


def sections(diff: bytes, file: str) -> List[Section]:
    """Split the diff of the patch file ``file``. Raises BadPatch with the number of the line."""
    return _Reader(diff, file).sections


class _Reader:
    def __init__(self, diff: bytes, file: str) -> None:
        self.file = file
        self.sections: List[Section] = []
        self.lines = diff.split(b"\n")
        self.old = self.new = 0  # lines of the current hunk that are still to come
        self.body: List[bytes] = []
        self.hunks = 0
        self._paths: Dict[str, bool] = {}
        number = 0
        while number < len(self.lines) - 1:
            number += self._read(number)
        self._end_section(number)
        if self.old or self.new:
            raise BadPatch(
                "the last hunk of the diff is incomplete",
                path=file,
                expected="as many lines as its @@ line states",
                found="the end of the file",
            )
        if self.lines[-1]:
            raise BadPatch(
                "the last line of the diff has no newline",
                path=file,
                expected="a newline at the end of the file",
                found=repr(self.lines[-1][:60])[1:],
            )

    def _read(self, index: int) -> int:
        """Read the line at ``index``; return how many lines were read."""
        line = self.lines[index]
        if b"\0" in line:
            raise self._error(index)
        if line == NO_NEWLINE and self.body and self.body[-1][:1] in (b" ", b"+", b"-"):
            if self.body[-1].endswith(_NO_END):
                raise self._error(index)
            self.body[-1] += _NO_END
        elif self.old or self.new:
            self.old -= line[:1] != b"+"
            self.new -= line[:1] != b"-"
            if line[:1] not in (b" ", b"+", b"-") or min(self.old, self.new) < 0:
                message = "the diff cannot be parsed: a hunk ends too early, in line %d"
                raise self._error(index, message)
            self.body.append(line.replace(b"\r", _CR))
        elif line.startswith(b"@@") and self.sections:
            self._begin_hunk(index)
        elif line.startswith(b"--- "):
            self._begin_section(index)
            return 2
        elif line.startswith(b"diff --git "):
            self._empty_file(index)
            return 3
        else:
            raise self._error(index)
        return 1

    def _begin_hunk(self, index: int) -> None:
        match = _HUNK.match(self.lines[index])
        section = self.sections[-1]
        if not match or not section.hunks:
            raise self._error(index)
        self.old, self.new = (int(match.group(n) or 1) for n in (2, 4))
        is_whole = section.hunks == 1 and not self.hunks
        starts = int(match.group(1)), int(match.group(3))
        if (section.is_new and self.old) or (section.is_removed and self.new):
            message = "line %d of the diff: a new file has old lines, or a removed file new ones"
            raise self._error(index, message)
        counts = zip((self.old, self.new), starts)
        if not all(count or (is_whole and not start) for count, start in counts):
            message = "line %d of the diff: a hunk has no line of the old or of the new file"
            raise self._error(index, message)
        self.hunks += 1
        self.body.append(self.lines[index])

    def _begin_section(self, index: int) -> None:
        self._end_section(index)
        old, new = self.lines[index][4:], self.lines[index + 1]
        target = new[4:]
        source_path, target_path = _path(old, b"a/"), _path(target, b"b/")
        is_new, is_removed = old == _DEV_NULL, target == _DEV_NULL
        path = target_path or source_path
        is_pair = {source_path, target_path} == {path} or is_new != is_removed
        if not path or not new.startswith(b"+++ ") or not is_pair:
            if new.startswith(b"+++ ") and source_path and target_path:
                raise self._error(index, _AGAIN)
            message = "line %d of the diff does not begin a file"
            raise self._error(index + bool(source_path or is_new), message, _HEADER)
        self._add(index, Section(path, is_new, is_removed, 1, b""))

    def _empty_file(self, index: int) -> None:
        self._end_section(index)
        names = self.lines[index][len(b"diff --git ") :]
        half = len(names) // 2
        name = names[:half]
        match = _EMPTY.match(b"\n".join(self.lines[index + 1 : index + 3]))
        mode = self.lines[index + 1] if index + 1 < len(self.lines) else b""
        if not match and _MODE.match(mode):
            raise BadPatch(
                "line %d of the diff sets permissions, or is for a file that is not empty"
                % (index + 2),
                path=self.file,
                expected="no permissions; for an empty file: new file mode 100644, index",
                found=repr(mode)[1:],
            )
        if name[:2] != b"a/" or not match or names[half:] != b" b/" + name[2:] or b"\r" in name:
            raise self._error(index)
        path, is_new = _text(name[2:]), match.group().startswith(b"new")
        self._add(index, Section(path, is_new, not is_new, 0, b""))

    def _add(self, index: int, section: Section) -> None:
        if section.path in self._paths:
            raise self._error(index, _AGAIN)
        self._paths[section.path] = True
        self.sections.append(section)

    def _end_section(self, index: int) -> None:
        if not self.sections:
            return
        section = self.sections[-1]
        if section.hunks and not self.hunks:
            raise self._error(index, "a file before line %d of the diff has no hunk")
        body = b"".join(line + b"\n" for line in self.body)
        self.sections[-1] = section._replace(hunks=self.hunks, body=body)
        self.body, self.hunks = [], 0

    def _error(
        self,
        index: int,
        message: str = "line %d of the diff is not part of a plain unified diff",
        expected: str = _PLAIN,
    ) -> BadPatch:
        found = repr(self.lines[index][:60])[1:] if index < len(self.lines) else "nothing"
        return BadPatch(message % (index + 1), path=self.file, expected=expected, found=found)


def _path(name: bytes, prefix: bytes) -> str:
    """Return the path of a ``---`` or ``+++`` line; "" if it is not a path with that prefix.

    A name with a space ends in a tab, as git writes it: patch(1) reads a date after a space.
    """
    has_tab = name.endswith(b"\t")
    name = name[:-1] if has_tab else name
    if not name.startswith(prefix) or b"\t" in name or b"\r" in name or has_tab != (b" " in name):
        return ""
    return _text(name[len(prefix) :])


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
