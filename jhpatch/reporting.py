"""Surveys → reports, and the exit code that each state has."""

import time
from typing import Iterable, Optional, Tuple

from jhpatch import processes
from jhpatch.errors import JhpatchError
from jhpatch.result import FileReport, PatchReport, Process, SiteReport, error_of
from jhpatch.states import Assessment
from jhpatch.survey import Survey

_FINDINGS = ("pristine", "outdated", "superseded", "modified", "unsupported", "interrupted")


def site_report(
    survey: Survey,
    changed: Iterable[str] = (),
    error: Optional[JhpatchError] = None,
    exit_code: Optional[int] = None,
    would_change: bool = False,
    diff: Optional[str] = None,
    notes: Tuple[str, ...] = (),
    restart: bool = False,
) -> SiteReport:
    """The report of a site; ``changed`` names patches that were, or would be, changed."""
    error = error or survey.error
    names = set(changed)
    processes_found = _restart(survey, bool(names)) if restart else ()
    if exit_code is None:
        exit_code = error.exit_code if error else status_code(survey)
    return SiteReport(
        site=survey.site.path,
        python=survey.environment.python,
        owner=survey.owner,
        journal=survey.journal,
        changed=bool(names) and not would_change,
        would_change=would_change,
        exit_code=exit_code,
        error=error_of(error) if error else None,
        patches=tuple(
            _patch_report(survey, one, one.patch in names and not would_change)
            for one in survey.assessments
        ),
        restart=processes_found,
        restart_reason=None
        if processes_found is not None
        else "other users' processes are hidden",
        diff=diff,
        notes=notes,
    )


def _patch_report(survey: Survey, one: Assessment, changed: bool) -> PatchReport:
    return PatchReport(
        patch=one.patch,
        edition=one.edition.name if one.edition else (one.applied and one.applied.edition),
        version=one.version,
        state=survey.journal or one.state,
        changed=changed,
        reason=reason_of(survey, one),
        files=tuple(FileReport(*file) for file in one.files),
    )


def reason_of(survey: Survey, one: Assessment) -> Optional[str]:
    """Why a patch is in its state, and whether its distribution is the one that is imported."""
    if survey.is_shadowed(one.patch):
        return "shadowed: another site has the copy that is imported"
    if not survey.site.inside and one.state not in ("absent", "not-needed"):
        return "outside of the environment: changed only with --site"
    return one.reason


def status_code(survey: Survey) -> int:
    """0 where each patch is as it should be, 3 where one is not, 4 where a run is under way."""
    if survey.journal:
        return 4 if survey.journal == "busy" else 3
    return 3 if any(_is_finding(survey, one) for one in survey.assessments) else 0


def _is_finding(survey: Survey, one: Assessment) -> bool:
    if one.state in ("absent", "not-needed"):
        return one.applied is not None
    return one.state in _FINDINGS and not survey.is_shadowed(one.patch)


def _restart(survey: Survey, changed: bool) -> Optional[Tuple[Process, ...]]:
    """Who still runs old code: looked for only where something of ours is, or just was."""
    state = survey.view.state
    times = [a.when for one in (state.patched if state else ()) for a in one.applied]
    if not times and not changed:
        return ()
    since = max(map(processes.seconds_of, times)) if times else time.time()
    environment = survey.environment
    return processes.older_than(since, environment.prefix, environment.python)
