"""An environment: a Python and its sites, read from files.

Nothing of it is imported, and no other interpreter is started. A *site* is a directory
of distributions. The sites of a Python are those that ``site`` and ``venv`` of CPython
define (Lib/site.py, PEP 405), without the effects of the caller's environment variables.
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
    """A directory of distributions. ``inside``: whether it is below the environment's prefix."""

    path: str
    inside: bool
    archives: Tuple[str, ...] = ()
    """Files that its .pth files add to the import path: zips, wheels, eggs."""


class Environment(NamedTuple):
    """A Python and its sites, in the order of its import path."""

    python: Optional[str]
    prefix: str
    sites: Tuple[Site, ...]
    own: bool
    """Whether it is the environment that runs jhpatch."""


def own_environment() -> Environment:
    """Return the environment that runs jhpatch, with the user site unless the user is root."""
    import site

    if sys.flags.no_site and _pyvenv(_prefix(sys.executable)):
        # With -S, sys.prefix is not set to that of the venv (Lib/site.py, venv).
        return environment_of(sys.executable)._replace(own=True)
    directories = list(site.getsitepackages())
    if site.ENABLE_USER_SITE and os.geteuid() != 0:
        directories.append(site.getusersitepackages())
    python = sys.executable or None
    return Environment(python, sys.prefix, _sites(directories, sys.prefix), own=True)


def environment_of(python: str) -> Environment:
    """Return the environment of an interpreter or a directory, by its files alone.

    Raises Usage if the path is no Python, or if its version cannot be determined.
    """
    prefix = _prefix(python)
    config = _pyvenv(prefix)
    directories = _site_directories(prefix, _minor(python, prefix, config), venv=bool(config))
    if config.get("include-system-site-packages", "").lower() == "true" and "home" in config:
        base = os.path.dirname(config["home"])
        directories += _site_directories(base, _minor(python, prefix, config), venv=False)
    interpreter = python if not os.path.isdir(python) else _interpreter(prefix)
    own = interpreter is not None and prefix == sys.prefix
    return Environment(interpreter, prefix, _sites(directories, prefix), own)


def site_alone(path: str) -> Environment:
    """Return a site without its Python (``--site``), such as one in an image's root directory."""
    if not os.path.isdir(path):
        raise Usage(
            "--site names no folder", path=path, expected="a site-packages folder", found="nothing"
        )
    path, archives = next(_with_pth_entries([os.path.abspath(path)]))
    return Environment(None, path, (Site(path, True, archives),), own=False)


# The sites of a Python.


def _sites(directories: Iterable[str], prefix: str) -> Tuple[Site, ...]:
    seen = set()
    sites: List[Site] = []
    for path, archives in _with_pth_entries(directories):
        try:
            status = os.stat(path)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            sites.append(Site(path, _is_inside(path, prefix), archives))
    return tuple(sites)


def _is_inside(path: str, prefix: str) -> bool:
    top = os.path.realpath(prefix).rstrip("/") + "/"
    return (os.path.realpath(path) + "/").startswith(top)


def _with_pth_entries(directories: Iterable[str]) -> Iterator[Tuple[str, Tuple[str, ...]]]:
    """Yield each directory with the archives that its .pth files add, followed by the
    directories that these add (Lib/site.py, addpackage).
    """
    for directory in directories:
        if os.path.isdir(directory):
            added = list(_pth_entries(directory))
            yield directory, tuple(path for path in added if os.path.isfile(path))
            for path in added:
                if os.path.isdir(path):
                    yield path, ()


def _pth_entries(directory: str) -> Iterator[str]:
    for name in sorted(os.listdir(directory)):
        if name.endswith(".pth") and not name.startswith("."):
            for line in _lines(os.path.join(directory, name)):
                if line.strip() and not line.startswith(("#", "import ", "import\t")):
                    path = os.path.join(directory, line.strip())
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
    prefix = os.path.dirname(os.path.dirname(os.path.abspath(python)))
    if os.path.isfile(os.path.join(prefix, "pyvenv.cfg")) or _minors(prefix):
        return prefix
    return os.path.dirname(os.path.dirname(os.path.realpath(python)))


def _pyvenv(prefix: str) -> Dict[str, str]:
    """Read pyvenv.cfg as a dict of lower-case keys (PEP 405); empty if there is none."""
    rows = (line.partition("=") for line in _lines(os.path.join(prefix, "pyvenv.cfg")))
    return {key.strip().lower(): value.strip() for key, separator, value in rows if separator}


def _minor(python: str, prefix: str, config: Dict[str, str]) -> str:
    """Return the minor version such as ``3.11``. Raises Usage if no file tells it."""
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


def _site_directories(prefix: str, minor: str, venv: bool) -> List[str]:
    version = "python" + minor
    names = ["lib/%s/site-packages" % version, "lib64/%s/site-packages" % version]
    if not venv:  # Debian's directories, in the order of its Lib/site.py
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
