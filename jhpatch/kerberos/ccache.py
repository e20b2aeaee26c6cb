"""Where a user's tickets go, and who sees them there."""

import os
import re
import stat
from typing import Iterator, Optional, Tuple

from jhpatch.checks.accounts import Account
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.keytab import PathComponent
from jhpatch.report.result import Finding


def named(text: str) -> Optional[str]:
    """Pure: the cache that ``klist`` looked for, whether it is there or not."""
    found = re.search(r"^Ticket cache: (\S+)$", text, re.M)
    if found:
        return found.group(1)
    absent = re.search(r"\((?:filename: |ticket cache )?(\S+)\)", text)
    if absent:
        return absent.group(1)
    other = re.search(r"Credentials cache (keyring )?'([^']+)' not found", text)
    if other:
        return ("KEYRING:" if other.group(1) else "") + other.group(2)
    return "KCM:" if "No KCM server" in text else None


def expanded(name: str, account: Account) -> Optional[str]:
    """Pure: default_ccache_name for a user; None where only libkrb5 can tell (krb5.conf(5))."""
    known = {"uid": account.uid, "euid": account.uid, "USERID": account.uid}
    words = {**known, "username": account.name, "TEMP": "/tmp", "null": ""}
    found = re.sub(r"%\{(\w+)\}", lambda m: str(words.get(m.group(1), m.group(0))), name)
    return found if found and "%{" not in found else None


def split(cache: str) -> Tuple[str, str]:
    """Pure: ``(type, the rest)``; a path alone is a FILE cache."""
    if cache.startswith("/"):
        return "FILE", cache
    kind, _, rest = cache.partition(":")
    return kind, rest


def judged(account: Account, cache: str, is_set: bool) -> Iterator[Finding]:
    """Pure: ``is_set``: the servers get it as KRB5CCNAME, so that a JVM sees a FILE cache."""
    kind, rest = split(cache)
    words = "%s: %s" % (account.name, cache)
    is_persistent = kind == "KEYRING" and rest.startswith("persistent:")
    if kind not in ("FILE", "DIR", "KCM") and not is_persistent:
        yield finding("ccache-unsupported", words, user=account.name)
        return
    yield finding("ccache", words, rest if kind == "FILE" else None, account.name)
    if kind != "FILE":
        words += ": a %s cache" % kind
        yield finding("ccache-hidden-from-jvm", words, user=account.name)
    elif not is_set and rest != "/tmp/krb5cc_%d" % account.uid:
        words += ": neither /tmp/krb5cc_%d nor in KRB5CCNAME" % account.uid
        yield finding("ccache-hidden-from-jvm", words, rest, account.name)


def judged_path(
    account: Account, path: str, parts: Tuple[PathComponent, ...]
) -> Iterator[Finding]:
    """Pure: whether the user can keep a cache there; ``parts`` as ``keytabs.walk`` gives them."""
    by_path = {one.path: one for one in parts}
    last = by_path.get(path)
    if last and last.mode is not None and last.uid != account.uid:
        words = "%s: it belongs to uid %d" % (account.name, last.uid)
        yield finding("ccache-foreign", words, path, account.name)
    elif last and last.mode is not None and not stat.S_ISREG(last.mode):
        words = "%s: it is no regular file" % account.name
        yield finding("ccache-foreign", words, path, account.name)
    folder = by_path.get(os.path.dirname(path))
    if folder is None or folder.mode is None or not {"w", "x"} <= set(folder.rights):
        words = "%s cannot make a file in this folder" % account.name
        yield finding("ccache-folder", words, os.path.dirname(path), account.name)
