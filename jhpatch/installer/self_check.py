"""The comparison of the files of the running jhpatch with its RECORD.

It finds changes that were made after the installation. It is only as trustworthy as the wheel
and as the directory that contains the files and RECORD.
"""

import glob
import os
import sys
from typing import Dict, Iterator, Optional

from jhpatch import __version__
from jhpatch.errors import Failed, NextStep, Refused
from jhpatch.installer import record, reinstall_advice
from jhpatch.installer.distribution import Distribution
from jhpatch.installer.environment import Site, own_environment
from jhpatch.installer.named_python import lines_of
from jhpatch.system.rooted_files import RootDir, UnsafePath
from jhpatch.system.sha256 import sha256

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def findings(package: str = _PACKAGE) -> Iterator[Failed]:
    """Yield an error for each file that is changed, missing or not in RECORD.

    Raises Refused without exactly one RECORD, as in a checkout.
    """
    site, name = os.path.split(package)
    path = _record_path(site, name)
    with RootDir(site) as root:
        content = root.read(os.path.relpath(path, site))
        rows = record.parse(content.data if content else b"")
        recorded = {row.path: row.sha256 for row in rows if row.path.startswith(name + "/")}
        actual = _package_hashes(root, name)
        for file in sorted(set(recorded) | set(actual)):
            if _is_bytecode(file):
                continue  # pip and Python write it; RECORD has no hash of it
            if recorded.get(file) is None or recorded.get(file) != actual.get(file):
                yield _finding(os.path.join(site, file), recorded.get(file), actual.get(file))


def reinstall_jhpatch() -> NextStep:
    """Return how to reinstall the jhpatch that runs."""
    environment = own_environment()
    directory = os.path.dirname(_PACKAGE)
    sites = (site for site in environment.sites if site.path == directory)
    site = next(sites, Site(directory, directory.startswith(sys.prefix + "/")))
    paths = glob.glob(os.path.join(glob.escape(directory), "jhpatch-*.dist-info"))
    info = os.path.basename(paths[0]) if paths else "jhpatch"
    installer = "".join(lines_of(os.path.join(directory, info, "INSTALLER"))).strip() or None
    jhpatch = Distribution("jhpatch", __version__, info, None, installer)
    return reinstall_advice.advice(environment, site, [jhpatch])


def _record_path(site: str, name: str) -> str:
    paths = glob.glob(os.path.join(glob.escape(site), name + "-*.dist-info", "RECORD"))
    if len(paths) != 1:
        raise Refused(
            "jhpatch cannot determine the RECORD to compare its files with",
            path=site,
            expected="one %s-*.dist-info/RECORD" % name,
            found="%d" % len(paths),
            next="install jhpatch from a wheel, not with pip install -e",
        )
    return paths[0]


def _package_hashes(root: RootDir, name: str) -> Dict[str, Optional[str]]:
    """Return the SHA-256 of each file of a package by its path; None if it is not regular."""
    hashes: Dict[str, Optional[str]] = {}
    for directory, directories, names in os.walk(os.path.join(root.path, name)):
        links = [entry for entry in directories if os.path.islink(os.path.join(directory, entry))]
        for entry in names + links:
            path = os.path.relpath(os.path.join(directory, entry), root.path)
            try:
                content = root.read(path)
            except UnsafePath:
                content = None
            hashes[path] = sha256(content.data) if content else None
    return hashes


def _is_bytecode(path: str) -> bool:
    return path.endswith(".pyc") and "/__pycache__/" in path


def _finding(path: str, recorded: Optional[str], digest: Optional[str]) -> Failed:
    return Failed(
        "a file of jhpatch differs from its RECORD",
        path=path,
        expected="sha256:" + recorded if recorded else "no such file",
        found="sha256:" + digest if digest else "no regular file",
        next=reinstall_jhpatch(),
    )
