"""The file that ``nginx render --output`` names: written whole, and never over another's work."""

import os
import stat
from typing import Callable, Optional

from jhpatch.errors import Failed, NextStep, Refused, shell_command

_CAP = 1 << 20  # bytes; a site file has some five thousand


def read(path: str) -> Optional[bytes]:
    """What lies there; None where nothing does. Raises Refused where it is no file, Failed."""
    try:
        # Not a symlink's target: sites-enabled has links, and the file is elsewhere.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if os.path.islink(path):
            there = os.path.realpath(path)
            raise _refused(path, "a symlink to " + there, shell_command("--output", there))
        raise Failed("cannot read the site file: %s" % error.strerror, path=path)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise _refused(path, "something else", shell_command("ls", "-ld", path))
        data = file.read(_CAP + 1)
    if len(data) > _CAP:
        raise _refused(path, "more than %d bytes" % _CAP, shell_command("ls", "-l", path))
    return data


def _refused(path: str, found: str, step: NextStep) -> Refused:
    return Refused("will not write there", path=path, expected="a file", found=found, next=step)


def write(path: str, data: bytes, before: Optional[bytes]) -> None:
    """Puts ``data`` there, whole or not at all, if ``before`` lies there still.

    Mode 0644, or that of the file before. Raises Refused, Failed.
    """
    folder = os.path.dirname(path) or "."
    temp = os.path.join(folder, ".%s.%d" % (os.path.basename(path), os.getpid()))
    try:
        mode = 0o644 if before is None else stat.S_IMODE(os.lstat(path).st_mode)
        fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(fd, mode)
                os.fsync(fd)
            _put(temp, path, before)
        except BaseException:
            os.unlink(temp)
            raise
        _sync(folder)
    except FileExistsError as error:
        raise _changed(str(error.filename2 or error.filename))
    except OSError as error:
        raise Failed("cannot write the site file: %s" % error.strerror, path=path)


def _put(
    temp: str,
    path: str,
    before: Optional[bytes],
    look: Callable[[str], Optional[bytes]] = read,
) -> None:
    if before is None:
        os.link(temp, path)  # fails where somebody was faster
        os.unlink(temp)
        return
    if look(path) != before:
        raise _changed(path)
    os.replace(temp, path)


def _changed(path: str) -> Refused:
    return Refused(
        "somebody else writes there right now",
        path=path,
        expected="what was there a moment ago",
        found="something else",
        next=shell_command("ls", "-l", path),
    )


def _sync(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
