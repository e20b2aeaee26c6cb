"""An environment: a Python and its sites, read from files.

jhpatch imports nothing from it and starts no other interpreter. A *site* is a directory
of distributions. The sites of a Python are those that ``site`` and ``venv`` of CPython
define (Lib/site.py, PEP 405), in the order in which it imports from them: PYTHONPATH, those of
a venv, the user site of the user who runs it, then its own.
"""

import os
import re
import sys
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from jhpatch.installer import named_python
from jhpatch.namedtuple import NamedTuple

_LIBS = ("lib64", "lib")  # in the order in which Fedora's Python imports from them


class Site(NamedTuple):
    """A directory of distributions. ``inside``: whether it is below the environment's prefix."""

    path: str
    inside: bool
    archives: Tuple[str, ...] = ()
    """Files that its .pth files add to the import path: zips, wheels, eggs."""
    is_users: bool = False
    """Whether it is the user site of the user who runs jhpatch (PEP 370)."""
    precedes_user_site: bool = False
    """Whether Python imports from it first: that of a venv, and PYTHONPATH."""


class Environment(NamedTuple):
    """A Python and its sites, in the order of its import path."""

    python: Optional[str]
    prefix: str
    sites: Tuple[Site, ...]
    own: bool
    """Whether it is the environment that runs jhpatch."""
    version: str = ""
    """As in the names of its directories: ``3.11``, ``3.13t``; "" for a site without Python."""
    has_user_site: bool = False
    """Whether each user's own user site is on its import path."""
    is_venv: bool = False


def own_environment(environ: Optional[Mapping[str, str]] = None) -> Environment:
    """Return the environment that runs jhpatch; ``environ`` as in ``environment_of``."""
    import site

    if sys.flags.no_site and named_python.pyvenv_of(named_python.prefix_of(sys.executable)):
        # With -S, sys.prefix is not set to that of the venv (Lib/site.py, venv).
        return environment_of(sys.executable, environ)._replace(own=True)
    config = named_python.pyvenv_of(sys.prefix)
    # The abiflags of a Python without GIL have a t; those of 3.6 and 3.7 have an m.
    version = "%d.%d" % sys.version_info[:2] + ("t" if "t" in sys.abiflags else "")
    environment = Environment(
        sys.executable or None, sys.prefix, (), True, version, _has_user_site(config), bool(config)
    )
    directories = site.getsitepackages()
    if not config or _has_system_sites(config):  # with -I, Fedora's Python has not added its own
        more = _added_by_site_py(sys.base_prefix, version)
        directories = [path for path in more if path not in directories] + directories
    return _with_sites(environment, directories, environ)


def environment_of(python: str, environ: Optional[Mapping[str, str]] = None) -> Environment:
    """Return the environment of an interpreter or a directory, by its files alone.

    ``environ`` are the environment variables that a program in it has; by default none.
    Raises Usage if the path is no Python, or if its version cannot be determined; Failed if
    it cannot be read, Refused if it is too old.
    """
    prefix = named_python.prefix_of(python)
    config = named_python.pyvenv_of(prefix)
    version = named_python.version_of(python, prefix, config)
    directories = _site_directories(prefix, version, venv=bool(config))
    if _has_system_sites(config) and "home" in config:
        base = os.path.dirname(config["home"])
        directories += _site_directories(base, version, venv=False)
    interpreter = python if not os.path.isdir(python) else _interpreter(prefix)
    if interpreter is not None:
        # The compile check runs in another directory.
        interpreter = os.path.join(os.getcwd(), interpreter)
    own = interpreter is not None and prefix == sys.prefix
    environment = Environment(
        interpreter, prefix, (), own, version, _has_user_site(config), bool(config)
    )
    return _with_sites(environment, directories, environ)


def site_alone(path: str) -> Environment:
    """Return a site without its Python (``--site``), such as one in an image's root directory.

    Raises Usage, Failed, Refused as ``environment_of``.
    """
    directory = named_python.directory_of_site(path)
    path, archives = next(_with_pth_entries([directory]))
    return Environment(None, path, (Site(path, True, archives),), own=False)


# The sites of a Python.


