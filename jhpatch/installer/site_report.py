"""The report of an inspection, and the exit code of each state."""

import time
from typing import Iterable, Optional, Tuple

from jhpatch.errors import JhpatchError
from jhpatch.installer.assessment import PatchStatus
from jhpatch.installer.inspection import Inspection
from jhpatch.report import states
from jhpatch.report.result import PatchReport, SiteReport, error_of
from jhpatch.system import processes, timestamps
from jhpatch.system.processes import Process

_FINDINGS = (
    states.PRISTINE,
    states.OUTDATED,
    states.SUPERSEDED,
    states.MODIFIED,
    states.UNSUPPORTED,
)


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
    """Report a site; ``changed`` names the patches that were, or would be, changed."""
    error = error or inspection.error
    names = set(changed)
    to_restart = _processes_to_restart(inspection, bool(names)) if restart else ()
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
            _patch_report(inspection, status, status.patch in names and not would_change)
            for status in inspection.statuses
        ),
        restart=to_restart,
        restart_reason=None if to_restart is not None else "other users' processes are hidden",
        diff=diff,
        notes=notes,
    )


def _patch_report(inspection: Inspection, status: PatchStatus, changed: bool) -> PatchReport:
    return PatchReport(
        patch=status.patch,
        edition=status.edition.name
        if status.edition
        else (status.applied and status.applied.edition),
        version=status.version,
        state=inspection.journal or status.state,
        changed=changed,
        reason=reason_of(inspection, status),
        files=status.files,
    )


def reason_of(inspection: Inspection, status: PatchStatus) -> Optional[str]:
    """Return why a patch is in its state, or that its distribution is not the imported one."""
    if inspection.is_shadowed(status.patch):
        return "shadowed: another site has the copy that is imported"
    if not inspection.site.inside and status.state not in (states.ABSENT, states.NOT_NEEDED):
        return "outside of the environment: changed only with --site"
    return status.reason.text if status.reason else None


def status_code(inspection: Inspection) -> int:
    """Return 0 if no patch needs a change, 3 if one does, 4 if a run is active."""
    if inspection.journal:
        return 4 if inspection.journal == states.BUSY else 3
    return 3 if any(_is_finding(inspection, status) for status in inspection.statuses) else 0


def _is_finding(inspection: Inspection, status: PatchStatus) -> bool:
    if status.state in (states.ABSENT, states.NOT_NEEDED):
        return status.applied is not None
    return status.state in _FINDINGS and not inspection.is_shadowed(status.patch)


def _processes_to_restart(inspection: Inspection, changed: bool) -> Optional[Tuple[Process, ...]]:
    """Return the processes that run old code, if a patch is applied or was just changed."""
    state = inspection.snapshot.state
    times = [patch.when for patch in state.patches()] if state else []
    if not times and not changed:
        return ()
    changed_at = max(map(timestamps.seconds_of, times)) if times else time.time()
    environment = inspection.environment
    return processes.older_than(changed_at, environment.prefix, environment.python)
