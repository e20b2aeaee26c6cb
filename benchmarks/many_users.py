"""Thousands of users of a private world: lines of /etc, principals, keytabs, and their caches."""

import contextlib
import os
import subprocess
import time
from typing import Dict, List

from benchmarks.environments import PASSWORD
from jhpatch.deployed.kerberos.ccache import read_cache
from testing.kdc import Kdc

KEYTABS = "/etc/keytabs"
_FIRST_UID = 30000
_ROWS = {
    "passwd": "{name}:x:{uid}:{uid}::/home/{name}:/bin/sh\n",
    "group": "{name}:x:{uid}:\n",
    "shadow": "{name}:{password}:19000:0:99999:7:::\n",
}
SETTINGS = """
c.KerberosTicket.keytab = "%s/{username}.keytab"
c.KerberosTicket.ccache = "/tmp/krb5cc_{uid}"
""" % (KEYTABS,)
"""Keytabs that only root can read: the hub's renewer alone renews these tickets."""


def names_of(variant: str, count: int) -> List[str]:
    """Return the names of a hub's users."""
    return ["%s-%05d" % (variant, number) for number in range(count)]


def add_users(names: List[str]) -> None:
    """Add users to the files of /etc, all with one password, without homes.

    One write for each file: useradd(8) reads and writes all of them for each user.
    """
    argv = ["openssl", "passwd", "-6", "-salt", "sizing", PASSWORD]
    password = subprocess.check_output(argv).decode().strip()
    for file_name, row in _ROWS.items():
        with open("/etc/" + file_name, "a") as file:
            for number, name in enumerate(names):
                file.write(row.format(name=name, uid=_FIRST_UID + number, password=password))


def add_principals(kdc: Kdc, names: List[str]) -> None:
    """Add a principal for each user, with a keytab that only root can read."""
    os.makedirs(KEYTABS, mode=0o700)
    kdc.add_principals({name: "%s/%s.keytab" % (KEYTABS, name) for name in names})


class Caches:
    """The caches of users, who were added in this order."""

    def __init__(self, all_names: List[str], names: List[str]) -> None:
        uids = {name: _FIRST_UID + number for number, name in enumerate(all_names)}
        self._names = names
        self._paths = ["/tmp/krb5cc_%d" % uids[name] for name in names]

    def seed(self, count: int) -> None:
        """Write a cache for each of the first users: the first one's, with the other names in it.

        The ticket in it is of no use for a service, but the hub reads its times alone.
        """
        name, first = self._names[0], self._paths[0]
        keytab = "%s/%s.keytab" % (KEYTABS, name)
        subprocess.run(["kinit", "-k", "-t", keytab, "-c", first, name], check=True)
        with open(first, "rb") as file:
            data = file.read()
        for name, path in list(zip(self._names, self._paths))[:count]:
            with open(path, "wb") as file:
                file.write(data.replace(self._names[0].encode(), name.encode()))
            os.chmod(path, 0o600)
            uid = int(path.rpartition("_")[2])
            os.chown(path, uid, uid)

    def clear(self) -> None:
        """Remove them, as a restart of the host does."""
        for path in self._paths:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def valid(self) -> int:
        """Return how many hold a valid ticket."""
        found, now = 0, time.time()
        for path in self._paths:
            with contextlib.suppress(OSError), open(path, "rb") as file:
                ticket = read_cache(file.read())
                found += ticket is not None and ticket.end > now
        return found


class KdcLog:
    """The requests that a KDC has logged since this object was made (krb5kdc(8))."""

    def __init__(self, kdc: Kdc) -> None:
        self._path = kdc.log
        self._start = os.path.getsize(self._path)

    def by_second(self, word: str = "AS_REQ") -> List[int]:
        """Return how many requests there were in each second that had one.

        ``word``: AS_REQ for all requests, ISSUE for those that were answered with a ticket.
        """
        seconds: Dict[str, int] = {}
        with open(self._path, "rb") as file:
            file.seek(self._start)
            for line in file.read().decode(errors="replace").splitlines():
                if "AS_REQ" in line and word in line:
                    second = line[:15]  # as syslog writes it: Nov 29 21:13:02
                    seconds[second] = seconds.get(second, 0) + 1
        return list(seconds.values())
