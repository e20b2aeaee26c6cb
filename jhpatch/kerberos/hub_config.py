"""The hub's settings as a value, as far as doctor can know them without running code."""

from typing import Any, Mapping, Optional, Tuple

from jhpatch.deployed.kerberos.settings import TEMPLATES
from jhpatch.namedtuple import NamedTuple


class Place(NamedTuple):
    """A line of a configuration file; 0 if only the file is known."""

    path: str
    line: int = 0

    def __str__(self) -> str:
        return "%s:%d" % self if self.line else self.path


class Unread(NamedTuple):
    """Code that is not evaluated, and what it does."""

    place: Place
    what: str


class Environment(NamedTuple):
    """A setting ``environment`` with entries that are not known."""

    entries: Mapping[str, Any]
    """The known values, and an ``Unread`` for each unknown one."""
    rest: Optional[Unread] = None
    """Code that can add further entries."""
    is_update: bool = False
    """Whether it extends the value of the base class, as ``c.A.environment.update`` does."""


class Function:
    """A function of a configuration file, which doctor never calls."""

    def __init__(self, name: str, line: int) -> None:
        self.name, self.line = name, line

    def __call__(self, *arguments: Any) -> Any:
        raise NotImplementedError("%r is not run" % self)

    def __repr__(self) -> str:
        return "<function %s, line %d>" % (self.name, self.line)


class HubConfig(NamedTuple):
    """The hub's settings, by ``Class.name``."""

    settings: Mapping[str, Any] = {}
    """The known values: constants, a ``Function``, an ``Environment``; of a setting that ends
    in ``_class``, the dotted name of a class or its ``ClassDefinition``."""
    computed: Mapping[str, Unread] = {}
    """Why the value of a setting is not known."""
    path: Optional[str] = None
    """The first file that was read."""
    places: Mapping[str, Place] = {}
    """Where each known value is set."""
    unread: Tuple[Unread, ...] = ()
    """Code that can change settings; it is unknown which."""

    def ticket_setting(self, name: str) -> Any:
        """Return a setting of KerberosTicket; None if it is not set or unknown."""
        return self.settings.get("KerberosTicket." + name)

    def place(self, setting: str) -> Optional[str]:
        """Return FILE:LINE of a setting; None if no file sets it."""
        place = self.places.get(setting)
        if place is None and setting in self.computed:
            place = self.computed[setting].place
        return str(place) if place else None

    @property
    def names(self) -> Tuple[str, ...]:
        """Every setting, known or not, in sorted order."""
        return tuple(sorted({*self.settings, *self.computed}))

    @property
    def min_uid(self) -> int:
        """The lowest uid for which the hub obtains tickets; at least 1, because 0 is root's."""
        value = self.ticket_setting("min_uid")
        return max(value if type(value) is int else 1, 1)

    @property
    def kinit(self) -> str:
        """The configured kinit; empty if none is configured."""
        return str(self.ticket_setting("kinit") or "")


def without_templates(config: HubConfig) -> HubConfig:
    """Return the configuration with the principal, the keytab and the cache unknown."""
    why = Unread(Place(""), "is not known")
    names = ["KerberosTicket." + name for name in TEMPLATES]
    return config._replace(computed=dict(config.computed, **{name: why for name in names}))


def with_templates(config: HubConfig, templates: Mapping[str, Optional[str]]) -> HubConfig:
    """Return the configuration, in which templates of the command line replace its own."""
    given = {
        "KerberosTicket." + name: template
        for name, template in templates.items()
        if template is not None
    }
    if "KerberosTicket.principal" in given:
        given["KerberosTicket.principal_map"] = ""
    return config._replace(
        settings=dict(config.settings, **given),
        computed={name: why for name, why in config.computed.items() if name not in given},
        places={name: place for name, place in config.places.items() if name not in given},
    )
