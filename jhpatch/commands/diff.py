"""``jhpatch diff``: the exact bytes that apply would change, as a unified diff."""

import argparse
from typing import FrozenSet, List, Optional, Tuple

from jhpatch import __version__
from jhpatch.commands.arguments import add_arguments as add_shared_arguments
from jhpatch.commands.arguments import catalog_of, inspected
from jhpatch.errors import JhpatchError
from jhpatch.installer import selection
from jhpatch.installer.assessment import PatchStatus
from jhpatch.installer.inspection import Inspection
from jhpatch.installer.plan import Operation, plan
from jhpatch.installer.site_report import site_report
from jhpatch.patchset import engine, unified_diff
from jhpatch.report import states
from jhpatch.report.result import Result, SiteReport, Sites
from jhpatch.transaction.change import FileChange


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``diff``."""
    add_shared_arguments(parser)


def run(arguments: argparse.Namespace) -> Result:
    """0: the diff, perhaps empty; 4: a run is under way; 5: a patch that apply would refuse."""
    sites, named = inspected(arguments, catalog_of(arguments))
    return Result("diff", Sites(tuple(_site(site, named) for site in sites)))


def _site(site: Inspection, named: FrozenSet[str]) -> SiteReport:
    if site.error or site.journal == states.BUSY:
        return site_report(site)
    operation = Operation("apply", named, __version__)
    statuses = selection.changeable(site, operation)
    error: Optional[JhpatchError] = None
    text: List[str] = []
    patches: List[str] = []
    for status in statuses:
        if not operation.concerns(status.patch):
            continue
        alone = operation._replace(named=frozenset([status.patch]))
        single = plan(alone, site.snapshot, statuses)
        # A patch that was not named and has nowhere to go is no refusal here.
        if single.refusals and (status.patch in named or status.state != states.ABSENT):
            error = error or single.refusals[0][1]
            text += _edits(site, status)
        patches += single.patches
    if patches:
        whole = plan(operation._replace(named=frozenset(patches)), site.snapshot, statuses)
        for change in sorted(whole.changes, key=_modules_first):
            if not change.path.startswith(".jhpatch/"):
                text.append(unified_diff.diff(change.path, change.before, change.after))
    code = error.exit_code if error else 0
    return site_report(site, patches, error, code, would_change=bool(patches), diff="".join(text))


def _modules_first(change: FileChange) -> Tuple[bool, bool, str]:
    return change.path.endswith("/RECORD"), change.before is None, change.path


def _edits(inspection: Inspection, one: PatchStatus) -> List[str]:
    """What was changed in a file by another hand, against bytes that we know."""
    text: List[str] = []
    for file in one.files:
        if file.state != states.OTHER:
            continue
        expected = _expected(inspection, one, file.path)
        if expected is None:  # only the hash of the release is known: show what apply wants to do
            return [one.edition.diff.decode("utf-8", "replace")] if one.edition else []
        text.append(unified_diff.diff(file.path, expected, inspection.snapshot.read(file.path)))
    return text


def _expected(inspection: Inspection, one: PatchStatus, path: str) -> Optional[bytes]:
    """The bytes that should be there; None where only their hash is known."""
    files = {file.path: file for file in (one.applied.files if one.applied else ())}
    if path not in files or one.edition is None:
        return None
    before = files[path].before
    if before is None:
        added = (addition for addition in one.edition.adds if addition.path == path)
        return next((addition.data for addition in added), None)
    try:
        return engine.after_of(one.edition, {path: inspection.snapshot.original(before)}).get(path)
    except JhpatchError:
        return None
