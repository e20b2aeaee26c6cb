"""What ``--python`` and ``--site`` name: an interpreter, an environment, or something else.

Everything is read from files; no interpreter is started.
"""

import errno
import os
import re
import stat
from typing import Any, Callable, Dict, List, Optional, Tuple

from jhpatch.errors import Failed, Refused, Usage, command_alone, permission_denied
from jhpatch.system.files import read_head

OLDEST = (3, 6)
_HEAD = 4096  # bytes, more than a first line that Linux reads
_INTERPRETER = "a Python, or the directory of an environment"


def prefix_of(python: str) -> str:
    """Return the root of the environment of an interpreter, or of a directory.

    Raises Usage if the path is neither, Failed if it cannot be read.
    """
    if _is_directory(python, "--python"):
        return os.path.abspath(python)
    _refuse_programs(python)
    prefix = os.path.dirname(os.path.dirname(os.path.abspath(python)))
    if os.path.isfile(os.path.join(prefix, "pyvenv.cfg")) or versions_in(prefix):
        return prefix
    return os.path.dirname(os.path.dirname(os.path.realpath(python)))


def directory_of_site(path: str) -> str:
    """Return the absolute path of a site. Raises Usage if it is not a site, Failed, Refused."""
    if not _is_directory(path, "--site"):
        if is_zip(path):
            raise _zip_application("--site", path)
        raise Usage(
            "--site does not name a directory",
            path=path,
            expected="a site-packages directory",
            found="a file",
        )
    if versions_in(path):
        raise Usage(
            "--site names an environment",
            path=path,
            expected="a site-packages directory",
            found="a directory with lib/python" + versions_in(path)[0],
            next=command_alone("status", "--python", path),
        )
    for part in os.path.realpath(path).split("/"):
        match = re.match(r"^python([0-9]+\.[0-9]+)t?$", part)
        if match:
            refuse_old(match.group(1), path)
    return os.path.abspath(path)


def refuse_old(version: str, path: str) -> None:
    """Raise Refused for a Python before 3.6, such as 2.7."""
    major, minor = version.rstrip("t").split(".")
    if (int(major), int(minor)) < OLDEST:
        raise Refused(
            "jhpatch does not support this Python",
            path=path,
            expected="Python %d.%d or later" % OLDEST,
            found="Python " + version,
            next="install the distribution into an environment with Python %d.%d or later, and "
            "name that environment" % OLDEST,
        )


def _is_directory(path: str, option: str) -> bool:
    """Return whether a path is a directory, not a file. Raises Usage, Failed."""
    expected = _INTERPRETER if option == "--python" else "a site-packages directory"
    try:
        status = os.stat(path)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            if os.path.islink(path):
                return False  # in a venv, a link to a Python that this user may not read
            subject = "an environment" if option == "--python" else "a site"
            raise permission_denied(subject + " cannot be read", path)
        kind = "path" if option == "--python" else "directory"
        raise Usage(
            "the %s that %s names does not exist" % (kind, option),
            path=path,
            expected=expected,
            found="nothing",
        )
    if not stat.S_ISDIR(status.st_mode) and not stat.S_ISREG(status.st_mode):
        raise Usage(
            "%s names a special file" % option,
            path=path,
            expected=expected,
            found="a special file",
        )
    return stat.S_ISDIR(status.st_mode)


def _refuse_programs(path: str) -> None:
    """Raise Usage for a zip application, and for a script that an interpreter runs."""
    try:
        head = read_head(path, _HEAD)
    except PermissionError:
        return  # an interpreter that this user can execute, but not read
    except OSError as error:
        raise Failed("cannot read the program that --python names: %s" % error.strerror, path=path)
    if not head.startswith((b"#!", b"PK")):
        names = (os.path.basename(name).lower() for name in (path, os.path.realpath(path)))
        if not any(kind in name for name in names for kind in ("python", "pypy")):
            raise Usage(
                "--python does not name a Python interpreter",
                path=path,
                expected=_INTERPRETER,
                found="another program" if os.access(path, os.X_OK) else "a file",
            )
        return
    if is_zip(path):
        raise _zip_application("--python", path)
    interpreter = _interpreter_of_script(head)
    if interpreter or not os.path.basename(path).startswith(("python", "pypy")):
        raise Usage(
            "--python names a script",
            path=path,
            expected=_INTERPRETER,
            found="a script of " + interpreter if interpreter else "a script",
            next=command_alone("status", "--python", interpreter) if interpreter else None,
        )


