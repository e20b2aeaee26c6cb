"""``jhpatch apply``: make every patch that fits applied; all of them, or none."""

import argparse
import time

from jhpatch import __version__
from jhpatch.installer import execute, selection
from jhpatch.installer.inspection import Inspection
from jhpatch.installer.plan import Plan, plan_apply
from jhpatch.report.result import Result
from jhpatch.system import timestamps


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``apply``."""
    selection.add_arguments(parser, changes=True, patches=True)
    parser.add_argument(
        "--allow-unlisted",
        action="store_true",
        help="also a release that no patch names, where its bytes are those of one that is known",
    )


def run(arguments: argparse.Namespace) -> Result:
    """0: applied, or nothing to do; 4: another run; 5: refused, and nothing changed."""
    known = selection.trusted_catalog_of(arguments)
    inspections = selection.inspections_of(selection.environments_of(arguments), known)
    named = selection.patch_names(arguments.patch, known, inspections)
    selection.refuse_nothing_here(inspections)
    when = timestamps.now(time.time())

    def planned(inspection: Inspection) -> Plan:
        chosen = selection.within_reach(inspection, named)
        return plan_apply(
            inspection.view, chosen, named, __version__, when, arguments.allow_unlisted
        )

    return execute.change("apply", inspections, planned, known, arguments)
