"""``jhpatch diff``: the exact bytes that apply would change, as a unified diff."""

import argparse
from typing import List, Optional, Set, Tuple

from jhpatch import __version__
from jhpatch.errors import JhpatchError
from jhpatch.installer import selection, site_report
from jhpatch.installer.assessment import PatchStatus
from jhpatch.installer.inspection import Inspection
from jhpatch.installer.plan import Change, plan_apply
from jhpatch.patchset import engine, unified_diff
from jhpatch.report.result import Result, SiteReport, Sites


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``diff``."""
    selection.add_arguments(parser, changes=False, patches=True)


def run(arguments: argparse.Namespace) -> Result:
    """0: the diff, perhaps empty; 4: a run is under way; 5: a patch that apply would refuse."""
    known = selection.catalog_of(arguments)
    inspections = selection.inspections_of(selection.environments_of(arguments), known)
    named = selection.patch_names(arguments.patch, known, inspections)
    selection.refuse_nothing_here(inspections)
    return Result("diff", Sites(tuple(_site(one, named) for one in inspections)))


def _site(inspection: Inspection, named: Set[str]) -> SiteReport:
    if inspection.error or inspection.journal == "busy":
        return site_report.site_report(inspection)
    chosen = selection.within_reach(inspection, named)
    error: Optional[JhpatchError] = None
    text: List[str] = []
    names: List[str] = []
    for one in chosen:
        if named and one.patch not in named:
            continue
        plan = plan_apply(inspection.view, chosen, {one.patch}, __version__, "")
        # A patch that was not named and has nowhere to go is no refusal here.
        if plan.refusals and (one.patch in named or one.state != "absent"):
            error = error or plan.refusals[0][1]
            text += _edits(inspection, one)
        names += plan.patches
    whole = plan_apply(inspection.view, chosen, set(names), __version__, "") if names else None
    for change in sorted(whole.changes if whole else (), key=_modules_first):
        if not change.path.startswith(".jhpatch/"):
            text.append(unified_diff.diff(change.path, change.before, change.after))
    code = error.exit_code if error else 0
    return site_report.site_report(
        inspection, names, error, code, would_change=bool(names), diff="".join(text)
    )


def _modules_first(change: Change) -> Tuple[bool, bool, str]:
    return change.path.endswith("/RECORD"), change.before is None, change.path


def _edits(inspection: Inspection, one: PatchStatus) -> List[str]:
    """What was changed in a file by another hand, against bytes that we know."""
    text: List[str] = []
    for file in one.files:
        if file.state != "other":
            continue
        expected = _expected(inspection, one, file.path)
        if expected is None:  # only the hash of the release is known: show what apply wants to do
            return [one.edition.diff.decode("utf-8", "replace")] if one.edition else []
        text.append(unified_diff.diff(file.path, expected, inspection.view.read(file.path)))
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
        return engine.after_of(one.edition, {path: inspection.view.original(before)}).get(path)
    except JhpatchError:
        return None
