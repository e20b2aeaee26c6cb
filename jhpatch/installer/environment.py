"""An environment: its sites and its distributions, read from files.

Nothing that is looked at is imported, and no other interpreter is started. A
*site* is a folder that holds distributions; which folders are the sites of a
Python is what ``site`` and ``venv`` of CPython say (Lib/site.py, PEP 405), less
what the caller's environment variables add.
"""

import contextlib
import os
import re
import stat
import sys
from typing import Dict, Iterable, Iterator, List, Match, Optional, Tuple

from jhpatch.errors import Usage
from jhpatch.namedtuple import NamedTuple
from jhpatch.system.files import read_head
from jhpatch.system.rooted_files import RootDir

_INFO = re.compile(
    r"^(?P<name>.+?)-(?P<version>[0-9][^-]*)(-py[0-9.]+)?\.(?P<kind>dist-info|egg-info|egg)$"
)
_HEAD = 64 * 1024


class Site(NamedTuple):
    """A folder that holds distributions. ``inside``: it lies in the environment's prefix."""

    path: str
    inside: bool
    archives: Tuple[str, ...] = ()
    """Files that its .pth files put on the import path: zips, wheels, eggs."""


class Environment(NamedTuple):
    """A Python and its sites, in the order of its import path."""

    python: Optional[str]
    prefix: str
    sites: Tuple[Site, ...]
    own: bool
    """Whether it is the environment that runs jhpatch."""


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


def own_environment() -> Environment:
    """The environment that runs jhpatch; the user's own site counts unless root asks."""
    import site

    if sys.flags.no_site and _pyvenv(_prefix(sys.executable)):
        # With -S nobody has told sys.prefix of the venv (Lib/site.py, venv).
        return environment_of(sys.executable)._replace(own=True)
    folders = list(site.getsitepackages())
    if site.ENABLE_USER_SITE and os.geteuid() != 0:
        folders.append(site.getusersitepackages())
    python = sys.executable or None
    return Environment(python, sys.prefix, _sites(folders, sys.prefix), own=True)


def environment_of(python: str) -> Environment:
    """The environment of an interpreter, or of the folder of one, by its files alone.

    Raises Usage where the path is no Python, or where its version cannot be told.
    """
    prefix = _prefix(python)
    config = _pyvenv(prefix)
    folders = _folders(prefix, _minor(python, prefix, config), venv=bool(config))
    if config.get("include-system-site-packages", "").lower() == "true" and "home" in config:
        base = os.path.dirname(config["home"])
        folders += _folders(base, _minor(python, prefix, config), venv=False)
    interpreter = python if not os.path.isdir(python) else _interpreter(prefix)
    own = interpreter is not None and prefix == sys.prefix
    return Environment(interpreter, prefix, _sites(folders, prefix), own)


def site_alone(path: str) -> Environment:
    """A site named by itself (``--site``), such as one in an image's root folder."""
    if not os.path.isdir(path):
        raise Usage(
            "--site names no folder", path=path, expected="a site-packages folder", found="nothing"
        )
    path, archives = next(_with_pth([os.path.abspath(path)]))
    return Environment(None, path, (Site(path, True, archives),), own=False)


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
    with root.folder("") as folder:
        entries = folder.names()
    for entry in sorted(entries):
        if not entry.endswith((".dist-info", ".egg-info", ".egg", ".egg-link")):
            continue
        match = _INFO.match(entry)
        name = _normalized(match.group("name") if match else entry.rpartition(".")[0])
        if name in names and not _is_left_over(root, entry):
            found.setdefault(name, []).append(_distribution(root, entry, name))
    for path in archives:
        layout = "inside of the archive " + path
        for match in _zipped(path):
            name = _normalized(match.group("name"))
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
        with root.folder(entry) as folder:
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


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()


# Where the sites of a Python lie.


