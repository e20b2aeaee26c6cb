"""The checks that run kinit: whether the KDCs answer, and whether a user obtains a ticket."""

import os
from typing import Iterator, Optional, Tuple

from jhpatch.checks.runner import Deadline, NotRun
from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.canonical import realm_of
from jhpatch.deployed.kerberos.ccache import cache_of
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.settings import TicketSpec
from jhpatch.kerberos import kdc_checks, kinit_trace, krb5_conf, krb5_conf_lint, programs
from jhpatch.kerberos.facts import LEAST, Facts
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.keytab import Keytab, parse_entries
from jhpatch.kerberos.kinit_command import traced_kinit
from jhpatch.kerberos.kinit_messages import INIT_FAILED, classify, classify_listing
from jhpatch.kerberos.kinit_run import KinitRun
from jhpatch.kerberos.krb5_conf import Profile
from jhpatch.kerberos.krb5_conf_lint import Hint
from jhpatch.kerberos.krb5_conf_text import UNREAD
from jhpatch.kerberos.spawner_environment import explain_name
from jhpatch.kerberos.ticket_request import Answer, describe_life
from jhpatch.kerberos.users import check_user
from jhpatch.report.result import Finding

_ABOUT_KDCS = ("kinit-no-kdc", "kinit-timeout", "kinit-failed", "kinit-clock")
"""Codes of failures of kinit that its trace explains."""


class _NoTime(Exception):
    """kinit was not started: it would have been killed before a KDC can answer."""


def probe_kdcs(facts: Facts, deadline: Deadline) -> Iterator[Finding]:
    """Check the KDCs of each realm by one run of kinit for each."""

    def connect(host: str, port: int) -> str:
        return kdc_checks.connect_by_tcp(host, port, deadline.left(1))

    for realm in _realms(facts):
        try:
            run = _kdc_run(facts, realm, deadline)
        except _NoTime:
            yield finding(
                "check-left-out", "KDCs of realm %s: not checked, because no time was left" % realm
            )
            continue
        if run is None:
            continue
        if kdc_checks.shows_kdcs(run):
            hint = _hint(facts, realm)
            yield from kdc_checks.check_kdcs(realm, run, connect, kdc_checks.look_up, hint)
        elif classify(run.message) == INIT_FAILED and not _has_errors(facts.profile):
            yield finding(INIT_FAILED, run.message)


def _has_errors(profile: Profile) -> bool:
    """Return whether the check of krb5.conf can explain why libkrb5 does not start."""
    errors = [error for error in profile.errors if error.kind != UNREAD]
    return bool(errors) or any(krb5_conf.private_paths(profile))


def _kdc_run(facts: Facts, realm: str, deadline: Deadline) -> Optional[KinitRun]:
    """Return a run of kinit that has asked a KDC of the realm: a user's, if there is one.

    Otherwise kinit requests a ticket for a principal that no realm has; root runs it as
    ``nobody``. None if root must not run it. Raises _NoTime.
    """
    for account in filter(None, map(facts.account, facts.options.users)):
        spec, _ = facts.ticket_spec(account)
        if spec is None or realm_of(spec.principal) != realm:
            continue
        requested = _request(facts, account, spec, deadline)
        if requested is not None and kdc_checks.shows_kdcs(_run_of(requested[1], "")):
            return _run_of(requested[1], requested[1].problem)
    if deadline.left() < LEAST:
        raise _NoTime
    return facts.ask_kdc(realm, deadline.left())


def _realms(facts: Facts) -> Tuple[str, ...]:
    """Return the realms of the users' principals; the default realm if there are none."""
    accounts = filter(None, map(facts.account, facts.options.users))
    specs = [spec for spec, _ in map(facts.ticket_spec, accounts) if spec]
    realms = {realm_of(spec.principal) for spec in specs} - {""}
    return tuple(sorted((realms or {facts.profile.realm or ""}) - {""}))


