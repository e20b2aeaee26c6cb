"""Inspections → reports, and the exit code that each state has."""

import time
from typing import Iterable, Optional, Tuple

from jhpatch.errors import JhpatchError
from jhpatch.installer.assessment import PatchStatus
from jhpatch.installer.inspection import Inspection
from jhpatch.report.result import FileReport, PatchReport, SiteReport, error_of
from jhpatch.system import processes, timestamps
from jhpatch.system.processes import Process

_FINDINGS = ("pristine", "outdated", "superseded", "modified", "unsupported", "interrupted")


def site_report(
    inspection: Inspection,
    changed: Iterable[str] = (),
    error: Optional[JhpatchError] = None,
    exit_code: Optional[int] = None,
    would_change: bool = False,
    diff: Optional[str] = None,
    notes: Tuple[str, ...] = (),
    restart: bool = False,
) -> SiteReport:
    """The report of a site; ``changed`` names patches that were, or would be, changed."""
    error = error or inspection.error
    names = set(changed)
    processes_found = _restart(inspection, bool(names)) if restart else ()
    if exit_code is None:
        exit_code = error.exit_code if error else status_code(inspection)
    return SiteReport(
        site=inspection.site.path,
        python=inspection.environment.python,
        owner=inspection.owner,
        journal=inspection.journal,
        changed=bool(names) and not would_change,
        would_change=would_change,
        exit_code=exit_code,
        error=error_of(error) if error else None,
        patches=tuple(
            _patch_report(inspection, one, one.patch in names and not would_change)
            for one in inspection.assessments
        ),
        restart=processes_found,
        restart_reason=None
        if processes_found is not None
        else "other users' processes are hidden",
        diff=diff,
        notes=notes,
    )


def _patch_report(inspection: Inspection, one: PatchStatus, changed: bool) -> PatchReport:
    return PatchReport(
        patch=one.patch,
        edition=one.edition.name if one.edition else (one.applied and one.applied.edition),
        version=one.version,
        state=inspection.journal or one.state,
        changed=changed,
        reason=reason_of(inspection, one),
        files=tuple(FileReport(*file) for file in one.files),
    )


def reason_of(inspection: Inspection, one: PatchStatus) -> Optional[str]:
    """Why a patch is in its state, and whether its distribution is the one that is imported."""
    if inspection.is_shadowed(one.patch):
        return "shadowed: another site has the copy that is imported"
    if not inspection.site.inside and one.state not in ("absent", "not-needed"):
        return "outside of the environment: changed only with --site"
    return one.reason


def status_code(inspection: Inspection) -> int:
    """0 where each patch is as it should be, 3 where one is not, 4 where a run is under way."""
    if inspection.journal:
        return 4 if inspection.journal == "busy" else 3
    return 3 if any(_is_finding(inspection, one) for one in inspection.assessments) else 0


def _is_finding(inspection: Inspection, one: PatchStatus) -> bool:
    if one.state in ("absent", "not-needed"):
        return one.applied is not None
    return one.state in _FINDINGS and not inspection.is_shadowed(one.patch)


def _restart(inspection: Inspection, changed: bool) -> Optional[Tuple[Process, ...]]:
    """Who still runs old code: looked for only where something of ours is, or just was."""
    state = inspection.view.state
    times = [a.when for one in (state.patched if state else ()) for a in one.applied]
    if not times and not changed:
        return ()
    since = max(map(timestamps.seconds_of, times)) if times else time.time()
    environment = inspection.environment
    return processes.older_than(since, environment.prefix, environment.python)
