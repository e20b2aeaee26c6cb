"""The unpatched files of a release, from a wheel, from a file, or through pip."""

import os
import re
from typing import Dict, List, Optional

from jhpatch.errors import Failed, NextStep, Refused, Usage, corrected_command, jhpatch_command
from jhpatch.maintenance import wheels
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset.edition import Edition, normalized
from jhpatch.system.sha256 import sha256

_HELP = jhpatch_command("rebase", "--help")


class ReleaseFiles(NamedTuple):
    """A release, and those of its files that a patch changes, by path."""

    version: str
    files: Dict[str, bytes]

    def is_before(self, edition: Edition) -> bool:
        """Return whether these are the bytes that an edition is for."""
        return all(
            digest(self.files.get(change.path)) == change.before for change in edition.changes
        )


def digest(data: Optional[bytes]) -> Optional[str]:
    """Return the SHA-256 of a file; None for one that is missing."""
    return None if data is None else sha256(data)


def target(
    source: str, release: Optional[str], package: str, paths: List[str], directory: str
) -> ReleaseFiles:
    """Return the files of the release to port to.

    ``source`` is a wheel, an unpatched file of ``release``, or a release, whose wheel pip
    downloads into ``directory``. Raises Usage, Failed.
    """
    if source.endswith(".whl"):
        name, version = wheels.release_of(source)
        if normalized(name) != normalized(package):
            raise Usage(
                "the wheel is for another distribution",
                path=source,
                expected=package,
                found=name,
                next=_HELP,
            )
        return ReleaseFiles(version, wheels.read_files(source, paths))
    if os.path.isfile(source):
        if release is None or not re.match(r"^[0-9][\w.!+]*$", release):
            raise Usage(
                "the release of a file is unknown",
                path=source,
                expected="--release VERSION",
                found=release or "none",
                next=_HELP,
            )
        return ReleaseFiles(release, _read_file(source, paths))
    if not source[:1].isdigit() or "/" in source:
        raise Usage(
            "--to names neither a release nor an existing file",
            expected="VERSION|FILE|WHEEL",
            found=source,
            next=_HELP,
        )
    try:
        wheel = wheels.fetch(package, source, directory)
    except Failed as error:
        own = corrected_command(source, "FILE") + " --release %s" % source
        error.next = (error.next or NextStep()) + "; for an unpublished release: " + own
        raise
    return ReleaseFiles(source, wheels.read_files(wheel, paths))


def origin(source: Optional[str], edition: Edition, directory: str) -> Dict[str, bytes]:
    """Return the files that an edition is for.

    ``source`` is their wheel, or the only file; if it is None, pip downloads the wheel into
    ``directory``. Raises Refused for other bytes, Usage, Failed.
    """
    paths = [change.path for change in edition.changes]
    if source is None:
        source = wheels.fetch(edition.package, edition.ranges[0].low, directory)
    is_wheel = source.endswith(".whl")
    files = wheels.read_files(source, paths) if is_wheel else _read_file(source, paths)
    if not ReleaseFiles("", files).is_before(edition):
        raise Refused(
            "the unpatched files are not those of a release that %s supports" % edition.name,
            path=source,
            expected="%s %s" % (edition.package, edition.versions),
            found="other bytes",
            next="name the wheel of a supported release with --from",
        )
    return files


def _read_file(path: str, paths: List[str]) -> Dict[str, bytes]:
    if len(paths) != 1:
        raise Usage(
            "the patch changes several files, but only one file was named",
            path=path,
            expected="a wheel with " + ", ".join(paths),
            found=os.path.basename(path),
            next=_HELP,
        )
    try:
        with open(path, "rb") as file:
            return {paths[0]: file.read()}
    except OSError as error:
        raise Failed("cannot read a file: %s" % error.strerror, path=path)
