"""The components of a path, as one user sees them."""

import stat
from typing import List, Optional, Tuple

from jhpatch.checks.runner import Deadline
from jhpatch.deployed.kerberos.account import Account
from jhpatch.kerberos.programs import Run
from jhpatch.namedtuple import NamedTuple

# Prints each component of the resolved path and of the path, the last one first: mode, owner,
# group, and the rights (r, w, x) of the user by test(1). A + follows the rights if ls(1) shows
# one after the mode: there is an access control list.
_SCRIPT = """\
real=$(readlink -f -- "$1") || real=$1
for whole in "$real" "$1"; do
  part=$whole
  while :; do
    rights=
    for right in r w x; do test -$right "$part" && rights=$rights$right; done
    case $(ls -ld -- "$part" 2>/dev/null) in ??????????+*) rights=$rights+ ;; esac
    stat -c "%f %u %g .$rights %n" -- "$part" 2>/dev/null || echo "- - - - $part"
    test "$part" = / && break
    part=$(dirname -- "$part")
  done
done
"""


class PathComponent(NamedTuple):
    """A directory or file on a path, or at the end of it."""

    path: str
    mode: Optional[int]
    """None if it does not exist, or if the user cannot reach it."""
    uid: int = -1
    gid: int = -1
    rights: str = ""
    """The letters of ``rwx`` whose right the user has."""
    has_acl: bool = False
    """Whether it has an access control list, whose mask the group's bits then are (acl(5))."""

    @property
    def is_regular(self) -> bool:
        """Whether it is a regular file."""
        return bool(self.mode and stat.S_ISREG(self.mode))

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return bool(self.mode and stat.S_ISDIR(self.mode))

    @property
    def is_sticky(self) -> bool:
        """Whether only an owner can replace an entry of the directory (inode(7))."""
        return bool(self.mode and self.mode & stat.S_ISVTX and stat.S_ISDIR(self.mode))


def read_components(
    path: str, account: Optional[Account], run: Run, deadline: Deadline
) -> Tuple[PathComponent, ...]:
    """Return the components of an absolute path, the last first, as the user sees them.

    A child that has become the user reads them, or a child of this process's user if
    ``account`` is None. The result is empty if the child does not finish in time.
    """
    argv = ["/bin/sh", "-c", _SCRIPT, "jhpatch", path]
    return parse_components(run(argv, deadline.left(3), account).stdout)


def parse_components(text: str) -> Tuple[PathComponent, ...]:
    """Return what the script printed, each component once."""
    components: List[PathComponent] = []
    for line in text.split("\n"):
        fields = line.split(" ", 4)
        if len(fields) < 5 or fields[4] in [component.path for component in components]:
            continue
        if fields[0] == "-":
            components.append(PathComponent(fields[4], None))
        else:
            mode, uid, gid = int(fields[0], 16), int(fields[1]), int(fields[2])
            rights, has_acl = fields[3][1:].rstrip("+"), fields[3].endswith("+")
            components.append(PathComponent(fields[4], mode, uid, gid, rights, has_acl))
    return tuple(components)
