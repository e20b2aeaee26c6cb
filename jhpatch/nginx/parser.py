"""nginx's configuration → a tree of directives, with included files in the place of the include.

Imports crossplane, as the only module, and only when a configuration is read.
"""

import glob
import os
import stat
from typing import Any, Dict, Iterator, List, Optional, Tuple

from jhpatch.errors import Failed, jhpatch_command, python_command, shell_command
from jhpatch.namedtuple import NamedTuple
from jhpatch.nginx.findings import finding
from jhpatch.report.result import Finding

_SIZE = 4 << 20  # bytes of one file, at most
_DEPTH = 20  # of includes
_BACKUPS = ("~", ".bak", ".orig", ".old", ".save", ".swp", ".dpkg-old", ".dpkg-dist", ".rpmsave")


class Directive(NamedTuple):
    """A directive: its file and line, and the content of its block, if it has one."""

    name: str
    args: Tuple[str, ...]
    file: str
    line: int
    block: Optional[Tuple["Directive", ...]] = None

    @property
    def place(self) -> str:
        """``file:line``."""
        return "%s:%d" % (self.file, self.line)

    def children(self, name: str) -> Iterator["Directive"]:
        """Return the directives of that name in its block."""
        return (directive for directive in self.block or () if directive.name == name)


class Configuration(NamedTuple):
    """The content of the http block; a site file counts as a part of one."""

    directives: Tuple[Directive, ...]
    files: Tuple[str, ...]
    findings: Tuple[Finding, ...]


def read(path: str) -> Configuration:
    """Read a main file, a site file, or all files of a directory. Raises Failed."""
    reader = _Reader(_prefix(path))
    directives: List[Directive] = []
    for file in _files(path):
        for directive in reader.read(file, ()):
            if directive.name == "http":
                directives += directive.block or ()
            elif directive.name not in ("events", "stream", "mail"):
                directives.append(directive)
    return Configuration(tuple(directives), tuple(reader.files), tuple(reader.findings))


def _files(path: str) -> List[str]:
    """Return the directory's nginx.conf, else all its files but backups."""
    if not os.path.isdir(path):
        return [path]
    main = os.path.join(path, "nginx.conf")
    if os.path.exists(main):
        return [main]
    names = (name for name in sorted(os.listdir(path)) if name[0] not in ".#")
    paths = [os.path.join(path, name) for name in names if not name.endswith(_BACKUPS)]
    files = [file for file in paths if os.path.isfile(file)]
    if not files:
        raise Failed(
            "no configuration in the folder", path=path, next=shell_command("ls", "-la", path)
        )
    return files


def _prefix(path: str) -> str:
    """Return the directory that relative includes start at: that of the main file, which may
    be a parent."""
    start = os.path.abspath(path if os.path.isdir(path) else os.path.dirname(path) or ".")
    directory = start
    while directory != "/":
        if os.path.exists(os.path.join(directory, "nginx.conf")):
            return directory
        directory = os.path.dirname(directory)
    return start


class _Reader:
    """Reads each file once, and places its directives wherever it is included."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._parse = _parser()
        self._rows: Dict[str, Any] = {}
        self.files: List[str] = []
        self.findings: List[Finding] = []

    def read(self, path: str, parents: Tuple[str, ...]) -> List[Directive]:
        """Raise Failed where the file cannot be read; for an included one it is a finding."""
        if path not in self._rows:
            self._rows[path] = self._read_rows(path)
            self.files.append(path)
        return list(self._directives(self._rows[path], path, parents + (path,)))

    def _read_rows(self, path: str) -> Any:
        try:
            info = os.stat(path)
            if not stat.S_ISREG(info.st_mode) or info.st_size > _SIZE:
                raise Failed(
                    "no configuration of nginx", path=path, next=shell_command("ls", "-l", path)
                )
            with open(path, "rb"):
                pass
        except OSError as error:
            raise Failed(
                "cannot read the configuration: %s" % error.strerror,
                path=path,
                next=jhpatch_command("nginx", "check", "CONFIG"),
            )
        payload = self._parse(path, single=True, check_ctx=False)
        for row in payload["errors"]:
            message = str(row["error"]) or "it ends in the middle of a directive"
            place = "%s:%s" % (path, row["line"]) if row["line"] else path
            self.findings.append(finding("config-broken", message, place))
        return payload["config"][0]["parsed"]

    def _directives(self, rows: Any, path: str, parents: Tuple[str, ...]) -> Iterator[Directive]:
        for row in rows:
            directive = Directive(row["directive"], tuple(row["args"]), path, row["line"])
            if directive.name == "include":
                yield from self._included(directive, parents)
            elif "block" in row:
                block = tuple(self._directives(row["block"], path, parents))
                yield directive._replace(block=block)
            else:
                yield directive

    def _included(self, include: Directive, parents: Tuple[str, ...]) -> Iterator[Directive]:
        pattern = os.path.join(self._prefix, include.args[0])
        paths = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]
        for path in paths:
            if path in parents or len(parents) > _DEPTH:
                message = "it includes itself"
                self.findings.append(finding("config-broken", message, include.place))
                continue
            try:
                yield from self.read(path, parents)
            except Failed as error:
                message = "%s: %s" % (error.message, path)
                self.findings.append(finding("config-broken", message, include.place))


def _parser() -> Any:
    try:
        import crossplane
    except ImportError:
        raise Failed(
            "configurations are read with crossplane, which is not installed",
            expected="the extra nginx",
            next=python_command("pip", "install", "crossplane"),
        )
    return crossplane.parse
