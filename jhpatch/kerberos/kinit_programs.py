"""Which kinit programs a host has, and which of them are used."""

import os
import re
from typing import Iterator, List, Optional, Tuple

from jhpatch.checks.runner import Deadline
from jhpatch.kerberos import programs
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.programs import Run
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding
from jhpatch.system import path_owners


class KinitProgram(NamedTuple):
    """A kinit on this host."""

    path: str
    kind: str
    """``MIT``, ``conda`` or ``Heimdal``; ``untrusted`` for one that root does not run."""
    version: str = ""
    writer: Optional[path_owners.Writer] = None
    """The path that makes an untrusted kinit writable for users other than root."""


def find_kinits(configured: str, search_path: str) -> Tuple[str, ...]:
    """Return the path of each kinit; the first is the one that the ticket service uses.

    The order is the configured kinit, or /usr/bin/kinit if none is configured; then those in
    ``search_path``, a PATH. Empty if the configured kinit cannot be run.
    """
    preferred = configured or "/usr/bin/kinit"
    candidates = [preferred] if os.access(preferred, os.X_OK) else []
    if configured and not candidates:
        return ()  # the service runs no other kinit
    for directory in search_path.split(":") + programs.SEARCH_PATH.split(":"):
        path = os.path.join(directory, "kinit")
        if directory.startswith("/") and os.path.isfile(path) and os.access(path, os.X_OK):
            candidates.append(path)
    paths: List[str] = []
    for path in candidates:
        if os.path.realpath(path) not in [os.path.realpath(known) for known in paths]:
            paths.append(path)
    return tuple(paths)


def identify(path: str, run: Run, deadline: Deadline) -> KinitProgram:
    """Return the kind and the version of a kinit.

    They come from ``klist -V`` beside it, from its directory and from ``kinit --version``.
    """
    writer = path_owners.untrusted_writer(path)
    if writer is not None:
        return KinitProgram(path, "untrusted", writer=writer)
    klist = os.path.join(os.path.dirname(path), "klist")
    output = run([klist, "-V"], deadline.left(1), None).message
    match = re.search(r"Kerberos 5 version (\S+)", output)
    if not match:
        output = run([path, "--version"], deadline.left(1), None).message
        heimdal = re.search(r"Heimdal (\S+?)\)?(?: |$)", output)
        if heimdal:
            return KinitProgram(path, "Heimdal", heimdal.group(1))
        return KinitProgram(path, "MIT")
    prefix = os.path.dirname(os.path.dirname(os.path.realpath(path)))
    kind = "conda" if os.path.isdir(os.path.join(prefix, "conda-meta")) else "MIT"
    return KinitProgram(path, kind, match.group(1))


def is_trusted(path: str) -> bool:
    """Return whether a program may be run: root runs none that another user can write."""
    return path_owners.untrusted_writer(path) is None


def check_kinits(kinits: Tuple[KinitProgram, ...], is_set: bool = False) -> Iterator[Finding]:
    """Check the kinit programs; the service uses the first. ``is_set``: it is configured."""
    if not kinits:
        yield finding("no-kinit", "there is no kinit in /usr/bin or in PATH")
        return
    used = kinits[0]
    yield finding("kinit", "%s %s" % (used.kind, used.version or "krb5"), used.path)
    if used.writer:
        message = (
            "users other than root can write %s or a directory above it (owner uid %d, mode %04o)"
        )
        message = message % (used.path, used.writer.uid, used.writer.mode)
        yield finding("kinit-writable", message, used.writer.path)
    if used.kind == "conda":
        yield finding("kinit-conda", "the ticket service uses conda's kinit", used.path)
    elif used.kind == "Heimdal":
        yield finding("kinit-heimdal", "the ticket service uses Heimdal's kinit", used.path)
    if len(kinits) > 1 and not is_set:
        others = ", ".join("%s (%s)" % (kinit.path, kinit.kind) for kinit in kinits[1:])
        message = "this host also has " + others
        yield finding("kinit-several", message, used.path, line=repr(used.path))
