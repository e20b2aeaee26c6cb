"""The file that ``nginx render --output`` names: written whole, and never over another's work."""

import errno
import os
import stat
from typing import Optional

from jhpatch.errors import Failed, NextStep, Refused, shell_command
from jhpatch.system.files import read_file, write_file

_CAP = 1 << 20  # bytes; a site file has some five thousand


def read(path: str) -> Optional[bytes]:
    """What lies there; None where nothing does. Raises Refused where it is no file, Failed."""
    try:
        # Not a symlink's target: sites-enabled has links, and the file is elsewhere.
        return read_file(path, _CAP, follow=False).data
    except FileNotFoundError:
        return None
    except OSError as error:
        if os.path.islink(path):
            there = os.path.realpath(path)
            raise _refused(path, "a symlink to " + there, shell_command("--output", there))
        if error.errno == errno.EINVAL:
            raise _refused(path, "something else", shell_command("ls", "-ld", path))
        if error.errno == errno.EFBIG:
            found = "more than %d bytes" % _CAP
            raise _refused(path, found, shell_command("ls", "-l", path))
        raise Failed("cannot read the site file: %s" % error.strerror, path=path)


def _refused(path: str, found: str, step: NextStep) -> Refused:
    return Refused("will not write there", path=path, expected="a file", found=found, next=step)


def write(path: str, data: bytes, before: Optional[bytes]) -> None:
    """Puts ``data`` there, whole or not at all, if ``before`` lies there still.

    Mode 0644, or that of the file before. Raises Refused, Failed.
    """

    def check() -> None:
        if before is not None and read(path) != before:
            raise _changed(path)

    try:
        mode = 0o644 if before is None else stat.S_IMODE(os.lstat(path).st_mode)
        write_file(path, data, mode, is_new=before is None, check=check)
    except FileExistsError:
        raise _changed(path)
    except OSError as error:
        raise Failed("cannot write the site file: %s" % error.strerror, path=path)


def _changed(path: str) -> Refused:
    return Refused(
        "somebody else writes there right now",
        path=path,
        expected="what was there a moment ago",
        found="something else",
        next=shell_command("ls", "-l", path),
    )
