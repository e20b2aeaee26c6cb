"""The report of an inspection, and the exit code of each state."""

import contextlib
import os
import time
from typing import Iterable, List, Optional, Tuple

from jhpatch.errors import JhpatchError, Locked
from jhpatch.installer import import_path
from jhpatch.installer.inspection import Inspection
from jhpatch.installer.patch_status import PatchStatus
from jhpatch.report import states
from jhpatch.report.result import PatchReport, SiteReport, error_of
from jhpatch.system import processes, timestamps
from jhpatch.system.processes import Process, Server

_FINDINGS = (
    states.PRISTINE,
    states.OUTDATED,
    states.SUPERSEDED,
    states.MODIFIED,
    states.UNSUPPORTED,
)
_UNSEEN = "this user cannot inspect the processes of other users"


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
    to_restart: Optional[Tuple[Process, ...]] = ()
    if restart and (names or _is_recorded(inspection)):
        environment = inspection.environment
        servers = processes.servers_of(environment.prefix, environment.python)
        to_restart = None if servers is None else _older(inspection, servers)
        trusted, others = _by_owner(inspection, servers or ())
        about = (inspection.statuses, environment, inspection.site)
        shadows = inspection.shadows.of_running(*about, trusted)
        inspection = inspection._replace(shadows=shadows)
        notes += import_path.foreign_copies(*about, others)
    if exit_code is None:
        exit_code = error.exit_code if error else status_code(inspection)
    if error is None and inspection.journal == states.BUSY and exit_code == Locked.exit_code:
        error = _busy(inspection)
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
        restart_reason=None if to_restart is not None else _UNSEEN,
        diff=diff,
        notes=notes,
    )


def _by_owner(
    inspection: Inspection, servers: Iterable[Server]
) -> Tuple[List[Server], List[Server]]:
    """Return the servers of root and of the site's owner, and those of other users."""
    trusted = {0}
    with contextlib.suppress(OSError):
        trusted.add(os.stat(inspection.site.path).st_uid)
    rows: Tuple[List[Server], List[Server]] = ([], [])
    for server in servers:
        rows[not trusted.issuperset(processes.uids_of(server))].append(server)
    return rows


def _busy(inspection: Inspection) -> Locked:
    return Locked(
        "another run is changing this site",
        path=inspection.site.path,
        next="wait until it has finished, then run the same command again",
    )


def _patch_report(inspection: Inspection, status: PatchStatus, changed: bool) -> PatchReport:
    return PatchReport(
        patch=status.patch,
        edition=status.edition.name
        if status.edition
        else (status.applied and status.applied.edition),
        version=status.version,
        state=inspection.journal or _state(inspection, status),
        changed=changed,
        reason=reason_of(inspection, status),
        files=status.files,
    )


def _state(inspection: Inspection, status: PatchStatus) -> str:
    is_installed = status.state not in (states.ABSENT, states.NOT_NEEDED)
    is_shadowed = is_installed and inspection.is_shadowed(status.patch)
    return states.SHADOWED if is_shadowed else status.state


def reason_of(inspection: Inspection, status: PatchStatus) -> Optional[str]:
    """Return why a patch is in its state, or that its distribution is not the imported one."""
    if inspection.is_shadowed(status.patch):
        return "shadowed: Python imports " + inspection.shadows.copies[status.distribution_name]
    if not inspection.site.inside and status.state not in (states.ABSENT, states.NOT_NEEDED):
        return "outside of the environment: use --site to change it"
    return status.reason.text if status.reason else None


def status_code(inspection: Inspection) -> int:
    """Return 0 if no patch needs a change, 3 if one does, 4 if a run is active."""
    if inspection.journal:
        return 4 if inspection.journal == states.BUSY else 3
    return 3 if any(_is_finding(inspection, status) for status in inspection.statuses) else 0


def _is_finding(inspection: Inspection, status: PatchStatus) -> bool:
    if status.state in (states.ABSENT, states.NOT_NEEDED):
        return status.applied is not None
    if inspection.is_shadowed(status.patch):
        # The imported copy has a row of its own, unless it is among ``unseen``.
        is_unseen = status.distribution_name in inspection.shadows.unseen
        return is_unseen and status.state in states.PATCHED
    return status.state in _FINDINGS


def _is_recorded(inspection: Inspection) -> bool:
    return bool(inspection.snapshot.state and inspection.snapshot.state.patches())


def _older(inspection: Inspection, servers: Iterable[Server]) -> Tuple[Process, ...]:
    """Return the processes that run old code, if a patch is applied or was just changed."""
    state = inspection.snapshot.state
    times = [patch.when for patch in state.patches()] if state else []
    changed_at = max(map(timestamps.seconds_of, times)) if times else time.time()
    return processes.older_than(changed_at, servers)
