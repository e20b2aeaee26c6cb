"""The Kerberos checks of ``doctor``, in the order in which a ticket depends on what they check."""

import os
from typing import Callable, Iterator, List, Tuple

from jhpatch.checks.runner import Check, Deadline, NotRun
from jhpatch.deployed.kerberos import schedule
from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.canonical import check_principal, realm_of
from jhpatch.deployed.kerberos.ccache import Cache, cache_of
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.settings import TicketSpec
from jhpatch.kerberos import kinit_checks, krb5_conf, krb5_conf_checks, programs
from jhpatch.kerberos.cache_state import describe_content
from jhpatch.kerberos.ccache import (
    check_cache,
    check_cache_path,
    check_default_name,
    check_space,
    check_template,
    split_name,
)
from jhpatch.kerberos.facts import Facts
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.hub_config_checks import check_hub_config
from jhpatch.kerberos.keytab import (
    UNUSABLE,
    check_keytab_entries,
    check_keytab_place,
    is_roots_alone,
    parse_entries,
)
from jhpatch.kerberos.kinit_messages import INIT_FAILED, classify, classify_listing
from jhpatch.kerberos.kinit_programs import check_kinits
from jhpatch.kerberos.krb5_conf_lint import explain_realm
from jhpatch.kerberos.mounts import check_mounts
from jhpatch.kerberos.spawner_environment import explain_name, named_cache
from jhpatch.kerberos.systemd_unit import check_unit
from jhpatch.kerberos.ticket_request import describe_life
from jhpatch.kerberos.ticket_spec import knows_cache, read_settings
from jhpatch.kerberos.users import check_user
from jhpatch.report.result import Finding

_TICKET = 5.0
"""Seconds for the KDCs, and for a ticket, beyond those of each check: kinit alone may take 5 s."""
UserProbe = Callable[[Facts, Account, TicketSpec, Deadline], Iterator[Finding]]


def checks(facts: Facts) -> List[Check]:
    """Return the checks of a host, and those of each user."""
    options = facts.options
    rows = [
        Check("krb5.conf", lambda deadline: _probe_krb5_conf(facts, deadline)),
        Check("KDC", lambda deadline: kinit_checks.probe_kdcs(facts, deadline), _TICKET),
        Check("kinit", lambda deadline: _probe_kinit(facts, deadline)),
        Check("configuration", lambda deadline: _probe_hub_config(facts)),
    ]
    for name in dict.fromkeys(options.users):  # the next step for root can repeat a user
        rows += _user_checks(facts, name)
    rows.append(Check("unit", lambda deadline: _probe_unit(facts, deadline)))
    if not options.users:
        rows.append(Check("user", _probe_no_user))
    return rows


def _probe_no_user(deadline: Deadline) -> Iterator[Finding]:
    yield finding("no-user", "no keytab, cache or ticket was checked, because no user was named")
    raise NotRun


def _user_checks(facts: Facts, name: str) -> List[Check]:
    return [
        Check("user " + name, lambda deadline: _probe_user(facts, name)),
        Check("keytab of " + name, _for_user(_probe_keytab, facts, name)),
        Check("cache of " + name, _for_user(_probe_cache, facts, name)),
        Check("ticket of " + name, _for_user(kinit_checks.probe_ticket, facts, name), _TICKET),
    ]


def _for_user(
    probe: UserProbe, facts: Facts, name: str
) -> Callable[[Deadline], Iterator[Finding]]:
    """Return a probe that is not run if the user cannot be checked.

    Another check reports why: the user does not exist, this process cannot become that user, or
    a setting is wrong or unknown.
    """

    def probe_user(deadline: Deadline) -> Iterator[Finding]:
        account = facts.account(name)
        if account is None or not programs.can_become(account):
            raise NotRun
        spec, _ = facts.ticket_spec(account)
        if spec is None:
            raise NotRun
        yield from probe(facts, account, spec, deadline)

    return probe_user


