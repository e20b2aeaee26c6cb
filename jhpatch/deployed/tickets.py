"""What libkrb5 and a JVM see of a user's tickets.

Copied into a kernelspec's directory as ``jhpatch_tickets.py``.
"""

import os
import re
import shutil
import subprocess
from typing import Iterator, Mapping, NamedTuple

if not __name__.startswith("jhpatch_"):
    from jhpatch.deployed.causes import Fault
    from jhpatch.deployed.host_files import ran
else:  # in a kernel, where no jhpatch need be
    from jhpatch_causes import Fault  # type: ignore[import-not-found,no-redef]
    from jhpatch_host_files import ran  # type: ignore[import-not-found,no-redef]


class Tickets(NamedTuple):
    """What libkrb5 and the JVM see of a user's tickets.

    ``default`` and ``jvm`` are the names of their caches; each with whether klist finds a
    valid ticket there, and whether there is a cache at all.
    """

    default: str
    default_valid: bool
    jvm: str
    jvm_valid: bool
    jvm_there: bool


def judged_tickets(found: Tickets) -> Iterator[Fault]:
    """Yield a fault for no ticket, an expired one, or a valid one that Java does not read."""
    if found.jvm_valid:
        return
    if found.default_valid and found.default != found.jvm:
        words = "the ticket is in %s, but Java reads %s" % (found.default, found.jvm)
        yield Fault("spark-cache-unseen", words, found.default)
    elif found.jvm_there:
        yield Fault(
            "spark-ticket-expired", "there is no valid ticket in %s" % found.jvm, found.jvm
        )
    else:
        yield Fault("spark-no-ticket", "there is no ticket in %s" % found.jvm, found.jvm)


def jvm_cache(environ: Mapping[str, str], uid: int) -> str:
    """Return the name of the cache that a JVM reads (sun.security.krb5)."""
    named = environ.get("KRB5CCNAME", "")
    path = named[len("FILE:") :] if named.startswith("FILE:") else named
    return "FILE:" + (path or "/tmp/krb5cc_%d" % uid)


def tickets_of(environ: Mapping[str, str], uid: int) -> Tickets:
    """Ask klist(1) about the tickets."""
    named, jvm = environ.get("KRB5CCNAME", ""), jvm_cache(environ, uid)
    known = dict(environ, LC_ALL="C")
    default = named
    if not default:
        done = ran(["klist"], known)
        found = re.search(r"^Ticket cache: (\S+)$", done, re.M)
        found = found or re.search(r"\((?:filename: |ticket cache )?(\S+)\)", done)
        default = found.group(1) if found else jvm
    if default.startswith("/"):
        default = "FILE:" + default
    return Tickets(
        default,
        _has_ticket(default, known),
        jvm,
        _has_ticket(jvm, known),
        os.path.exists(jvm[len("FILE:") :]),
    )


def _has_ticket(cache: str, environ: Mapping[str, str]) -> bool:
    if not shutil.which("klist", path=environ.get("PATH")):
        return os.path.exists(cache.partition(":")[2])  # Java reads it without libkrb5's tools
    argv = ["klist", "-s", "-c", cache]
    try:
        return not subprocess.call(argv, env=dict(environ), timeout=5, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return False
