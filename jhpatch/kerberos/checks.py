"""The Kerberos part of ``doctor``: its checks, in the order in which things are needed."""

import os
import shlex
from typing import Callable, Iterator, List, Mapping, Optional, Tuple

from jhpatch.checks import accounts
from jhpatch.checks.accounts import Account
from jhpatch.checks.runner import Check, Deadline
from jhpatch.kerberos import (
    ccache,
    dns_srv,
    hub_config,
    kdc_probe,
    keytab,
    kinit_messages,
    kinit_programs,
    krb5_conf,
    mounts,
    programs,
    systemd_unit,
    ticket_spec,
)
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.hub_config import HubConfig
from jhpatch.kerberos.keytab import Keytab
from jhpatch.kerberos.kinit_programs import KinitProgram
from jhpatch.kerberos.path_components import read_components
from jhpatch.kerberos.programs import Completed, Run
from jhpatch.kerberos.ticket_spec import TicketSpec
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding
from jhpatch.system.files import read_text


class Host(NamedTuple):
    """What is asked of ``doctor``."""

    environ: Mapping[str, str]
    users: Tuple[str, ...] = ()
    config_path: Optional[str] = None
    templates: Mapping[str, Optional[str]] = {}
    unit: str = "jupyterhub"
    mounts: str = "/proc/mounts"
    unit_folders: Tuple[str, ...] = systemd_unit.DIRECTORIES
    resolv: str = "/etc/resolv.conf"

    @property
    def config(self) -> HubConfig:
        """The hub's settings, as far as they can be told without running code."""
        return hub_config.with_templates(
            hub_config.read_hub_config(self.config_path)[0], self.templates
        )


def checks(one: Host) -> List[Check]:
    """All checks; those of a user for each user."""
    found = [
        Check("krb5.conf", lambda deadline: _krb5_conf(one)),
        Check("KDC", lambda deadline: _kdc(one, deadline)),
        Check("kinit", lambda deadline: _kinit(one, deadline)),
        Check("configuration", lambda deadline: _config(one)),
    ]
    for name in one.users:
        found += _of_user(one, name)
    found.append(Check("unit", lambda deadline: _unit(one, deadline)))
    if not one.users:
        note = finding("no-user", "no --user: keytabs and caches were not looked at")
        found.append(Check("user", lambda deadline: [note]))
    return found


def _of_user(one: Host, name: str) -> List[Check]:
    def bound(
        look: "Callable[[Host, Account, TicketSpec, Deadline], Iterator[Finding]]",
    ) -> "Look":
        return lambda deadline: _for_account(one, name, look, deadline)

    return [
        Check("user " + name, lambda deadline: _user(one, name)),
        Check("keytab of " + name, bound(_keytab)),
        Check("cache of " + name, bound(_cache)),
        Check("ticket of " + name, bound(_ticket)),
    ]


Look = Callable[[Deadline], Iterator[Finding]]


def _krb5_conf(one: Host) -> Iterator[Finding]:
    profile = krb5_conf.read_profile(one.environ)
    for error in profile.errors:
        yield finding("krb5-conf-" + error.kind, error.message, error.path)
    if profile.files and not profile.errors and not profile.realm:
        yield finding("no-default-realm", "no default_realm", profile.files[0])


def _kdc(one: Host, deadline: Deadline) -> Iterator[Finding]:
    profile = krb5_conf.read_profile(one.environ)
    for realm in _realms(one, profile.realm):
        yield from kdc_probe.probe_realm(
            realm, profile, deadline.left(4), lambda: _name_servers(one)
        )


def _name_servers(one: Host) -> Tuple[str, ...]:
    try:
        text = read_text(one.resolv)
    except OSError:
        text = ""
    return dns_srv.parse_name_servers(text)


def _resolve(
    one: Host, account: Account, realm: Optional[str]
) -> Tuple[Optional[TicketSpec], Tuple[Finding, ...]]:
    path = one.config.ticket_setting("principal_map")
    principals = ticket_spec.read_principal_map(str(path)) if path else {}
    return ticket_spec.resolve(one.config, account, realm, principals)


