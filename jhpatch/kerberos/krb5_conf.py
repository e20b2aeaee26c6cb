"""krb5.conf and what it includes, as libkrb5 reads it (krb5.conf(5), prof_parse.c)."""

import os
import re
import stat
from typing import Iterator, List, Mapping, Optional, Tuple

from jhpatch.errors import JhpatchError
from jhpatch.namedtuple import NamedTuple
from jhpatch.system import path_owners
from jhpatch.system.files import read_text

_MAX_FILES = 64
_INCLUDE = re.compile(r"^(include|includedir)\s+(.+)$")
_INCLUDED_NAME = re.compile(r"^[A-Za-z0-9_-]+$|^[^.].*\.conf$")

Relation = Tuple[Tuple[str, ...], str]
"""The path of a tag, which is its sections and its name, and the tag's value."""


class ConfigError(NamedTuple):
    """What keeps libkrb5 from reading a file."""

    kind: str
    """The end of a finding's code: ``missing``, ``unreadable``, ``syntax`` …"""
    path: str
    message: str


class Profile(NamedTuple):
    """The relations of all files, in the order of the files; libkrb5 uses the first of a tag."""

    relations: Tuple[Relation, ...] = ()
    errors: Tuple[ConfigError, ...] = ()
    files: Tuple[str, ...] = ()
    """Those that were read."""

    def values(self, *path: str) -> Tuple[str, ...]:
        """Return each value of a tag."""
        return tuple(value for name, value in self.relations if name == path)

    def value(self, *path: str) -> Optional[str]:
        """Return the value of a tag that libkrb5 uses."""
        values = self.values(*path)
        return values[0] if values else None

    @property
    def realm(self) -> Optional[str]:
        """The default realm."""
        return self.value("libdefaults", "default_realm")

    @property
    def clock_skew(self) -> int:
        """The seconds by which clocks may differ."""
        text = self.value("libdefaults", "clockskew") or ""
        return int(text) if text.isdigit() and len(text) < 9 else 300

    def is_set(self, tag: str, default: bool) -> bool:
        """Return a boolean of [libdefaults]."""
        text = (self.value("libdefaults", tag) or "").lower()
        if text in ("y", "yes", "true", "t", "1", "on"):
            return True
        return default if text not in ("n", "no", "false", "nil", "0", "off") else False


class Directive(NamedTuple):
    """A line of a file that counts."""

    kind: str
    """Empty for a relation, else ``include`` or ``includedir``."""
    path: Tuple[str, ...]
    """Of a relation's tag; empty for an include line."""
    value: str


class ParsedFile(NamedTuple):
    """The directives of one file, in their order, up to the first line with an error."""

    directives: Tuple[Directive, ...]
    error: Optional[Tuple[int, str]]
    """The number of that line, and what is wrong with it."""


def parse(text: str) -> ParsedFile:
    """Parse the text of one file; stop at the first line with an error, as libkrb5 does."""
    directives: List[Directive] = []
    path: List[str] = []
    needs_brace = False  # after a line "tag =" the next line is an opening brace
    for number, raw_line in enumerate(text.lstrip("\ufeff").split("\n"), 1):
        include = _INCLUDE.match(raw_line.rstrip())
        if include:
            directives.append(Directive(include.group(1), (), include.group(2).strip()))
            continue
        line = raw_line.strip()
        if not line or line[0] in "#;" or (not path and line[0] != "["):
            continue  # libkrb5 ignores what stands before the first section
        error = None
        if needs_brace:
            error = None if line == "{" else "a value or an opening brace is missing"
            needs_brace = False
        elif line[0] == "[":
            error = _enter_section(line, path)
        elif line[0] == "}":
            error = None if len(path) > 1 else "a closing brace too many"
            del path[max(len(path) - 1, 1) :]
        else:
            error, needs_brace = _add_relation(line, path, directives)
        if error:
            return ParsedFile(tuple(directives), (number, error))
    return ParsedFile(tuple(directives), None)


def _enter_section(line: str, path: List[str]) -> Optional[str]:
    """Replace ``path`` by the section of a line; return what is wrong with the line."""
    if len(path) > 1:
        return "a section inside braces: a closing brace is missing above"
    name, bracket, rest = line[1:].partition("]")
    if not bracket or rest.lstrip("*").strip():
        return "a section is [name] on a line of its own"
    path[:] = [name]
    return None


def _add_relation(
    line: str, path: List[str], directives: List[Directive]
) -> Tuple[Optional[str], bool]:
    """Add a relation, or enter its braces.

    Return what is wrong with the line, and whether an opening brace must follow.
    """
    tag, equals, value = line.partition("=")
    tag, value = tag.strip().rstrip("*"), value.strip()
    if not equals or not tag or len(tag.split()) > 1:
        return "a relation is tag = value", False
    if value in ("", "{"):
        path.append(tag)
        return None, value == ""
    if value[0] == '"':
        value = value[1:].partition('"')[0]
    directives.append(Directive("", tuple(path) + (tag,), value))
    return None, False