def _sites(folders: Iterable[str], prefix: str) -> Tuple[Site, ...]:
    seen = set()
    sites: List[Site] = []
    for path, archives in _with_pth(folders):
        try:
            found = os.stat(path)
        except OSError:
            continue
        if (found.st_dev, found.st_ino) not in seen:
            seen.add((found.st_dev, found.st_ino))
            sites.append(Site(path, _is_inside(path, prefix), archives))
    return tuple(sites)


def _is_inside(path: str, prefix: str) -> bool:
    top = os.path.realpath(prefix).rstrip("/") + "/"
    return (os.path.realpath(path) + "/").startswith(top)


def _with_pth(folders: Iterable[str]) -> Iterator[Tuple[str, Tuple[str, ...]]]:
    """The folders and the archives that their .pth files add, each followed by the folders
    that these add (Lib/site.py, addpackage).
    """
    for folder in folders:
        if os.path.isdir(folder):
            added = list(_added(folder))
            yield folder, tuple(path for path in added if os.path.isfile(path))
            for path in added:
                if os.path.isdir(path):
                    yield path, ()


def _added(folder: str) -> Iterator[str]:
    for name in sorted(os.listdir(folder)):
        if name.endswith(".pth") and not name.startswith("."):
            for line in _lines(os.path.join(folder, name)):
                if line.strip() and not line.startswith(("#", "import ", "import\t")):
                    path = os.path.join(folder, line.strip())
                    if "\0" not in path:
                        yield os.path.abspath(path)


def _lines(path: str) -> List[str]:
    try:
        return os.fsdecode(read_head(path, _HEAD)).splitlines()
    except OSError:
        return []


def _prefix(python: str) -> str:
    if os.path.isdir(python):
        return os.path.abspath(python)
    if not os.path.isfile(python):
        raise Usage(
            "--python names no interpreter",
            path=python,
            expected="a Python, or the folder of an environment",
            found="nothing",
        )
    here = os.path.dirname(os.path.dirname(os.path.abspath(python)))
    if os.path.isfile(os.path.join(here, "pyvenv.cfg")) or _minors(here):
        return here
    return os.path.dirname(os.path.dirname(os.path.realpath(python)))


def _pyvenv(prefix: str) -> Dict[str, str]:
    """pyvenv.cfg as a dict of lower-case keys (PEP 405); empty where there is none."""
    rows = (line.partition("=") for line in _lines(os.path.join(prefix, "pyvenv.cfg")))
    return {key.strip().lower(): value.strip() for key, found, value in rows if found}


def _minor(python: str, prefix: str, config: Dict[str, str]) -> str:
    """``3.11`` of an environment. Raises Usage where its files do not tell."""
    for text in (
        config.get("version_info", ""),
        config.get("version", ""),
        os.path.basename(os.path.realpath(python)).replace("python", ""),
    ):
        match = re.match(r"^([0-9]+\.[0-9]+)", text)
        if match:
            return match.group(1)
    minors = _minors(prefix)
    if len(minors) == 1:
        return minors[0]
    raise Usage(
        "cannot tell the sites of a Python from its files",
        path=python,
        expected="lib/pythonX.Y in " + prefix,
        found=", ".join(minors) or "none",
        next="name the site itself: --site DIR",
    )


def _minors(prefix: str) -> List[str]:
    try:
        names = os.listdir(os.path.join(prefix, "lib"))
    except OSError:
        return []
    matches = (re.match(r"^python([0-9]+\.[0-9]+)$", name) for name in sorted(names))
    return [match.group(1) for match in matches if match]


def _folders(prefix: str, minor: str, venv: bool) -> List[str]:
    version = "python" + minor
    names = ["lib/%s/site-packages" % version, "lib64/%s/site-packages" % version]
    if not venv:  # Debian's places, in the order of its Lib/site.py
        names = [
            "local/lib/%s/dist-packages" % version,
            "lib/python3/dist-packages",
            "lib/%s/dist-packages" % version,
        ] + names
    return [os.path.join(prefix, name) for name in names]


def _interpreter(prefix: str) -> Optional[str]:
    for name in ("bin/python", "bin/python3"):
        path = os.path.join(prefix, name)
        if os.path.isfile(path):
            return path
    return None