def _probe_krb5_conf(facts: Facts, deadline: Deadline) -> Iterator[Finding]:
    users = [account for account in map(facts.account, facts.options.users) if account]

    def cannot_read(path: str) -> Tuple[str, ...]:
        """Return which of the users cannot read a file."""
        argv = ["/usr/bin/test", "-r", path]
        return tuple(
            account.name
            for account in users
            if programs.can_become(account)
            and facts.run(argv, deadline.left(1), account).exit_code == 1
        )

    yield from krb5_conf_checks.check_profile(
        facts.profile, krb5_conf.paths_of(facts.environ), cannot_read if users else None
    )
    settings, _ = read_settings(facts.hub_config)
    if not settings.ccache and named_cache(facts.hub_config).name is None:
        yield from check_default_name(
            facts.profile.value("libdefaults", "default_ccache_name") or ""
        )


def _probe_kinit(facts: Facts, deadline: Deadline) -> Iterator[Finding]:
    kinit = facts.hub_config.kinit
    if kinit and not (os.path.isfile(kinit) and os.access(kinit, os.X_OK)):
        message = "KerberosTicket.kinit: %s is not an executable program" % kinit
        path = facts.hub_config.place("KerberosTicket.kinit")
        yield finding("setting-wrong", message, path, name="kinit")
    else:
        yield from check_kinits(facts.kinits(deadline), bool(kinit))
    if os.geteuid() == 0 and not programs.find_program("setpriv"):
        yield finding("no-setpriv", "there is no setpriv on this host")


def _probe_hub_config(facts: Facts) -> Iterator[Finding]:
    yield from facts.hub_config_file[1]
    yield from check_hub_config(facts.hub_config)
    settings, wrong = read_settings(facts.hub_config)
    yield from wrong
    if settings.ccache and not facts.options.is_of_server:
        yield from check_template(settings.ccache)


def _probe_user(facts: Facts, name: str) -> Iterator[Finding]:
    account = facts.account(name)
    if account is None:
        yield finding("no-account", "%s is not a user of this host" % name, user=name)
        return
    min_uid = facts.hub_config.min_uid
    if account.uid < min_uid:
        message = "uid %d of %s is below min_uid (%d)" % (account.uid, name, min_uid)
        yield finding("below-min-uid", message, user=name)
    if not programs.can_become(account):
        message = "the keytab, cache and ticket of %s were not checked" % name
        yield finding("needs-root", message, user=name)
        return
    if not facts.options.knows_settings:
        message = "the keytab, cache and ticket of %s were not checked" % name
        yield finding("no-settings", message, user=name)
    spec, wrong = facts.ticket_spec(account)
    yield from wrong
    when = facts.hub_config.ticket_setting("when")
    yield from check_mounts(account, spec.keytab if spec else "", when, facts.mounts)
    if spec is not None:
        yield from check_user(account, spec)


def _not_inspected(path: str, user: str) -> Finding:
    message = "the inspection of %s as user %s did not finish in time" % (path, user)
    return finding("check-timeout", message, path, user)


def _probe_keytab(
    facts: Facts, account: Account, spec: TicketSpec, deadline: Deadline
) -> Iterator[Finding]:
    user = account.name
    keytab, output = facts.keytab(account, spec, deadline)
    if keytab is None:
        message = "%s: no keytab is set, and klist names none: %s"
        message = message % (user, " ".join(output.split()) or "no output")
        yield finding("keytab-missing", message, user=user)
        return
    path = keytab.path
    if not keytab.components:
        yield _not_inspected(path, user)
        return
    findings = list(check_keytab_place(account, keytab, bool(spec.keytab)))
    yield from findings
    if {row.code for row in findings} & UNUSABLE:
        return
    listing = facts.keytab_listing(keytab, deadline.left(2))
    if listing.exit_code != 0:
        message = "%s: %s" % (user, " ".join(listing.stderr.split()))
        yield finding(classify_listing(message), message, path, user)
        return
    if keytab.reader is None:
        message = "%s: root can read this keytab, but the user cannot" % user
        yield finding("keytab-central", message, path, user)
    if realm_of(spec.principal):  # otherwise there is no default realm: kinit reports that
        entries = parse_entries(listing.stdout)
        hint = explain_realm(facts.profile, realm_of(spec.principal))
        for row in check_keytab_entries(user, path, spec.principal, entries):
            yield hint.explain(row) if row.code == "keytab-lacks-principal" else row