def read_profile(environ: Mapping[str, str]) -> Profile:
    """Read krb5.conf, where KRB5_CONFIG says it is, with all files that it includes.

    Raises nothing: what cannot be read is in the profile's errors.
    """
    named = environ.get("KRB5_CONFIG", "")
    paths = tuple(path for path in named.split(":") if path) or ("/etc/krb5.conf",)
    reader = _Reader()
    for path in paths:
        if len(paths) > 1 and not os.path.exists(path):
            continue  # libkrb5 needs one of several
        reader.read(path, is_included=False)
    if not reader.files and not reader.errors:
        reader.errors.append(
            ConfigError("missing", ":".join(paths), "none of these files is there")
        )
    return Profile(tuple(reader.relations), tuple(reader.errors), tuple(reader.files))


class _Reader:
    """Collects the relations and the errors of files and of what they include."""

    def __init__(self) -> None:
        self.relations: List[Relation] = []
        self.errors: List[ConfigError] = []
        self.files: List[str] = []

    def read(self, path: str, is_included: bool) -> None:
        """Read a file and all files that it includes."""
        if len(self.files) == _MAX_FILES:
            self._fail("include", path, "more than %d files are included" % _MAX_FILES)
        self.files.append(path)
        if len(self.files) > _MAX_FILES:
            return
        text = self._read_text(path, is_included)
        if text is None:
            return
        parsed = parse(text)
        for directive in parsed.directives:
            if directive.kind:
                for included in self._included_paths(directive):
                    self.read(included, is_included=True)
            else:
                self.relations.append((directive.path, directive.value))
        if parsed.error:
            self._fail("syntax", path, "line %d: %s" % parsed.error)
        elif not _is_world_readable(path):
            self._fail("unreadable", path, "not everybody can read it")

    def _fail(self, kind: str, path: str, message: str) -> None:
        self.errors.append(ConfigError(kind, path, message))

    def _read_text(self, path: str, is_included: bool) -> Optional[str]:
        """Return the text of a file; None, with an error added, if it cannot be read."""
        try:
            os.stat(path)
            _require_trusted(path)
            return read_text(path)
        except FileNotFoundError:
            self._fail("include" if is_included else "missing", path, "is not there")
            del self.files[-1]
        except JhpatchError as error:
            found = ": %s" % error.found if error.found else ""
            self._fail("writable", error.path or path, error.message + found)
        except OSError as error:
            kind = "include" if is_included else "unreadable"
            self._fail(kind, path, error.strerror or str(error))
        return None

    def _included_paths(self, directive: Directive) -> Iterator[str]:
        directory = directive.value
        if directive.kind == "include":
            yield directive.value
            return
        try:
            names = sorted(os.listdir(directory))
        except OSError as error:
            self._fail("include", directory, error.strerror or str(error))
            return
        yield from (os.path.join(directory, name) for name in names if _INCLUDED_NAME.match(name))


def _require_trusted(path: str) -> None:
    """As root, refuse a file that another user can write. Raises JhpatchError."""
    writer = path_owners.writer_of(path) if os.geteuid() == 0 else None
    if writer is not None:
        raise JhpatchError(
            "somebody else than root can write it, and root does not read it",
            path=writer.path,
            found="owner uid %d, mode %o" % (writer.uid, writer.mode),
        )


def _is_world_readable(path: str) -> bool:
    """Return whether every user can read a file that this process can read."""
    return os.geteuid() != 0 or bool(os.stat(path).st_mode & stat.S_IROTH)


class KdcAddress(NamedTuple):
    """Where a KDC listens, as krb5.conf or the DNS names it."""

    host: str
    port: int = 88
    is_tcp_only: bool = False


def listed_kdcs(profile: Profile, realm: str) -> Tuple[KdcAddress, ...]:
    """Return the KDCs that krb5.conf lists for a realm, without those behind HTTPS."""
    lines = profile.values("realms", realm, "kdc")
    return tuple(
        _parse_address(word)
        for line in lines
        for word in line.split()
        if not word.startswith("https:")
    )


def _parse_address(text: str) -> KdcAddress:
    protocol, slash, rest = text.partition("/")
    host = rest if slash else text
    is_tcp_only = slash == "/" and protocol == "tcp"
    bracketed = re.match(r"^\[([^]]*)\](?::(\d{1,5}))?$", host)
    match = bracketed or re.match(r"^([^:]*)(?::(\d{1,5}))?$", host)
    if not match:
        return KdcAddress(host, 88, is_tcp_only)
    return KdcAddress(match.group(1), int(match.group(2) or 88), is_tcp_only)
