"""The configuration that a path names: a site file in the context of its nginx.conf."""

import os
from typing import FrozenSet, List, Mapping, Optional, Tuple

from jhpatch.errors import Failed, shell_command
from jhpatch.namedtuple import NamedTuple
from jhpatch.nginx import parser
from jhpatch.nginx.directives import Directive, walk
from jhpatch.report.result import Finding

_MAIN = ("events", "http", "stream", "mail")


class Configuration(NamedTuple):
    """A configuration of nginx, as far as it is known."""

    directives: Tuple[Directive, ...]
    """The content of the http block; a site file counts as a part of one."""
    files: Tuple[str, ...]
    findings: Tuple[Finding, ...] = ()
    top: Tuple[Directive, ...] = ()
    """The content of the main file, or of the site files."""
    main: Optional[str] = None
    """The main file, if it was read."""
    subject: Optional[FrozenSet[str]] = None
    """The real paths of the files to check; None for all."""

    skipped: Tuple[str, ...] = ()
    """Included files that are there and were not read."""
    hashes: Mapping[str, str] = {}
    """The SHA-256 of the text of each file that was read."""

    @property
    def streams(self) -> Tuple[Directive, ...]:
        """The stream blocks."""
        return tuple(one for one in self.top if one.name == "stream")

    @property
    def prefix(self) -> str:
        """The directory at which relative paths start."""
        return os.path.dirname(os.path.abspath(self.main or self.files[0]))

    def concerns(self, block: Directive) -> bool:
        """Return whether a block contains directives of the files to check."""
        if self.subject is None:
            return True
        files = {one.file for one in walk((block,))}
        return any(os.path.realpath(file) in self.subject for file in files)


def read(path: str) -> Configuration:
    """Read a main file, all files of a directory, or a site file in its context.

    The context is the nearest nginx.conf above the site file, with the files that it includes. If
    the site file is not one of them, it is added to the http block. Raises Failed.
    """
    if os.path.isdir(path):
        main = os.path.join(path, "nginx.conf")
        paths = [main] if os.path.exists(main) else _files(path)
    else:
        paths = [path]
    above = parser.main_file_above(paths[0])
    prefix = os.path.dirname(above) if above else os.path.dirname(os.path.abspath(paths[0]))
    tree = parser.read(paths, prefix)
    if any(one.name in _MAIN for one in tree.directives):
        main = os.path.abspath(paths[0])
        return _configuration(tree, _http(tree.directives), main)
    alone = _configuration(tree, tree.directives, None)
    if above is None or os.path.realpath(above) in map(os.path.realpath, paths):
        return alone
    return _in_context(alone, above, frozenset(os.path.realpath(one) for one in paths))


def _configuration(
    tree: parser.Tree, directives: Tuple[Directive, ...], main: Optional[str]
) -> Configuration:
    return Configuration(
        directives,
        tree.files,
        tree.findings,
        tree.directives,
        main,
        skipped=tree.skipped,
        hashes=tree.hashes,
    )


def _in_context(site: Configuration, main: str, subject: FrozenSet[str]) -> Configuration:
    try:
        tree = parser.read([main], os.path.dirname(main))
    except Failed:
        return site
    read_files = {os.path.realpath(file) for file in tree.files}
    configuration = _configuration(tree, _http(tree.directives), main)._replace(subject=subject)
    if subject <= read_files:
        return configuration
    http = next((one for one in tree.directives if one.name == "http"), None)
    if http is None:
        return site
    added = http._replace(block=(http.block or ()) + site.directives)
    return configuration._replace(
        directives=configuration.directives + site.directives,
        files=site.files + tree.files,
        findings=site.findings + tree.findings,
        skipped=site.skipped + tree.skipped,
        hashes={**tree.hashes, **site.hashes},
        top=tuple(added if one is http else one for one in tree.directives),
    )


def _http(directives: Tuple[Directive, ...]) -> Tuple[Directive, ...]:
    content: List[Directive] = []
    for directive in directives:
        if directive.name == "http":
            content += directive.block or ()
    return tuple(content)


def _files(path: str) -> List[str]:
    """Return all files of a directory but hidden ones and backups. Raises Failed."""
    names = (name for name in sorted(os.listdir(path)) if name[0] not in ".#")
    paths = [os.path.join(path, name) for name in names if not parser.is_backup(name)]
    files = [file for file in paths if os.path.isfile(file)]
    if not files:
        raise Failed(
            "the directory contains no configuration file",
            path=path,
            next=shell_command("ls", "-la", path),
        )
    return files
