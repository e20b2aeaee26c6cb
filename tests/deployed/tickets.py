"""The ticket that the tests ask for, the account that it is for, and another time of day."""

import os
import struct
import subprocess
import time

from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.errors import Problem, Unresponsive
from jhpatch.deployed.kerberos.settings import TicketSpec

NOBODY = Account("nobody", 65534, 65534, "/nonexistent")
PRINCIPAL = "alice/service@EXAMPLE.TEST"
AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def wanted(keytab, caches, principal="alice/service", name="cc"):
    """Return the specification of a ticket."""
    return TicketSpec(principal, str(keytab), str(caches / name))


def klist(kdc, name, *options):
    """What klist(1) prints as nobody; ``name`` of a cache may be empty."""
    environment = dict(kdc.env(), PATH="/usr/bin:/bin", TZ="UTC", LC_ALL="C")
    argv = [*AS_NOBODY, "klist", *options] + (["-c", name] if name else [])
    done = subprocess.run(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout.decode()


def requests(kdc):
    """How many AS-REQ the KDC has had."""
    with open(kdc.log) as file:
        return sum("AS_REQ" in line for line in file)


def with_defaults(kdc, path, lines):
    """Write a krb5.conf with more lines in [libdefaults]; return its environment."""
    with open(kdc.krb5_conf) as source:
        text = source.read()
    path.write_text(text.replace("[libdefaults]\n", "[libdefaults]\n%s\n" % lines))
    os.chmod(str(path), 0o644)
    return {"KRB5_CONFIG": str(path)}


def shift(path, ticket, seconds):
    """Move the times of a ticket in its cache, which stays the same file."""
    data = path.read_bytes()
    for moment in {ticket.start, ticket.end, ticket.renew_till}:
        old, new = (struct.pack(">I", int(moment) + more) for more in (0, seconds))
        data = data.replace(old, new)
    path.write_bytes(data)


class Later:
    """The module ``time``, with another time of day or another monotonic clock."""

    def __init__(self, now=None, monotonic=None):
        if now is not None:
            self.time = lambda: now
        if monotonic is not None:
            self.monotonic = monotonic

    def __getattr__(self, name):
        return getattr(time, name)


class Breaker:
    """What is asked of a breaker, and what is reported to it."""

    def __init__(self, is_open=False):
        self.is_open, self.suspected = is_open, []

    def check(self, principal):
        if self.is_open:
            raise Unresponsive("the KDC has not answered")

    def suspect(self, principal):
        self.suspected.append(principal)


def given_up(ensure):
    """Return the Problem that ``ensure(timeout)`` raises for a KDC that does not answer.

    On a busy machine a short time ends before kinit has asked the KDC: then with a longer one.
    """
    for timeout in (1.0, 5.0, 25.0, 125.0):
        try:
            ensure(timeout)
        except Unresponsive as problem:
            return problem
        except Problem as problem:
            last = problem
        else:
            raise AssertionError("a ticket was obtained")
    return last
