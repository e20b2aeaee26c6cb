"""The distributions that are installed in a site, by the names of its entries.

Only the head of the metadata of those asked for is read; nothing is imported.
"""

import contextlib
import os
import re
import stat
from typing import Dict, Iterable, Iterator, List, Match, Optional

from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset.edition import normalized
from jhpatch.system.rooted_files import RootDir

_INFO = re.compile(
    r"^(?P<name>.+?)-(?P<version>[0-9][^-]*)(-py[0-9.]+)?\.(?P<kind>dist-info|egg-info|egg)$"
)
_HEAD = 64 * 1024  # bytes of METADATA


class Distribution(NamedTuple):
    """An installed package."""

    name: str
    version: str
    info: str
    """Its metadata folder's (or file's) name in the site."""
    layout: Optional[str]
    """Why it cannot be patched in place (editable, egg …); None where it can."""
    installer: Optional[str]

    @property
    def record(self) -> Optional[str]:
        """The path of its RECORD from the site's root; None for an egg-info."""
        return self.info + "/RECORD" if self.info.endswith(".dist-info") else None


def distributions(
    root: RootDir, wanted: Iterable[str], archives: Iterable[str] = ()
) -> Dict[str, List[Distribution]]:
    """The distributions of a site that are ``wanted``, by normalized name.

    Found by the names of folders; only the metadata of those wanted is read. Two
    entries under a name are what an upgrade that died leaves behind. ``archives`` are
    those of the site.
    """
    names = set(wanted)
    found: Dict[str, List[Distribution]] = {}
    with root.directory("") as folder:
        entries = folder.names()
    for entry in sorted(entries):
        if not entry.endswith((".dist-info", ".egg-info", ".egg", ".egg-link")):
            continue
        match = _INFO.match(entry)
        name = normalized(match.group("name") if match else entry.rpartition(".")[0])
        if name in names and not _is_left_over(root, entry):
            found.setdefault(name, []).append(_distribution(root, entry, name))
    for path in archives:
        layout = "inside of the archive " + path
        for match in _zipped(path):
            name = normalized(match.group("name"))
            if name in names and os.path.dirname(path) != root.path:
                one = Distribution(name, match.group("version"), path, layout, None)
                found.setdefault(name, []).append(one)
    return found


def _zipped(path: str) -> Iterator[Match[str]]:
    """The names of the metadata in a zip, a wheel or an egg; of what is none, nothing."""
    import zipfile

    names = {os.path.basename(path)}
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        # zipfile says in many ways that a file is no zip.
        with contextlib.suppress(Exception), zipfile.ZipFile(file) as archive:
            names.update(name.partition("/")[0] for name in archive.namelist())
    return filter(None, map(_INFO.match, sorted(names)))


def _is_left_over(root: RootDir, entry: str) -> bool:
    """A metadata folder that only a temporary file of ours has kept from being taken away."""
    try:
        with root.directory(entry) as folder:
            return all(name.startswith(".jhpatch-") for name in folder.names())
    except OSError:  # an egg-info may be a file by itself
        return False


def _distribution(root: RootDir, entry: str, name: str) -> Distribution:
    match = _INFO.match(entry)
    version = match.group("version") if match else ""
    if entry.endswith(".egg-link"):
        return Distribution(name, version, entry, "an editable install", None)
    if entry.endswith(".egg"):
        return Distribution(name, version, entry, "an egg", None)
    head = _head(root, entry)
    stated = re.search(r"^Version:[ \t]*(\S+)", head, re.M)
    if stated:
        version = stated.group(1)
    elif not version:
        version = _parsed_version(head)
    layout = "an editable install" if _is_editable(root, entry) else _linked(root, entry)
    installer = _small(root, entry + "/INSTALLER").strip() or None
    return Distribution(name, version, entry, layout, installer)


def _head(root: RootDir, entry: str) -> str:
    """The head of METADATA or PKG-INFO; an egg-info may be a file by itself (distutils)."""
    for path in (entry + "/METADATA", entry + "/PKG-INFO", entry):
        text = _small(root, path)
        if text:
            return text.partition("\n\n")[0]
    return ""


def _small(root: RootDir, path: str) -> str:
    try:
        found = root.read(path, cap=4 * 1024 * 1024)
    except OSError:
        return ""
    return found.data[:_HEAD].decode("utf-8", "replace").replace("\r\n", "\n") if found else ""


def _linked(root: RootDir, entry: str) -> Optional[str]:
    """Metadata that lies elsewhere: what is written in RECORD would be written there."""
    for path in (entry, entry + "/RECORD"):
        try:
            folder, name = root.parent(path)
            with folder:
                found = folder.lstat(name)
        except OSError:  # an egg-info may be a file by itself
            continue
        if found and stat.S_ISLNK(found.st_mode):
            return path + " is a symlink"
    return None


def _is_editable(root: RootDir, entry: str) -> bool:
    """PEP 610 and PEP 660: direct_url.json says so."""
    said = _small(root, entry + "/direct_url.json")
    return bool(said) and re.search(r'"editable"\s*:\s*true', said) is not None


def _parsed_version(head: str) -> str:
    """The version in metadata that is written in an odd way; empty for none."""
    from email.parser import HeaderParser

    return str(HeaderParser().parsestr(head)["Version"] or "").strip()
