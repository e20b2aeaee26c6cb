"""``jhpatch status``: show the state of each patch; read-only, without a lock."""

import argparse
import os
from typing import Any, Dict, FrozenSet, List, Tuple

from jhpatch import __version__
from jhpatch.commands.arguments import add_arguments as add_shared_arguments
from jhpatch.commands.arguments import catalog_of, inspected
from jhpatch.errors import Failed, JhpatchError, Refused, jhpatch_command, shell_command
from jhpatch.installer import selection
from jhpatch.installer.environment import environment_of
from jhpatch.installer.inspection import Inspection
from jhpatch.installer.plan import Operation, would_change
from jhpatch.installer.site_report import site_report
from jhpatch.patchset.catalog import Catalog
from jhpatch.report import packing, states
from jhpatch.report.result import Result, SiteReport, Sites, error_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``status``."""
    help_text = "the environments of the hub and of the users' servers that run now"
    parser.add_argument("--all", action="store_true", help=help_text)
    add_shared_arguments(parser)


def run(arguments: argparse.Namespace) -> Result:
    """Show the states. Exit code 0: no change needed; 3: needed; 4: another run; 5: no patch."""
    catalog = catalog_of(arguments, whole=False)
    if arguments.all:
        # Before any child is started, and once for all environments.
        named = selection.patch_names(arguments.patch, catalog, [])
        rows = _all_sites(arguments, catalog, named)
    else:
        sites, named = inspected(arguments, catalog)
        selection.refuse_nothing_here(sites, named)
        rows = tuple(_report(site, named) for site in sites)
    return Result("status", Sites(rows), named=tuple(sorted(named)))


def _report(site: Inspection, named: FrozenSet[str]) -> SiteReport:
    operation = Operation("apply", named, __version__)
    try:
        statuses = selection.changeable(site, operation)
        would = would_change(operation, site.snapshot, statuses)
    except Refused:
        would = False
    shown = tuple(status for status in site.statuses if operation.concerns(status.patch))
    return site_report(site._replace(statuses=shown), would_change=would, restart=True)


# --all


def _all_sites(
    arguments: argparse.Namespace, catalog: Catalog, named: FrozenSet[str]
) -> Tuple[SiteReport, ...]:
    """Report each running environment once; read those that a user can write as that user."""
    from jhpatch.system import become_user, path_owners, processes

    rows: Dict[str, SiteReport] = {}
    for python, uid in processes.interpreters():
        try:
            writer = path_owners.writer_of(python) if os.geteuid() == 0 else None
            if writer is None:
                reports = _sites_of(python, catalog, named)
            elif uid or writer.uid:
                catalog.load()
                reports = packing.unpacked(
                    become_user.run_as(
                        uid or writer.uid,
                        lambda: _packed(python, catalog, named),  # noqa: B023
                    )
                )
            else:
                raise Refused(
                    "root does not look at what several others can write",
                    path=writer.path,
                    expected="a path that root alone, or one user alone, can write",
                    found="mode %o" % writer.mode,
                    next=shell_command("chmod", "go-w", writer.path),
                )
        except (JhpatchError, KeyError, TypeError, ValueError, AttributeError) as error:
            unexpected = Failed("a child's odd answer", path=python)
            failure = error if isinstance(error, JhpatchError) else unexpected
            code = failure.exit_code
            reports = (SiteReport(python, python, None, exit_code=code, error=error_of(failure)),)
        for report in reports:
            rows.setdefault(os.path.realpath(report.site), report)
    if not rows:
        raise Refused(
            "no hub and no server runs on this host",
            expected="a running jupyterhub or jupyterhub-singleuser",
            found="none that this user may see",
            next=jhpatch_command("status", "--python", "/path/to/the/hub/bin/python"),
        )
    if named and not any(map(_is_about_a_patch, rows.values())):
        raise Refused(
            "no environment that runs has a distribution of these patches",
            path=", ".join(sorted(rows)),
            expected=" or ".join(sorted({name.partition("/")[0] for name in named})),
            found="none of them",
            next=jhpatch_command("status", "--all"),
        )
    arguments.python = sorted({report.python for report in rows.values() if report.python})
    return tuple(rows[path] for path in sorted(rows))


def _is_about_a_patch(site: SiteReport) -> bool:
    return bool(
        site.error or site.journal or any(row.state != states.ABSENT for row in site.patches)
    )


def _sites_of(python: str, catalog: Catalog, named: FrozenSet[str]) -> Tuple[SiteReport, ...]:
    sites = selection.inspect_all([environment_of(python)], catalog)
    return tuple(_report(site, named) for site in sites)


def _packed(python: str, catalog: Catalog, named: FrozenSet[str]) -> List[Dict[str, Any]]:
    return packing.packed(_sites_of(python, catalog, named))
