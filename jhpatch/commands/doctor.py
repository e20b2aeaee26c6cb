"""``jhpatch doctor``: check this host, and report each problem with its next step; read-only."""

import argparse
import os
from typing import Dict, Iterator, List, Mapping, Optional, Tuple

from jhpatch.checks import runner, signals
from jhpatch.checks.runner import Check
from jhpatch.commands.arguments import add_arguments as add_shared_arguments
from jhpatch.commands.arguments import catalog_of, environments_of
from jhpatch.deployed.kerberos.account import own_account
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.settings import TEMPLATES, VARIABLE, load
from jhpatch.errors import JhpatchError
from jhpatch.installer import selection
from jhpatch.kerberos import checks as kerberos_checks
from jhpatch.kerberos.facts import DoctorOptions, Facts
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.ticket_request import end_requests
from jhpatch.report.result import Finding, Findings, Result, checked, worst_first
from jhpatch.spark import checks as spark_checks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``doctor``."""
    add = parser.add_argument
    add(
        "--user",
        action="append",
        type=_user_name,
        default=[],
        metavar="NAME",
        help="Check the keytab, the cache and the ticket of this user; can be given more than "
        "once (default: yourself; as root, no user)",
    )
    add(
        "--config",
        action="append",
        default=[],
        metavar="FILE",
        help="Read a configuration file of the hub, such as jupyterhub_config.py, without running "
        "it; can be given more than once: later files override earlier ones",
    )
    for name in ("keytab", "principal", "ccache"):
        text = "Use this value for c.KerberosTicket.%s instead of that in --config" % name
        add("--" + name, metavar="TEMPLATE", help=text)
    add(
        "--unit",
        default="jupyterhub",
        metavar="NAME",
        help="Inspect this systemd unit, which starts the hub (default: jupyterhub)",
    )
    add_shared_arguments(parser, patches=False)


def _user_name(text: str) -> str:
    """Return the name of a user. Raises ArgumentTypeError."""
    if not text:
        raise argparse.ArgumentTypeError("expected the name of a user")
    return text


def run(arguments: argparse.Namespace) -> Result:
    """Return all findings; exit code 3 if one is an error or a warning."""
    templates = {name: getattr(arguments, name) for name in TEMPLATES}
    is_of_server = bool(os.geteuid() and not arguments.config and not any(templates.values()))
    if is_of_server:
        templates = _templates_of_server(arguments.environ)
    options = DoctorOptions(
        environ=arguments.environ,
        users=tuple(arguments.user) or _caller(),
        config_paths=tuple(arguments.config),
        templates=templates,
        unit=arguments.unit,
        knows_settings=not os.geteuid() or bool(arguments.config) or any(templates.values()),
        is_of_server=is_of_server,
    )
    facts = Facts(options)
    checks = kerberos_checks.checks(facts)
    checks += spark_checks.checks(arguments.environ, options.users, facts.server_cache)
    checks.append(Check("restart", lambda deadline: _probe_restart(arguments)))
    with signals.cleaned_up(end_requests):
        rows = runner.run_checks(checks, step=arguments.step)
    findings = worst_first(runner.findings_of(rows))
    notes = (runner.summary(rows),)
    return Result("doctor", Findings(findings), notes=notes, own_exit_code=checked(findings))


def _templates_of_server(environ: Mapping[str, str]) -> Dict[str, Optional[str]]:
    """Return the values that the hub passed to the server in whose terminal this may run.

    Each is None if it is unknown, or if the keytab is central: a user cannot read that one.
    """
    try:
        spec = load(environ.get(VARIABLE, ""))[1]
    except Problem:
        return dict.fromkeys(TEMPLATES)
    return {name: None if spec.central else getattr(spec, name) for name in TEMPLATES}


def _caller() -> Tuple[str, ...]:
    """Return the name of the calling user; none for root, whose own ticket is not a user's."""
    try:
        return () if os.geteuid() == 0 else (own_account().name,)
    except KeyError:
        return ()


def _probe_restart(arguments: argparse.Namespace) -> Iterator[Finding]:
    """Name the processes that run the code from before the patches."""
    from jhpatch.installer.site_report import site_report

    findings: List[Finding] = []
    try:
        catalog = catalog_of(arguments, whole=False)
        environments = environments_of(arguments)
        inspections = selection.inspect_all(environments, catalog)
        if not any(map(selection.is_relevant, inspections)):
            message = "no distribution that jhpatch can patch is in %s"
            message %= ", ".join(sorted({one.prefix for one in environments}))
            findings.append(finding("restart-unchecked", message))
        for inspection in inspections:
            site = site_report(inspection, restart=True)
            if site.restart is None:
                findings.append(finding("restart-unknown", str(site.restart_reason), site.site))
            for process in site.restart or ():
                message = "pid %d %s of %s, running since %s"
                message = message % (process.pid, process.command, process.user, process.started)
                findings.append(finding("restart-needed", message, site.site))
    except JhpatchError as error:
        findings.append(finding("site-unreadable", error.message, error.path))
    yield from findings
