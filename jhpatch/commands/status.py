"""``jhpatch status``: the state of each patch; only reads, and takes no lock."""

import argparse

from jhpatch import reporting, targets
from jhpatch.result import Result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``status``."""
    targets.add_arguments(parser, changes=False, patches=False)


def run(arguments: argparse.Namespace) -> Result:
    """0: all as it should be; 3: something is not; 4: a run is under way; 5: nothing here."""
    known = targets.catalog_of(arguments)
    surveys = targets.surveys_of(targets.environments_of(arguments), known)
    targets.refuse_nothing_here(surveys)
    return Result("status", tuple(reporting.site_report(one, restart=True) for one in surveys))
