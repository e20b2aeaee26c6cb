"""The Kerberos checks of ``doctor``, in the order in which a ticket needs things."""

import os
import shlex
from typing import Callable, Iterator, List, Optional, Tuple

from jhpatch.checks.accounts import Account
from jhpatch.checks.runner import Check, Deadline
from jhpatch.kerberos import programs
from jhpatch.kerberos.ccache import (
    check_cache,
    check_cache_path,
    expand_default_name,
    parse_cache_name,
    split_name,
)
from jhpatch.kerberos.facts import DoctorOptions, Facts
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.hub_config import check_hub_config
from jhpatch.kerberos.kdc_probe import probe_realm
from jhpatch.kerberos.keytab import (
    UNUSABLE,
    check_keytab_entries,
    check_keytab_path,
    is_private_group,
    parse_entries,
)
from jhpatch.kerberos.kinit_messages import classify
from jhpatch.kerberos.kinit_programs import check_kinits
from jhpatch.kerberos.mounts import check_mounts
from jhpatch.kerberos.systemd_unit import check_unit
from jhpatch.kerberos.ticket_spec import TicketSpec
from jhpatch.report.result import Finding

UserProbe = Callable[[Facts, Account, TicketSpec, Deadline], Iterator[Finding]]


def checks(options: DoctorOptions) -> List[Check]:
    """Return the checks of a host, and those of each user."""
    facts = Facts(options)
    rows = [
        Check("krb5.conf", lambda deadline: _probe_krb5_conf(facts)),
        Check("KDC", lambda deadline: _probe_kdcs(facts, deadline)),
        Check("kinit", lambda deadline: _probe_kinit(facts, deadline)),
        Check("configuration", lambda deadline: _probe_hub_config(facts)),
    ]
    for name in options.users:
        rows += _user_checks(facts, name)
    rows.append(Check("unit", lambda deadline: _probe_unit(facts, deadline)))
    if not options.users:
        note = finding("no-user", "no --user: keytabs and caches were not looked at")
        rows.append(Check("user", lambda deadline: [note]))
    return rows


def _user_checks(facts: Facts, name: str) -> List[Check]:
    return [
        Check("user " + name, lambda deadline: _probe_user(facts, name)),
        Check("keytab of " + name, _for_user(_probe_keytab, facts, name)),
        Check("cache of " + name, _for_user(_probe_cache, facts, name)),
        Check("ticket of " + name, _for_user(_probe_ticket, facts, name)),
    ]


def _for_user(
    probe: UserProbe, facts: Facts, name: str
) -> Callable[[Deadline], Iterator[Finding]]:
    """Return a probe that finds nothing if the user cannot be checked.

    ``_probe_user`` reports why: there is no such user, this process cannot become them, or
    a setting is wrong.
    """

    def probe_user(deadline: Deadline) -> Iterator[Finding]:
        account = facts.account(name)
        if account is None or not programs.can_become(account):
            return
        spec, _ = facts.ticket_spec(account)
        if spec is not None:
            yield from probe(facts, account, spec, deadline)

    return probe_user


def _probe_krb5_conf(facts: Facts) -> Iterator[Finding]:
    profile = facts.profile
    for error in profile.errors:
        yield finding("krb5-conf-" + error.kind, error.message, error.path)
    if profile.files and not profile.errors and not profile.realm:
        yield finding("no-default-realm", "no default_realm", profile.files[0])


def _probe_kdcs(facts: Facts, deadline: Deadline) -> Iterator[Finding]:
    for realm in _realms(facts):
        yield from probe_realm(realm, facts.profile, deadline.left(4), lambda: facts.name_servers)


def _realms(facts: Facts) -> Tuple[str, ...]:
    """Return the default realm and those of the users' principals."""
    realms = {facts.profile.realm or ""}
    for name in facts.options.users:
        account = facts.account(name)
        spec = facts.ticket_spec(account)[0] if account else None
        if spec and "@" in spec.principal:
            realms.add(spec.principal.rpartition("@")[2])
    return tuple(sorted(realms - {""}))


def _probe_kinit(facts: Facts, deadline: Deadline) -> Iterator[Finding]:
    yield from check_kinits(facts.kinits(deadline))
    if os.geteuid() == 0 and not programs.find_program("setpriv"):
        yield finding("no-setpriv", "there is no setpriv on this host")


def _probe_hub_config(facts: Facts) -> Iterator[Finding]:
    yield from facts.hub_config_file[1]
    yield from check_hub_config(facts.hub_config)


