"""``jhpatch diff``: show the exact changes of apply as a unified diff."""

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
    """Add the arguments of ``diff``."""
    add_shared_arguments(parser)


def run(arguments: argparse.Namespace) -> Result:
    """Show the diff. Exit code 0: even if it is empty; 4: another run; 5: apply would refuse."""
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
        # A patch that was not named and whose distribution is absent is no refusal.
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


def _edits(inspection: Inspection, status: PatchStatus) -> List[str]:
    """Return the diff from known bytes to a file that somebody else has changed."""
    text: List[str] = []
    for file in status.files:
        if file.state != states.OTHER:
            continue
        expected = _expected(inspection, status, file.path)
        if expected is None:  # only the release's hash is known: show the patch itself
            return [status.edition.diff.decode("utf-8", "replace")] if status.edition else []
        text.append(unified_diff.diff(file.path, expected, inspection.snapshot.read(file.path)))
    return text


def _expected(inspection: Inspection, status: PatchStatus, path: str) -> Optional[bytes]:
    """Return the expected bytes of a file; None if only their hash is known."""
    files = {file.path: file for file in (status.applied.files if status.applied else ())}
    if path not in files or status.edition is None:
        return None
    before = files[path].before
    if before is None:
        added = (addition for addition in status.edition.adds if addition.path == path)
        return next((addition.data for addition in added), None)
    try:
        return engine.after_of(status.edition, {path: inspection.snapshot.original(before)}).get(
            path
        )
    except JhpatchError:
        return None
