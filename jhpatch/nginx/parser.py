"""nginx's configuration → a tree of directives, with what is included in its place.

The only room that imports crossplane, and only when a configuration is read.
"""

import glob
import os
import stat
from typing import Any, Dict, Iterator, List, Optional, Tuple

from jhpatch.errors import Failed, jhpatch_command, python_command, shell_command
from jhpatch.namedtuple import NamedTuple
from jhpatch.nginx.findings import finding
from jhpatch.report.result import Finding

_CAP = 4 << 20  # bytes of one file
_DEPTH = 20  # of includes
_LEFT = ("~", ".bak", ".orig", ".old", ".save", ".swp", ".dpkg-old", ".dpkg-dist", ".rpmsave")


class Directive(NamedTuple):
    """A directive: where it stands, and what is in its block, if it has one."""

    name: str
    args: Tuple[str, ...]
    file: str
    line: int
    block: Optional[Tuple["Directive", ...]] = None

    @property
    def place(self) -> str:
        """``file:line``."""
        return "%s:%d" % (self.file, self.line)

    def has(self, name: str) -> Iterator["Directive"]:
        """Those of its block that have this name."""
        return (one for one in self.block or () if one.name == name)


class Tree(NamedTuple):
    """What stands in the http block; a site file is taken for a part of one."""

    directives: Tuple[Directive, ...]
    files: Tuple[str, ...]
    findings: Tuple[Finding, ...]


def read(path: str) -> Tree:
    """A main file, a site file, or all of a folder. Raises Failed."""
    reader = _Reader(_prefix(path))
    found: List[Directive] = []
    for one in _files(path):
        found += reader.file(one, ())
    inside = tuple(row for one in found for row in _http(one))
    return Tree(inside, tuple(reader.seen), tuple(reader.findings))


def _http(one: Directive) -> Tuple[Directive, ...]:
    if one.name == "http":
        return one.block or ()
    return () if one.name in ("events", "stream", "mail") else (one,)


def _files(path: str) -> List[str]:
    """The folder's nginx.conf, else all its files but backups."""
    if not os.path.isdir(path):
        return [path]
    main = os.path.join(path, "nginx.conf")
    if os.path.exists(main):
        return [main]
    names = (name for name in sorted(os.listdir(path)) if name[0] not in ".#")
    paths = [os.path.join(path, name) for name in names if not name.endswith(_LEFT)]
    found = [one for one in paths if os.path.isfile(one)]
    if not found:
        raise Failed(
            "no configuration in the folder", path=path, next=shell_command("ls", "-la", path)
        )
    return found


def _prefix(path: str) -> str:
    """Where relative includes begin: at the main file, which may lie above."""
    folder = os.path.abspath(path if os.path.isdir(path) else os.path.dirname(path) or ".")
    first = folder
    while folder != "/":
        if os.path.exists(os.path.join(folder, "nginx.conf")):
            return folder
        folder = os.path.dirname(folder)
    return first


class _Reader:
    """Reads each file once, and puts it wherever it is included."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._parse = _parser()
        self._known: Dict[str, Any] = {}
        self.seen: List[str] = []
        self.findings: List[Finding] = []

    def file(self, path: str, above: Tuple[str, ...]) -> List[Directive]:
        """Raises Failed where the first one cannot be read; an included one is a finding."""
        if path not in self._known:
            self._known[path] = self._read(path)
            self.seen.append(path)
        return list(self._directives(self._known[path], path, above + (path,)))

    def _read(self, path: str) -> Any:
        try:
            found = os.stat(path)
            if not stat.S_ISREG(found.st_mode) or found.st_size > _CAP:
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
        answer = self._parse(path, single=True, check_ctx=False)
        for row in answer["errors"]:
            words = str(row["error"]) or "it ends in the middle of a directive"
            where = "%s:%s" % (path, row["line"]) if row["line"] else path
            self.findings.append(finding("config-broken", words, where))
        return answer["config"][0]["parsed"]

    def _directives(self, rows: Any, path: str, above: Tuple[str, ...]) -> Iterator[Directive]:
        for row in rows:
            one = Directive(row["directive"], tuple(row["args"]), path, row["line"])
            if one.name == "include":
                yield from self._included(one, above)
            elif "block" in row:
                yield one._replace(block=tuple(self._directives(row["block"], path, above)))
            else:
                yield one

    def _included(self, one: Directive, above: Tuple[str, ...]) -> Iterator[Directive]:
        pattern = os.path.join(self._prefix, one.args[0])
        paths = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]
        for path in paths:
            if path in above or len(above) > _DEPTH:
                self.findings.append(finding("config-broken", "it includes itself", one.place))
                continue
            try:
                yield from self.file(path, above)
            except Failed as error:
                words = "%s: %s" % (error.message, path)
                self.findings.append(finding("config-broken", words, one.place))


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
