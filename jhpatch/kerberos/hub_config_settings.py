"""Turn the sections of a configuration into a ``HubConfig``."""

from typing import Any, Dict, List, Optional, Sequence

from jhpatch.deployed.kerberos.settings import Settings
from jhpatch.kerberos.class_definition import ClassDefinition
from jhpatch.kerberos.hub_config import Environment, Function, HubConfig, Place, Unread
from jhpatch.kerberos.hub_config_values import Entries, Imported, Section, is_constant

_TRAITS = {
    "KerberosTicket": Settings._fields,
    "JupyterHub": ("authenticator_class", "spawner_class"),
    "Spawner": ("environment", "env_keep", "isolate_tmp", "dynamic_users", "username_template"),
}
"""The settings that doctor uses; those of ``Spawner`` also of its subclasses."""


def hub_config_of(
    config: Section, unread: Sequence[Unread], path: Optional[str] = None
) -> HubConfig:
    """Return the settings of a configuration that has been read, by ``Class.name``."""
    settings: Dict[str, Any] = {}
    computed: Dict[str, Unread] = {}
    places: Dict[str, Place] = {}
    rest = list(unread)
    for name in _TRAITS if config.rest is not None else ():
        config.get(name)
    for name, section in config.entries.items():
        if not isinstance(section, Section):
            continue
        if section.rest is not None:
            for key in _TRAITS.get(name, _TRAITS["Spawner"]):
                computed["%s.%s" % (name, key)] = section.rest
        for key, value in section.entries.items():
            setting, place = "%s.%s" % (name, key), section.places.get(key)
            if isinstance(value, Section):
                rest += _nested(value)
                continue
            known = _known(setting, value)
            if known is not _NOTHING:
                computed.pop(setting, None)
            if isinstance(known, Unread):
                computed[setting] = Unread(place or known.place, known.what)
            elif known is not _NOTHING:
                settings[setting] = known
                rows = value.places if isinstance(value, Entries) else {}
                places.update(("%s.%s" % (setting, row), rows[row]) for row in rows)
                if place:
                    places[setting] = place
    return HubConfig(settings, computed, path, places, tuple(rest))


_NOTHING = object()


def _known(setting: str, value: Any) -> Any:
    """Return a value as ``HubConfig`` has it; ``_NOTHING`` for one that was only read."""
    if isinstance(value, (Unread, Function)) or is_constant(value):
        return value
    if isinstance(value, Entries):
        return _environment(value)
    line = Unread(Place(""), "is computed")
    if not setting.endswith("_class"):
        return line
    if isinstance(value, Imported):
        return value.name
    return value if isinstance(value, ClassDefinition) else line


def _environment(entries: Entries) -> Any:
    if entries.is_untouched:
        return _NOTHING
    is_known = all(map(is_constant, entries.items.values())) and entries.rest is None
    if is_known and not entries.is_update:
        return dict(entries.items)
    return Environment(dict(entries.items), entries.rest, entries.is_update)


def _nested(section: Section) -> List[Unread]:
    """Return the settings of a nested section, which doctor does not use."""
    rows = []
    for key, value in section.entries.items():
        place = section.places.get(key)
        if isinstance(value, Section):
            rows += _nested(value)
        elif place and section.name.endswith(".KerberosTicket"):
            rows.append(Unread(place, "c.%s.%s is set in a nested section" % (section.name, key)))
    return rows
