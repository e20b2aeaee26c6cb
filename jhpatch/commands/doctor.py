"""``jhpatch doctor``: report what this host lacks, and the next step; changes nothing."""

import argparse
from typing import Iterable, Iterator, List

from jhpatch.checks import runner
from jhpatch.checks.runner import Check
from jhpatch.commands.arguments import add_arguments as add_shared_arguments
from jhpatch.commands.arguments import catalog_of, environments_of
from jhpatch.errors import JhpatchError
from jhpatch.installer import selection
from jhpatch.kerberos import checks as kerberos_checks
from jhpatch.kerberos.facts import DoctorOptions
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.hub_config import TEMPLATES
from jhpatch.report.result import Finding, Findings, Result, checked
from jhpatch.spark import checks as spark_checks

_SEVERITIES = ("error", "warning", "note")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``doctor``."""
    add = parser.add_argument
    add(
        "--user",
        action="append",
        default=[],
        metavar="NAME",
        help="look at this user's keytab, cache and ticket; may repeat",
    )
    add(
        "--config",
        metavar="FILE",
        help="the hub's jupyterhub_config.py: its literal settings count; it is never run",
    )
    for name in ("keytab", "principal", "ccache"):
        text = "c.KerberosTicket.%s, in place of what --config says" % name
        add("--" + name, metavar="TEMPLATE", help=text)
    add("--unit", default="jupyterhub", metavar="NAME", help="the hub's unit (jupyterhub)")
    add_shared_arguments(parser, patches=False)


def run(arguments: argparse.Namespace) -> Result:
    """Return all findings; exit code 3 if one is an error or a warning."""
    options = DoctorOptions(
        environ=arguments.environ,
        users=tuple(arguments.user),
        config_path=arguments.config,
        templates={name: getattr(arguments, name) for name in TEMPLATES},
        unit=arguments.unit,
    )
    checks = kerberos_checks.checks(options)
    checks += spark_checks.checks(arguments.environ, options.users)
    checks.append(Check("restart", lambda deadline: _probe_restart(arguments)))
    findings = runner.run_checks(checks, step=arguments.step)
    note = "%d checks: %s" % (len(checks), ", ".join(_counts(findings)))
    return Result("doctor", Findings(findings), notes=(note,), own_exit_code=checked(findings))


def _counts(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield the number of findings of each severity, such as ``1 error`` and ``0 notes``."""
    severities = [row.severity for row in findings]
    for severity in _SEVERITIES:
        count = severities.count(severity)
        yield "%d %s%s" % (count, severity, "" if count == 1 else "s")


def _probe_restart(arguments: argparse.Namespace) -> Iterator[Finding]:
    """Name the processes that run the code from before the patches."""
    from jhpatch.installer.site_report import site_report

    findings: List[Finding] = []
    try:
        catalog = catalog_of(arguments, whole=False)
        environments = environments_of(arguments)
        for inspection in selection.inspect_all(environments, catalog):
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
