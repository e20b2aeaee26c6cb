"""Who can read and replace a keytab, and which keys it contains."""

import os
import re
import stat
from typing import Iterator, Optional, Tuple

from jhpatch.deployed.kerberos.account import Account
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.next_steps import Place
from jhpatch.kerberos.path_components import PathComponent
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding

UNUSABLE = {
    *("keytab-missing", "keytab-not-regular", "keytab-unreachable", "keytab-unreadable"),
    *("keytab-central-unread", "keytab-client-central"),
}
"""The codes of the findings that mean that kinit, as the user, cannot read the keytab."""
_WEAK_ENCTYPE = re.compile(r"DEPRECATED|\bdes[-3]|arcfour|\brc4\b", re.I)
_ENTRY = re.compile(r"^ *(\d+) +(\S.*?) +\(([^()]*)\) *$")


class Keytab(NamedTuple):
    """A keytab that kinit would use for a user, whether it exists or not."""

    path: str
    components: Tuple[PathComponent, ...]
    """Those of the path, the last first, as the reader sees them; empty if that took too long."""
    reader: Optional[Account]
    """The user who reads it; None for root, who reads a central keytab."""

    @property
    def exists(self) -> bool:
        """Whether its reader sees a file at the path."""
        return bool(self.components) and self.components[0].mode is not None

    @property
    def is_readable(self) -> bool:
        """Whether its reader can read a regular file at the path; always for root."""
        if self.reader is None:
            return True
        file = self.components[0] if self.components else None
        return file is not None and file.is_regular and "r" in file.rights


class KeytabEntry(NamedTuple):
    """A key of a keytab."""

    kvno: int
    principal: str
    enctype: str


def is_private_group(gid: int, account: Account) -> bool:
    """Return whether a group is root's, the user's own by name and members, or unknown."""
    import grp

    if gid == 0:
        return True
    try:
        entry = grp.getgrgid(gid)
    except KeyError:
        return True
    is_alone = not set(entry.gr_mem) - {account.name, "root"}
    return is_alone and gid == account.gid and entry.gr_name == account.name


def check_keytab_place(account: Account, keytab: Keytab, is_set: bool) -> Iterator[Finding]:
    """Check who can read and replace a keytab; ``is_set``: c.KerberosTicket.keytab names it."""
    components = keytab.components
    gids = {component.gid for component in components}
    private = tuple(gid for gid in gids if is_private_group(gid, account))
    if keytab.reader is None:
        if not is_closed(components):
            yield from check_exposure(account, components, private)
    elif not is_set and is_roots_alone(components):
        message = (
            "%s cannot read the keytab; root owns the visible part of its path" % account.name
        )
        yield finding("keytab-client-central", message, keytab.path, account.name)
    else:
        runs_as = os.geteuid()
        yield from check_keytab_path(account, keytab.path, components, private, runs_as)


def check_keytab_path(
    account: Account,
    path: str,
    components: Tuple[PathComponent, ...],
    private_gids: Tuple[int, ...],
    runs_as: int = 0,
) -> Iterator[Finding]:
    """Check that the user, and no other user, can read the keytab and replace it.

    ``runs_as`` is the uid of the person who reads the findings.
    """
    user = account.name
    if runs_as and is_roots_alone(components):
        message = "%s cannot read the keytab; root owns the visible part of its path" % user
        yield finding("keytab-central-unread", message, path, user)
        return
    if not components or components[0].mode is None:
        yield _missing_keytab(account, path, components)
        return
    file = components[0]
    place = Place(file, account, runs_as)
    message = "%s: %s" % (user, describe(file))
    if not file.is_regular:
        yield finding("keytab-not-regular", message, file.path, user)
        return
    if file.uid not in (0, account.uid):
        yield finding("keytab-foreign", message, file.path, user)
    yield from check_exposure(account, components, private_gids, runs_as)
    for component in components:
        if _is_writable_by_others(component, account, private_gids):
            details = "%s: %s" % (user, describe(component))
            writable = Place(component, account, runs_as)
            yield finding("keytab-replaceable", details, component.path, user, writable)
    if "r" not in file.rights:
        yield finding("keytab-unreadable", message, file.path, user, place)


