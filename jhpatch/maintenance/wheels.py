"""Wheels: their names and files, and their download from the package index through pip."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from typing import Dict, FrozenSet, Iterable, Iterator, List, Optional, Tuple, Union

from jhpatch.errors import Failed, NextStep, Usage, python_command
from jhpatch.patchset.edition import normalized

_SIZE = 16 * 1024 * 1024  # bytes of a file in a wheel, at most
_WHEEL = re.compile(r"^(?P<name>[\w.]+)-(?P<version>[^-]+)(-\d[^-]*)?(-[^-]+){3}\.whl$")
_DOWNLOAD = NextStep("download the wheel again with pip download, and keep its name")
_THEN = "; then name that directory with --wheels DIR"
_OLDER_PIP = "; pip before 24.1 also accepts metadata that later versions refuse"
_TIMEOUT = 300  # seconds, for one call of pip


def release_of(wheel: str) -> Tuple[str, str]:
    """Return ``(distribution, version)`` of a wheel's file name (PEP 427). Raises Usage."""
    match = _WHEEL.match(os.path.basename(wheel))
    if not match:
        raise Usage(
            "the name of the wheel is invalid",
            path=wheel,
            expected="<distribution>-<version>-<tags>.whl",
            found=os.path.basename(wheel),
            next=_DOWNLOAD,
        )
    return match.group("name"), match.group("version")


def read_files(wheel: str, paths: Iterable[str]) -> Dict[str, bytes]:
    """Return the content of files in a wheel by path, without files that are missing or too large.

    Raises Failed.
    """
    files: Dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            infos = {_installed_path(info.filename): info for info in archive.infolist()}
            for path in paths:
                if path in infos and infos[path].file_size <= _SIZE:
                    files[path] = archive.read(infos[path])
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise _unreadable(wheel, error)
    return files


def _unreadable(wheel: str, error: Exception) -> Failed:
    match = _WHEEL.match(os.path.basename(wheel))
    step = _DOWNLOAD
    if isinstance(error, PermissionError):
        step = NextStep("run the same command as a user who can read the wheel")
    elif match:
        release = "%s==%s" % (match.group("name"), match.group("version"))
        step = python_command("pip", "download", "--no-deps", release)
    reason = getattr(error, "strerror", None) or error
    return Failed("cannot read the wheel: %s" % reason, path=wheel, next=step)


def _installed_path(name: str) -> str:
    """Return the path, from the site's root, of a file of a wheel (PEP 427, ``.data``)."""
    first, _, rest = name.partition("/")
    kind, _, path = rest.partition("/")
    return path if first.endswith(".data") and kind in ("purelib", "platlib") else name


@contextlib.contextmanager
def directory_for_downloads(directory: Optional[str]) -> Iterator[str]:
    """Provide the named directory, or else a temporary one."""
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
        names = [row[1] for row in of_distribution(distribution, directory)]
        raise Failed(
            "no wheel of %s in this directory has the version %s in its name"
            % (distribution, version),
            path=directory,
            expected="a wheel whose name contains -%s-" % version,
            found=", ".join(names) or "no wheel",
            next="write the version as the name of the wheel spells it, such as 6.1.0 for 6.1",
        )
    return wheel


