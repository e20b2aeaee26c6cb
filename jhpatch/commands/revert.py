"""``jhpatch revert``: give every byte back, RECORD included."""

import argparse

from jhpatch import __version__
from jhpatch.installer import execute, selection
from jhpatch.installer.inspection import Inspection
from jhpatch.installer.plan import Plan, plan_revert
from jhpatch.report.result import Result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``revert``."""
    selection.add_arguments(parser, changes=True, patches=True)
    parser.add_argument(
        "--force",
        action="store_true",
        help="also a file that was changed since; its bytes are kept in .jhpatch/forced",
    )


def run(arguments: argparse.Namespace) -> Result:
    """0: as upstream, or nothing to do; 4: another run; 5: refused, and nothing changed."""
    known = selection.trusted_catalog_of(arguments)
    inspections = selection.inspections_of(selection.environments_of(arguments), known)
    named = selection.patch_names(arguments.patch, known, inspections)
    selection.refuse_nothing_here(inspections)

    def planned(inspection: Inspection) -> Plan:
        chosen = selection.within_reach(inspection, named, reverting=True)
        return plan_revert(inspection.view, chosen, named, __version__, arguments.force)

    return execute.change("revert", inspections, planned, known, arguments)
