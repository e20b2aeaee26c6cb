"""``jhpatch doctor``: what is missing on this host, and the next step; never changes anything."""

import argparse
from typing import Iterator, List

from jhpatch.checks import runner
from jhpatch.checks.runner import Check
from jhpatch.commands.arguments import add_arguments as add_shared_arguments
from jhpatch.commands.arguments import catalog_of, environments_of
from jhpatch.errors import JhpatchError
from jhpatch.installer import selection
from jhpatch.kerberos import checks as kerberos_checks
from jhpatch.kerberos.findings import finding
from jhpatch.report.result import Finding, Findings, Result, checked
from jhpatch.spark import checks as spark_checks

_SEVERITIES = ("error", "warning", "note")
_TEMPLATES = ("keytab", "principal", "ccache")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``doctor``."""
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
    for name in _TEMPLATES:
        words = "c.KerberosTicket.%s, in place of what --config says" % name
        add("--" + name, metavar="TEMPLATE", help=words)
    add("--unit", default="jupyterhub", metavar="NAME", help="the hub's unit (jupyterhub)")
    add_shared_arguments(parser, patches=False)


def run(arguments: argparse.Namespace) -> Result:
    """0: no error and no warning; 3: some."""
    host = kerberos_checks.Host(
        environ=arguments.environ,
        users=tuple(arguments.user),
        config_path=arguments.config,
        templates={name: getattr(arguments, name) for name in _TEMPLATES},
        unit=arguments.unit,
    )
    checks = kerberos_checks.checks(host) + spark_checks.checks(arguments.environ, host.users)
    checks.append(Check("restart", lambda deadline: _restart(arguments)))
    rows = runner.run_checks(checks, step=arguments.step)
    counts = [sum(row.severity == one for row in rows) for one in _SEVERITIES]
    words = ["%d %s%s" % (n, one, "" if n == 1 else "s") for n, one in zip(counts, _SEVERITIES)]
    note = "%d checks: %s" % (len(checks), ", ".join(words))
    return Result("doctor", Findings(rows), notes=(note,), own_exit_code=checked(rows))


def _restart(arguments: argparse.Namespace) -> Iterator[Finding]:
    """The processes that run the code from before the patches."""
    from jhpatch.installer.site_report import site_report

    found: List[Finding] = []
    try:
        known = catalog_of(arguments, whole=False)
        for one in selection.inspect_all(environments_of(arguments), known):
            site = site_report(one, restart=True)
            if site.restart is None:
                found.append(finding("restart-unknown", str(site.restart_reason), site.site))
            for process in site.restart or ():
                words = "pid %d %s of %s, running since %s"
                words = words % (process.pid, process.command, process.user, process.started)
                found.append(finding("restart-needed", words, site.site))
    except JhpatchError as error:
        found.append(finding("site-unreadable", error.message, error.path))
    yield from found