def top_directories(wheel: str) -> FrozenSet[str]:
    """Return the top directories of the site into which a wheel installs files. Raises Failed."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = map(_installed_path, archive.namelist())
            return frozenset(name.partition("/")[0] for name in names if "/" in name)
    except (OSError, zipfile.BadZipFile) as error:
        raise _unreadable(wheel, error)


def _find(distribution: str, version: str, directory: str) -> Optional[str]:
    return next(of_release(distribution, version, directory), None)


def of_release(distribution: str, version: str, directory: Optional[str]) -> Iterator[str]:
    """Yield the wheels of a release in a directory, which may be missing."""
    for wheel, found in of_distribution(distribution, directory):
        if found == version:
            yield wheel


def of_distribution(distribution: str, directory: Optional[str]) -> Iterator[Tuple[str, str]]:
    """Yield the wheels of a distribution in a directory, each with its release."""
    names = os.listdir(directory) if directory and os.path.isdir(directory) else []
    for name in sorted(names):
        match = _WHEEL.match(name)
        if match and normalized(match.group("name")) == normalized(distribution):
            yield os.path.join(directory or "", name), match.group("version")


_ANY_PYTHON = "--ignore-requires-python"
_UNKNOWN = b"no such option: " + _ANY_PYTHON.encode()


def _download(distribution: str, version: str, directory: str) -> None:
    options = "--no-deps --ignore-requires-python --only-binary :all: --quiet".split()
    try:
        os.makedirs(directory, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=directory) as scratch:
            _pip("download", *options, "--dest", scratch, "%s==%s" % (distribution, version))
            for name in os.listdir(scratch):
                # Two concurrent processes write the same bytes; the last rename wins.
                os.replace(os.path.join(scratch, name), os.path.join(directory, name))
    except OSError as error:
        raise Failed("cannot save a wheel: %s" % error.strerror, path=directory)


def released_versions(distribution: str) -> List[str]:
    """Return all releases on the package index, prereleases too, the newest first.

    Raises Failed.
    """
    output = _pip("index", "versions", distribution, "--pre", "--ignore-requires-python")
    match = re.search(r"^Available versions: (.*)$", output, re.M)
    if not match:
        raise Failed(
            "pip listed no releases of " + distribution,
            expected="a line 'Available versions:'",
            found=output[:200],
        )
    return [version.strip() for version in match.group(1).split(",")]


def yanked_versions(distribution: str) -> List[str]:
    """Return the yanked releases (PEP 592), which the output of ``pip index`` omits.

    They can still be installed.

    pip lists all releases if it finds none that satisfies the requirement. Raises Failed.
    """
    options = "--no-deps --ignore-requires-python --only-binary :all: --pre --dest".split()
    with tempfile.TemporaryDirectory() as scratch:
        none = "%s==0.0.0.dev0" % distribution
        output = _run_pip("download", *options, scratch, none).stderr.decode("utf-8", "replace")
    # pip 22.2 and later; older versions list them among the others.
    match = re.search(r"yanked versions: ([^\n)]*)", output)
    named = match or re.search(r"from versions: ([^\n)]*)", output)
    versions = [version.strip() for version in named.group(1).split(",")] if named else []
    released = () if match else frozenset(released_versions(distribution))
    return [version for version in versions if version not in ("", "none", *released)]


def cache_directory() -> str:
    """Return the directory of pip's cache. Raises Failed, also for pip before 20.1."""
    return _pip("cache", "dir").strip()


def _run_pip(*arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """Run pip without the modules of the current directory, which another user may own.

    With -I, pip still honours its own variables and relative paths.
    """
    argv = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", *arguments]
    try:
        return subprocess.run(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed("cannot run pip: %s" % error)


def _pip(*arguments: str) -> str:
    completed = _run_pip(*arguments)
    if _UNKNOWN in completed.stderr:  # an old pip downloads only what fits its Python
        return _pip(*(one for one in arguments if one != _ANY_PYTHON))
    if completed.returncode:
        _refuse_pip(completed.stderr, arguments[0])
        hint = _THEN + _OLDER_PIP if arguments[0] == "download" else ""
        # Its own directory is temporary.
        shown = [
            "DIR" if flag == "--dest" else one for flag, one in zip(("", *arguments), arguments)
        ]
        lines = completed.stderr.decode("utf-8", "replace").strip().split("\n")
        raise Failed(
            "pip %s failed: %s" % (arguments[0], lines[-1]),
            found="exit code %d" % completed.returncode,
            next=python_command("pip", *shown) + hint,
        )
    return completed.stdout.decode("utf-8", "replace")


def _ensure_pip(command: str) -> Union[str, NextStep]:
    """Return how to install pip, or to do without it unless ``command`` is ``index``.

    Debian's Python has no ensurepip without python3-venv.
    """
    import importlib.util

    has_ensurepip = importlib.util.find_spec("ensurepip") is not None
    step: Union[str, NextStep] = "install pip into the environment that runs jhpatch"
    step = python_command("ensurepip") if has_ensurepip else step
    return step if command == "index" else step + "; or name a directory of wheels: --wheels DIR"


def _refuse_pip(stderr: bytes, command: str) -> None:
    """Raise Failed if there is no pip, or one that is too old for a command."""
    if b"No module named pip" in stderr:
        raise Failed(
            "there is no pip in the environment that runs jhpatch",
            path=sys.executable,
            expected="pip",
            found="none",
            next=_ensure_pip(command),
        )
    if b"unknown command" in stderr:
        least = "21.2" if command == "index" else "20.1"
        raise Failed(
            "this pip is too old: it has no command %s" % command,
            path=sys.executable,
            expected="pip %s or later" % least,
            next=python_command("pip", "install", "--upgrade", "pip"),
        )
