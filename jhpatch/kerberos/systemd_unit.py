"""The hub's systemd unit, and what is mounted where the homes are."""

import os
import re
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from jhpatch.checks.accounts import Account
from jhpatch.checks.runner import Deadline
from jhpatch.kerberos import programs
from jhpatch.kerberos.findings import finding
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding
from jhpatch.system.files import read_text

FOLDERS = (
    *("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system"),
    *("/usr/lib/systemd/system", "/lib/systemd/system"),
)
_KEYS = ("PrivateTmp", "ProtectHome", "ProtectSystem", "User", "ReadWritePaths", "DynamicUser")
_HOMES = ("/home/", "/root/", "/run/user/")


class Unit(NamedTuple):
    """A service's settings, by systemd's names; those that are not set are left out."""

    name: str
    settings: Mapping[str, str]

    def of(self, key: str) -> str:
        """A setting in lower case, a boolean as ``yes`` or ``no`` (systemd.syntax(7))."""
        text = self.settings.get(key, "").lower()
        return {"true": "yes", "on": "yes", "1": "yes"}.get(text, text)


def unit(
    name: str, environ: Mapping[str, str], deadline: Deadline, folders: Iterable[str] = FOLDERS
) -> Optional[Unit]:
    """What systemd says, or where it does not run, the unit files; None: there is none."""
    full = name if "." in name else name + ".service"
    systemctl = programs.find_program("systemctl")
    if systemctl:
        argv = [systemctl, "show", "-p", ",".join(_KEYS + ("LoadState",)), "--", full]
        said = programs.run_program(argv, environ, deadline.left(2))
        settings = dict(line.split("=", 1) for line in said.stdout.split("\n") if "=" in line)
        if said.exit_code == 0 and settings.get("LoadState") == "loaded":
            return Unit(full, settings)
    texts = list(_texts(full, tuple(folders)))
    return Unit(full, parse(texts)) if texts else None


def _texts(full: str, folders: Tuple[str, ...]) -> Iterator[str]:
    """The unit file and its drop-ins, in the order in which they count (systemd.unit(5))."""
    path = next((os.path.join(one, full) for one in folders if _is_there(one, full)), None)
    if path is None:
        return
    dropins: Dict[str, str] = {}
    for folder in reversed(folders):
        below = os.path.join(folder, full + ".d")
        for name in os.listdir(below) if os.path.isdir(below) else ():
            if name.endswith(".conf"):
                dropins[name] = os.path.join(below, name)
    for one in [path] + [dropins[name] for name in sorted(dropins)]:
        try:
            yield read_text(one)
        except OSError:
            continue


def _is_there(folder: str, full: str) -> bool:
    return os.path.isfile(os.path.join(folder, full))


def parse(texts: Iterable[str]) -> Dict[str, str]:
    """Pure: [Service] of a unit file and its drop-ins."""
    found: Dict[str, str] = {}
    for text in texts:
        section = ""
        for line in text.replace("\\\n", " ").split("\n"):
            words = line.strip()
            if words.startswith("["):
                section = words
            elif section == "[Service]" and "=" in words and words[0] not in "#;":
                key, _, value = (part.strip() for part in words.partition("="))
                is_list = key == "ReadWritePaths" and value
                found[key] = (found.get(key, "") + " " + value).strip() if is_list else value
    return found


def judged_unit(one: Unit, keytabs: Tuple[str, ...], caches: Tuple[str, ...]) -> Iterator[Finding]:
    """Pure: what the unit means for these paths of users; ``caches``: of FILE caches."""
    shown = ["%s=%s" % (key, one.settings[key]) for key in _KEYS if one.settings.get(key)]
    yield finding("unit", "%s: %s" % (one.name, " ".join(shown) or "nothing set"))
    user = one.settings.get("User", "")
    if user not in ("", "root", "0") or one.of("DynamicUser") == "yes":
        yield finding("unit-not-root", "%s: User=%s" % (one.name, user))
    in_tmp = [path for path in caches if path.startswith("/tmp/")]
    if one.of("PrivateTmp") in ("yes", "disconnected") and in_tmp:
        yield finding("unit-private-tmp", "%s: the cache is %s" % (one.name, in_tmp[0]), in_tmp[0])
    home = one.of("ProtectHome")
    hidden = keytabs + caches if home in ("yes", "tmpfs") else ()
    hidden = caches if home == "read-only" else hidden
    for path in sorted(path for path in set(hidden) if path.startswith(_HOMES)):
        yield finding("unit-protect-home", "%s: ProtectHome=%s" % (one.name, home), path)
    for path in sorted(set(caches)):
        if one.of("ProtectSystem") == "strict" and not _is_writable(path, one):
            words = "%s: ProtectSystem=strict" % one.name
            yield finding("unit-protect-system", words, os.path.dirname(path))


def _is_writable(path: str, one: Unit) -> bool:
    """Whether ProtectSystem=strict leaves a path writable (systemd.exec(5))."""
    tops = [word.lstrip("-+") for word in one.settings.get("ReadWritePaths", "").split()]
    tops += ["/dev", "/proc", "/sys"]
    tops += ["/tmp", "/var/tmp"] if one.of("PrivateTmp") in ("yes", "disconnected") else []
    return any(path.startswith(top.rstrip("/") + "/") for top in tops)


class Mount(NamedTuple):
    """A line of /proc/mounts."""

    path: str
    kind: str
    options: Tuple[str, ...]

    @property
    def needs_ticket(self) -> bool:
        """NFS that lets nobody in without a ticket."""
        return self.kind.startswith("nfs") and any(o.startswith("sec=krb5") for o in self.options)


def mounts(text: str) -> Tuple[Mount, ...]:
    """Pure: /proc/mounts (fstab(5) has the escapes)."""
    found: List[Mount] = []
    for line in text.split("\n"):
        words = line.split(" ")
        if len(words) >= 4:
            path = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m.group(1), 8)), words[1])
            found.append(Mount(path, words[2], tuple(words[3].split(","))))
    return tuple(found)


def mount_of(path: str, found: Iterable[Mount]) -> Optional[Mount]:
    """Pure: the mount that a path is on, by its name alone: the last of the longest."""
    whole = path.rstrip("/") + "/"
    on = [one for one in found if whole.startswith(one.path.rstrip("/") + "/")]
    return max(reversed(on), key=lambda one: len(one.path), default=None)


def judged_mounts(
    account: Account, keytab: str, when: object, found: Tuple[Mount, ...]
) -> Iterator[Finding]:
    """Pure: a home that opens only with a ticket, and where the keytab for the ticket is."""
    on = mount_of(keytab, found) if keytab else None
    if on and on.needs_ticket:
        words = "%s: %s is mounted %s" % (account.name, on.path, ",".join(on.options))
        yield finding("home-needs-ticket", words, keytab, account.name)
    home = mount_of(account.home, found)
    if home and home.needs_ticket and when != "before":
        words = "%s: %s is mounted with sec=krb5" % (account.name, home.path)
        yield finding("home-before-ticket", words, account.home, account.name)
