"""Who can read and replace a keytab, and which keys it holds."""

import os
import re
import stat
from typing import Iterator, Optional, Tuple

from jhpatch.checks.accounts import Account
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.path_components import PathComponent
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding

UNUSABLE = {"keytab-missing", "keytab-not-regular", "keytab-unreachable", "keytab-unreadable"}
"""The codes of findings with which kinit, as the user, cannot read the keytab."""
_WEAK_ENCTYPE = re.compile(r"DEPRECATED|\bdes[-3]|arcfour|\brc4\b", re.I)
_ENTRY = re.compile(r"^ *(\d+) +(\S+) +\((.*)\) *$")


class Keytab(NamedTuple):
    """A keytab that kinit would use for a user, whether it exists or not."""

    path: str
    components: Tuple[PathComponent, ...]
    """Of the path, the last first; empty if they could not be read in time."""
    reader: Optional[Account]
    """The user who reads it; None for root, who reads a central keytab."""

    @property
    def is_readable(self) -> bool:
        """Whether its reader can read a regular file there."""
        if self.reader is None:
            return True
        file = self.components[0] if self.components else None
        return file is not None and file.is_regular and "r" in file.rights


class KeytabEntry(NamedTuple):
    """A key of a keytab."""

    kvno: int
    principal: str
    enctype: str


def is_root_only(path: str) -> bool:
    """Return whether root alone can write a path and all directories on the way to it.

    As ``is_central`` of the deployed code: nothing below a directory of another user is
    inspected. The file itself need not exist.
    """
    if os.geteuid() != 0 or ".." in path.split("/"):
        return False
    ends = [index for index, character in enumerate(path) if character == "/" and index]
    for end in ends + [len(path)]:
        try:
            status = os.lstat(path[:end])
        except OSError:
            return end == len(path)
        if status.st_uid != 0 or status.st_mode & 0o022 or stat.S_ISLNK(status.st_mode):
            return False
    return True


def is_private_group(gid: int, account: Account) -> bool:
    """Return whether a group is root's, or the user's alone, by its name and its members."""
    import grp

    if gid == 0:
        return True
    try:
        entry = grp.getgrgid(gid)
    except KeyError:
        return True
    is_alone = not set(entry.gr_mem) - {account.name, "root"}
    return is_alone and gid == account.gid and entry.gr_name == account.name


def check_keytab_path(
    account: Account,
    path: str,
    components: Tuple[PathComponent, ...],
    private_gids: Tuple[int, ...],
) -> Iterator[Finding]:
    """Check that the user, and nobody else, can read the keytab and replace it."""
    user = account.name
    if not components or components[0].mode is None:
        yield _missing_keytab(account, path, components)
        return
    file = components[0]
    mode = stat.S_IMODE(file.mode or 0)
    message = "%s: mode %o, owner uid %d, group gid %d" % (user, mode, file.uid, file.gid)
    if not file.is_regular:
        yield finding("keytab-not-regular", message, file.path, user)
        return
    if file.uid not in (0, account.uid):
        yield finding("keytab-foreign", message, file.path, user)
    if mode & 0o004 or (mode & 0o040 and file.gid not in private_gids):
        yield finding("keytab-exposed", message + ": others can read it", file.path, user)
    for component in components:
        if _is_writable_by_others(component, account, private_gids):
            details = "%s: mode %o, owner uid %d, group gid %d"
            mode = stat.S_IMODE(component.mode or 0)
            details = details % (user, mode, component.uid, component.gid)
            yield finding("keytab-replaceable", details, component.path, user)
    if "r" not in file.rights:
        yield finding("keytab-unreadable", message, file.path, user)


def _missing_keytab(account: Account, path: str, components: Tuple[PathComponent, ...]) -> Finding:
    user = account.name
    existing = next((component for component in components if component.mode is not None), None)
    if existing is not None and "x" not in existing.rights:
        message = "%s cannot pass %s" % (user, existing.path)
        return finding("keytab-unreachable", message, existing.path, user)
    return finding("keytab-missing", "%s has no keytab there" % user, path, user)


def _is_writable_by_others(
    component: PathComponent, account: Account, private_gids: Tuple[int, ...]
) -> bool:
    """Return whether another user than root and the account can replace what is there."""
    if component.mode is None or stat.S_ISLNK(component.mode):
        return False  # who can change a link can write its directory
    if component.uid not in (0, account.uid) and stat.S_ISDIR(component.mode):
        return True
    if component.is_sticky:
        return False
    by_group = component.mode & stat.S_IWGRP and component.gid not in private_gids
    return bool(component.mode & stat.S_IWOTH or by_group)


def parse_keytab_name(text: str) -> Optional[str]:
    """Return the path of the keytab that ``klist -k`` looked for."""
    match = re.search(r"^Keytab name: (?:FILE:|WRFILE:)?(/.*)$", text, re.M)
    return match.group(1) if match else None


def parse_entries(text: str) -> Tuple[KeytabEntry, ...]:
    """Return the keys that ``klist -ke`` printed; other lines are ignored."""
    matches = (_ENTRY.match(line) for line in text.split("\n"))
    return tuple(
        KeytabEntry(int(match.group(1)), match.group(2), match.group(3))
        for match in matches
        if match
    )


def check_keytab_entries(
    user: str, path: str, principal: str, entries: Tuple[KeytabEntry, ...]
) -> Iterator[Finding]:
    """Check that the keytab has usable keys of the principal, which includes its realm."""
    matching = [entry for entry in entries if entry.principal == principal]
    if not matching:
        others = sorted({entry.principal for entry in entries})
        more = " and %d more" % (len(others) - 5) if len(others) > 5 else ""
        message = "%s: no key of %s; it has %s%s"
        message = message % (user, principal, ", ".join(others[:5]) or "no key at all", more)
        yield finding("keytab-lacks-principal", message, path, user, principal=principal)
        return
    newest = max(entry.kvno for entry in matching)
    enctypes = [entry.enctype for entry in matching if entry.kvno == newest]
    message = "%s: %s, kvno %d, %s" % (user, principal, newest, ", ".join(enctypes))
    yield finding("keytab", message, path, user)
    if all(_WEAK_ENCTYPE.search(enctype) for enctype in enctypes):
        yield finding("keytab-weak", message, path, user)
