"""A user's paths, looked at as that user, and what a keytab holds."""

import re
import stat
from typing import Iterator, List, Mapping, Optional, Tuple

from jhpatch.checks.accounts import Account
from jhpatch.checks.runner import Deadline
from jhpatch.kerberos import programs
from jhpatch.kerberos.findings import finding
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding

# Each part of the path and of where it leads, the last first: mode, owner, group, and what
# test(1) says of the user's own rights (r, w, x).
_WALK = """\
real=$(readlink -f -- "$1") || real=$1
for whole in "$real" "$1"; do
  part=$whole
  while :; do
    rights=
    for right in r w x; do test -$right "$part" && rights=$rights$right; done
    stat -c "%f %u %g .$rights %n" -- "$part" 2>/dev/null || echo "- - - - $part"
    test "$part" = / && break
    part=$(dirname -- "$part")
  done
done
"""
_WEAK = re.compile(r"DEPRECATED|\bdes[-3]|arcfour|\brc4\b", re.I)
_ENTRY = re.compile(r"^ *(\d+) +(\S+) +\((.*)\) *$")


class PathComponent(NamedTuple):
    """A part of a path; ``mode`` is None where it is not there, or cannot be reached."""

    path: str
    mode: Optional[int]
    uid: int = -1
    gid: int = -1
    rights: str = ""
    """Of ``rwx`` those that the user has."""

    @property
    def is_sticky(self) -> bool:
        """Whether only an owner can replace what is in the folder (inode(7))."""
        return bool(self.mode and self.mode & stat.S_ISVTX and stat.S_ISDIR(self.mode))


class Entry(NamedTuple):
    """A key of a keytab."""

    kvno: int
    principal: str
    enctype: str


def walk(
    path: str, account: Account, environ: Mapping[str, str], deadline: Deadline
) -> Tuple[PathComponent, ...]:
    """The parts of an absolute path, the last first, as the user sees them."""
    argv = ["/bin/sh", "-c", _WALK, "jhpatch", path]
    return parsed_walk(programs.run_program(argv, environ, deadline.left(3), account).stdout)


def parsed_walk(text: str) -> Tuple[PathComponent, ...]:
    """What ``_WALK`` printed, each part once."""
    found: List[PathComponent] = []
    for line in text.split("\n"):
        words = line.split(" ", 4)
        if len(words) == 5 and words[4] not in [one.path for one in found]:
            if words[0] == "-":
                found.append(PathComponent(words[4], None))
            else:
                mode, uid, gid = int(words[0], 16), int(words[1]), int(words[2])
                found.append(PathComponent(words[4], mode, uid, gid, words[3][1:]))
    return tuple(found)


def is_private(gid: int, account: Account) -> bool:
    """Whether a group is root's, or the user's alone, by its name and its list of members."""
    import grp

    if gid == 0:
        return True
    try:
        entry = grp.getgrgid(gid)
    except KeyError:
        return True
    only = not set(entry.gr_mem) - {account.name, "root"}
    return only and gid == account.gid and entry.gr_name == account.name


def judged_path(
    account: Account, path: str, parts: Tuple[PathComponent, ...], private: Tuple[int, ...]
) -> Iterator[Finding]:
    """Pure: whether the user, and nobody else, gets at the keytab; ``private``: gids."""
    user = account.name
    if not parts or parts[0].mode is None:
        yield _absent(account, path, parts)
        return
    last = parts[0]
    mode = stat.S_IMODE(last.mode or 0)
    what = "%s: mode %o, owner uid %d, group gid %d" % (user, mode, last.uid, last.gid)
    if not stat.S_ISREG(last.mode or 0):
        yield finding("keytab-not-regular", what, last.path, user)
        return
    if last.uid not in (0, account.uid):
        yield finding("keytab-foreign", what, last.path, user)
    if mode & 0o004 or (mode & 0o040 and last.gid not in private):
        yield finding("keytab-exposed", what + ": others can read it", last.path, user)
    for part in parts:
        if _is_open(part, account, private):
            words = "%s: mode %o, owner uid %d, group gid %d"
            words = words % (user, stat.S_IMODE(part.mode or 0), part.uid, part.gid)
            yield finding("keytab-replaceable", words, part.path, user)
    if "r" not in last.rights:
        yield finding("keytab-unreadable", what, last.path, user)


def _absent(account: Account, path: str, parts: Tuple[PathComponent, ...]) -> Finding:
    there = next((one for one in parts if one.mode is not None), None)
    if there is not None and "x" not in there.rights:
        words = "%s cannot pass %s" % (account.name, there.path)
        return finding("keytab-unreachable", words, there.path, account.name)
    return finding("keytab-missing", "%s has no keytab there" % account.name, path, account.name)


def _is_open(part: PathComponent, account: Account, private: Tuple[int, ...]) -> bool:
    """Whether somebody else than root and the user can put something else there."""
    if part.mode is None or stat.S_ISLNK(part.mode):
        return False  # who can change a link can write its folder
    if part.uid not in (0, account.uid) and stat.S_ISDIR(part.mode):
        return True
    if part.is_sticky:
        return False
    shared = part.mode & stat.S_IWGRP and part.gid not in private
    return bool(part.mode & stat.S_IWOTH or shared)


def entries(text: str) -> Tuple[Entry, ...]:
    """Pure: what ``klist -ke`` printed, the keys of a keytab."""
    matches = (_ENTRY.match(line) for line in text.split("\n"))
    return tuple(Entry(int(m.group(1)), m.group(2), m.group(3)) for m in matches if m)


def name_of(text: str) -> Optional[str]:
    """Pure: the path of the keytab that ``klist -k`` looked for."""
    match = re.search(r"^Keytab name: (?:FILE:|WRFILE:)?(/.*)$", text, re.M)
    return match.group(1) if match else None


def judged_entries(
    user: str, path: str, principal: str, found: Tuple[Entry, ...]
) -> Iterator[Finding]:
    """Pure: whether the keytab has keys of the principal (with its realm) that are of use."""
    ours = [one for one in found if one.principal == principal]
    if not ours:
        there = sorted({one.principal for one in found})
        more = " and %d more" % (len(there) - 5) if len(there) > 5 else ""
        words = "%s: no key of %s; it has %s%s"
        words = words % (user, principal, ", ".join(there[:5]) or "no key at all", more)
        yield finding("keytab-lacks-principal", words, path, user, principal=principal)
        return
    newest = max(one.kvno for one in ours)
    types = [one.enctype for one in ours if one.kvno == newest]
    words = "%s: %s, kvno %d, %s" % (user, principal, newest, ", ".join(types))
    yield finding("keytab", words, path, user)
    if all(_WEAK.search(one) for one in types):
        yield finding("keytab-weak", words, path, user)
