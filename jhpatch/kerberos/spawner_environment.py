"""KRB5CCNAME in the environment of a hub's spawner: the cache that the administrator names."""

from typing import Any, Iterator, Optional, Tuple

from jhpatch.deployed.kerberos.ccache import cache_of
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.errors import NextStep
from jhpatch.kerberos import hub_classes, hub_verdicts
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.hub_config import Environment, Function, HubConfig, Place, Unread
from jhpatch.kerberos.hub_config_values import OLD_TRAITLETS
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding

_VARIABLE = "KRB5CCNAME"


class NamedCache(NamedTuple):
    """KRB5CCNAME of the servers, as far as it is known."""

    name: Optional[str] = None
    """None if it is not set, or not known."""
    setting: str = ""
    """The setting that sets it."""
    unread: Optional[Unread] = None
    """Why it is not known."""


def named_cache(config: HubConfig) -> NamedCache:
    """Return KRB5CCNAME by the inheritance of traitlets: the most specific section comes last."""
    order = hub_verdicts.spawner_order(config)
    sections = hub_classes.sections(order) or ("Spawner",)
    result = NamedCache()
    for section in sections:
        setting = section + ".environment"
        why = config.computed.get(setting)
        value = config.settings.get(setting)
        if why is not None:
            result = NamedCache(None, setting, why)
        elif isinstance(value, Environment):
            result = _changed(result, setting, value, config)
        elif isinstance(value, dict):
            result = NamedCache()
            if _VARIABLE in value:
                result = _entry(setting, value[_VARIABLE], config)
    if all(ancestor.is_known for ancestor in order) and order:
        return result
    return _other_section(sections, config) or result


def _other_section(sections: Tuple[str, ...], config: HubConfig) -> Optional[NamedCache]:
    """Return KRB5CCNAME of a section that may be that of an unknown base class; None for none."""
    for setting in config.names:
        section, _, name = setting.partition(".")
        value = config.settings.get(setting)
        entries = value.entries if isinstance(value, Environment) else value
        if name == "environment" and section not in sections and _VARIABLE in (entries or ()):
            place = config.places.get("%s.%s" % (setting, _VARIABLE), Place(config.path or ""))
            what = "applies if the spawner is a " + section
            return NamedCache(None, setting, Unread(place, what))
    return None


def _changed(
    result: NamedCache, setting: str, value: Environment, config: HubConfig
) -> NamedCache:
    if _VARIABLE in value.entries:
        return _entry(setting, value.entries[_VARIABLE], config)
    if value.rest is not None:
        return NamedCache(None, setting, value.rest)
    if value.is_update and result.name is not None:
        rows = [place for name, place in config.places.items() if name.startswith(setting + ".")]
        return NamedCache(None, setting, Unread(min(rows, default=Place("")), OLD_TRAITLETS))
    return result if value.is_update else NamedCache()


def _entry(setting: str, value: Any, config: HubConfig) -> NamedCache:
    if isinstance(value, str):
        return NamedCache(value or None, setting)
    what = "is a function" if isinstance(value, Function) else "is not a string"
    place = config.places.get("%s.%s" % (setting, _VARIABLE), Place(config.path or ""))
    return NamedCache(None, setting, value if isinstance(value, Unread) else Unread(place, what))


def explain_name(config: HubConfig, row: Finding) -> Finding:
    """Return a finding about a cache; its next step names KRB5CCNAME if the spawner sets that."""
    named = named_cache(config)
    if named.name is None or not row.next or not row.code.startswith("ccache-"):
        return row
    step = "remove KRB5CCNAME from c.%s, and set c.KerberosTicket.ccache" % named.setting
    return row._replace(next=NextStep(step))


def check_environment(config: HubConfig) -> Iterator[Finding]:
    """Check that the servers of each user have their own cache, of a supported type.

    A container, or a server with its own /tmp, shares no path with others.
    """
    named = named_cache(config)
    if named.name is None or not hub_verdicts.is_served(config):
        return
    path, setting = config.place("%s.%s" % (named.setting, _VARIABLE)), "c." + named.setting
    try:
        cache = cache_of(named.name, 1)
    except Problem as problem:
        message = "%s in %s: %s" % (_VARIABLE, setting, problem)
        yield explain_name(config, finding("ccache-unsupported", message, path))
        return
    if cache.path:
        message = "%s in %s is %s" % (_VARIABLE, setting, named.name)
        yield finding("environment-ccache-shared", message, path)
