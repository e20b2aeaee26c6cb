"""The distributions that are installed in a site, by the names of its entries.

Only the metadata of the requested distributions is read; nothing is imported.
"""

import contextlib
import os
import re
import stat
from typing import Dict, Iterable, Iterator, List, Match, Optional

from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset.edition import normalized
from jhpatch.system.rooted_files import RootDir

EDITABLE, EGG, ARCHIVE = "an editable install", "an egg", "inside of the archive "
"""Layouts that cannot be patched in place; the path of the archive follows the last one."""
_INFO = re.compile(
    r"^(?P<name>.+?)-(?P<version>[0-9][^-]*)(-py[0-9.]+)?\.(?P<kind>dist-info|egg-info|egg)$"
)
_LEADING = "~-.=%0123456789"
_HEAD = 64 * 1024  # bytes of METADATA


class Distribution(NamedTuple):
    """An installed package."""

    name: str
    version: str
    info: str
    """The name of its metadata directory (or file) in the site."""
    layout: Optional[str]
    """Why it cannot be patched in place (editable, egg …); None if it can."""
    installer: Optional[str]

    @property
    def record(self) -> Optional[str]:
        """The path of its RECORD from the site's root; None for an egg-info."""
        return self.info + "/RECORD" if self.info.endswith(".dist-info") else None


def distributions(
    root: RootDir, names: Iterable[str], archives: Iterable[str] = ()
) -> Dict[str, List[Distribution]]:
    """Return the distributions ``names`` of a site, by normalized name.

    They are found by the names of entries; only their own metadata is read. An interrupted
    upgrade can leave two entries for a name. ``archives`` are those of the site.
    """
    requested = set(names)
    by_name: Dict[str, List[Distribution]] = {}
    with root.directory("") as directory:
        entries = directory.names()
    for entry in sorted(entries):
        if not entry.endswith((".dist-info", ".egg-info", ".egg", ".egg-link")):
            continue
        match = _INFO.match(entry)
        name = normalized(match.group("name") if match else entry.rpartition(".")[0])
        if name in requested and not _is_leftover(root, entry):
            by_name.setdefault(name, []).append(_distribution(root, entry, name))
    for path in archives:
        layout = ARCHIVE + path
        for match in _archived_names(path):
            name = normalized(match.group("name"))
            if name in requested and os.path.dirname(path) != root.path:
                distribution = Distribution(name, match.group("version"), path, layout, None)
                by_name.setdefault(name, []).append(distribution)
    return by_name


def is_listed(content: bytes, path: str) -> bool:
    """Return whether a RECORD lists ``path``; one that ends in ``/``, whether a file below it.

    It compares bytes, because parsing a RECORD takes some milliseconds.
    """
    raw = path.encode("utf-8", "surrogateescape")
    start = raw if path.endswith("/") else raw + b","
    rows = (start, b'"' + (raw if path.endswith("/") else raw + b'",'))
    return any(content.startswith(row) or b"\n" + row in content for row in rows)


def other_owner(root: RootDir, path: str, info: str) -> Optional[str]:
    """Return the metadata directory, other than ``info``, whose RECORD lists a path, or None."""
    with root.directory("") as directory:
        names = sorted(directory.names())
    for name in names:
        if name.endswith(".dist-info") and name != info:
            with contextlib.suppress(OSError):
                content = root.read(name + "/RECORD")
                if content and is_listed(content.data, path):
                    return name
    return None


def abandoned(root: RootDir, names: Iterable[str]) -> List[Distribution]:
    """Return the distributions ``names`` that an interrupted pip has renamed (``~…``).

    pip replaces the first letters of a name by ``~`` and others (AdjacentTempDirectory), and
    removes or renames it back at the end, unless it is killed.
    """
    with root.directory("") as directory:
        entries = [name for name in directory.names() if name.startswith("~")]
    found: List[Distribution] = []
    for entry in sorted(entries):
        match = _INFO.match(entry)
        if match is None:
            continue
        stem = match.group("name")
        tail = normalized(stem.lstrip(_LEADING))
        for name in sorted(names):
            if tail and name.endswith(tail) and name != tail and len(name) == len(stem):
                found.append(Distribution(name, match.group("version"), entry, None, "pip"))
    return found


def _archived_names(path: str) -> Iterator[Match[str]]:
    """Return the names of the metadata in a zip, a wheel or an egg; none for other files."""
    import zipfile

    names = {os.path.basename(path)}
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        # zipfile raises many kinds of errors for a file that is no zip.
        with contextlib.suppress(Exception), zipfile.ZipFile(file) as archive:
            names.update(name.partition("/")[0] for name in archive.namelist())
    return filter(None, map(_INFO.match, sorted(names)))


def _is_leftover(root: RootDir, entry: str) -> bool:
    """Return whether a metadata directory contains nothing but temporary files of jhpatch."""
    try:
        with root.directory(entry) as directory:
            return all(name.startswith(".jhpatch-") for name in directory.names())
    except OSError:  # an egg-info can be a file itself
        return False


def _distribution(root: RootDir, entry: str, name: str) -> Distribution:
    match = _INFO.match(entry)
    version = match.group("version") if match else ""
    if entry.endswith(".egg-link"):
        return Distribution(name, version, entry, EDITABLE, None)
    if entry.endswith(".egg"):
        return Distribution(name, version, entry, EGG, None)
    head = _metadata_head(root, entry)
    stated = re.search(r"^Version:[ \t]*(\S+)", head, re.M)
    if stated:
        version = stated.group(1)
    elif not version:
        version = _parse_version(head)
    layout = EDITABLE if _is_editable(root, entry) else _symlink_layout(root, entry)
    installer = _read_head(root, entry + "/INSTALLER").strip() or None
    return Distribution(name, version, entry, layout, installer)


def _metadata_head(root: RootDir, entry: str) -> str:
    """Return the head of METADATA or PKG-INFO; an egg-info can be a file itself (distutils)."""
    for path in (entry + "/METADATA", entry + "/PKG-INFO", entry):
        text = _read_head(root, path)
        if text:
            return text.partition("\n\n")[0]
    return ""


def _read_head(root: RootDir, path: str) -> str:
    try:
        content = root.read(path, cap=4 * 1024 * 1024)
    except OSError:
        return ""
    text = content.data[:_HEAD].decode("utf-8", "replace") if content else ""
    return text.replace("\r\n", "\n")


def _symlink_layout(root: RootDir, entry: str) -> Optional[str]:
    """Return the problem of metadata that is a symlink: a write would change its target."""
    for path in (entry, entry + "/RECORD"):
        try:
            directory, name = root.parent(path)
            with directory:
                status = directory.lstat(name)
        except OSError:  # an egg-info can be a file itself
            continue
        if status and stat.S_ISLNK(status.st_mode):
            return path + " is a symlink"
    return None


def _is_editable(root: RootDir, entry: str) -> bool:
    """Return whether direct_url.json declares an editable install (PEP 610, PEP 660)."""
    text = _read_head(root, entry + "/direct_url.json")
    return bool(text) and re.search(r'"editable"\s*:\s*true', text) is not None


def _parse_version(head: str) -> str:
    """Return the version of metadata that a regular expression cannot read, or ""."""
    from email.parser import HeaderParser

    return str(HeaderParser().parsestr(head)["Version"] or "").strip()