def _interpreter_of_script(head: bytes) -> Optional[str]:
    """Return the Python that runs a script, from its first line or from pip's for long paths."""
    text = os.fsdecode(head)
    match = re.match(r"#![ \t]*(/[^ \t\n]*)", text)
    long_path = re.match(r"#![ \t]*/bin/sh\n'''exec' \"?(/[^\"\n]*?)\"? \"\$0\"", text)
    found = long_path or match
    path = found.group(1) if found else ""
    return path if re.match(r"(python|pypy)[0-9.t]*$", os.path.basename(path)) else None


def is_zip(path: str) -> bool:
    """Return whether a file is a zip archive, such as a zip application."""
    import zipfile

    try:
        return zipfile.is_zipfile(path)
    except OSError:
        return False


def _zip_application(option: str, path: str) -> Usage:
    return Usage(
        "%s names a zip archive, not an environment" % option,
        path=path,
        expected="an environment whose files can be patched in place",
        found="a zip archive, such as a zip application or a wheel",
        next="for a zip application, patch the environment from which it is built, then build it "
        "again; for a wheel, install it with pip, and name the environment that contains it",
    )


def version_of(python: str, prefix: str, config: Dict[str, str]) -> str:
    """Return the version in the names of its directories: ``3.11``, or ``3.13t`` without GIL.

    ``config`` is pyvenv.cfg. Raises Usage if no file has the version, Failed if permission is
    denied, Refused if it is too old.
    """
    version = _stated_version(python, prefix, config)
    refuse_old(version, python)
    program = os.path.realpath(python)
    match = re.fullmatch(r"python([0-9]+\.[0-9]+)t?", os.path.basename(program))
    if match and match.group(1) != version:
        raise Refused(
            "pyvenv.cfg names another version than that of the interpreter",
            path=os.path.join(prefix, "pyvenv.cfg"),
            expected="version " + match.group(1),
            found="version %s, and %s" % (version, program),
            next="create the environment again; an upgrade in place leaves the packages in the "
            "directory of the old Python",
        )
    if version + "t" in versions_in(prefix) and not version.endswith("t"):
        is_ambiguous = version in versions_in(prefix)
        name = os.path.basename(os.path.realpath(python))
        return version if is_ambiguous and not name.endswith("t") else version + "t"
    return version


def _stated_version(python: str, prefix: str, config: Dict[str, str]) -> str:
    for text in (
        config.get("version_info", ""),
        config.get("version", ""),
        os.path.basename(os.path.realpath(python)).replace("python", ""),
    ):
        match = re.match(r"^([0-9]+\.[0-9]+)", text)
        if match:
            return match.group(1)
    found = versions_in(prefix)
    if len(found) == 1:
        return found[0]
    refuse_denied(os.path.join(prefix, "lib"), os.listdir)
    raise Usage(
        "cannot determine the sites of this Python from its files",
        path=python,
        expected="lib/pythonX.Y in " + prefix,
        found=", ".join(found) or "none",
        next="name the site itself: --site DIR",
    )


def versions_in(prefix: str) -> List[str]:
    """Return the versions of the directories ``lib/pythonX.Y`` of a prefix."""
    try:
        names = os.listdir(os.path.join(prefix, "lib"))
    except OSError:
        return []
    matches = (re.match(r"^python([0-9]+\.[0-9]+t?)$", name) for name in sorted(names))
    return [match.group(1) for match in matches if match]


def pyvenv_of(prefix: str) -> Dict[str, str]:
    """Read pyvenv.cfg as a dict of lower-case keys (PEP 405); empty if there is none.

    Raises Failed if permission is denied.
    """
    path = os.path.join(prefix, "pyvenv.cfg")
    refuse_denied(path, lambda path: read_head(path, 1))
    rows = (line.partition("=") for line in lines_of(path))
    return {key.strip().lower(): value.strip() for key, separator, value in rows if separator}


def refuse_denied(path: str, read: Callable[[str], Any] = os.stat) -> None:
    """Raise Failed if ``read`` of a part of an environment is denied: do not omit the part."""
    try:
        read(path)
    except PermissionError:
        raise permission_denied("an environment cannot be read", path)
    except OSError:
        return  # missing, or not part of an environment


def lines_of(path: str, size: int = 64 * 1024) -> Tuple[str, ...]:
    """Return the lines of a file's first bytes; none if it cannot be read."""
    try:
        return tuple(os.fsdecode(read_head(path, size)).splitlines())
    except OSError:
        return ()
