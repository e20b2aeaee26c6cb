"""Which kinit there is, and what its words mean to an administrator."""

import os
import re
from typing import Iterator, List, Mapping, Optional, Tuple

from jhpatch.checks.runner import Deadline
from jhpatch.errors import JhpatchError
from jhpatch.kerberos import programs
from jhpatch.kerberos.findings import finding
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding
from jhpatch.system import path_owners

# MIT krb5 1.15 to 1.21: src/lib/krb5/error_tables/krb5_err.et, k5e1_err.et, kv5m_err.et, and
# the texts of src/lib/krb5/krb/gic_keytab.c and krb/get_in_tkt.c; Heimdal's where it differs.
_MEANINGS: Tuple[Tuple[str, str], ...] = (
    (r"clock skew too great|Clock skew|Requested start time", "kinit-clock"),
    (r"Unsupported key table format|Bad format in keytab", "keytab-malformed"),
    (r"Key table file .* not found|Key table file not found", "keytab-missing"),
    (r"Permission denied", "keytab-unreadable"),
    (r"no suitable keys|Key table entry not found|No key table entry", "kinit-no-key"),
    (r"not found in Kerberos database|Client unknown|Realm not local", "kinit-client-unknown"),
    (r"revoked|locked|Client's entry in database has expired", "kinit-client-locked"),
    (r"Password has expired|entry .* has expired", "kinit-client-locked"),
    (r"no support for encryption type|[Ee]ncryption type|enctype|Bad encryption", "kinit-enctype"),
    (r"[Pp]re-?authentication failed|Decrypt integrity check failed", "kinit-key-wrong"),
    (r"Password incorrect", "kinit-key-wrong"),
    (r"Cannot (contact any|find|resolve).* (KDC|servers?)\b|unable to reach any", "kinit-no-kdc"),
    (r"network address for KDC", "kinit-no-kdc"),
    (r"no answer within", "kinit-timeout"),
)


def meaning(words: str) -> str:
    """Pure: the code of the finding that kinit's words stand for."""
    for pattern, code in _MEANINGS:
        if re.search(pattern, words, re.I):
            return code
    return "kinit-failed"


class Program(NamedTuple):
    """A kinit: its path, where it really lies, and whose it is."""

    path: str
    real: str
    kind: str
    """``MIT``, ``conda``, ``Heimdal``; ``untrusted``: root does not run it."""
    version: str = ""
    writer: Optional[path_owners.Writer] = None


def paths_of(named: str, path: str) -> Tuple[str, ...]:
    """Each kinit, the one that the helper takes first: as named, /usr/bin/kinit, then PATH."""
    found: List[str] = []
    for one in [named] if named else ["/usr/bin/kinit"]:
        found += [one] if os.access(one, os.X_OK) else []
    for folder in path.split(":") + programs.SEARCH_PATH.split(":"):
        one = os.path.join(folder, "kinit")
        if folder.startswith("/") and os.path.isfile(one) and os.access(one, os.X_OK):
            found.append(one)
    seen: List[str] = []
    for one in found:
        if os.path.realpath(one) not in [os.path.realpath(other) for other in seen]:
            seen.append(one)
    return tuple(seen)


def program(path: str, environ: Mapping[str, str], deadline: Deadline) -> Program:
    """What kind of kinit it is: by ``klist -V`` beside it, ``kinit --version``, its folder."""
    real = os.path.realpath(path)
    writer = _writer(path)
    if writer is not None:
        return Program(path, real, "untrusted", writer=writer)
    beside = os.path.join(os.path.dirname(path), "klist")
    said = programs.run_program([beside, "-V"], environ, deadline.left(1)).message
    match = re.search(r"Kerberos 5 version (\S+)", said)
    if not match:
        said = programs.run_program([path, "--version"], environ, deadline.left(1)).message
        heimdal = re.search(r"Heimdal (\S+?)\)?(?: |$)", said)
        version = heimdal.group(1) if heimdal else ""
        return Program(path, real, "Heimdal" if heimdal else "MIT", version)
    prefix = os.path.dirname(os.path.dirname(real))
    kind = "conda" if os.path.isdir(os.path.join(prefix, "conda-meta")) else "MIT"
    return Program(path, real, kind, match.group(1))


def _writer(path: str) -> Optional[path_owners.Writer]:
    """Who else than root can write a program; as root alone that matters."""
    try:
        return path_owners.writer_of(path) if os.geteuid() == 0 else None
    except JhpatchError:
        return None


def is_trusted(path: str) -> bool:
    """Whether we may run it: root runs nothing that somebody else can write."""
    return _writer(path) is None


def judged(programs: Tuple[Program, ...]) -> Iterator[Finding]:
    """Pure: what the programs mean, the one that is used first."""
    if not programs:
        yield finding("no-kinit", "there is no kinit in /usr/bin or on PATH")
        return
    used = programs[0]
    yield finding("kinit", "%s %s" % (used.kind, used.version or "krb5"), used.path)
    for one in programs:
        if one.writer:
            words = "%s can be written by others (owner uid %d, mode %o)"
            words = words % (one.path, one.writer.uid, one.writer.mode)
            yield finding("kinit-writable", words, one.writer.path)
    if used.kind == "conda":
        yield finding("kinit-conda", "the kinit that is used is conda's", used.path)
    elif used.kind == "Heimdal":
        yield finding("kinit-heimdal", "the kinit that is used is Heimdal's", used.path)
    if len(programs) > 1:
        others = ", ".join("%s (%s)" % (one.path, one.kind) for one in programs[1:])
        words = "there is more than one kinit: also " + others
        yield finding("kinit-several", words, used.path, line=repr(used.path))
