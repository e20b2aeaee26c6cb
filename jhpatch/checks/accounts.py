"""The accounts of this host."""

import os
from typing import Optional, Tuple

from jhpatch.namedtuple import NamedTuple


class Account(NamedTuple):
    """A user, as the password and group databases have it."""

    name: str
    uid: int
    gid: int
    home: str
    groups: Tuple[int, ...]


def account_of(name: str) -> Optional[Account]:
    """Return the user of that name; None if there is none."""
    import pwd

    try:
        entry = pwd.getpwnam(name)
    except (KeyError, ValueError):
        return None
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, groups)
