"""``jhpatch status``: the state of each patch; only reads, and takes no lock."""

import argparse
import os
from typing import Any, Dict, List, Tuple

from jhpatch import __version__
from jhpatch.errors import Failed, JhpatchError, Refused, jhpatch_command, shell_command
from jhpatch.installer import environment, selection, site_report
from jhpatch.installer.environment import Environment
from jhpatch.installer.inspection import Inspection
from jhpatch.installer.plan import would_apply
from jhpatch.patchset.catalog import Catalog
from jhpatch.report import packing
from jhpatch.report.result import Result, SiteReport, Sites, error_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``status``."""
    words = "the environments of the hub and of the users' servers that run now"
    parser.add_argument("--all", action="store_true", help=words)
    selection.add_arguments(parser, changes=False, patches=False)


def run(arguments: argparse.Namespace) -> Result:
    """0: all as it should be; 3: something is not; 4: a run is under way; 5: nothing here."""
    known = selection.catalog_of(arguments, whole=False)
    if arguments.all:
        return Result("status", Sites(_of_all(arguments, known)))
    inspections = selection.inspections_of(selection.environments_of(arguments), known)
    selection.refuse_nothing_here(inspections)
    return Result("status", Sites(tuple(_report(one) for one in inspections)))


def _report(inspection: Inspection) -> SiteReport:
    try:
        chosen = selection.within_reach(inspection, set())
        would = would_apply(inspection.view, chosen, __version__)
    except Refused:
        would = False
    return site_report.site_report(inspection, would_change=would, restart=True)


# --all


def _of_all(arguments: argparse.Namespace, known: Catalog) -> Tuple[SiteReport, ...]:
    """Each environment once. What a user can write is looked at as that user, not as root."""
    from jhpatch.system import become_user, path_owners, processes

    rows: Dict[str, SiteReport] = {}
    for python, uid in processes.interpreters():
        try:
            writer = path_owners.writer_of(python) if os.geteuid() == 0 else None
            if writer is None:
                found = _sites_of(python, known)
            elif uid or writer.uid:
                known.load()
                found = packing.unpacked(
                    become_user.run_as(
                        uid or writer.uid,
                        lambda: _packed(python, known),  # noqa: B023
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


def _sites_of(python: str, known: Catalog) -> Tuple[SiteReport, ...]:
    environments: List[Environment] = [environment.environment_of(python)]
    inspections = selection.inspections_of(environments, known)
    return tuple(_report(one) for one in inspections)


def _packed(python: str, known: Catalog) -> List[Dict[str, Any]]:
    return packing.packed(_sites_of(python, known))
