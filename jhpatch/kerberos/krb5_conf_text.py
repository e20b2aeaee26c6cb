"""The lines of a krb5.conf, as libkrb5 parses them (src/util/profile/prof_parse.c).

This is a model of libkrb5's parser. libkrb5 names neither a file nor a line; the model names
both. If this Python cannot load libkrb5, the values of the model replace those of libkrb5.
"""

import errno
import os
import re
import stat
from typing import Callable, Iterator, List, Optional, Tuple

from jhpatch.errors import JhpatchError
from jhpatch.kerberos.libkrb5 import Relation
from jhpatch.namedtuple import NamedTuple
from jhpatch.system.files import read_file

_LINE_CAP = 2047  # bytes that libkrb5 reads at a time (fgets with BUF_SIZE)
_FILE_CAP = 1024 * 1024  # bytes
_MAX_FILES = 1000
UNREAD = "unread"
"""The kind of the only error that kinit does not have."""
_BLANKS = " \t\n\v\f\r"  # isspace(3) in the C locale
_INCLUDE = re.compile(r"(include|includedir)[ \t\n\v\f\r]")
_INCLUDED_NAME = re.compile(r"[A-Za-z0-9_-]+\Z|[^.].*\.conf\Z", re.S)


class Directive(NamedTuple):
    """A line with an effect, or text before the first section."""

    kind: str
    """``relation``, ``include``, ``includedir`` or ``module``; ``ignored`` for other text
    before the first section."""
    line: int
    path: Tuple[str, ...]
    """The path of a relation's tag: its sections and its name."""
    value: str


class ParsedText(NamedTuple):
    """The directives of one file in order, up to the first line with an error."""

    directives: Tuple[Directive, ...]
    error: Optional[Tuple[int, str]] = None
    """The number of that line, and what is wrong with it."""


class ConfigError(NamedTuple):
    """What keeps libkrb5 or doctor from reading a file."""

    kind: str
    """The end of a finding's code: ``missing``, ``unreadable``, ``syntax`` …"""
    path: str
    message: str
    is_hazard: bool = False
    """Whether libkrb5 must not read the file: it would hang, or trust another user's text."""


class ConfigFile(NamedTuple):
    """A file that libkrb5 reads."""

    path: str
    text: ParsedText


class Sources(NamedTuple):
    """All files of a configuration, in the order in which libkrb5 reads them."""

    files: Tuple[ConfigFile, ...] = ()
    errors: Tuple[ConfigError, ...] = ()
    relations: Tuple[Relation, ...] = ()
    """The relations of all files, in the order of the lines."""


def parse(data: bytes) -> ParsedText:
    """Parse the bytes of one file; stop at the first line with an error, as libkrb5 does."""
    parser, last = _Parser(), 0
    for number, line in _lines(data):
        error = parser.add(number, line, is_rest=number == last)
        if error:
            error += parser.hint(is_rest=number == last)
            return ParsedText(tuple(parser.directives), (number, error))
        last = number
    return ParsedText(tuple(parser.directives))


def _lines(data: bytes) -> Iterator[Tuple[int, str]]:
    """Yield what fgets(3) returns, with line numbers; a NUL ends a C string."""
    for number, line in enumerate(re.findall(rb"[^\n]*\n|[^\n]+", data), 1):
        for start in range(0, len(line), _LINE_CAP):
            piece = line[start : start + _LINE_CAP].partition(b"\0")[0]
            yield number, piece.decode("utf-8", "surrogateescape")


class _Parser:
    """The state between the lines of one file."""

    def __init__(self) -> None:
        self.directives: List[Directive] = []
        self._path: List[str] = []
        self._needs_brace = False  # after a line "tag =" the next line begins with a brace

    def hint(self, is_rest: bool) -> str:
        """Return the probable cause of an error, as the end of its message; empty if unknown.

        ``is_rest``: the line is the rest of one that is too long.
        """
        if is_rest:
            return (
                "; the line is longer than %d bytes, "
                "so libkrb5 parses the rest of it as another line" % _LINE_CAP
            )
        braces = [row for row in self.directives if re.match(r"\{[ \t]*[^ \t]", row.value)]
        if braces:
            return "; the brace in line %d is a value, because text follows it" % braces[-1].line
        return ""

    def add(self, number: int, line: str, is_rest: bool) -> Optional[str]:
        """Add a line; return what is wrong with it."""
        include = _INCLUDE.match(line)
        if include:
            value = line[include.end() :].lstrip(_BLANKS).rstrip("\r\n")
            self.directives.append(Directive(include.group(1), number, (), value))
            return None
        if self._needs_brace:
            self._needs_brace = False
            is_brace = line.lstrip(_BLANKS).startswith("{")
            return None if is_brace else "a value or an opening brace is missing"
        text = line.lstrip(_BLANKS).rstrip("\r\n")
        if not self._path and not line.startswith("["):
            if re.match(r"module[ \t\n\v\f\r]", line):
                value = line[7:].strip(_BLANKS)
                self.directives.append(Directive("module", number, (), value))
                return "this line loads a module"
            if text and text[0] not in "#;" and not is_rest:
                self.directives.append(Directive("ignored", number, (), text))
            return None
        if not text or text[0] in "#;":
            return None
        if text[0] == "[":
            return self._enter_section(text)
        if text[0] == "}":
            if len(self._path) == 1:
                return "this closing brace has no opening brace"
            del self._path[-1]
            return None
        return self._add_relation(number, text)

    def _enter_section(self, text: str) -> Optional[str]:
        if len(self._path) > 1:
            return "a section inside braces: a closing brace is missing above"
        name, bracket, rest = text[1:].partition("]")
        rest = rest[1:] if rest.startswith("*") else rest
        if not bracket or rest.strip(_BLANKS):
            return "a section must be [name] on a line of its own"
        self._path = [name]
        return None

    def _add_relation(self, number: int, text: str) -> Optional[str]:
        """Add a relation, or enter its braces; return what is wrong with the line."""
        if _INCLUDE.match(text) and "=" not in text:
            return "include must begin at the first character of its line"
        tag, equals, value = text.partition("=")
        if not equals or not tag or len(re.split("[%s]+" % _BLANKS, tag.strip(_BLANKS))) > 1:
            return "a relation must have the form tag = value"
        tag = tag.strip(_BLANKS).partition("*")[0]
        value = value.lstrip(_BLANKS)
        if not value.startswith('"') and value.strip(_BLANKS) in ("", "{"):
            self._path.append(tag)
            self._needs_brace = not value
            return None
        value = _unquoted(value[1:]) if value.startswith('"') else value.rstrip(_BLANKS)
        self.directives.append(Directive("relation", number, tuple(self._path) + (tag,), value))
        return None