def _probe_user(facts: Facts, name: str) -> Iterator[Finding]:
    account = facts.account(name)
    if account is None:
        yield finding("no-account", "%s is no user of this host" % name, user=name)
        return
    min_uid = facts.hub_config.min_uid
    if account.uid < min_uid:
        message = "uid %d of %s is below min_uid, %d" % (account.uid, name, min_uid)
        yield finding("below-min-uid", message, user=name)
    if not programs.can_become(account):
        message = "keytab, cache and ticket of " + name
        yield finding("needs-root", message, user=name)
        return
    spec, wrong = facts.ticket_spec(account)
    yield from wrong
    when = facts.hub_config.ticket_setting("when")
    yield from check_mounts(account, spec.keytab if spec else "", when, facts.mounts)


def _probe_keytab(
    facts: Facts, account: Account, spec: TicketSpec, deadline: Deadline
) -> Iterator[Finding]:
    user = account.name
    keytab, output = facts.keytab(account, spec, deadline)
    if keytab is None:
        message = "%s: no keytab is set, and klist names none: %s"
        message = message % (user, " ".join(output.split()) or "nothing")
        yield finding("keytab-missing", message, user=user)
        return
    path = keytab.path
    if not keytab.components:
        message = "%s cannot be looked at as %s" % (path, user)
        yield finding("check-timeout", message, path, user)
        return
    if keytab.reader is not None:
        gids = {component.gid for component in keytab.components}
        private = tuple(gid for gid in gids if is_private_group(gid, account))
        findings = list(check_keytab_path(account, path, keytab.components, private))
        yield from findings
        if {row.code for row in findings} & UNUSABLE:
            return
    listing = facts.keytab_listing(keytab, deadline.left(2))
    if listing.exit_code != 0:
        message = "%s: %s" % (user, " ".join(listing.stderr.split()))
        code = classify(message)
        code = code if code == "keytab-missing" else "keytab-malformed"
        yield finding(code, message, path, user)
        return
    if keytab.reader is None:
        yield finding("keytab-central", "%s: only root can read it" % user, path, user)
    entries = parse_entries(listing.stdout)
    yield from check_keytab_entries(user, path, spec.principal, entries)


def _probe_cache(
    facts: Facts, account: Account, spec: TicketSpec, deadline: Deadline
) -> Iterator[Finding]:
    name: Optional[str] = spec.ccache
    is_set = spec.sets_krb5ccname
    if not name and os.geteuid() == account.uid:
        name = facts.options.environ.get("KRB5CCNAME")
        is_set = name is not None
    if not name:
        # klist is asked last: it creates a DIR collection that does not exist (dircc).
        setting = facts.profile.value("libdefaults", "default_ccache_name")
        name = expand_default_name(setting or "", account)
    if not name:
        klist = facts.run([facts.krb5_program("klist")], deadline.left(2), account)
        name = parse_cache_name(klist.stdout + "\n" + klist.stderr)
        if name is None:
            message = "%s: %s" % (account.name, klist.message)
            yield finding("ccache-unknown", message, user=account.name)
            return
    yield from check_cache(account, name, is_set)
    kind, path = split_name(name)
    if kind == "FILE" and path.startswith("/"):
        components = facts.components(path, account, deadline)
        yield from check_cache_path(account, path, components)


def _probe_ticket(
    facts: Facts, account: Account, spec: TicketSpec, deadline: Deadline
) -> Iterator[Finding]:
    """Obtain a ticket into memory, if the keytab has a key for it."""
    keytab, _ = facts.keytab(account, spec, deadline)
    if keytab is None or not keytab.is_readable:
        return
    entries = parse_entries(facts.keytab_listing(keytab, deadline.left(1)).stdout)
    if spec.principal not in [entry.principal for entry in entries]:
        return
    arguments = ["-k", "-t", keytab.path, "-c", "MEMORY:", "--", spec.principal]
    kinit = [facts.krb5_program("kinit"), *arguments]
    completed = facts.run(kinit, deadline.left(4), keytab.reader)
    if completed.exit_code == 0:
        message = "%s: a ticket of %s" % (account.name, spec.principal)
        yield finding("kinit-works", message, keytab.path, account.name)
        return
    command = " ".join(map(shlex.quote, ["kinit", *arguments]))
    code = classify(completed.message)
    message = "%s: %s" % (account.name, completed.message)
    fields = {"principal": spec.principal, "command": command}
    yield finding(code, message, keytab.path, account.name, **fields)


def _probe_unit(facts: Facts, deadline: Deadline) -> Iterator[Finding]:
    unit = facts.unit(deadline)
    if unit is None:
        yield finding("unit-missing", "this host has no unit " + facts.options.unit)
        return
    accounts = filter(None, map(facts.account, facts.options.users))
    specs = [spec for spec, _ in map(facts.ticket_spec, accounts) if spec]
    caches = [split_name(spec.ccache) for spec in specs]
    yield from check_unit(
        unit,
        tuple(spec.keytab for spec in specs if spec.keytab),
        tuple(path for kind, path in caches if kind == "FILE"),
    )
