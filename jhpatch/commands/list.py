"""``jhpatch list``: every patch, the releases that it is made for, and which fit here."""

import argparse
from typing import List

from jhpatch.commands.arguments import add_arguments as add_shared_arguments
from jhpatch.commands.arguments import catalog_of, environments_of
from jhpatch.installer import selection
from jhpatch.installer.site_report import site_report
from jhpatch.patchset.edition import Edition
from jhpatch.report.result import PatchReport, Result, Sites


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``list``."""
    add_shared_arguments(parser, patches=False)


def run(arguments: argparse.Namespace) -> Result:
    """All patches of the catalog, with the state that each has here."""
    catalog = catalog_of(arguments)
    editions = catalog.editions(catalog.distributions)
    inspections = selection.inspect_all(environments_of(arguments), catalog)
    sites = []
    for one in inspections:
        report = site_report(one, exit_code=None if one.error else 0)
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
