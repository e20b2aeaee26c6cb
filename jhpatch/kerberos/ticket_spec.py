"""The ticket that the ticket service obtains for a user, by its rules and the hub's settings."""

import os
from typing import Any, Callable, Dict, List, Optional, Tuple

from jhpatch.deployed.kerberos import identity, settings
from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.canonical import realm_of
from jhpatch.deployed.kerberos.ccache import UnsupportedCache, cache_of
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.principal_map import read_map
from jhpatch.deployed.kerberos.settings import Settings, TicketSpec
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.hub_config import Function, HubConfig
from jhpatch.kerberos.spawner_environment import named_cache
from jhpatch.report.result import Finding


def read_settings(config: HubConfig) -> Tuple[Settings, Tuple[Finding, ...]]:
    """Return the settings that are known, and a finding for each wrong one.

    A wrong setting disables the service in the hub.
    """
    values: Dict[str, Any] = {}
    findings: List[Finding] = []
    for name in Settings._fields:
        if "KerberosTicket." + name not in config.settings:
            continue
        value = config.ticket_setting(name)
        if name == "principal_map" and not _can_read(value):
            continue
        try:
            value = _checked(name, value)
            if not isinstance(value, Function):
                values[name] = value
        except Problem as problem:
            is_type = isinstance(problem, UnsupportedCache)
            code = "ccache-unsupported" if is_type else "setting-wrong"
            path = config.place("KerberosTicket." + name)
            findings.append(finding(code, str(problem), path, name=name))
    return Settings(**values), tuple(findings)


def _checked(name: str, value: Any) -> Any:
    """Return the value of a setting as the hub has it. Raises Problem.

    traitlets, whose releases differ, accepts some values of another type, such as 0 for False.
    """
    try:
        return settings.check(name, value)
    except Problem as problem:
        try:
            from traitlets import TraitError
            from traitlets.config import Config

            from jhpatch.deployed.kerberos.traits import KerberosTicket
        except ImportError:
            raise problem
        try:
            return getattr(KerberosTicket(config=Config(KerberosTicket={name: value})), name)
        except TraitError:
            raise problem


def resolve(
    config: HubConfig, account: Account, default_realm: Callable[[], Optional[str]]
) -> Tuple[Optional[TicketSpec], Tuple[Finding, ...]]:
    """Return the ticket of one user; None, and a finding, if a setting is wrong for that user.

    None without a finding if a setting is wrong for all users, which ``read_settings`` reports,
    or if the principal, the keytab or the realm is not known.

    ``default_realm`` returns the default realm of libkrb5. As kinit does, ``resolve`` adds it to
    a principal without a realm.
    """
    values, findings = read_settings(config)
    if findings or not _are_known(config, "principal", "principal_map", "keytab"):
        return None, ()
    try:
        if settings.needs_realm(values):
            if not _are_known(config, "realm"):
                return None, ()
            values = values._replace(realm=default_realm() or "")
            if not values.realm:
                message = "KerberosTicket.realm is not set, and krb5.conf has no default_realm"
                return None, (finding("realm-unset", message, config.path),)
        with settings.about("principal_map"):
            principals = read_map(values.principal_map) if values.principal_map else {}
        spec = settings.spec_of(values, account, identity.can_read, principals)
    except Problem as problem:
        path = config.place("KerberosTicket." + problem.setting)
        return None, (finding("setting-wrong", str(problem), path, name=problem.setting),)
    named = named_cache(config).name
    realm = None if realm_of(spec.principal) else default_realm()
    return (
        spec._replace(
            principal=spec.principal + ("@" + realm if realm else ""),
            keytab=spec.keytab.replace("FILE:", "", 1),
            ccache=spec.ccache if named is None else _full_name(named, account),
        ),
        (),
    )


def knows_cache(config: HubConfig) -> bool:
    """Return whether the cache that the settings name is known, or that they name none."""
    named = named_cache(config)
    return named.name is not None or (named.unread is None and _are_known(config, "ccache"))


def _are_known(config: HubConfig, *names: str) -> bool:
    """Return whether each setting has a known value or its default."""
    own = ["KerberosTicket." + name for name in names]
    return not any(
        name in config.computed or isinstance(config.settings.get(name), Function) for name in own
    )


def _can_read(path: Any) -> bool:
    """Return whether this process can read the hub's principal_map, as the hub does as root."""
    return os.geteuid() == 0 or not isinstance(path, str) or os.access(path, os.R_OK)


def _full_name(name: str, account: Account) -> str:
    """Return the name of a cache as the service uses it; the name itself if it is unusable."""
    try:
        return cache_of(name, account.uid).name
    except Problem:
        return name
