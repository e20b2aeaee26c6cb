"""The hub's systemd unit, and what it hides from the hub and its servers."""

import os
from typing import Dict, Iterable, Iterator, Mapping, Optional, Tuple

from jhpatch.checks.runner import Deadline
from jhpatch.kerberos import programs
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.programs import Run
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding
from jhpatch.system.files import read_text

DIRECTORIES = (
    *("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system"),
    *("/usr/lib/systemd/system", "/lib/systemd/system"),
)
"""Where unit files are, in systemd's order (systemd.unit(5))."""
_SETTINGS = (
    *("PrivateTmp", "ProtectHome", "ProtectSystem", "User"),
    *("ReadWritePaths", "DynamicUser"),
)
_HOMES = ("/home/", "/root/", "/run/user/")


class Unit(NamedTuple):
    """A service."""

    name: str
    settings: Mapping[str, str]
    """Those that are set, by systemd's names."""

    def normalized(self, setting: str) -> str:
        """Return a setting in lower case, a boolean as ``yes`` or ``no`` (systemd.syntax(7))."""
        text = self.settings.get(setting, "").lower()
        return {"true": "yes", "on": "yes", "1": "yes"}.get(text, text)

    @property
    def has_private_tmp(self) -> bool:
        """Whether the service has a /tmp of its own."""
        return self.normalized("PrivateTmp") in ("yes", "disconnected")


def read_unit(
    name: str, run: Run, deadline: Deadline, directories: Iterable[str] = DIRECTORIES
) -> Optional[Unit]:
    """Return the unit of that name; None if there is none.

    systemd is asked; if it does not run or does not know the unit, the unit files are read.
    """
    unit_name = name if "." in name else name + ".service"
    systemctl = programs.find_program("systemctl")
    if systemctl:
        properties = ",".join(_SETTINGS + ("LoadState",))
        argv = [systemctl, "show", "-p", properties, "--", unit_name]
        completed = run(argv, deadline.left(2), None)
        lines = completed.stdout.split("\n")
        settings = dict(line.split("=", 1) for line in lines if "=" in line)
        if completed.exit_code == 0 and settings.get("LoadState") == "loaded":
            return Unit(unit_name, settings)
    texts = list(_read_unit_files(unit_name, tuple(directories)))
    return Unit(unit_name, parse_unit_files(texts)) if texts else None


def _read_unit_files(unit_name: str, directories: Tuple[str, ...]) -> Iterator[str]:
    """Yield the unit file and its drop-ins, in the order in which they count."""
    paths = (os.path.join(directory, unit_name) for directory in directories)
    unit_path = next(filter(os.path.isfile, paths), None)
    if unit_path is None:
        return
    drop_ins: Dict[str, str] = {}
    for directory in reversed(directories):
        below = os.path.join(directory, unit_name + ".d")
        for name in os.listdir(below) if os.path.isdir(below) else ():
            if name.endswith(".conf"):
                drop_ins[name] = os.path.join(below, name)
    for path in [unit_path] + [drop_ins[name] for name in sorted(drop_ins)]:
        try:
            yield read_text(path)
        except OSError:
            continue


def parse_unit_files(texts: Iterable[str]) -> Dict[str, str]:
    """Return the settings in [Service] of a unit file and its drop-ins."""
    settings: Dict[str, str] = {}
    for text in texts:
        section = ""
        for raw_line in text.replace("\\\n", " ").split("\n"):
            line = raw_line.strip()
            if line.startswith("["):
                section = line
            elif section == "[Service]" and "=" in line and line[0] not in "#;":
                name, _, value = (part.strip() for part in line.partition("="))
                if name == "ReadWritePaths" and value:
                    value = (settings.get(name, "") + " " + value).strip()
                settings[name] = value
    return settings


def check_unit(unit: Unit, keytabs: Tuple[str, ...], caches: Tuple[str, ...]) -> Iterator[Finding]:
    """Check that the hub can use these paths of users; ``caches`` are those of FILE caches."""
    shown = [
        "%s=%s" % (name, unit.settings[name]) for name in _SETTINGS if unit.settings.get(name)
    ]
    yield finding("unit", "%s: %s" % (unit.name, " ".join(shown) or "nothing set"))
    user = unit.settings.get("User", "")
    if user not in ("", "root", "0") or unit.normalized("DynamicUser") == "yes":
        yield finding("unit-not-root", "%s: User=%s" % (unit.name, user))
    in_tmp = [path for path in caches if path.startswith("/tmp/")]
    if unit.has_private_tmp and in_tmp:
        message = "%s: the cache is %s" % (unit.name, in_tmp[0])
        yield finding("unit-private-tmp", message, in_tmp[0])
    protect_home = unit.normalized("ProtectHome")
    hidden = {"yes": keytabs + caches, "tmpfs": keytabs + caches, "read-only": caches}
    for path in sorted(set(hidden.get(protect_home, ()))):
        if path.startswith(_HOMES):
            message = "%s: ProtectHome=%s" % (unit.name, protect_home)
            yield finding("unit-protect-home", message, path)
    for path in sorted(set(caches)):
        if unit.normalized("ProtectSystem") == "strict" and not _is_writable(path, unit):
            message = "%s: ProtectSystem=strict" % unit.name
            yield finding("unit-protect-system", message, os.path.dirname(path))


def _is_writable(path: str, unit: Unit) -> bool:
    """Return whether ProtectSystem=strict leaves a path writable (systemd.exec(5))."""
    writable = [word.lstrip("-+") for word in unit.settings.get("ReadWritePaths", "").split()]
    writable += ["/dev", "/proc", "/sys"]
    writable += ["/tmp", "/var/tmp"] if unit.has_private_tmp else []
    return any(path.startswith(directory.rstrip("/") + "/") for directory in writable)
