"""The patch directories that no option names: the standing one, and installed patch sets.

A patch set is a wheel whose entry point group ``jhpatch.patches`` names a package of it, whose
directory is a patch directory. The package is not imported, so no code of it runs. This
module reads the entry points, because importlib.metadata takes 37 ms and Python 3.6 lacks it.
"""

import contextlib
import os
import re
from typing import Dict, Iterable, Iterator, List, Tuple

from jhpatch.system.files import read_head

STANDING = "/etc/jhpatch/patches"
"""The patch directory of this host, if it exists."""
GROUP = "jhpatch.patches"
_HEAD = 1024 * 1024  # bytes of an entry_points.txt
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")


def installed(path: Iterable[str]) -> List[Tuple[str, str]]:
    """Return the name and the directory of each patch set on an import path, by name.

    The directory may be missing: the caller reports it. Of two copies of a package, the first
    counts. Two sets can have the same name for their entry points.
    """
    found: Dict[str, Tuple[str, str]] = {}
    for site in path:
        for name, package in _entry_points(site):
            if package not in found:
                found[package] = (name, _directory(site, package))
    return sorted(found.values())


def _entry_points(site: str) -> Iterator[Tuple[str, str]]:
    """Yield the entry points of the group in a directory of distributions."""
    with contextlib.suppress(OSError):
        for entry in os.listdir(site or "."):
            if entry.endswith((".dist-info", ".egg-info")):
                with contextlib.suppress(OSError):
                    head = read_head(os.path.join(site, entry, "entry_points.txt"), _HEAD)
                    if GROUP.encode() in head:
                        yield from _parse(head.decode("utf-8", "replace"))


def _parse(text: str) -> Iterator[Tuple[str, str]]:
    """Yield ``NAME = PACKAGE`` of the group (packaging.python.org, entry points)."""
    section = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section == "[%s]" % GROUP and not line.startswith(("#", ";")):
            name, separator, package = (part.strip() for part in line.partition("="))
            if separator and name:
                yield name, package


def _directory(site: str, package: str) -> str:
    """Return the directory of a package without importing it."""
    if not _NAME.match(package):
        return os.path.join(site, package)  # not a package name: the path does not exist
    path = os.path.join(site, *package.split("."))
    if not os.path.isdir(path):  # an editable install, whose finder knows the directory
        from importlib.util import find_spec

        top, _, rest = package.partition(".")
        with contextlib.suppress(Exception):  # a finder of another package can raise any
            spec = find_spec(top)
            places = list(spec.submodule_search_locations or ()) if spec else []
            if places:
                return os.path.join(places[0], *filter(None, rest.split(".")))
    return path