def _probe_cache(
    facts: Facts, account: Account, spec: TicketSpec, deadline: Deadline
) -> Iterator[Finding]:
    user = account.name
    if not knows_cache(facts.hub_config):
        raise NotRun
    name, is_set, output = facts.cache_name(account, spec, deadline)
    if name is None:
        code = classify(output)
        if code == INIT_FAILED:
            raise NotRun  # the checks of krb5.conf and of the keytab report it
        code = "check-timeout" if code == "kinit-timeout" else "ccache-unknown"
        yield finding(code, "%s: %s" % (user, output), user=user)
        return
    for row in check_cache(account, name, is_set):
        yield explain_name(facts.hub_config, row)
    try:
        cache = cache_of(name, account.uid)
    except Problem:
        return  # check_cache has reported it
    if cache.path:
        components = facts.components(cache.path, account, deadline)
        if not components:
            yield _not_inspected(cache.path, user)
            return
        for row in check_cache_path(account, cache.path, components):
            yield explain_name(facts.hub_config, row)
        yield from check_space(account, cache.path, components, facts.run, deadline.left(1))
        file = next((one for one in components if one.path == cache.path), None)
        if file is None or not file.is_regular or file.uid != account.uid:
            return
        content = facts.cache_content(cache.path, account, deadline.left(1))
        problem = describe_content(content) if content is not None else "the cache cannot be read"
        if problem:
            message = "%s: %s" % (user, problem)
            yield finding("ccache-replaced", message, cache.path, user)
            return
    yield from _probe_old_ticket(facts, account, spec, cache, deadline)


def _probe_old_ticket(
    facts: Facts, account: Account, spec: TicketSpec, cache: Cache, deadline: Deadline
) -> Iterator[Finding]:
    """Report the ticket in a cache, and whether the service cannot obtain or store another."""
    user, path = account.name, cache.path or None
    try:
        ticket = facts.ticket_in(account, cache, deadline.left(1))
    except Problem:
        return  # the request of a ticket reports what is wrong with such a cache
    if ticket is None:
        return
    life = describe_life(ticket)
    yield finding("ticket", "%s: %s, %s" % (user, ticket.principal, life), path, user)
    if schedule.is_valid(ticket):
        if ticket.asked and not realm_of(ticket.asked):  # the service requested it without a realm
            ticket = ticket._replace(asked="%s@%s" % (ticket.asked, facts.profile.realm))
        try:
            check_principal(ticket, spec.principal, cache)
        except Problem as problem:
            yield finding("ticket-of-another", "%s: %s" % (user, problem), path, user)
    keytab, _ = facts.keytab(account, spec, deadline)
    if keytab is None or not (keytab.exists or is_roots_alone(keytab.components)):
        message = "%s: %s; no keytab was found" % (user, life)
        yield finding("ticket-not-renewed", message, path, user)


def _probe_unit(facts: Facts, deadline: Deadline) -> Iterator[Finding]:
    unit = facts.unit(deadline)
    shells = facts.options.environ.get("KRB5_CONFIG")
    if shells is not None and facts.environ.get("KRB5_CONFIG") != shells:
        message = (
            "doctor did not use KRB5_CONFIG=%s of this shell, because the unit does not set this "
            "value"
        )
        yield finding("shell-krb5-config", message % shells)
    elif shells is not None and (unit is None or not unit.knows_krb5_config):
        message = (
            "doctor used KRB5_CONFIG=%s of this shell, because it does not know the hub's value"
        )
        yield finding("shell-krb5-config", message % shells)
    if unit is None:
        yield finding("unit-missing", "this host has no systemd unit " + facts.options.unit)
        return
    accounts = filter(None, map(facts.account, facts.options.users))
    specs = [spec for spec, _ in map(facts.ticket_spec, accounts) if spec]
    caches = [split_name(spec.ccache) for spec in specs]
    yield from check_unit(
        unit,
        tuple(spec.keytab for spec in specs if spec.keytab),
        tuple(path for kind, path in caches if kind == "FILE"),
    )
    if unit.krb5_config is not None and not facts.servers_have("KRB5_CONFIG"):
        message = "%s sets KRB5_CONFIG=%s" % (unit.name, unit.krb5_config)
        yield finding("unit-krb5-config", message, line=repr(unit.krb5_config))
