"""Wheels: their names and files, and their download from the package index through pip."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

from jhpatch.errors import Failed, Usage, python_command
from jhpatch.patchset.edition import normalized

_SIZE = 16 * 1024 * 1024  # bytes of a file in a wheel, at most
_WHEEL = re.compile(r"^(?P<name>[\w.]+)-(?P<version>[^-]+)(-\d[^-]*)?(-[^-]+){3}\.whl$")
_DOWNLOAD = python_command("pip", "download", "--no-deps") + " <distribution>==<version>"
_OLDER_PIP = "; a pip before 24.1 also takes metadata that later ones refuse"
_TIMEOUT = 300  # seconds, for one call of pip


def release_of(wheel: str) -> Tuple[str, str]:
    """Return ``(distribution, version)`` of a wheel's file name (PEP 427). Raises Usage."""
    match = _WHEEL.match(os.path.basename(wheel))
    if not match:
        raise Usage(
            "not the name of a wheel",
            path=wheel,
            expected="<distribution>-<version>-<tags>.whl",
            found=os.path.basename(wheel),
            next=_DOWNLOAD,
        )
    return match.group("name"), match.group("version")


def read_files(wheel: str, paths: Iterable[str]) -> Dict[str, bytes]:
    """Return the content of files in a wheel, by path, without those that it does not have.

    Raises Failed.
    """
    files: Dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            infos = {info.filename: info for info in archive.infolist()}
            for path in paths:
                if path in infos and infos[path].file_size <= _SIZE:
                    files[path] = archive.read(infos[path])
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Failed("cannot read a wheel: %s" % reason, path=wheel, next=_DOWNLOAD)
    return files


@contextlib.contextmanager
def directory_for_downloads(directory: Optional[str]) -> Iterator[str]:
    """Provide the directory that is named, else a temporary one."""
    if directory is not None:
        yield directory
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield scratch


def fetch(distribution: str, version: str, directory: str) -> str:
    """Return the path of a release's wheel in ``directory``; pip downloads a missing one.

    Raises Failed.
    """
    wheel = _find(distribution, version, directory)
    if wheel is None:
        _download(distribution, version, directory)
        wheel = _find(distribution, version, directory)
    if wheel is None:
        raise Failed(
            "pip brought no wheel of %s %s" % (distribution, version),
            path=directory,
            expected="one wheel",
            found="none",
        )
    return wheel


def _find(distribution: str, version: str, directory: str) -> Optional[str]:
    for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
        match = _WHEEL.match(name)
        if match and match.group("version") == version:
            if normalized(match.group("name")) == normalized(distribution):
                return os.path.join(directory, name)
    return None


def _download(distribution: str, version: str, directory: str) -> None:
    options = "--no-deps --ignore-requires-python --only-binary :all: --quiet".split()
    try:
        os.makedirs(directory, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=directory) as scratch:
            _pip("download", *options, "--dest", scratch, "%s==%s" % (distribution, version))
            for name in os.listdir(scratch):
                # Of two concurrent processes both have the same bytes; the last rename wins.
                os.replace(os.path.join(scratch, name), os.path.join(directory, name))
    except OSError as error:
        raise Failed("cannot keep a wheel: %s" % error.strerror, path=directory)


def released_versions(distribution: str) -> List[str]:
    """Return all releases on the package index, prereleases too, the newest first.

    Raises Failed.
    """
    output = _pip("index", "versions", distribution, "--pre", "--ignore-requires-python")
    match = re.search(r"^Available versions: (.*)$", output, re.M)
    if not match:
        raise Failed(
            "pip did not say which releases there are of " + distribution,
            expected="a line 'Available versions:'",
            found=output[:200],
        )
    return [version.strip() for version in match.group(1).split(",")]


def _pip(*arguments: str) -> str:
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check"] + list(arguments)
    try:
        completed = subprocess.run(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed("pip did not run: %s" % error)
    if completed.returncode:
        hint = _OLDER_PIP if arguments[0] == "download" else ""
        lines = completed.stderr.decode("utf-8", "replace").strip().split("\n")
        raise Failed(
            "pip %s failed: %s" % (arguments[0], lines[-1]),
            found="exit code %d" % completed.returncode,
            next=python_command("pip", *arguments) + hint,
        )
    return completed.stdout.decode("utf-8", "replace")
