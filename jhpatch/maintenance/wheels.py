"""The files of a release: from a wheel on the disk, or from the package index through pip.

For those who keep the patches; nothing that changes a site comes here.
"""

import contextlib
import os
import re
import sys
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

from jhpatch.errors import Failed, Usage, python_command
from jhpatch.patchset.edition import normalized

_CAP = 16 * 1024 * 1024
_WHEEL = re.compile(r"^(?P<name>[\w.]+)-(?P<version>[^-]+)(-\d[^-]*)?(-[^-]+){3}\.whl$")
_BRING = python_command("pip", "download", "--no-deps") + " <distribution>==<version>"
_OLDER = "; a pip before 24.1 also takes metadata that later ones refuse"
_TIMEOUT = 300  # seconds, for one call of pip


def release_of(wheel: str) -> Tuple[str, str]:
    """``(distribution, version)`` by a wheel's file name (PEP 427). Raises Usage."""
    match = _WHEEL.match(os.path.basename(wheel))
    if not match:
        raise Usage(
            "not the name of a wheel",
            path=wheel,
            expected="<distribution>-<version>-<tags>.whl",
            found=os.path.basename(wheel),
            next=_BRING,
        )
    return match.group("name"), match.group("version")


def files_of(wheel: str, paths: Iterable[str]) -> Dict[str, bytes]:
    """The bytes of files in a wheel, by path; one that is not in it is left out. Raises Failed."""
    import zipfile

    found: Dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            infos = {info.filename: info for info in archive.infolist()}
            for path in paths:
                if path in infos and infos[path].file_size <= _CAP:
                    found[path] = archive.read(infos[path])
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        why = getattr(error, "strerror", None) or error
        raise Failed("cannot read a wheel: %s" % why, path=wheel, next=_BRING)
    return found


@contextlib.contextmanager
def kept_in(folder: Optional[str]) -> Iterator[str]:
    """A folder for wheels: the one that is named, or one that goes again."""
    if folder is not None:
        yield folder
        return
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        yield scratch


def wheel_of(distribution: str, version: str, folder: str) -> str:
    """The path of a release's wheel in ``folder``; pip brings it there. Raises Failed."""
    found = _in_folder(distribution, version, folder)
    if found is None:
        _download(distribution, version, folder)
        found = _in_folder(distribution, version, folder)
    if found is None:
        raise Failed(
            "pip brought no wheel of %s %s" % (distribution, version),
            path=folder,
            expected="one wheel",
            found="none",
        )
    return found


def _in_folder(distribution: str, version: str, folder: str) -> Optional[str]:
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        match = _WHEEL.match(name)
        if match and match.group("version") == version:
            if normalized(match.group("name")) == normalized(distribution):
                return os.path.join(folder, name)
    return None


def _download(distribution: str, version: str, folder: str) -> None:
    import tempfile

    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as scratch:
            options = "--no-deps --ignore-requires-python --only-binary :all: --quiet".split()
            _pip("download", *options, "--dest", scratch, "%s==%s" % (distribution, version))
            for name in os.listdir(scratch):
                # Two processes at once hold the same bytes; the last rename stays.
                os.replace(os.path.join(scratch, name), os.path.join(folder, name))
    except OSError as error:
        raise Failed("cannot keep a wheel: %s" % error.strerror, path=folder)


def released(distribution: str) -> List[str]:
    """All releases on the package index, prereleases too, the newest first. Raises Failed."""
    text = _pip("index", "versions", distribution, "--pre", "--ignore-requires-python")
    found = re.search(r"^Available versions: (.*)$", text, re.M)
    if not found:
        raise Failed(
            "pip did not say which releases there are of " + distribution,
            expected="a line 'Available versions:'",
            found=text[:200],
        )
    return [version.strip() for version in found.group(1).split(",")]


def _pip(*arguments: str) -> str:
    import subprocess

    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check"] + list(arguments)
    try:
        done = subprocess.run(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed("pip did not run: %s" % error)
    if done.returncode:
        older = _OLDER if arguments[0] == "download" else ""
        words = done.stderr.decode("utf-8", "replace").strip().split("\n")
        raise Failed(
            "pip %s failed: %s" % (arguments[0], words[-1]),
            found="exit code %d" % done.returncode,
            next=python_command("pip", *arguments) + older,
        )
    return done.stdout.decode("utf-8", "replace")
