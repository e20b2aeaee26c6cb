"""``jhpatch list``: list every patch, its releases, and its state in each site."""

import argparse
from typing import List

from jhpatch.commands.arguments import add_arguments as add_shared_arguments
from jhpatch.commands.arguments import catalog_of, environments_of
from jhpatch.installer import selection
from jhpatch.installer.site_report import site_report
from jhpatch.patchset.edition import Edition
from jhpatch.report.result import PatchReport, Result, Sites


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``list``."""
    add_shared_arguments(parser, patches=False)


def run(arguments: argparse.Namespace) -> Result:
    """List all patches of the catalog, each with its state in each site."""
    catalog = catalog_of(arguments)
    editions = catalog.editions(catalog.distributions)
    inspections = selection.inspect_all(environments_of(arguments), catalog)
    sites = []
    for inspection in inspections:
        report = site_report(inspection, exit_code=None if inspection.error else 0)
        patches = tuple(_describe(patch, list(editions)) for patch in report.patches)
        sites.append(report._replace(patches=patches))
    return Result("list", Sites(tuple(sites)))


def _describe(patch: PatchReport, editions: List[Edition]) -> PatchReport:
    candidates = [edition for edition in editions if edition.patch == patch.patch]
    patching = [edition for edition in candidates if edition.not_needed is None] or candidates
    current = [edition for edition in patching if edition.name == patch.edition] or patching[-1:]
    return patch._replace(
        description=current[0].description if current else None,
        versions=" | ".join(edition.versions for edition in patching) or None,
        files=(),
    )
