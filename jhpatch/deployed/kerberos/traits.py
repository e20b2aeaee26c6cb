"""``c.KerberosTicket``: the settings as traits of a configuration file."""

import re
from typing import Any, List, Optional

from traitlets import Any as AnyTrait
from traitlets import Bool, Enum, Float, Integer, TraitError, Unicode, validate
from traitlets.config import LoggingConfigurable

from . import settings
from .errors import Problem, printable
from .settings import Settings

_KINDS = {bool: Bool, int: Integer, float: Float, str: Unicode}


def _trait(name: str) -> Any:
    """Return the trait of a setting, with the type of its default."""
    default, text = getattr(Settings(), name), settings.HELP[name]
    if name in settings.CHOICES:
        trait: Any = Enum(settings.CHOICES[name], default, help=text)
    elif name in ("principal", "keytab"):
        trait = AnyTrait(default, help=text)  # may be a callable
    else:
        trait = _KINDS[type(default)](default, help=text)
    return trait.tag(config=True)


class KerberosTicket(LoggingConfigurable):
    """How users' Kerberos tickets are obtained and stored, and what happens without one."""

    for _name in Settings._fields:
        vars()[_name] = _trait(_name)
    del _name

    @validate(*Settings._fields)
    def _check(self, proposal: Any) -> Any:
        try:
            return settings.check(proposal["trait"].name, proposal["value"])
        except Problem as problem:
            raise TraitError(str(problem))

    def values(self) -> Settings:
        """Return the settings."""
        return Settings(**{name: getattr(self, name) for name in Settings._fields})


def misspelt(config: Any) -> List[str]:
    """Return a line for each setting of ``c.KerberosTicket`` that does not exist.

    Also return one for a section with a similar name, which traitlets does not report.
    """
    sections = [str(name) for name in config if str(name) != "KerberosTicket"]
    similar = [name for name in sections if name[:1] in "Kk" and "erb" in name.lower()]
    lines = [
        printable("%r is not a section; did you mean KerberosTicket?" % name)
        for name in settings.similar("KerberosTicket", similar, 0.85)
    ]
    inherited = set(KerberosTicket.class_trait_names()) - set(Settings._fields)
    section = config.get("KerberosTicket", {})
    return lines + settings.misspelt(str(name) for name in section if name not in inherited)


def place_of(message: str, path: Optional[str]) -> str:
    """Return ``PATH:LINE: `` of the last assignment to the setting that a message names.

    Empty if the configuration file does not set it. The file is the administrator's, and the
    hub has run it.
    """
    match = re.search(r"KerberosTicket\.(\w+)|no setting '(\w+)'|^The '(\w+)' trait", message)
    if not match or not path:
        return ""
    name = next(group for group in match.groups() if group)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read(1 << 20).splitlines()
    except OSError:
        return ""
    assigned = re.compile(r"^[^#]*\bKerberosTicket(\.|\[['\"])%s\b" % re.escape(name))
    numbers = [number for number, line in enumerate(lines, 1) if assigned.match(line)]
    return "%s:%d: " % (path, numbers[-1]) if numbers else ""
