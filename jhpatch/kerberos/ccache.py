"""The credential cache of a user, and which programs see the tickets in it."""

import os
import re
from typing import Iterator, Optional, Tuple

from jhpatch.checks.accounts import Account
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.path_components import PathComponent
from jhpatch.report.result import Finding


def parse_cache_name(text: str) -> Optional[str]:
    """Return the cache that ``klist`` looked for, whether it exists or not."""
    present = re.search(r"^Ticket cache: (\S+)$", text, re.M)
    if present:
        return present.group(1)
    absent = re.search(r"\((?:filename: |ticket cache )?(\S+)\)", text)
    if absent:
        return absent.group(1)
    quoted = re.search(r"Credentials cache (keyring )?'([^']+)' not found", text)
    if quoted:
        return ("KEYRING:" if quoted.group(1) else "") + quoted.group(2)
    return "KCM:" if "No KCM server" in text else None


def expand_default_name(name: str, account: Account) -> Optional[str]:
    """Return default_ccache_name for a user; None if only libkrb5 can tell (krb5.conf(5))."""
    uid = str(account.uid)
    parameters = {"uid": uid, "euid": uid, "USERID": uid, "username": account.name}
    parameters.update(TEMP="/tmp", null="")
    expanded = re.sub(
        r"%\{(\w+)\}", lambda match: parameters.get(match.group(1), match.group(0)), name
    )
    return expanded if expanded and "%{" not in expanded else None


def split_name(cache: str) -> Tuple[str, str]:
    """Return the type of a cache and the rest of its name; a path alone is a FILE cache."""
    if cache.startswith("/"):
        return "FILE", cache
    kind, _, rest = cache.partition(":")
    return kind, rest


def check_cache(account: Account, cache: str, is_set: bool) -> Iterator[Finding]:
    """Check that the cache is supported, and that a JVM sees it.

    ``is_set``: servers receive its name as KRB5CCNAME, so that a JVM sees a FILE cache at
    any path.
    """
    kind, rest = split_name(cache)
    message = "%s: %s" % (account.name, cache)
    is_persistent = kind == "KEYRING" and rest.startswith("persistent:")
    if kind not in ("FILE", "DIR", "KCM") and not is_persistent:
        yield finding("ccache-unsupported", message, user=account.name)
        return
    yield finding("ccache", message, rest if kind == "FILE" else None, account.name)
    if kind != "FILE":
        message += ": a %s cache" % kind
        yield finding("ccache-hidden-from-jvm", message, user=account.name)
    elif not is_set and rest != "/tmp/krb5cc_%d" % account.uid:
        message += ": neither /tmp/krb5cc_%d nor in KRB5CCNAME" % account.uid
        yield finding("ccache-hidden-from-jvm", message, rest, account.name)


def check_cache_path(
    account: Account, path: str, components: Tuple[PathComponent, ...]
) -> Iterator[Finding]:
    """Check that the user can store a FILE cache at ``path``."""
    by_path = {component.path: component for component in components}
    file = by_path.get(path)
    if file and file.mode is not None and file.uid != account.uid:
        message = "%s: it belongs to uid %d" % (account.name, file.uid)
        yield finding("ccache-foreign", message, path, account.name)
    elif file and file.mode is not None and not file.is_regular:
        message = "%s: it is no regular file" % account.name
        yield finding("ccache-foreign", message, path, account.name)
    directory = by_path.get(os.path.dirname(path))
    if directory is None or directory.mode is None or not {"w", "x"} <= set(directory.rights):
        message = "%s cannot make a file in this folder" % account.name
        yield finding("ccache-folder", message, os.path.dirname(path), account.name)
