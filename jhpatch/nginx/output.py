"""The file of ``nginx render --output``: replaced whole, and only if it is unedited."""

import errno
import os
import stat
from typing import Callable, Optional

from jhpatch.errors import Failed, NextStep, Refused, shell_command
from jhpatch.system import become_user, path_owners
from jhpatch.system.files import read_file, write_file

_SIZE = 1 << 20  # bytes; a site file has about 5000
_LIMIT = 30.0  # seconds; the file is replaced in one step, so a killed child does not break it


def _as_owner(path: str, job: Callable[[], Optional[str]]) -> Optional[str]:
    """Run a job; root runs it as the user who can write the file's directory. Raises Refused."""
    directory = os.path.dirname(os.path.abspath(path))
    uid = path_owners.owner_to_become([directory]) if os.path.isdir(directory) else None
    return job() if uid is None else become_user.run_as(uid, job, limit=_LIMIT)


def read(path: str) -> Optional[bytes]:
    """Return the file's content; None if there is no file.

    Raises Refused if it is not a regular file, Failed if it cannot be read.
    """

    def job() -> Optional[str]:
        data = _read(path)
        return None if data is None else data.decode("latin-1")

    text = _as_owner(path, job)
    return None if text is None else text.encode("latin-1")


def _read(path: str) -> Optional[bytes]:
    try:
        # Not through a symlink: sites-enabled has links to the files of sites-available.
        return read_file(path, _SIZE, follow=False).data
    except FileNotFoundError:
        return None
    except OSError as error:
        if os.path.islink(path):
            target = os.path.realpath(path)
            raise _refused(
                path,
                "a symlink to " + target,
                "run the same command with " + shell_command("--output", target),
            )
        if error.errno == errno.EINVAL:
            raise _refused(path, "not a regular file", shell_command("ls", "-ld", path))
        if error.errno == errno.EFBIG:
            found = "more than %d bytes" % _SIZE
            raise _refused(path, found, shell_command("ls", "-l", path))
        raise Failed("cannot read the site file: %s" % error.strerror, path=path)


def _refused(path: str, found: str, step: NextStep) -> Refused:
    return Refused(
        "jhpatch does not write this file",
        path=path,
        expected="a regular file",
        found=found,
        next=step,
    )


def write(path: str, data: bytes, before: Optional[bytes]) -> None:
    """Write ``data`` whole or not at all, with mode 0644 or that of the file before.

    Raises Refused if the file is no longer ``before``, Failed.
    """
    _as_owner(path, lambda: _write(path, data, before))


def _write(path: str, data: bytes, before: Optional[bytes]) -> None:
    def check_unchanged() -> None:
        if before is not None and _read(path) != before:
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
        "another program changed the file during this run",
        path=path,
        expected="the content that jhpatch read",
        found="other content",
        next=shell_command("ls", "-l", path),
    )
