"""``jhpatch status``: the state of each patch; only reads, and takes no lock."""

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
from jhpatch.report import packing
from jhpatch.report.result import Result, SiteReport, Sites, error_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``status``."""
    words = "the environments of the hub and of the users' servers that run now"
    parser.add_argument("--all", action="store_true", help=words)
    add_shared_arguments(parser)


def run(arguments: argparse.Namespace) -> Result:
    """0: all as it should be; 3: something is not; 4: a run is under way; 5: nothing here."""
    catalog = catalog_of(arguments, whole=False)
    if arguments.all:
        return Result("status", Sites(_of_all(arguments, catalog)))
    sites, named = inspected(arguments, catalog)
    selection.refuse_nothing_here(sites, named)
    return Result("status", Sites(tuple(_report(site, named) for site in sites)))


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


def _of_all(arguments: argparse.Namespace, catalog: Catalog) -> Tuple[SiteReport, ...]:
    """Each environment once. What a user can write is looked at as that user, not as root."""
    from jhpatch.system import become_user, path_owners, processes

    typed: List[str] = arguments.patch
    rows: Dict[str, SiteReport] = {}
    for python, uid in processes.interpreters():
        try:
            writer = path_owners.writer_of(python) if os.geteuid() == 0 else None
            if writer is None:
                found = _sites_of(python, catalog, typed)
            elif uid or writer.uid:
                catalog.load()
                found = packing.unpacked(
                    become_user.run_as(
                        uid or writer.uid,
                        lambda: _packed(python, catalog, typed),  # noqa: B023
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
            odd = Failed("a child's odd answer", path=python)
            failed = error if isinstance(error, JhpatchError) else odd
            code = failed.exit_code
            found = (SiteReport(python, python, None, exit_code=code, error=error_of(failed)),)
        for one in found:
            rows.setdefault(os.path.realpath(one.site), one)
    if not rows:
        raise Refused(
            "no hub and no server runs on this host",
            expected="a running jupyterhub or jupyterhub-singleuser",
            found="none that this user may see",
            next=jhpatch_command("status", "--python", "/path/to/the/hub/bin/python"),
        )
    arguments.python = sorted({one.python for one in rows.values() if one.python})
    return tuple(rows[path] for path in sorted(rows))


def _sites_of(python: str, catalog: Catalog, typed: List[str]) -> Tuple[SiteReport, ...]:
    sites = selection.inspect_all([environment_of(python)], catalog)
    named = selection.patch_names(typed, catalog, sites)
    return tuple(_report(site, named) for site in sites)


def _packed(python: str, catalog: Catalog, typed: List[str]) -> List[Dict[str, Any]]:
    return packing.packed(_sites_of(python, catalog, typed))
