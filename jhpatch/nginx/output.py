"""The file of ``nginx render --output``: replaced whole, and only where nobody else changed it."""

import errno
import os
import stat
from typing import Optional

from jhpatch.errors import Failed, NextStep, Refused, shell_command
from jhpatch.system.files import read_file, write_file

_SIZE = 1 << 20  # bytes; a site file has about 5000


def read(path: str) -> Optional[bytes]:
    """Return the file's content, None if there is none.

    Raises Refused if it is not a regular file, Failed if it cannot be read.
    """
    try:
        # Not through a symlink: sites-enabled has links to the files of sites-available.
        return read_file(path, _SIZE, follow=False).data
    except FileNotFoundError:
        return None
    except OSError as error:
        if os.path.islink(path):
            target = os.path.realpath(path)
            raise _refused(path, "a symlink to " + target, shell_command("--output", target))
        if error.errno == errno.EINVAL:
            raise _refused(path, "something else", shell_command("ls", "-ld", path))
        if error.errno == errno.EFBIG:
            found = "more than %d bytes" % _SIZE
            raise _refused(path, found, shell_command("ls", "-l", path))
        raise Failed("cannot read the site file: %s" % error.strerror, path=path)


def _refused(path: str, found: str, step: NextStep) -> Refused:
    return Refused("will not write there", path=path, expected="a file", found=found, next=step)


def write(path: str, data: bytes, before: Optional[bytes]) -> None:
    """Write ``data`` whole or not at all, with mode 0644 or that of the file before.

    Raises Refused if the file is no longer ``before``, Failed.
    """

    def check_unchanged() -> None:
        if before is not None and read(path) != before:
            raise _changed(path)

    try:
        mode = 0o644 if before is None else stat.S_IMODE(os.lstat(path).st_mode)
        write_file(path, data, mode, is_new=before is None, check=check_unchanged)
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
