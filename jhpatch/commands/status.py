"""``jhpatch status``: the state of each patch; only reads, and takes no lock."""

import argparse

from jhpatch import __version__, reporting, targets
from jhpatch.errors import Refused
from jhpatch.plan import would_apply
from jhpatch.result import Result, SiteReport
from jhpatch.survey import Survey


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``status``."""
    targets.add_arguments(parser, changes=False, patches=False)


def run(arguments: argparse.Namespace) -> Result:
    """0: all as it should be; 3: something is not; 4: a run is under way; 5: nothing here."""
    known = targets.catalog_of(arguments)
    surveys = targets.surveys_of(targets.environments_of(arguments), known)
    targets.refuse_nothing_here(surveys)
    return Result("status", tuple(_report(one) for one in surveys))


def _report(survey: Survey) -> SiteReport:
    try:
        chosen = targets.within_reach(survey, set())
        would = would_apply(survey.view, chosen, __version__)
    except Refused:
        would = False
    return reporting.site_report(survey, would_change=would, restart=True)
