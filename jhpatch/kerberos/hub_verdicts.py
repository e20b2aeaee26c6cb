"""Whether a hub's authenticator runs the patched methods, and its spawner is covered."""

from typing import Any, Iterator, List, Optional, Set, Tuple

from jhpatch.kerberos import hub_classes
from jhpatch.kerberos.class_definition import ClassDefinition
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.hub_classes import Ancestor, WrongName
from jhpatch.kerberos.hub_config import HubConfig, Unread
from jhpatch.report.result import Finding

_LOCAL = {hub_classes.LOCAL, hub_classes.SYSTEMD, hub_classes.SUDO}
_SIMPLE = {hub_classes.SIMPLE, "simplespawner.SimpleLocalProcessSpawner"}
_OWN_TMP = ("isolate_tmp", "dynamic_users")
_OWN_NAMES = "username_template"
_PATCHED = {
    "__init__": "so the ticket service does not start",
    "authenticate": "so a login obtains no ticket",
}
_PATCHED["pre_spawn_start"] = "so a spawn obtains no ticket, and servers start without settings"
_SPAWNER = "JupyterHub.spawner_class"
_AUTHENTICATOR = "JupyterHub.authenticator_class"


def spawner_order(config: HubConfig) -> Tuple[Ancestor, ...]:
    """Return the classes of the spawner, the most specific first; empty if they are unknown."""
    if _SPAWNER in config.computed:
        return ()
    value = config.settings.get(_SPAWNER, hub_classes.LOCAL)
    try:
        return hub_classes.ancestors(value, hub_classes.SPAWNER_ENTRY_POINTS)
    except WrongName:
        return ()


def spawner_setting(config: HubConfig, name: str) -> Any:
    """Return a trait of the spawner by the inheritance of traitlets; None if it is not set.

    The result is an ``Unread`` if the value is unknown.
    """
    value = None
    for section in hub_classes.sections(spawner_order(config)):
        setting = "%s.%s" % (section, name)
        value = config.computed.get(setting, config.settings.get(setting, value))
    return value


def is_served(config: HubConfig) -> bool:
    """Return whether servers certainly run as their users, on this host, with its /tmp."""
    return bool(spawner_order(config)) and not any(check_spawner(config))


def check_spawner(config: HubConfig) -> Iterator[Finding]:
    """Check that the servers of the spawner share this host and its caches."""
    if _SPAWNER in config.computed:
        return
    value, path = config.settings.get(_SPAWNER, hub_classes.LOCAL), config.place(_SPAWNER)
    name = _name(value)
    try:
        order = hub_classes.ancestors(value, hub_classes.SPAWNER_ENTRY_POINTS)
    except WrongName as error:
        yield finding("class-name-wrong", str(error), path, name="spawner_class")
        return
    names = {ancestor.name for ancestor in order}
    if names & _SIMPLE:
        message = "%s runs every server as the hub's own user" % name
        yield finding("spawner-not-covered", message, path)
    elif not names & _LOCAL:
        unknown = [ancestor.name for ancestor in order if not ancestor.is_known]
        code = "spawner-unknown" if unknown else "spawner-not-covered"
        yield finding(code, "the spawner is " + _message(name, unknown), path)
    else:
        yield from _check_local(config, name, order, path)


def _check_local(
    config: HubConfig, name: str, order: Tuple[Ancestor, ...], path: Optional[str]
) -> Iterator[Finding]:
    own = {key for row in order if row.definition for key in row.definition.attributes}
    is_systemd = hub_classes.SYSTEMD in [row.name for row in order]
    is_unread = any(row.definition is None and not row.is_known for row in order)
    for key in (*_OWN_TMP, _OWN_NAMES):
        if not (is_systemd or is_unread or key in own):
            continue  # traitlets ignores a setting that the class does not have
        value = spawner_setting(config, key)
        is_unknown = isinstance(value, Unread) or (value is None and key in own)
        if is_unknown:
            yield finding("spawner-unknown", "%s: the value of %s is unknown" % (name, key), path)
        elif key == _OWN_NAMES and value not in (None, "{USERNAME}"):
            message = "%s has a username_template, so servers run as other users" % name
            yield finding("spawner-not-covered", message, path)
        elif key != _OWN_NAMES and value:
            message = "%s sets %s, so its servers have their own /tmp" % (name, key)
            yield finding("spawner-not-covered", message, path)


def check_authenticator(config: HubConfig) -> Iterator[Finding]:
    """Check that logins and spawns run the patched methods of PAMAuthenticator."""
    if _AUTHENTICATOR not in config.settings:  # PAMAuthenticator is the default
        return
    value, path = config.settings[_AUTHENTICATOR], config.place(_AUTHENTICATOR)
    name = _name(value)
    try:
        order = hub_classes.ancestors(value, hub_classes.ENTRY_POINTS)
    except WrongName as error:
        yield finding("class-name-wrong", str(error), path, name="authenticator_class")
        return
    names = [ancestor.name for ancestor in order]
    above = order[: names.index(hub_classes.PAM)] if hub_classes.PAM in names else order
    unknown = [row.name for row in above if row.definition is None and not row.is_known]
    foreign = [row.name for row in above if row.definition is None and row.is_known]
    if hub_classes.MULTI in names:
        message = "%s wraps other authenticators" % name
        yield finding("authenticator-unknown", message, path)
    elif unknown or (hub_classes.PAM in names and foreign):
        message = "the authenticator is " + _message(name, unknown or foreign)
        yield finding("authenticator-unknown", message, path)
    elif hub_classes.PAM not in names:
        yield finding("authenticator-bypasses-pam", "the authenticator is " + name, path)
    else:
        yield from _check_methods(name, above, {ancestor.section for ancestor in order})


def _check_methods(name: str, above: Tuple[Ancestor, ...], classes: Set[str]) -> Iterator[Finding]:
    """Check the methods of the classes that come before PAMAuthenticator."""
    lost: List[str] = []
    for ancestor in above:
        definition = ancestor.definition
        if definition is None:
            continue
        for method, effect in _PATCHED.items():
            row = definition.methods.get(method)
            if method in definition.attributes or (row and not row.runs(method, classes)):
                line = row.line if row else definition.place.line
                place = definition.place._replace(line=line)
                message = "%s.%s does not call super(), %s" % (definition.name, method, effect)
                lost.append(method)
                yield finding("authenticator-overrides", message, str(place), name=method)
        row = definition.methods.get("get_authenticated_user")
        if (
            row
            and not row.runs("get_authenticated_user", classes)
            and "authenticate" not in row.own_calls
        ):
            place = definition.place._replace(line=row.line)
            message = "%s.get_authenticated_user does not call authenticate(), %s"
            message %= (definition.name, _PATCHED["authenticate"])
            yield finding(
                "authenticator-overrides", message, str(place), name="get_authenticated_user"
            )
    if {"authenticate", "pre_spawn_start"} <= set(lost) or "__init__" in lost:
        path = str(above[0].definition.place) if above[0].definition else None
        yield finding("authenticator-bypasses-pam", "the authenticator is " + name, path)


def _name(value: Any) -> str:
    return value.name if isinstance(value, ClassDefinition) else str(value)


def _message(name: str, others: List[str]) -> str:
    """Return the name of a class, and the names of the ancestors that decide the finding."""
    rest = [other for other in others if other != name]
    return "%s, which derives from %s" % (name, ", ".join(rest)) if rest else name