def _realms(one: Host, default: Optional[str]) -> Tuple[str, ...]:
    """The default realm and those of the principals that are wanted."""
    found = [default or ""]
    for name in one.users:
        account = accounts.account_of(name)
        wanted = _resolve(one, account, default)[0] if account else None
        if wanted and "@" in wanted.principal:
            found.append(wanted.principal.rpartition("@")[2])
    return tuple(sorted(set(found) - {""}))


def _programs(one: Host, deadline: Deadline) -> Tuple[KinitProgram, ...]:
    named = one.config.kinit
    paths = kinit_programs.find_kinits(named, one.environ.get("PATH", ""))
    return tuple(kinit_programs.identify(path, _run(one), deadline) for path in paths[:4])


def _kinit(one: Host, deadline: Deadline) -> Iterator[Finding]:
    yield from kinit_programs.check_kinits(_programs(one, deadline))
    if os.geteuid() == 0 and not programs.find_program("setpriv"):
        yield finding("no-setpriv", "there is no setpriv on this host")


def _config(one: Host) -> Iterator[Finding]:
    yield from hub_config.read_hub_config(one.config_path)[1]
    yield from hub_config.check_hub_config(one.config)


def _user(one: Host, name: str) -> Iterator[Finding]:
    account = accounts.account_of(name)
    if account is None:
        yield finding("no-account", "%s is no user of this host" % name, user=name)
        return
    least = one.config.min_uid
    if account.uid < least:
        words = "uid %d of %s is below min_uid, %d" % (account.uid, name, least)
        yield finding("below-min-uid", words, user=name)
    if not programs.can_become(account):
        words = "keytab, cache and ticket of " + name
        yield finding("needs-root", words, user=name)
    else:
        wanted, wrong = _resolve(one, account, krb5_conf.read_profile(one.environ).realm)
        yield from wrong
        mounted = mounts.read_mounts(one.mounts)
        when = one.config.ticket_setting("when")
        yield from mounts.check_mounts(account, wanted.keytab if wanted else "", when, mounted)


def _for_account(
    one: Host,
    name: str,
    look: "Callable[[Host, Account, TicketSpec, Deadline], Iterator[Finding]]",
    deadline: Deadline,
) -> Iterator[Finding]:
    """``look`` where there is such a user, whom we may become, and the settings can be told."""
    account = accounts.account_of(name)
    if account is None or not programs.can_become(account):
        return
    wanted, _ = _resolve(one, account, krb5_conf.read_profile(one.environ).realm)
    if wanted is not None:
        yield from look(one, account, wanted, deadline)


def _located(
    one: Host, account: Account, wanted: TicketSpec, deadline: Deadline
) -> Tuple[Optional[Keytab], str]:
    """``(the keytab, what klist said)``: the one that is set, or krb5.conf's client keytab."""
    path: Optional[str] = wanted.keytab
    said = ""
    if not path:
        argv = [_beside(one, "klist"), "-k", "-i"]
        said = programs.run_program(argv, one.environ, deadline.left(2), account).stdout
        path = keytab.parse_keytab_name(said)
    if not path:
        return None, said
    parts = read_components(path, account, _run(one), deadline)
    is_central = keytab.is_root_only(path) and not (parts and "r" in parts[0].rights)
    return Keytab(path, parts, None if is_central else account), said


def _run(one: Host) -> Run:
    def run(argv: List[str], seconds: float, account: Optional[Account]) -> Completed:
        return programs.run_program(argv, one.environ, seconds, account)

    return run


def _beside(one: Host, name: str) -> str:
    """klist or kinit, from where the helper takes it; as root none that others can write."""
    named = one.config.kinit
    for path in kinit_programs.find_kinits(named, one.environ.get("PATH", ""))[:1]:
        if kinit_programs.is_trusted(path):
            return os.path.join(os.path.dirname(path), name)
    return programs.find_program(name) or name


