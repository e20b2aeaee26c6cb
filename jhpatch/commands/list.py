"""``jhpatch list``: every patch, the releases that it is made for, and which fit here."""

import argparse
from typing import List

from jhpatch.installer import selection, site_report
from jhpatch.patchset.edition import Edition
from jhpatch.report.result import PatchReport, Result, Sites


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``list``."""
    selection.add_arguments(parser, changes=False, patches=False)


def run(arguments: argparse.Namespace) -> Result:
    """All patches of the catalog, with the state that each has here."""
    known = selection.catalog_of(arguments)
    editions = known.editions(known.distributions)
    inspections = selection.inspections_of(selection.environments_of(arguments), known)
    sites = []
    for one in inspections:
        report = site_report.site_report(one, exit_code=None if one.error else 0)
        patches = tuple(_described(patch, list(editions)) for patch in report.patches)
        sites.append(report._replace(patches=patches))
    return Result("list", Sites(tuple(sites)))


def _described(patch: PatchReport, editions: List[Edition]) -> PatchReport:
    ours = [one for one in editions if one.patch == patch.patch]
    made = [one for one in ours if one.not_needed is None] or ours
    here = [one for one in ours if one.name == patch.edition and one in made] or made[-1:]
    return patch._replace(
        description=here[0].description if here else None,
        versions=" | ".join(one.versions for one in made) or None,
        files=(),
    )
