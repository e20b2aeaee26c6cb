"""Parse nginx's configuration into a tree of directives; included files replace the include.

Only this module imports crossplane, and only when it reads a configuration.
"""

import errno
import glob
import os
import re
import tempfile
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from jhpatch.errors import Failed, install_command, jhpatch_command, shell_command
from jhpatch.namedtuple import NamedTuple
from jhpatch.nginx import templates
from jhpatch.nginx.directives import Directive
from jhpatch.nginx.findings import finding
from jhpatch.report.result import Finding
from jhpatch.system.files import read_text
from jhpatch.system.sha256 import sha256

_SIZE = 4 << 20  # bytes of one file, at most
_DEPTH = 20  # of includes
_DIRECTIVES = 500000  # of all files, each as often as it is included
_NO_FILES = ("/proc/", "/sys/", "/dev/")
"""Directories where reading can block, or consume data that is meant for another program."""
_BACKUPS = ("~", ".bak", ".orig", ".old", ".save", ".swp", ".dpkg-old", ".dpkg-dist", ".rpmsave")


class Tree(NamedTuple):
    """The content of some files, and the findings of reading them."""

    directives: Tuple[Directive, ...]
    files: Tuple[str, ...]
    findings: Tuple[Finding, ...]
    skipped: Tuple[str, ...] = ()
    """Included files that are there and were not read."""
    hashes: Mapping[str, str] = {}
    """The SHA-256 of the text of each file (``hash_of``)."""


def read(paths: Iterable[str], prefix: str) -> Tree:
    """Read files one after the other. ``prefix`` is where relative includes start.

    Raises Failed if one of the files cannot be read; for an included file it is a finding.
    """
    reader = _Reader(prefix)
    directives = [directive for path in paths for directive in reader.read(path, ())]
    files, skipped = tuple(reader.files), tuple(reader.skipped)
    return Tree(tuple(directives), files, tuple(reader.findings), skipped, reader.hashes)


def hash_of(path: str) -> str:
    """Return the SHA-256 of a file's text. Raises Failed if it cannot be read."""
    return _hash(_text(path))


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8"))


def is_backup(path: str) -> bool:
    """Return whether the name is that of a backup by an editor, a package manager or a person."""
    return path.endswith(_BACKUPS)


def argument_errors(
    directives: Iterable[Directive], context: Tuple[str, ...]
) -> Iterator[Tuple[str, str]]:
    """Yield what crossplane's table of directives refuses: messages with their places.

    It replaces nginx on a host without one. It contains where a directive is allowed and how many
    arguments it takes, but no directive that is newer than itself.
    """
    from crossplane import analyzer, errors

    for one in directives:
        statement = {"directive": one.name, "args": list(one.args), "line": one.line}
        end = ";" if one.block is None else "{"
        try:
            if not one.is_unread:
                analyzer.analyze(one.file, statement, end, context)
        except errors.NgxParserDirectiveError as error:
            yield str(error.strerror), one.place
            continue
        inner = analyzer.enter_block_ctx(statement, context)
        yield from argument_errors(one.block or (), inner)


class _TooLarge(Failed):
    """The configuration as a whole is larger than jhpatch reads."""


class _Reader:
    """Reads each file once, and places its directives wherever it is included."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._parse = _parser()
        self._rows: Dict[str, Any] = {}
        self.files: List[str] = []
        self.hashes: Dict[str, str] = {}
        self.findings: List[Finding] = []
        self.skipped: List[str] = []
        self._count = 0

    def read(self, path: str, parents: Tuple[str, ...]) -> List[Directive]:
        """Return the directives of a file. Raises Failed if it cannot be read."""
        if path not in self._rows:
            self._rows[path] = self._read_rows(path)
            self.files.append(path)
        return list(self._directives(self._rows[path], path, parents + (path,)))

    def _read_rows(self, path: str) -> Any:
        text = _text(path)
        self.hashes[path] = _hash(text)
        engine = templates.engine_of(text)
        if engine is not None:
            message = "this file is written for %s" % engine
            self.findings.append(finding("template", message, path))
            return []
        payload = self._parse_text(text)
        for row in payload["errors"]:
            message = re.sub("/dev/fd/[0-9]+", lambda _: path, str(row["error"]))
            message = message or "the file ends in the middle of a directive"
            place = "%s:%s" % (path, row["line"]) if row["line"] else path
            self.findings.append(finding("config-broken", message, place))
        return payload["config"][0]["parsed"]

    def _parse_text(self, text: str) -> Any:
        """Parse text that was read: crossplane itself opens files, and would wait for a FIFO."""
        with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            path = "/dev/fd/%d" % file.fileno()
            return self._parse(path, single=True, check_ctx=False, check_args=False)

    def _directives(self, rows: Any, path: str, parents: Tuple[str, ...]) -> Iterator[Directive]:
        for row in rows:
            self._count += 1
            if self._count > _DIRECTIVES:
                raise _TooLarge(
                    "the configuration is too large, or its files include each other repeatedly",
                    path=path,
                    expected="at most %d directives" % _DIRECTIVES,
                    next=shell_command("grep", "-n", "include", path),
                )
            directive = Directive(row["directive"], tuple(row["args"]), path, row["line"])
            if directive.name == "include" and len(directive.args) != 1:
                message = 'invalid number of arguments in "include" directive'
                self.findings.append(finding("config-broken", message, directive.place))
            elif directive.name == "include":
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
                message = "the file includes itself, or includes are nested too deeply"
                self.findings.append(finding("config-broken", message, include.place))
                continue
            if len(paths) > 1 and is_backup(path):
                message = "%s matches a backup copy: %s" % (include.args[0], path)
                self.findings.append(finding("backup-included", message, include.place))
            try:
                yield from self.read(path, parents)
            except _TooLarge:
                raise
            except Failed as error:
                message = "%s: %s" % (error.message, path)
                self.findings.append(finding("not-known", message, include.place))
                if not _is_missing(path):
                    self.skipped.append(path)
                yield include


def _is_missing(path: str) -> bool:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _text(path: str) -> str:
    """Return a file's text. Raises Failed if it is not regular, too large or unreadable."""
    try:
        if os.path.realpath(path).startswith(_NO_FILES):
            raise OSError(errno.EINVAL, "is not a regular file", path)
        return read_text(path, _SIZE)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EFBIG, errno.ENXIO, errno.EISDIR):
            step = shell_command("ls", "-l", path)
            raise Failed(
                "the configuration is not a regular file of at most 4 MiB", path=path, next=step
            )
        raise Failed(
            "cannot read the configuration: %s" % error.strerror,
            path=path,
            next=jhpatch_command("nginx", "check", "CONFIG"),
        )


def _parser() -> Any:
    try:
        import crossplane
    except ImportError:
        raise Failed(
            "the check of a configuration needs crossplane, which is not installed",
            expected="crossplane, which jhpatch[nginx] requires",
            next=install_command("crossplane"),
        )
    return crossplane.parse


def main_file_above(path: str) -> Optional[str]:
    """Return the nginx.conf in the directory of ``path``, or in the nearest one above it."""
    directory = os.path.dirname(os.path.abspath(path))
    while True:
        main = os.path.join(directory, "nginx.conf")
        if os.path.isfile(main):
            return main
        if directory == "/":
            return None
        directory = os.path.dirname(directory)