def check_exposure(
    account: Account,
    components: Tuple[PathComponent, ...],
    private_gids: Tuple[int, ...],
    runs_as: int = 0,
) -> Iterator[Finding]:
    """Check that no other user can read the keytab, which can be a central keytab."""
    file = components[0] if components else None
    if file is None or file.mode is None or not file.is_regular:
        return
    is_private = file.gid in private_gids and not file.has_acl
    if file.mode & 0o004 or (file.mode & 0o040 and not is_private):
        who = "the mode lets the group with gid %d read the file" % file.gid
        if file.has_acl:
            who = "its access control list can let others read it"
        who = "the mode lets every user read the file" if file.mode & 0o004 else who
        message = "%s: %s: %s" % (account.name, describe(file), who)
        place = Place(file, account, runs_as)
        yield finding("keytab-exposed", message, file.path, account.name, place)


def is_roots_alone(components: Tuple[PathComponent, ...]) -> bool:
    """Return whether a path can be that of a central keytab, as a user sees it.

    Root owns what the user can see of the path, and no other user can write that. The user cannot
    read the file, or cannot enter a directory above it.
    """
    seen = [component for component in components if component.mode is not None]
    if not seen or any(one.uid != 0 or (one.mode or 0) & 0o022 for one in seen):
        return False
    is_hidden = components[0].mode is None and "x" not in seen[0].rights
    return is_hidden or (components[0].is_regular and "r" not in components[0].rights)


def is_closed(components: Tuple[PathComponent, ...]) -> bool:
    """Return whether a path has a directory that only root can enter."""
    directories = [component for component in components if component.is_directory]
    return any(one.uid == 0 and not (one.mode or 0) & 0o011 for one in directories)


def describe(component: PathComponent) -> str:
    """Return mode, owner and group of a file or directory as text."""
    mode = stat.S_IMODE(component.mode or 0)
    return "mode %04o, owner uid %d, group gid %d" % (mode, component.uid, component.gid)


def _missing_keytab(account: Account, path: str, components: Tuple[PathComponent, ...]) -> Finding:
    user = account.name
    existing = next((component for component in components if component.mode is not None), None)
    if existing is not None and "x" not in existing.rights:
        message = "%s cannot enter %s" % (user, existing.path)
        return finding("keytab-unreachable", message, existing.path, user)
    return finding("keytab-missing", "%s has no keytab at this path" % user, path, user)


def _is_writable_by_others(
    component: PathComponent, account: Account, private_gids: Tuple[int, ...]
) -> bool:
    """Return whether a user other than root and the account can replace a component."""
    if component.mode is None or stat.S_ISLNK(component.mode):
        return False  # only a user who can write its directory can change a symlink
    if component.uid not in (0, account.uid) and stat.S_ISDIR(component.mode):
        return True
    if component.is_sticky:
        return False
    is_private = component.gid in private_gids and not component.has_acl
    by_group = component.mode & stat.S_IWGRP and not is_private
    return bool(component.mode & stat.S_IWOTH or by_group)


def parse_keytab_name(text: str) -> Optional[str]:
    """Return the path of the keytab that ``klist -k`` names; None if it names none."""
    match = re.search(r"^Keytab name: (?:FILE:|WRFILE:)?(/.*)$", text, re.M)
    return match.group(1) if match else None


def parse_entries(text: str) -> Tuple[KeytabEntry, ...]:
    """Return the keys in the output of ``klist -ke``; other lines are ignored."""
    matches = (_ENTRY.match(line) for line in text.split("\n"))
    return tuple(
        KeytabEntry(int(match.group(1)), match.group(2), match.group(3))
        for match in matches
        if match
    )


def check_keytab_entries(
    user: str, path: str, principal: str, entries: Tuple[KeytabEntry, ...]
) -> Iterator[Finding]:
    """Check that the keytab has keys of the principal, whose name includes its realm."""
    matching = [entry for entry in entries if entry.principal == principal]
    if not matching:
        others = sorted({entry.principal for entry in entries})
        more = " and %d more" % (len(others) - 5) if len(others) > 5 else ""
        message = "%s: the keytab has no key of %s; it has %s%s"
        message = message % (user, principal, ", ".join(others[:5]) or "no key at all", more)
        yield finding("keytab-lacks-principal", message, path, user, principal=principal)
        return
    newest = max(entry.kvno for entry in matching)
    enctypes = [entry.enctype for entry in matching if entry.kvno == newest]
    message = "%s: %s, kvno %d, %s" % (user, principal, newest, ", ".join(enctypes))
    yield finding("keytab", message, path, user)
    if all(_WEAK_ENCTYPE.search(enctype) for enctype in enctypes):
        yield finding("keytab-weak", message, path, user)