def _keytab(
    one: Host, account: Account, wanted: TicketSpec, deadline: Deadline
) -> Iterator[Finding]:
    found, said = _located(one, account, wanted, deadline)
    if found is None:
        words = "%s: no keytab is set, and klist names none: %s"
        words = words % (account.name, " ".join(said.split()) or "nothing")
        yield finding("keytab-missing", words, user=account.name)
        return
    if not found.components:
        words = "%s cannot be looked at as %s" % (found.path, account.name)
        yield finding("check-timeout", words, found.path, account.name)
        return
    if found.reader is not None:
        gids = {part.gid for part in found.components}
        private = tuple(gid for gid in gids if keytab.is_private_group(gid, account))
        wrong = list(keytab.check_keytab_path(account, found.path, found.components, private))
        yield from wrong
        if {one.code for one in wrong} & keytab.UNUSABLE:
            return
    argv = [_beside(one, "klist"), "-ke", found.path]
    listed = programs.run_program(argv, one.environ, deadline.left(2), found.reader)
    if listed.exit_code != 0:
        words = "%s: %s" % (account.name, " ".join(listed.stderr.split()))
        code = kinit_messages.classify(words)
        code = code if code == "keytab-missing" else "keytab-malformed"
        yield finding(code, words, found.path, account.name)
        return
    if found.reader is None:
        words = "%s: only root can read it" % account.name
        yield finding("keytab-central", words, found.path, account.name)
    entries = keytab.parse_entries(listed.stdout)
    yield from keytab.check_keytab_entries(account.name, found.path, wanted.principal, entries)


def _cache(
    one: Host, account: Account, wanted: TicketSpec, deadline: Deadline
) -> Iterator[Finding]:
    name: Optional[str] = wanted.ccache
    is_set = wanted.sets_krb5ccname
    if not name:
        own = one.environ.get("KRB5CCNAME") if os.geteuid() == account.uid else None
        name, is_set = own, own is not None
    if not name:
        # Not klist where it can be told: it makes a DIR collection that is not there (dircc).
        setting = krb5_conf.read_profile(one.environ).value("libdefaults", "default_ccache_name")
        name = ccache.expand_default_name(setting or "", account)
    if not name:
        said = programs.run_program(
            [_beside(one, "klist")], one.environ, deadline.left(2), account
        )
        name = ccache.parse_cache_name(said.stdout + "\n" + said.stderr)
        if name is None:
            words = "%s: %s" % (account.name, said.message)
            yield finding("ccache-unknown", words, user=account.name)
            return
    yield from ccache.check_cache(account, name, is_set)
    kind, path = ccache.split_name(name)
    if kind == "FILE" and path.startswith("/"):
        parts = read_components(path, account, _run(one), deadline)
        yield from ccache.check_cache_path(account, path, parts)


def _ticket(
    one: Host, account: Account, wanted: TicketSpec, deadline: Deadline
) -> Iterator[Finding]:
    """A real AS-REQ, into memory; only where the keytab has a key for it."""
    found, _ = _located(one, account, wanted, deadline)
    if found is None:
        return
    if not found.is_readable:
        return
    listed = programs.run_program(
        [_beside(one, "klist"), "-ke", found.path], one.environ, deadline.left(1), found.reader
    )
    if wanted.principal not in [entry.principal for entry in keytab.parse_entries(listed.stdout)]:
        return
    argv = [_beside(one, "kinit"), "-k", "-t", found.path]
    argv += ["-c", "MEMORY:", "--", wanted.principal]
    done = programs.run_program(argv, one.environ, deadline.left(4), found.reader)
    if done.exit_code == 0:
        words = "%s: a ticket of %s" % (account.name, wanted.principal)
        yield finding("kinit-works", words, found.path, account.name)
        return
    command = " ".join(map(shlex.quote, ["kinit", *argv[1:]]))
    fields = {"principal": wanted.principal, "command": command}
    code = kinit_messages.classify(done.message)
    words = "%s: %s" % (account.name, done.message)
    yield finding(code, words, found.path, account.name, **fields)


def _unit(one: Host, deadline: Deadline) -> Iterator[Finding]:
    found = systemd_unit.read_unit(one.unit, _run(one), deadline, one.unit_folders)
    if found is None:
        yield finding("unit-missing", "this host has no unit " + one.unit)
        return
    profile = krb5_conf.read_profile(one.environ)
    users = [account for account in map(accounts.account_of, one.users) if account]
    all_wanted = [_resolve(one, account, profile.realm)[0] for account in users]
    wanted = [each for each in all_wanted if each]
    paths = [ccache.split_name(each.ccache) for each in wanted]
    files = tuple(path for kind, path in paths if kind == "FILE")
    yield from systemd_unit.check_unit(
        found, tuple(each.keytab for each in wanted if each.keytab), files
    )
