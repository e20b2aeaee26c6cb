"""krb5.conf and what it includes, as libkrb5 reads it (krb5.conf(5), prof_parse.c)."""

import os
import re
import stat
from typing import Iterator, List, Mapping, Optional, Tuple

from jhpatch.errors import JhpatchError
from jhpatch.namedtuple import NamedTuple
from jhpatch.system import path_owners
from jhpatch.system.files import read_file

_CAP = 1024 * 1024  # bytes of one file
_FILES = 64
_INCLUDE = re.compile(r"^(include|includedir)\s+(.+)$")
_NAME = re.compile(r"^[A-Za-z0-9_-]+$|^[^.].*\.conf$")

Relation = Tuple[Tuple[str, ...], str]
"""A path of sections and a tag, and its value."""


class Fault(NamedTuple):
    """What keeps libkrb5 from reading a file; ``kind`` is the end of a finding's code."""

    kind: str
    path: str
    message: str


class Profile(NamedTuple):
    """All relations, in the order of the files; the first of a tag counts for libkrb5."""

    relations: Tuple[Relation, ...] = ()
    faults: Tuple[Fault, ...] = ()
    files: Tuple[str, ...] = ()
    """Those that were read."""

    def values(self, *path: str) -> Tuple[str, ...]:
        """Each value of a tag."""
        return tuple(value for found, value in self.relations if found == path)

    def value(self, *path: str) -> Optional[str]:
        """The value that counts."""
        found = self.values(*path)
        return found[0] if found else None

    @property
    def realm(self) -> Optional[str]:
        """The default realm."""
        return self.value("libdefaults", "default_realm")

    @property
    def clock_skew(self) -> int:
        """Seconds by which clocks may differ."""
        text = self.value("libdefaults", "clockskew") or ""
        return int(text) if text.isdigit() and len(text) < 9 else 300

    def is_set(self, tag: str, default: bool) -> bool:
        """A boolean of [libdefaults]."""
        text = (self.value("libdefaults", tag) or "").lower()
        if text in ("y", "yes", "true", "t", "1", "on"):
            return True
        return default if text not in ("n", "no", "false", "nil", "0", "off") else False


class Parsed(NamedTuple):
    """One file: its relations and its include lines, in their order; the first wrong line."""

    parts: Tuple[Tuple[str, Tuple[str, ...], str], ...]
    """``("", path, value)``, or ``("include", (), path)`` and ``("includedir", …)``."""
    wrong: Optional[Tuple[int, str]]
    """The number of a line, and what is wrong with it."""


def parse(text: str) -> Parsed:
    """The text of one file. It stops at the first wrong line, as libkrb5 does."""
    parts: List[Tuple[str, Tuple[str, ...], str]] = []
    path: List[str] = []
    brace = False  # a line "tag =" wants its brace on the next
    for number, line in enumerate(text.lstrip("\ufeff").split("\n"), 1):
        include = _INCLUDE.match(line.rstrip())
        if include:
            parts.append((include.group(1), (), include.group(2).strip()))
            continue
        words = line.strip()
        if not words or words[0] in "#;" or (not path and words[0] != "["):
            continue  # libkrb5 passes over what comes before the first section
        if brace:
            if words != "{":
                return Parsed(tuple(parts), (number, "a value or an opening brace is missing"))
            brace = False
            continue
        if words[0] == "[":
            wrong = _section(words, path)
        elif words[0] == "}":
            wrong = None if len(path) > 1 else "a closing brace too many"
            del path[max(len(path) - 1, 1) :]
        else:
            wrong, brace = _relation(words, path, parts)
        if wrong:
            return Parsed(tuple(parts), (number, wrong))
    return Parsed(tuple(parts), None)


def _section(words: str, path: List[str]) -> Optional[str]:
    if len(path) > 1:
        return "a section inside braces: a closing brace is missing above"
    name, bracket, rest = words[1:].partition("]")
    if not bracket or rest.lstrip("*").strip():
        return "a section is [name] on a line of its own"
    path[:] = [name]
    return None


def _relation(
    words: str, path: List[str], parts: List[Tuple[str, Tuple[str, ...], str]]
) -> Tuple[Optional[str], bool]:
    """``(what is wrong, whether a brace must follow)``."""
    tag, equals, value = words.partition("=")
    tag, value = tag.strip().rstrip("*"), value.strip()
    if not equals or not tag or len(tag.split()) > 1:
        return "a relation is tag = value", False
    if value in ("", "{"):
        path.append(tag)
        return None, value == ""
    if value[0] == '"':
        value = value[1:].partition('"')[0]
    parts.append(("", tuple(path) + (tag,), value))
    return None, False


