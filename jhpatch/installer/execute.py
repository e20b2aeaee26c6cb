"""From plans to changed sites: what apply and revert share.

All sites are looked at and planned first, without a lock; one refusal, and nothing
is done. Then the sites that need it are locked, recovered and planned anew, and
changed one after the other, each as a whole.
"""

import argparse
import contextlib
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from jhpatch.errors import Failed, JhpatchError, jhpatch_command
from jhpatch.installer import bytecode, selection, site_report
from jhpatch.installer.inspection import Inspection, inspect, stamp_of, with_way_back
from jhpatch.installer.plan import Plan
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset.catalog import Catalog
from jhpatch.report import packing
from jhpatch.report.result import Result, SiteReport, Sites, error_of
from jhpatch.system import become_user, path_owners
from jhpatch.transaction import transaction
from jhpatch.transaction.transaction import FileChange, Transaction

_TRIES = 50
Planned = Callable[[Inspection], Plan]


class _Job(NamedTuple):
    """What a change needs besides its sites."""

    command: str
    planned: Planned
    known: Catalog
    timeout: float
    dated: bool
    """Whether SOURCE_DATE_EPOCH is set: py_compile then makes .pyc files of another form."""


def change(
    command: str,
    inspections: List[Inspection],
    planned: Planned,
    known: Catalog,
    arguments: argparse.Namespace,
) -> Result:
    """Does what ``planned`` says of each site. Raises nothing that is one site's."""
    dated = "SOURCE_DATE_EPOCH" in arguments.environ
    job = _Job(command, planned, known, arguments.lock_timeout, dated)
    looks = [_undisturbed(job, one) for one in inspections]
    inspections = [one for one, _, _ in looks]
    refused = any(error for _, _, error in looks)
    stays = refused and not any(one.journal for one in inspections)
    if arguments.dry_run or stays or any(one.error for one in inspections):
        reports = [_untouched(*look, dry_run=arguments.dry_run and not refused) for look in looks]
        return Result(command, Sites(tuple(reports)), dry_run=arguments.dry_run)
    todo = [one for one, plan, _ in looks if one.journal or (plan and _has_work(one, plan))]
    done = dict(_carried_out(job, todo))
    reports = [done.get(one.site.path) or _as_it_was(one, plan) for one, plan, _ in looks]
    return Result(command, Sites(tuple(reports)))


def _as_it_was(one: Inspection, plan: Optional[Plan]) -> SiteReport:
    """A site in which there is nothing to do, or that another's failure has spared."""
    error: Optional[JhpatchError] = None
    try:
        transaction.sync_finished(one.site.path)
    except Failed as failed:
        error = failed
    return _untouched(one, plan, error, dry_run=False)


def _has_work(one: Inspection, plan: Plan) -> bool:
    return bool(plan.changes) or transaction.needs_clean_up(one.site.path, plan.keep)


def _undisturbed(
    job: _Job, one: Inspection
) -> Tuple[Inspection, Optional[Plan], Optional[JhpatchError]]:
    """A site and its plan. Without a lock a run may take away what the plan wants to read."""
    for _ in range(_TRIES):
        stamp = stamp_of(one.site.path)
        plan, error = _attempt(job, one)
        if error is None or (stamp == one.stamp == stamp_of(one.site.path)):
            break
        one = _again(job, one)
    return one, plan, error


def _attempt(job: _Job, inspection: Inspection) -> Tuple[Optional[Plan], Optional[JhpatchError]]:
    if inspection.error:
        return None, inspection.error
    try:
        plan = job.planned(inspection)
    except JhpatchError as error:
        return None, with_way_back(error, inspection.site.path, job.known)
    return plan, _first_refusal(inspection, plan)


def _first_refusal(inspection: Inspection, plan: Plan) -> Optional[JhpatchError]:
    """The first refusal, with all names and with the command that would do the rest."""
    if not plan.refusals:
        return None
    refused = {patch for patch, _ in plan.refusals}
    error = plan.refusals[0][1]
    if len(refused) > 1:
        error.message += "; refused too: " + ", ".join(sorted(refused)[1:])
    others = [
        one.patch
        for one in inspection.assessments
        if one.patch not in refused and one.state in ("pristine", "outdated", "superseded")
    ]
    if others and error.next:
        error.next += "; for the others: " + jhpatch_command("apply", *others)
    return error


def _untouched(
    inspection: Inspection, plan: Optional[Plan], error: Optional[JhpatchError], dry_run: bool
) -> SiteReport:
    would = bool(plan and plan.changes) and not error and dry_run
    return site_report.site_report(
        inspection,
        plan.patches if plan and would else (),
        error,
        error.exit_code if error else 0,
        would_change=would,
        restart=not dry_run,
        notes=tuple(_shown(change) for change in plan.changes) if plan and would else (),
    )


def _shown(change: Any) -> str:
    if change.before is None:
        return "would add " + str(change.path)
    return ("would remove " if change.after is None else "would replace ") + str(change.path)


