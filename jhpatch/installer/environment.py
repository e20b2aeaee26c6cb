"""An environment: its sites and its distributions, read from files.

Nothing that is looked at is imported, and no other interpreter is started. A
*site* is a folder that holds distributions; which folders are the sites of a
Python is what ``site`` and ``venv`` of CPython say (Lib/site.py, PEP 405), less
what the caller's environment variables add.
"""

import os
import re
import sys
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

from jhpatch.errors import Usage
from jhpatch.namedtuple import NamedTuple
from jhpatch.system.files import read_head

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
