"""The hub's systemd unit, and the files that it hides from the hub and its servers."""

import errno
import os
import re
import shlex
from typing import Dict, Iterable, Iterator, Mapping, Optional, Tuple

from jhpatch.checks.runner import Deadline
from jhpatch.deployed.kerberos.account import PRIVATE
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
"""The directories of unit files, in the order of systemd (systemd.unit(5))."""
_SETTINGS = (
    *("PrivateTmp", "ProtectHome", "ProtectSystem", "User"),
    *("ReadWritePaths", "DynamicUser"),
)
_RESTRICTIONS = (
    *("InaccessiblePaths", "ReadOnlyPaths", "TemporaryFileSystem", "RootDirectory", "RootImage"),
    *("PrivateNetwork", "PrivateUsers"),
)
"""Settings whose effect on keytabs, caches and KDCs doctor does not know."""
_ENVIRONMENT, _ENVIRONMENT_FILE = "Environment", "EnvironmentFile"
_PASSED = "PassEnvironment"
_CONFIG = "KRB5_CONFIG"
_LISTS = ("ReadWritePaths", *_RESTRICTIONS[:3], _ENVIRONMENT, _ENVIRONMENT_FILE, _PASSED)
_HOMES = ("/home/", "/root/", "/run/user/")


class Unit(NamedTuple):
    """A service unit."""

    name: str
    settings: Mapping[str, str]
    """The settings of the unit, by the names of systemd."""

    def normalized(self, setting: str) -> str:
        """Return a setting in lower case, a boolean as ``yes`` or ``no`` (systemd.syntax(7))."""
        text = self.settings.get(setting, "").lower()
        no = dict.fromkeys(("false", "off", "0"), "no")
        return {"true": "yes", "on": "yes", "1": "yes", **no}.get(text, text)

    @property
    def krb5_config(self) -> Optional[str]:
        """KRB5_CONFIG of the service; None if the unit does not set it.

        EnvironmentFile= overrides Environment= (systemd.exec(5)).
        """
        return self._environment()[0].get(_CONFIG)

    @property
    def knows_krb5_config(self) -> bool:
        """Whether it is known if the unit sets KRB5_CONFIG, and to which value."""
        is_passed = _CONFIG in self.settings.get(_PASSED, "").split()
        values, is_whole = self._environment()
        return is_whole and (_CONFIG in values or not is_passed)

    def _environment(self) -> Tuple[Dict[str, str], bool]:
        """Return the variables that the unit sets, and whether each existing file was read."""
        values, is_whole = _variables(self.settings.get(_ENVIRONMENT, "")), True
        for word in self.settings.get(_ENVIRONMENT_FILE, "").split():
            try:
                lines = read_text(word.lstrip("-")).split("\n")
            except OSError as error:
                is_whole = is_whole and error.errno == errno.ENOENT
                continue
            for line in lines:
                if not line.lstrip().startswith(("#", ";")):
                    values.update(_variables(line))
        return values, is_whole

    @property
    def has_private_tmp(self) -> bool:
        """Whether the service has its own /tmp."""
        return self.normalized("PrivateTmp") in ("yes", "disconnected")


def read_unit(
    name: str, run: Run, deadline: Deadline, directories: Iterable[str] = DIRECTORIES
) -> Optional[Unit]:
    """Return the unit of that name; None if there is none.

    If systemd does not run or has not loaded the unit, the result comes from the unit files.
    """
    unit_name = name if "." in name else name + ".service"
    systemctl = programs.find_program("systemctl")
    if systemctl:
        asked = (
            *_SETTINGS,
            *_RESTRICTIONS,
            _ENVIRONMENT,
            _ENVIRONMENT_FILE + "s",
            _PASSED,
            "LoadState",
        )
        properties = ",".join(asked)
        argv = [systemctl, "show", "-p", properties, "--", unit_name]
        completed = run(argv, deadline.left(2), None)
        lines = completed.stdout.split("\n")
        settings = dict(line.split("=", 1) for line in lines if "=" in line)
        if completed.exit_code == 0 and settings.get("LoadState") == "loaded":
            files = re.findall(r"(/\S+) \(ignore_errors=", completed.stdout)
            settings[_ENVIRONMENT_FILE] = " ".join(files)
            return Unit(unit_name, settings)
    texts = list(_read_unit_files(unit_name, tuple(directories)))
    return Unit(unit_name, parse_unit_files(texts)) if texts else None


def _read_unit_files(unit_name: str, directories: Tuple[str, ...]) -> Iterator[str]:
    """Yield the unit file and its drop-ins; a later one overrides earlier ones."""
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
                if name in _LISTS and value:
                    value = (settings.get(name, "") + " " + value).strip()
                settings[name] = value
    return settings


def _variables(text: str) -> Dict[str, str]:
    """Return the variables in a value of Environment=, which can be in quotes."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    pairs = (word.partition("=") for word in words)
    return {name: value for name, _, value in pairs}


def check_unit(unit: Unit, keytabs: Tuple[str, ...], caches: Tuple[str, ...]) -> Iterator[Finding]:
    """Check that the hub can use the keytabs and the paths of FILE caches of its users."""
    shown = [
        "%s=%s" % (name, unit.settings[name]) for name in _SETTINGS if unit.settings.get(name)
    ]
    if unit.krb5_config is not None:
        shown.append("KRB5_CONFIG=" + unit.krb5_config)
    yield finding("unit", "%s: %s" % (unit.name, " ".join(shown) or "nothing set"))
    values = [(name, unit.settings.get(name, "")) for name in _RESTRICTIONS]
    words = ["%s=%s" % row for row in values if unit.normalized(row[0]) not in ("", "no")]
    if words:
        yield finding("unit-restricted", "%s: %s" % (unit.name, " ".join(words)))
    user = unit.settings.get("User", "")
    if user not in ("", "root", "0"):
        yield finding("unit-not-root", "%s: User=%s" % (unit.name, user), line="User=root")
    elif unit.normalized("DynamicUser") == "yes":
        message = "%s: DynamicUser=yes" % unit.name
        yield finding("unit-not-root", message, line="DynamicUser=no")
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
            yield finding("unit-protect-system", message, _directory_above(path))


def _directory_above(path: str) -> str:
    """Return the directory for ReadWritePaths=: the nearest one that exists, but not the root.

    systemd does not start a unit that names a missing directory. /run/jhpatch is missing after a
    boot, so for a path in it the result is /run.
    """
    if path.startswith(PRIVATE + "/"):
        return os.path.dirname(PRIVATE)
    directory = os.path.dirname(path)
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    return directory if directory != "/" else os.path.dirname(path)


def _is_writable(path: str, unit: Unit) -> bool:
    """Return whether ProtectSystem=strict leaves a path writable (systemd.exec(5))."""
    writable = [word.lstrip("-+") for word in unit.settings.get("ReadWritePaths", "").split()]
    writable += ["/dev", "/proc", "/sys"]
    writable += ["/tmp", "/var/tmp"] if unit.has_private_tmp else []
    return any(path.startswith(directory.rstrip("/") + "/") for directory in writable)