def _carried_out(job: _Job, todo: List[Inspection]) -> Iterator[Tuple[str, SiteReport]]:
    """Site by site, as the user who owns it where that is not us."""
    groups: Dict[Optional[int], List[Inspection]] = {}
    failed: Dict[str, JhpatchError] = {}
    for one in todo:
        try:
            python = one.environment.python
            paths = [one.site.path] + ([python] if python else [])
            groups.setdefault(path_owners.owner_to_become(paths), []).append(one)
        except JhpatchError as error:
            failed[one.site.path] = error
    if failed:
        for one in todo:
            why = failed.get(one.site.path)
            yield one.site.path, site_report.site_report(one, (), why, why.exit_code if why else 0)
        return
    for uid, inspections in groups.items():
        if uid is None:
            reports = _locked_and_changed(job, inspections)
        else:
            reports = _as_user(uid, job, inspections)
        for report in reports:
            yield report.site, report
        if any(report.error for report in reports):
            return


def _as_user(uid: int, job: _Job, inspections: List[Inspection]) -> Tuple[SiteReport, ...]:
    import py_compile  # noqa: F401  the child may not be able to read our files any more
    import subprocess  # noqa: F401

    job.known.load()

    def work() -> Any:
        return packing.packed(_locked_and_changed(job, inspections))

    try:
        return packing.unpacked(become_user.run_as(uid, work))
    except (JhpatchError, KeyError, TypeError, ValueError, AttributeError) as error:
        failure = error if isinstance(error, JhpatchError) else Failed("a child's odd answer")
        return tuple(site_report.site_report(one, (), failure, 1) for one in inspections)


def _locked_and_changed(job: _Job, inspections: List[Inspection]) -> Tuple[SiteReport, ...]:
    """Locks in one order for all runs, so that two never wait for each other."""
    reports: List[SiteReport] = []
    locks: Dict[str, Transaction] = {}
    with contextlib.ExitStack() as stack:
        try:
            for path in sorted({one.site.path for one in inspections}, key=selection.identity):
                locks[path] = stack.enter_context(transaction.locked(path, job.timeout))
            fresh = [_again(job, one) for one in inspections]
            plans = [(one, *_attempt(job, one)) for one in fresh]
        except JhpatchError as error:
            with_way_back(error, path, job.known)
            return tuple(
                site_report.site_report(one, (), error, error.exit_code) for one in inspections
            )
        if any(error for _, _, error in plans):
            return tuple(_untouched(*look, dry_run=False) for look in plans)
        for one, plan, _ in plans:
            assert plan is not None
            report = _changed(job, one, plan, locks[one.site.path])
            reports.append(report)
            if report.error:
                break
    return tuple(
        _with_cleanup_error(report, locks[report.site].cleanup_error) for report in reports
    )


def _with_cleanup_error(report: SiteReport, cleanup_error: Optional[Failed]) -> SiteReport:
    """A site that was changed, and not tidied up, is no success."""
    if cleanup_error is None or report.error:
        return report
    return report._replace(error=error_of(cleanup_error), exit_code=cleanup_error.exit_code)


def _again(job: _Job, old: Inspection) -> Inspection:
    """The site as it is now that it is locked."""
    for one in inspect(old.environment, job.known):
        if one.site.path == old.site.path:
            return one
    return old


def _changed(job: _Job, one: Inspection, plan: Plan, locked: Transaction) -> SiteReport:
    """One site's transaction, and the site as it is after it."""
    notes = _recovery_notes(locked)
    python = None if one.environment.own else one.environment.python
    try:
        if plan.changes:
            locked.commit(
                [FileChange(*change) for change in plan.changes],
                one.environment.python,
                plan.originals,
                plan.keep,
                _compiled(job, one, plan, python) if _has_python(one) else None,
            )
        else:
            locked.prune(plan.keep)
    except JhpatchError as error:
        return site_report.site_report(_again(job, one), (), error, error.exit_code, notes=notes)
    return _seen_after(job, one, plan, notes)


def _seen_after(job: _Job, one: Inspection, plan: Plan, notes: Tuple[str, ...]) -> SiteReport:
    """The changed site as it is found now; what cannot be seen is no success."""
    try:
        after = _again(job, one)
        if after.error:
            raise after.error
        notes += _record_notes(after)
        return site_report.site_report(after, plan.patches, exit_code=0, notes=notes, restart=True)
    except (JhpatchError, OSError) as error:
        blind = Failed(
            "the change was made, but the site could not be looked at again: %s" % error,
            path=one.site.path,
            next=jhpatch_command("status"),
        )
        return site_report.site_report(one._replace(error=None), (), blind, 1, notes=notes)


def _has_python(one: Inspection) -> bool:
    return one.environment.own or one.environment.python is not None


def _compiled(
    job: _Job, one: Inspection, plan: Plan, python: Optional[str]
) -> Callable[[List[str]], None]:
    """Compiles what shall be there, before the first write; gives what rebuilds .pyc files."""
    site = one.site.path
    sources = {
        change.path: change.after
        for change in plan.changes
        if change.after is not None and change.path.endswith(".py")
    }
    code = bytecode.check(python, sources, site) if sources else None
    return bytecode.rebuilder(python, site, None if job.dated else code)


def _recovery_notes(locked: Transaction) -> Tuple[str, ...]:
    if locked.recovery is None:
        return ()
    notes = ["an earlier run had died here; its change was undone"]
    notes += ["left alone, somebody else changed it: " + path for path in locked.recovery.foreign]
    return tuple(notes)


def _record_notes(inspection: Inspection) -> Tuple[str, ...]:
    bare = [
        one.patch
        for one in inspection.assessments
        if one.state == "applied" and one.distribution and one.distribution.record is None
    ]
    return tuple("%s: no RECORD here; proved by its hashes alone" % name for name in bare)