def _with_sites(
    environment: Environment, directories: List[str], environ: Optional[Mapping[str, str]]
) -> Environment:
    """Add its own sites and, ahead of them, those of ``environ`` and of this user.

    Raises Failed if this user cannot determine whether one of its own exists.
    """
    for path in directories:
        named_python.refuse_denied(path)
    environ = environ or {}
    before = python_path(environ)
    users = user_site(environment, environ, _home(environ))
    top = environment.prefix if environment.is_venv else None
    first = [path for path in directories if top and _is_inside(path, top)]
    others = [path for path in directories if path not in first]
    sites = _sites(before, first, users, others, environment.prefix)
    return environment._replace(sites=sites)


def python_path(environ: Mapping[str, str]) -> List[str]:
    """Return the absolute directories of PYTHONPATH: relative ones depend on the process."""
    return [p for p in environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(p)]


def user_site(environment: Environment, environ: Mapping[str, str], home: str) -> Optional[str]:
    """Return the user site of a user with these variables, or None if Python has none."""
    if environ.get("PYTHONNOUSERSITE") or not environment.has_user_site:
        return None
    base = environ.get("PYTHONUSERBASE") or os.path.join(home, ".local")
    return os.path.join(base, "lib", "python" + environment.version, "site-packages")


def _home(environ: Mapping[str, str]) -> str:
    """Return the home directory of this user; sudo can keep HOME of the user who calls it."""
    home = environ.get("HOME") if os.geteuid() else None
    if home:
        return home
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return environ.get("HOME", "/")


def _has_system_sites(config: Dict[str, str]) -> bool:
    return config.get("include-system-site-packages", "").lower() == "true"


def _has_user_site(config: Dict[str, str]) -> bool:
    return not config or _has_system_sites(config)


def _sites(
    before: Iterable[str],
    first: Iterable[str],
    users: Optional[str],
    directories: Iterable[str],
    prefix: str,
) -> Tuple[Site, ...]:
    """Return the sites of PYTHONPATH, of a venv, of this user, and the other ones."""
    seen = set()
    sites: List[Site] = []
    rows: List[Tuple[str, Tuple[str, ...]]] = [(path, ()) for path in before]
    rows += _with_pth_entries(first)
    preceding = len(rows)
    rows += _with_pth_entries(([users] if users else []) + list(directories))
    for number, (path, archives) in enumerate(rows):
        try:
            status = os.stat(path)
        except OSError:
            continue
        if os.path.isdir(path) and (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            is_inside = _is_inside(path, prefix)
            sites.append(Site(path, is_inside, archives, path == users, number < preceding))
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
    try:
        names = sorted(os.listdir(directory))
    except OSError:  # the inspection of the site reports it
        return
    for name in names:
        if name.endswith(".pth") and not name.startswith("."):
            for line in named_python.lines_of(os.path.join(directory, name)):
                if line.strip() and not line.startswith(("#", "import ", "import\t")):
                    path = os.path.join(directory, line.strip())
                    if "\0" not in path:
                        yield os.path.abspath(path)


def _site_directories(prefix: str, minor: str, venv: bool) -> List[str]:
    version, more = "python" + minor, [] if venv else _added_by_site_py(prefix, minor)
    names = ["lib/%s/site-packages" % version, "lib64/%s/site-packages" % version]
    if not venv:  # Debian's directories, in the order of its Lib/site.py
        names = [
            "local/lib/%s/dist-packages" % version,
            "lib/python3/dist-packages",
            "lib/%s/dist-packages" % version,
        ] + names
    return more + [os.path.join(prefix, name) for name in names]


def _added_by_site_py(prefix: str, minor: str) -> List[str]:
    """Return the sites in /usr/local that the Python of Fedora, RHEL or openEuler adds.

    Its pip installs there, and its site.py has the prefix in ``addsitepackages`` (patch 00251 of
    Fedora's python3.spec).
    """
    version = "python" + minor
    for lib in _LIBS:
        lines = named_python.lines_of(os.path.join(prefix, lib, version, "site.py"))
        found = re.search(r'^ +PREFIXES\.insert\(0, "(/[^"]+)"\)$', "\n".join(lines), re.M)
        if found:
            return [os.path.join(found.group(1), one, version, "site-packages") for one in _LIBS]
    return []


def _interpreter(prefix: str) -> Optional[str]:
    for name in ("bin/python", "bin/python3"):
        path = os.path.join(prefix, name)
        if os.path.isfile(path):
            return path
    return None
