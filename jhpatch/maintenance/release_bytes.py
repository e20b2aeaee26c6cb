"""The bytes that a release shipped, each proved by the SHA-256 of RECORD.

They come from the first of these sources that has them: originals that jhpatch saved, named
wheels, a directory of wheels, pip's cache, and the package index through pip.
"""

import contextlib
import os
import zipfile
from typing import Callable, Dict, Iterator, List, Optional, Tuple

from jhpatch.errors import Failed, Usage
from jhpatch.maintenance import wheels
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset.edition import normalized
from jhpatch.system.sha256 import sha256

Saved = Callable[[str], Optional[bytes]]
"""Returns a saved original by its SHA-256, or None."""


class Sources(NamedTuple):
    """Where to look for the bytes of a release."""

    saved: Saved = lambda digest: None
    wheels: Tuple[str, ...] = ()
    """Wheels that are named."""
    directory: Optional[str] = None
    """A directory of wheels, to which pip downloads a missing one."""
    cache: bool = True
    """Whether to read pip's cache."""
    network: bool = True
    """Whether pip may ask the package index."""


class Found(NamedTuple):
    """The files that were found, and why each source that was tried lacks others."""

    files: Dict[str, bytes]
    tried: List[str]


def find(name: str, version: str, hashes: Dict[str, str], sources: Sources) -> Found:
    """Return the files of a release whose SHA-256 are ``hashes``, by path.

    Raises Usage for a named wheel of another release.
    """
    found = Found({}, [])

    def take(files: Dict[str, bytes]) -> bool:
        for path, data in files.items():
            if sha256(data) == hashes[path]:
                found.files[path] = data
        return len(found.files) == len(hashes)

    saved = {path: sources.saved(digest) for path, digest in hashes.items()}
    if take({path: data for path, data in saved.items() if data is not None}):
        return found
    for wheel in sources.wheels:
        refuse_other_release(wheel, name, version)
        if take(wheels.read_files(wheel, hashes)):
            return found
        found.tried.append("%s does not contain the original" % os.path.basename(wheel))
    for wheel in wheels.of_release(name, version, sources.directory):
        if take(wheels.read_files(wheel, hashes)):
            return found
        found.tried.append("%s does not contain the original" % os.path.basename(wheel))
    if sources.cache:
        try:
            for wheel in _cached(wheels.cache_directory(), name, version):
                with contextlib.suppress(Failed):
                    if take(wheels.read_files(wheel, hashes)):
                        return found
            found.tried.append("pip's cache has no wheel with the original")
        except Failed as error:
            found.tried.append(error.message)
    if sources.network:
        try:
            with wheels.directory_for_downloads(sources.directory) as directory:
                if take(wheels.read_files(wheels.fetch(name, version, directory), hashes)):
                    return found
                found.tried.append("the wheel of the package index does not contain the original")
        except Failed as error:
            found.tried.append(error.message)
    return found


def refuse_other_release(wheel: str, name: str, version: str) -> None:
    """Raise Usage for a wheel of another release."""
    wheel_name, wheel_version = wheels.release_of(wheel)
    if (normalized(wheel_name), wheel_version) != (normalized(name), version):
        raise Usage(
            "the wheel is for another release",
            path=wheel,
            expected="%s %s" % (name, version),
            found="%s %s" % (wheel_name, wheel_version),
        )


def _cached(cache: str, name: str, version: str) -> Iterator[str]:
    """Yield the wheels of a release in pip's cache: built ones, and responses of an index.

    A response is the wheel itself (``http-v2``), or the wheel after its headers (``http``), which
    zipfile opens, too.
    """
    for kind in ("wheels", "http-v2", "http"):
        for parent, directories, names in os.walk(os.path.join(cache, kind)):
            directories.sort()
            for entry in sorted(names):
                path = os.path.join(parent, entry)
                is_wheel = entry.endswith(".whl")
                if (is_wheel or kind != "wheels") and _is_of(path, name, version):
                    yield path


def _is_of(path: str, name: str, version: str) -> bool:
    """Return whether a file is a wheel of a release, by the name of its metadata."""
    with contextlib.suppress(OSError, ValueError, RuntimeError, zipfile.BadZipFile):
        if not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as archive:
            for entry in archive.namelist():
                info, _, rest = entry.partition("/")
                if rest == "RECORD" and info.endswith(".dist-info"):
                    found, _, number = info[: -len(".dist-info")].rpartition("-")
                    return (normalized(found), number) == (normalized(name), version)
    return False
