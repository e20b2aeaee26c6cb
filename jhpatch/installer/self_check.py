"""Whether the jhpatch that runs is the one that was installed: its files against its RECORD.

For whoever wants to know after the fact; what a RECORD says is worth as much as the
wheel that it came from, and as the folder in which both lie.
"""

import glob
import os
from typing import Dict, Iterator, Optional

from jhpatch.errors import Failed, Refused, python_command, reinstall_command
from jhpatch.installer import record
from jhpatch.system.rooted_files import RootDir, UnsafePath
from jhpatch.system.sha256 import sha256

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def findings(package: str = _PACKAGE) -> Iterator[Failed]:
    """What differs from RECORD, file by file: changed, missing, or not of the wheel.

    Raises Refused where jhpatch was not installed from a wheel, so that nothing can be
    compared.
    """
    site, name = os.path.split(package)
    path = _record_of(site, name)
    with RootDir(site) as root:
        found = root.read(os.path.relpath(path, site))
        rows = record.parse(found.data if found else b"")
        stated = {row.path: row.sha256 for row in rows if row.path.startswith(name + "/")}
        there = _files(root, name)
        for one in sorted(set(stated) | set(there)):
            if _is_bytecode(one):
                continue  # pip and Python write them, and no RECORD has their hashes
            if stated.get(one) is None or stated.get(one) != there.get(one):
                yield _finding(os.path.join(site, one), stated.get(one), there.get(one))


def _record_of(site: str, name: str) -> str:
    found = glob.glob(os.path.join(glob.escape(site), name + "-*.dist-info", "RECORD"))
    if len(found) != 1:
        raise Refused(
            "jhpatch is not installed from a wheel here: there is nothing to compare it with",
            path=site,
            expected="one %s-*.dist-info/RECORD" % name,
            found="%d" % len(found),
            next=python_command("pip", "install", "jhpatch") + ", without -e",
        )
    return found[0]


def _files(root: RootDir, name: str) -> Dict[str, Optional[str]]:
    """Each file of a package by its path from the site, with its SHA-256; None: no plain file."""
    hashes: Dict[str, Optional[str]] = {}
    for above, folders, names in os.walk(os.path.join(root.path, name)):
        links = [one for one in folders if os.path.islink(os.path.join(above, one))]
        for one in names + links:
            path = os.path.relpath(os.path.join(above, one), root.path)
            try:
                found = root.read(path)
            except UnsafePath:
                found = None
            hashes[path] = sha256(found.data) if found else None
    return hashes


def _is_bytecode(path: str) -> bool:
    return path.endswith(".pyc") and "/__pycache__/" in path


def _finding(path: str, stated: Optional[str], found: Optional[str]) -> Failed:
    return Failed(
        "a file of jhpatch that is not as it was installed",
        path=path,
        expected="sha256:" + stated if stated else "no such file",
        found="sha256:" + found if found else "no plain file",
        next=reinstall_command("jhpatch"),
    )