def probe_ticket(
    facts: Facts, account: Account, spec: TicketSpec, deadline: Deadline
) -> Iterator[Finding]:
    """Request a ticket as the service does, if there is a readable keytab."""
    user = account.name
    try:
        requested = _request(facts, account, spec, deadline)
    except _NoTime:
        yield finding(
            "check-left-out",
            "ticket of %s: not requested, because no time was left" % user,
            user=user,
        )
        raise NotRun
    if requested is None:
        raise NotRun
    keytab, answer = requested
    if answer.ticket is not None:
        message = "%s: %s, %s" % (user, answer.ticket.principal, describe_life(answer.ticket))
        yield finding("kinit-works", message, keytab.path, user)
        return
    if _is_reported(facts, keytab, spec, answer, deadline):
        return
    message = answer.log_line
    if answer.code in _ABOUT_KDCS:
        message = kdc_checks.quote(_run_of(answer, answer.log_line))
    command = traced_kinit(
        facts.krb5_program("kinit"),
        keytab.path,
        spec.principal,
        None if keytab.reader is None or os.geteuid() == account.uid else user,
        facts.environ,
        facts.options.environ,
    )
    path = None if answer.code == "ccache-fails" else keytab.path
    row = finding(answer.code, message, path, user, principal=spec.principal, command=command)
    is_about_kdcs = answer.code in _ABOUT_KDCS and answer.code != "kinit-clock"
    hint = _hint(facts, realm_of(spec.principal)) if is_about_kdcs else Hint()
    yield explain_name(facts.hub_config, hint.explain(row))


def _hint(facts: Facts, realm: str) -> Hint:
    """Return why a realm can have no KDC: a line of krb5.conf, or the name of a user."""
    hint = krb5_conf_lint.explain_realm(facts.profile, realm)
    if hint.text or any(path[:2] == ("realms", realm) for path, _ in facts.profile.relations):
        return hint
    for account in filter(None, map(facts.account, facts.options.users)):
        spec, _ = facts.ticket_spec(account)
        for row in check_user(account, spec) if spec and realm_of(spec.principal) == realm else ():
            if row.code == "user-name-has-domain" and row.next:
                return Hint("; " + row.message, "".join(map(str, row.next.parts)))
    return hint


def _is_reported(
    facts: Facts, keytab: Keytab, spec: TicketSpec, answer: Answer, deadline: Deadline
) -> bool:
    """Return whether the check of the keytab has reported why there is no ticket."""
    if answer.code not in ("kinit-no-key", "keytab-missing", "keytab-malformed", INIT_FAILED):
        return False
    listing = facts.keytab_listing(keytab, deadline.left(1))
    if listing.exit_code == 0:
        entries = parse_entries(listing.stdout)
        return spec.principal not in [entry.principal for entry in entries]
    return classify_listing(listing.stderr) != "keytab-not-listed"


def _request(
    facts: Facts, account: Account, spec: TicketSpec, deadline: Deadline
) -> Optional[Tuple[Keytab, Answer]]:
    """Return the user's keytab, and how a request for a ticket with it ends.

    None if there is nothing to request. The checks of the KDCs and of the ticket share the
    request. Raises _NoTime.
    """
    if not programs.can_become(account) or account.uid < facts.hub_config.min_uid:
        return None
    if spec.central and not facts.profile.is_trusted:
        return None  # root's kinit would load a module that krb5.conf names
    keytab, _ = facts.keytab(account, spec, deadline)
    name, _, _ = facts.cache_name(account, spec, deadline)
    if keytab is None or not keytab.is_readable or name is None:
        return None
    try:
        cache = cache_of(name, account.uid)
    except Problem:
        return None
    answer = facts.ticket_answer(account, spec, cache, deadline)
    if answer is None:
        raise _NoTime
    return keytab, answer


def _run_of(answer: Answer, message: str) -> KinitRun:
    """Return the run of kinit behind an answer."""
    return KinitRun(
        None if answer.ticket is None else 0,
        message,
        kinit_trace.parse(answer.trace),
        answer.code == "kinit-timeout",
    )
