"""The file systems on which homes and keytabs lie."""

import re
from typing import Iterable, Iterator, List, Optional, Tuple

from jhpatch.deployed.kerberos.account import Account
from jhpatch.kerberos.findings import finding
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding


class Mount(NamedTuple):
    """A line of /proc/mounts."""

    path: str
    kind: str
    """The type of the file system."""
    options: Tuple[str, ...]

    @property
    def needs_ticket(self) -> bool:
        """Whether it is an NFS file system that only users with a ticket can access."""
        uses_kerberos = any(option.startswith("sec=krb5") for option in self.options)
        return self.kind.startswith("nfs") and uses_kerberos


def read_mounts(path: str) -> Tuple[Mount, ...]:
    """Return the mounts of a file such as /proc/mounts; none if it cannot be read."""
    try:
        with open(path, errors="surrogateescape") as file:
            return parse_mounts(file.read())
    except OSError:
        return ()


def parse_mounts(text: str) -> Tuple[Mount, ...]:
    """Return the mounts in the text of /proc/mounts (fstab(5) describes the escapes)."""
    mounts: List[Mount] = []
    for line in text.split("\n"):
        fields = line.split(" ")
        if len(fields) >= 4:
            path = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), fields[1])
            mounts.append(Mount(path, fields[2], tuple(fields[3].split(","))))
    return tuple(mounts)


def find_mount(path: str, mounts: Iterable[Mount]) -> Optional[Mount]:
    """Return the mount of a path: the one with the longest path, and the last of equal ones.

    Symlinks are not followed.
    """
    whole = path.rstrip("/") + "/"
    matching = [mount for mount in mounts if whole.startswith(mount.path.rstrip("/") + "/")]
    return max(reversed(matching), key=lambda mount: len(mount.path), default=None)


def check_mounts(
    account: Account, keytab: str, when: object, mounts: Tuple[Mount, ...]
) -> Iterator[Finding]:
    """Check that neither the keytab nor the start of a server needs a ticket.

    ``when`` is c.KerberosTicket.when: ``before`` if a spawn obtains the ticket before it opens
    the PAM session.
    """
    user = account.name
    mount = find_mount(keytab, mounts) if keytab else None
    if mount and mount.needs_ticket:
        message = "%s: %s is mounted with the options %s" % (
            user,
            mount.path,
            ",".join(mount.options),
        )
        yield finding("home-needs-ticket", message, keytab, user)
    mount = find_mount(account.home, mounts)
    if mount and mount.needs_ticket and when != "before":
        message = "%s: %s is mounted with the options %s" % (
            user,
            mount.path,
            ",".join(mount.options),
        )
        yield finding("home-before-ticket", message, account.home, user)
