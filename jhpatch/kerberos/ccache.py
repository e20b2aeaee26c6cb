"""The credential cache of a user, and which programs see the tickets in it."""

import os
import re
import stat
from typing import Iterator, Optional, Tuple

from jhpatch.deployed.kerberos.account import PRIVATE, Account
from jhpatch.deployed.kerberos.ccache import UnsupportedCache, cache_of, default_cache_of
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.path_components import PathComponent
from jhpatch.kerberos.programs import Run
from jhpatch.report.result import Finding

_LEAST_SPACE = 65536
"""Bytes for a new cache, which is written beside the old one."""


def parse_cache_name(text: str, account: Account) -> Optional[str]:
    """Return the cache that ``klist`` names, whether it exists or not; None if it names none."""
    if "No KCM server" in text:
        return "KCM:"
    try:
        return default_cache_of(text, account.uid).name
    except Problem:
        return None


def expand_default_name(name: str, account: Account) -> Optional[str]:
    """Return default_ccache_name for a user; None if only libkrb5 can expand it (krb5.conf(5))."""
    uid = str(account.uid)
    parameters = {"uid": uid, "euid": uid, "USERID": uid, "username": account.name}
    parameters.update(TEMP="/tmp", null="")
    expanded = re.sub(
        r"%\{(\w+)\}", lambda match: parameters.get(match.group(1), match.group(0)), name
    )
    return expanded if expanded and "%{" not in expanded else None


def usual_path(account: Account) -> str:
    """Return the path of the FILE cache that is MIT's built-in default, and a JVM's."""
    return "/tmp/krb5cc_%d" % account.uid


def fifo_cache(account: Account) -> Optional[str]:
    """Return the name of the usual cache if it is a FIFO: klist waits for a process to open it."""
    path = usual_path(account)
    try:
        return "FILE:" + path if stat.S_ISFIFO(os.lstat(path).st_mode) else None
    except OSError:
        return None


def split_name(cache: str) -> Tuple[str, str]:
    """Return the type of a cache and the rest of its name; a path alone is a FILE cache."""
    if cache.startswith("/"):
        return "FILE", cache
    kind, _, rest = cache.partition(":")
    return kind, rest


def check_cache(account: Account, cache: str, is_set: bool) -> Iterator[Finding]:
    """Check that the cache is supported, and that a JVM sees it.

    ``is_set``: servers receive the name as KRB5CCNAME, so that a JVM sees a FILE cache at any
    path.
    """
    try:
        known = cache_of(cache, account.uid)
    except Problem as problem:
        code = "ccache-unsupported" if isinstance(problem, UnsupportedCache) else "ticket-fails"
        yield finding(code, "%s: %s" % (account.name, problem), user=account.name)
        return
    message = "%s: %s" % (account.name, cache)
    path = known.path if known.jvm_sees else None
    yield finding("ccache", message, path, account.name)
    if not known.jvm_sees:
        message += " is a %s cache" % known.name.partition(":")[0]
        yield finding("ccache-hidden-from-jvm", message, user=account.name)
    elif not is_set and path != usual_path(account):
        message += " is neither %s nor the value of KRB5CCNAME" % usual_path(account)
        yield finding("ccache-hidden-from-jvm", message, path, account.name)


def check_template(template: str) -> Iterator[Finding]:
    """Check c.KerberosTicket.ccache: the caches of two users must differ."""
    fields = (("u", 1, "/home/u"), ("v", 2, "/home/v"))
    names = set()
    for username, uid, home in fields:
        text = template.format(username=username, uid=uid, home=home, realm="R", host="h")
        names.add(cache_of(text, uid).name)
    if len(names) == 1:
        yield finding(
            "ccache-shared", "c.KerberosTicket.ccache is %s for every user" % names.pop()
        )


def check_default_name(name: str) -> Iterator[Finding]:
    """Check default_ccache_name of krb5.conf: the caches of two users must differ."""
    accounts = Account("u", 1, 1, "/home/u"), Account("v", 2, 2, "/home/v")
    names = set()
    for account in accounts:
        expanded = expand_default_name(name, account)
        try:
            names.add(expanded and cache_of(expanded, account.uid).name)
        except Problem:
            return  # the check of a user's cache reports it
    if len(names) == 1 and None not in names:
        yield finding("ccache-shared", "default_ccache_name is %s for every user" % names.pop())


