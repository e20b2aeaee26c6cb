"""The findings about the hub's configuration."""

from typing import Iterator, List, Optional

from jhpatch.deployed.kerberos.settings import TEMPLATES, misspelt, similar
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.hub_config import Function, HubConfig, Place, Unread
from jhpatch.kerberos.hub_verdicts import check_authenticator, check_spawner
from jhpatch.kerberos.spawner_environment import check_environment, named_cache
from jhpatch.kerberos.ticket_spec import read_settings
from jhpatch.report.result import Finding

_OWN = "KerberosTicket."
_CLASSES = ("JupyterHub.authenticator_class", "JupyterHub.spawner_class")
_MAX_LINES = 20


def check_hub_config(config: HubConfig) -> Iterator[Finding]:
    """Check the settings, the spawner and the authenticator; report what was not evaluated."""
    yield from _check_names(config)
    for name in TEMPLATES:
        why = _why_unknown(config, _OWN + name)
        if why is not None and not _is_reported(config, why):
            message = "c.KerberosTicket.%s %s" % (name, why.what)
            yield finding("setting-not-literal", message, str(why.place), name=name)
    if not read_settings(config)[0].enabled:
        message = "c.KerberosTicket.enabled = %r" % config.ticket_setting("enabled")
        yield finding("service-disabled", message, config.place(_OWN + "enabled"))
    unread = _unread(config)
    if unread:
        yield finding("config-not-read", _listed(unread, config.path), config.path)
    yield from check_environment(config)
    yield from check_spawner(config)
    yield from check_authenticator(config)


def _check_names(config: HubConfig) -> Iterator[Finding]:
    own = [name[len(_OWN) :] for name in config.names if name.startswith(_OWN)]
    for name in own:
        path = config.place(_OWN + name)
        if name[:1].isupper():
            message = (
                "KerberosTicket.%s begins with a capital letter, so the hub does not start" % name
            )
            yield finding("setting-wrong", message, path, name=name)
            continue
        for message in misspelt([name]):
            yield finding("setting-unknown", message, path)
    sections = sorted({name.partition(".")[0] for name in config.names} - {_OWN[:-1]})
    for section in similar(_OWN[:-1], sections, 0.85):
        message = "%r is not a section; did you mean KerberosTicket?" % section
        first = next(name for name in config.names if name.startswith(section + "."))
        yield finding("setting-unknown", message, config.place(first))


def _why_unknown(config: HubConfig, setting: str) -> Optional[Unread]:
    """Return why the value of a template is unknown; None if it is known or not set."""
    value = config.settings.get(setting)
    if isinstance(value, Function) and setting != _OWN + "ccache":
        return Unread(config.places.get(setting, Place(config.path or "")), "is a function")
    return config.computed.get(setting)


def _is_reported(config: HubConfig, why: Unread) -> bool:
    """Return whether another finding names the line, or the file that is not read."""
    return why in config.unread or not why.place.line


def _unread(config: HubConfig) -> List[Unread]:
    """Return each line that is not evaluated and can affect tickets."""
    rows = list(config.unread)
    for setting in sorted(config.computed):
        is_own = setting.startswith(_OWN) and setting[len(_OWN) :] not in TEMPLATES
        why = config.computed[setting]
        if (is_own or setting in _CLASSES) and not _is_reported(config, why):
            rows.append(Unread(why.place, "c.%s %s" % (setting, why.what)))
    named = named_cache(config)
    if named.unread is not None and not _is_reported(config, named.unread):
        what = "KRB5CCNAME in c.%s %s" % (named.setting, named.unread.what)
        rows.append(Unread(named.unread.place, what))
    return sorted(set(rows))


def _listed(rows: List[Unread], path: Optional[str]) -> str:
    """Return the lines in one text, without the path for those of the file at ``path``."""
    texts = []
    for place, what in rows[:_MAX_LINES]:
        where = "line %d" % place.line if place.path == path else str(place)
        texts.append("%s: %s" % (where, what))
    if len(rows) > _MAX_LINES:
        texts.append("and %d more" % (len(rows) - _MAX_LINES))
    return "; ".join(texts)