def _unquoted(text: str) -> str:
    """Return the text up to the closing quote, with its escapes replaced."""
    quoted = re.match(r'(?:[^"\\]|\\.|\\\Z)*', text, re.S)
    escapes = {"n": "\n", "t": "\t", "b": "\b"}
    return re.sub(
        r"\\(.)",
        lambda match: escapes.get(match.group(1), match.group(1)),
        quoted.group() if quoted else "",
        flags=re.S,
    )


def read_sources(paths: Tuple[str, ...], check: Callable[[str], None]) -> Sources:
    """Return the files of a configuration, with all that they include.

    ``check`` raises JhpatchError for a file that must not be read. Raises nothing.
    """
    reader = _Reader(check)
    for path in paths:
        reader.read(path)
    return Sources(tuple(reader.files), tuple(reader.errors), tuple(reader.relations))


def included_paths(directory: str) -> Tuple[str, ...]:
    """Return the files that libkrb5 reads in a directory. Raises OSError."""
    names = filter(_INCLUDED_NAME.match, sorted(os.listdir(directory), key=os.fsencode))
    return tuple(os.path.join(directory, name) for name in names)


class _Reader:
    """Collects files, and what they include."""

    def __init__(self, check: Callable[[str], None]) -> None:
        self.files: List[ConfigFile] = []
        self.errors: List[ConfigError] = []
        self.relations: List[Relation] = []
        self._check = check
        self._open: List[str] = []  # the files that include each other

    def read(self, path: str) -> None:
        """Read a file, and all files that it includes."""
        if path in self._open:
            self._fail("include", path, "the file includes itself", is_hazard=True)
            return
        if len(self.files) >= _MAX_FILES:
            message = "doctor read only the first %d files of the configuration" % _MAX_FILES
            if UNREAD not in [error.kind for error in self.errors]:
                self._fail(UNREAD, "", message, is_hazard=True)
            return
        self._open.append(path)
        try:
            self._read(path)
        finally:
            del self._open[-1]

    def _read(self, path: str) -> None:
        is_included = len(self._open) > 1
        try:
            status = os.stat(path)
            self._check(path)
            if stat.S_ISDIR(status.st_mode):
                # An included directory reads as an empty file: only includedir lists one.
                for name in () if is_included else included_paths(path):
                    self.read(name)
                return
            is_null = stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(1, 3)
            text = parse(b"" if is_null else read_file(path, _FILE_CAP).data)
        except FileNotFoundError:
            self._fail("include" if is_included else "missing", path, "the file does not exist")
            return
        except JhpatchError as error:
            found = ": %s" % error.found if error.found else ""
            self._fail("writable", error.path or path, error.message + found, is_hazard=True)
            return
        except OSError as error:
            is_special = error.errno == errno.EINVAL
            kind = "include" if is_included and not is_special else "unreadable"
            self._fail(kind, path, error.strerror or str(error), is_hazard=is_special)
            return
        self.files.append(ConfigFile(path, text))
        for directive in text.directives:
            if directive.kind == "include":
                self.read(directive.value)
            elif directive.kind == "includedir":
                self._read_directory(directive.value)
            elif directive.kind == "relation":
                self.relations.append((directive.path, directive.value))
        if text.error:
            is_module = any(row.kind == "module" for row in text.directives)
            self._fail("module" if is_module else "syntax", path, "line %d: %s" % text.error)

    def _read_directory(self, directory: str) -> None:
        try:
            paths = included_paths(directory)
        except OSError as error:
            self._fail("include", directory, error.strerror or str(error))
            return
        for path in paths:
            self.read(path)

    def _fail(self, kind: str, path: str, message: str, is_hazard: bool = False) -> None:
        if kind == "include" and path != path.rstrip(_BLANKS):
            message += "; the blank at the end of the line is part of the path"
        self.errors.append(ConfigError(kind, path, message, is_hazard))
