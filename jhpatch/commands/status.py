"""``jhpatch status``: the state of each patch; only reads, and takes no lock."""

import argparse

from jhpatch import __version__, reporting, targets
from jhpatch.errors import Refused
from jhpatch.inspection import Inspection
from jhpatch.plan import would_apply
from jhpatch.result import Result, SiteReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``status``."""
    targets.add_arguments(parser, changes=False, patches=False)


def run(arguments: argparse.Namespace) -> Result:
    """0: all as it should be; 3: something is not; 4: a run is under way; 5: nothing here."""
    known = targets.catalog_of(arguments, whole=False)
    inspections = targets.inspections_of(targets.environments_of(arguments), known)
    targets.refuse_nothing_here(inspections)
    return Result("status", tuple(_report(one) for one in inspections))


def _report(inspection: Inspection) -> SiteReport:
    try:
        chosen = targets.within_reach(inspection, set())
        would = would_apply(inspection.view, chosen, __version__)
    except Refused:
        would = False
    return reporting.site_report(inspection, would_change=would, restart=True)
