"""Which ticket a user gets: principal, keytab and cache, from the hub's settings."""

import os
from typing import Dict, Mapping, Optional, Tuple

from jhpatch.checks.accounts import Account
from jhpatch.errors import JhpatchError
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.hub_config import TEMPLATES, HubConfig
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding
from jhpatch.system import path_owners
from jhpatch.system.files import read_text


class TicketSpec(NamedTuple):
    """The ticket of one user, as the settings specify it."""

    principal: str
    keytab: str
    """Empty for krb5.conf's client keytab."""
    ccache: str
    """Empty for libkrb5's default cache."""
    sets_krb5ccname: bool
    """Whether servers receive the cache as KRB5CCNAME."""


def resolve(
    config: HubConfig,
    account: Account,
    realm: Optional[str],
    principals: Mapping[str, str],
) -> Tuple[Optional[TicketSpec], Tuple[Finding, ...]]:
    """Fill in the templates for one user; return None and a finding if one is wrong.

    ``realm`` is krb5.conf's default realm; ``principals`` is the map that comes before the
    template of the principal.
    """
    fields = dict(
        username=account.name,
        uid=account.uid,
        home=account.home,
        realm=config.ticket_setting("realm") or realm or "",
        host=os.uname().nodename,
    )
    texts: Dict[str, str] = {}
    for name in TEMPLATES:
        template = config.ticket_setting(name)
        if template is None:
            template = "{username}" if name == "principal" else ""
        try:
            texts[name] = template.format(**fields)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            message = "%r is no template: %s" % (template, error)
            return None, (finding("setting-wrong", message, config.path, name=name),)
    keytab = texts["keytab"] = texts["keytab"].replace("FILE:", "", 1)
    has_control = any(character in "".join(texts.values()) for character in "\0\n")
    if (keytab and not keytab.startswith("/")) or has_control:
        message = "%r is no absolute path" % keytab
        return None, (finding("setting-wrong", message, config.path, name="keytab"),)
    ccache = _administrators_cache(config)
    ccache = texts["ccache"] if ccache is None else ccache
    principal = principals.get(account.name) or texts["principal"]
    if "@" not in principal and realm:
        principal += "@" + realm
    return TicketSpec(principal, keytab, ccache, bool(ccache)), ()


def _administrators_cache(config: HubConfig) -> Optional[str]:
    """Return KRB5CCNAME of c.Spawner.environment, which comes before the setting ``ccache``."""
    environment = config.settings.get("Spawner.environment")
    name = environment.get("KRB5CCNAME") if isinstance(environment, dict) else None
    return name if isinstance(name, str) else None


def read_principal_map(path: str) -> Dict[str, str]:
    """Return the principals of a principal_map: lines of a user name and a principal.

    Empty if it cannot be read, or if root cannot trust it.
    """
    try:
        if os.geteuid() == 0 and path_owners.writer_of(path) is not None:
            return {}
        lines = read_text(path).splitlines()
    except (OSError, JhpatchError):
        return {}
    rows = [line.partition("#")[0].split() for line in lines]
    principals: Dict[str, str] = {}
    for row in rows:
        if len(row) == 2:
            principals.setdefault(row[0], row[1])
    return principals