def check_cache_path(
    account: Account, path: str, components: Tuple[PathComponent, ...]
) -> Iterator[Finding]:
    """Check that the ticket service can store a cache at ``path``."""
    by_path = {component.path: component for component in components}
    directory = by_path.get(os.path.dirname(path))
    yield from _check_old_cache(account, by_path.get(path), directory)
    is_missing = directory is None or directory.mode is None
    above = by_path.get(os.path.dirname(os.path.dirname(path)))
    message = ""
    if is_missing and is_made_by_hub(path, components):
        return
    if is_missing and above is not None and above.is_directory:
        # The service creates at most one directory, with the rights of the user.
        if not {"w", "x"} <= set(above.rights):
            message = "%s does not exist, and %s cannot create it"
            message = message % (os.path.dirname(path), account.name)
    elif directory is None or directory.mode is None:
        message = "%s does not exist" % os.path.dirname(path)
    elif not {"w", "x"} <= set(directory.rights):
        message = "%s cannot create a file in this directory" % account.name
    elif directory.is_directory and directory.uid not in (0, account.uid):
        message = "%s: the directory belongs to uid %d" % (account.name, directory.uid)
    if message:
        yield finding("ccache-folder", message, os.path.dirname(path), account.name)


def check_space(
    account: Account, path: str, components: Tuple[PathComponent, ...], run: Run, seconds: float
) -> Iterator[Finding]:
    """Check that the file system of a cache has space for a new one, as the user sees it."""
    directories = [one for one in components if one.is_directory and path.startswith(one.path)]
    if not directories:
        return
    directory = max((one.path for one in directories), key=len)
    done = run(["stat", "-f", "-c", "%a %S %c %d", "--", directory], seconds, account)
    numbers = done.stdout.split()
    if done.exit_code != 0 or len(numbers) != 4 or not all(map(str.isdigit, numbers)):
        return
    blocks, size, files, free_files = map(int, numbers)
    message = ""
    if blocks * size < _LEAST_SPACE:
        message = "%s: the file system of the cache has only %d bytes available" % (
            account.name,
            blocks * size,
        )
    elif files and not free_files:  # a file system without a limit reports 0 of 0
        message = "%s: the file system of the cache can hold no more files" % account.name
    if message:
        yield finding("ccache-full", message, directory, account.name)


def is_made_by_hub(path: str, components: Tuple[PathComponent, ...]) -> bool:
    """Return whether the hub, as root, creates the directory of a cache: /run/jhpatch/NAME.

    It does so only if no other user can write the directories above it
    (``make_private_directory``).
    """
    if os.path.dirname(os.path.dirname(path)) != PRIVATE:
        return False
    outer = [one for one in components if one.path in (PRIVATE, os.path.dirname(PRIVATE))]
    seen = [one for one in outer if one.mode is not None]
    return all(one.uid == 0 and not (one.mode or 0) & 0o022 for one in seen)


def _check_old_cache(
    account: Account, file: Optional[PathComponent], directory: Optional[PathComponent]
) -> Iterator[Finding]:
    """Check that the service can replace an old cache (``_prepare`` of cache_child.py)."""
    if file is None or file.mode is None:
        return
    user, is_link = account.name, stat.S_ISLNK(file.mode)
    # rename(2): in a sticky directory, only the owner of the file or of the directory can replace
    # the file.
    is_kept = directory is not None and directory.is_sticky and directory.uid != account.uid
    if file.uid != account.uid and (is_kept or not is_link):
        what = "the symlink" if is_link else "the cache"
        message = "%s: %s belongs to uid %d" % (user, what, file.uid)
        yield finding("ccache-foreign", message, file.path, user)
    elif is_link:
        yield finding("ccache-replaced", "%s: the cache is a symlink" % user, file.path, user)
    elif not file.is_regular:
        message = "%s: the cache is not a regular file" % user
        yield finding("ccache-not-regular", message, file.path, user)