def paths_of(environ: Mapping[str, str]) -> Tuple[str, ...]:
    """Where libkrb5 looks."""
    named = environ.get("KRB5_CONFIG", "")
    return tuple(part for part in named.split(":") if part) or ("/etc/krb5.conf",)


def read(environ: Mapping[str, str]) -> Profile:
    """krb5.conf of ``environ``, with all that it includes. Raises nothing."""
    relations: List[Relation] = []
    faults: List[Fault] = []
    files: List[str] = []
    paths = paths_of(environ)
    for path in paths:
        if len(paths) > 1 and not os.path.exists(path):
            continue  # of several, those that are there count
        _add(path, relations, faults, files, included=False)
    if not files and not faults:
        faults.append(Fault("missing", ":".join(paths), "none of these files is there"))
    return Profile(tuple(relations), tuple(faults), tuple(files))


def _add(
    path: str, relations: List[Relation], faults: List[Fault], files: List[str], included: bool
) -> None:
    if len(files) == _FILES:
        faults.append(Fault("include", path, "more than %d files are included" % _FILES))
    files.append(path)
    if len(files) > _FILES:
        return
    try:
        text = _text(path)
    except FileNotFoundError:
        faults.append(Fault("include" if included else "missing", path, "is not there"))
        del files[-1]
        return
    except JhpatchError as error:
        found = ": %s" % error.found if error.found else ""
        faults.append(Fault("writable", error.path or path, error.message + found))
        return
    except OSError as error:
        kind = "include" if included else "unreadable"
        faults.append(Fault(kind, path, error.strerror or str(error)))
        return
    parsed = parse(text)
    for kind, names, value in parsed.parts:
        if kind:
            for below in _included(kind, value, faults):
                _add(below, relations, faults, files, included=True)
        else:
            relations.append((names, value))
    if parsed.wrong:
        faults.append(Fault("syntax", path, "line %d: %s" % parsed.wrong))
    elif not _is_for_all(path):
        faults.append(Fault("unreadable", path, "not everybody can read it"))


def _included(kind: str, path: str, faults: List[Fault]) -> Iterator[str]:
    if kind == "include":
        yield path
        return
    try:
        names = sorted(os.listdir(path))
    except OSError as error:
        faults.append(Fault("include", path, error.strerror or str(error)))
        return
    yield from (os.path.join(path, name) for name in names if _NAME.match(name))


def _text(path: str) -> str:
    """Root reads none that somebody else can write. Raises OSError, JhpatchError."""
    os.stat(path)
    writer = path_owners.writer_of(path) if os.geteuid() == 0 else None
    if writer is not None:
        raise JhpatchError(
            "somebody else than root can write it, and root does not read it",
            path=writer.path,
            found="owner uid %d, mode %o" % (writer.uid, writer.mode),
        )
    return read_capped(path)


def read_capped(path: str) -> str:
    """The text of a regular file of a sensible size. Raises OSError."""
    return read_file(path, _CAP).data.decode("utf-8", "replace")


def _is_for_all(path: str) -> bool:
    """Whether every user can read it: each user's kinit does."""
    return os.geteuid() != 0 or bool(os.stat(path).st_mode & stat.S_IROTH)


class Server(NamedTuple):
    """A KDC of krb5.conf or of the DNS; ``tcp``: it is asked by TCP alone."""

    host: str
    port: int = 88
    tcp: bool = False


def servers_of(profile: Profile, realm: str) -> Tuple[Server, ...]:
    """The KDCs that krb5.conf lists for a realm; a KDC behind HTTPS is left out."""
    lines = profile.values("realms", realm, "kdc")
    return tuple(
        _server(word) for line in lines for word in line.split() if not word.startswith("https:")
    )


def _server(text: str) -> Server:
    proto, slash, rest = text.partition("/")
    host = rest if slash else text
    bracketed = re.match(r"^\[([^]]*)\](?::(\d{1,5}))?$", host)
    plain = re.match(r"^([^:]*)(?::(\d{1,5}))?$", host)
    match = bracketed or plain
    if not match:
        return Server(host, 88, slash == "/" and proto == "tcp")
    return Server(match.group(1), int(match.group(2) or 88), slash == "/" and proto == "tcp")
