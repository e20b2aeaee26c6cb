"""Which commands doctor may print that change a file, and under which conditions.

All other next steps are words, or commands that only read (``READING``, and those of jhpatch).
Words describe a wrong owner or mode of a directory, a system file or another user's file: the
person who reads them knows what else depends on it.
"""

from typing import Callable, Dict, Optional, Tuple

from jhpatch.deployed.kerberos.account import Account
from jhpatch.errors import NextStep, shell_command
from jhpatch.kerberos.path_components import PathComponent
from jhpatch.namedtuple import NamedTuple

READING = ("df", "getent", "id", "klist", "ls")
"""The programs that a next step may run under all conditions."""


class Place(NamedTuple):
    """A file, and the user whose ticket depends on it."""

    file: PathComponent
    account: Account
    runs_as: int
    """The uid of the person who reads the next step."""


Condition = Callable[[Place], bool]


def is_regular(place: Place) -> bool:
    """The file is regular, and no symlink."""
    return place.file.is_regular


def is_users(place: Place) -> bool:
    """The file belongs to the user, who is not root."""
    return place.file.uid == place.account.uid != 0


def is_read_by_user(place: Place) -> bool:
    """The user reads this step."""
    return place.runs_as == place.account.uid


def is_read_by_root(place: Place) -> bool:
    """Root reads this step."""
    return place.runs_as == 0


class Change(NamedTuple):
    """A command that changes a file; it may be printed if all conditions hold."""

    command: Tuple[str, ...]
    conditions: Tuple[Condition, ...]


def _by_the_user(*command: str) -> Tuple[Change, ...]:
    """Return a change of the user's own file that only the user's rights can make.

    Root runs it as the user: the user can replace the file by a symlink at any time, and root's
    chmod would follow it.
    """
    as_user = ("runuser", "-u", "{user}", "--", *command)
    return (
        Change(command, (is_regular, is_users, is_read_by_user)),
        Change(as_user, (is_regular, is_users, is_read_by_root)),
    )


CHANGES: Dict[str, Tuple[Change, ...]] = {
    "keytab-exposed": _by_the_user("chmod", "600", "{path}"),
    "keytab-replaceable": _by_the_user("chmod", "go-w", "{path}"),
    # Never chown: the user may have moved the file there, or linked it (rename(2), link(2)).
    "keytab-unreadable": _by_the_user("chmod", "600", "{path}"),
}
"""By the code of a finding; doctor prints the first change whose conditions all hold."""


def change_of(code: str, place: Place) -> Optional[NextStep]:
    """Return the command that changes the file; None if doctor may print only words."""
    fields = {"user": place.account.name, "path": place.file.path}
    for change in CHANGES.get(code, ()):
        if all(condition(place) for condition in change.conditions):
            return shell_command(*(word.format(**fields) for word in change.command))
    return None
