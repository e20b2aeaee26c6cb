"""Carries an operation out: what apply and revert share.

All sites are inspected and planned first, without a lock; one refusal, and nothing is
done. Then the sites that need it are locked, recovered and planned anew, and changed
one after the other, each as a whole.
"""

import contextlib
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from jhpatch.errors import Failed, JhpatchError, jhpatch_command
from jhpatch.installer import bytecode, selection
from jhpatch.installer.inspection import Inspection, inspect, stamp_of, with_recovery_hint
from jhpatch.installer.plan import Operation, Plan, plan
from jhpatch.installer.site_report import site_report
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset.catalog import Catalog
from jhpatch.report import packing, states
from jhpatch.report.result import Result, SiteReport, Sites, error_of
from jhpatch.system import become_user, path_owners
from jhpatch.transaction import transaction
from jhpatch.transaction.change import FileChange
from jhpatch.transaction.transaction import Transaction

_TRIES = 50


class Run(NamedTuple):
    """An operation, and what carrying it out needs besides its sites."""

    operation: Operation
    catalog: Catalog
    lock_timeout: float
    """In seconds."""
    dry_run: bool
    dated: bool
    """Whether SOURCE_DATE_EPOCH is set: py_compile then makes .pyc files of another form."""


class PlannedSite(NamedTuple):
    """A site with what shall be done to it, or why not."""

    inspection: Inspection
    plan: Optional[Plan] = None
    """None where an error came first."""
    error: Optional[JhpatchError] = None

    @property
    def path(self) -> str:
        """Of the site."""
        return self.inspection.site.path


def execute(run: Run, inspections: List[Inspection]) -> Result:
    """Does what ``run`` asks of each site. Raises nothing that is one site's."""
    planned = [_undisturbed(run, inspection) for inspection in inspections]
    refused = any(site.error for site in planned)
    stays = refused and not any(site.inspection.journal for site in planned)
    if run.dry_run or stays or any(site.inspection.error for site in planned):
        shown = run.dry_run and not refused
        reports = [_untouched(site, dry_run=shown) for site in planned]
        return Result(run.operation.command, Sites(tuple(reports)), dry_run=run.dry_run)
    todo = [site for site in planned if site.inspection.journal or _has_work(site)]
    done = dict(_carried_out(run, [site.inspection for site in todo]))
    reports = [done.get(site.path) or _as_it_was(site) for site in planned]
    return Result(run.operation.command, Sites(tuple(reports)))


# Without a lock.


def _undisturbed(run: Run, inspection: Inspection) -> PlannedSite:
    """A site and its plan. Without a lock a run may remove what the plan wants to read."""
    for _ in range(_TRIES):
        stamp = stamp_of(inspection.site.path)
        planned = _planned(run, inspection)
        stable = stamp == inspection.stamp == stamp_of(inspection.site.path)
        if planned.error is None or stable:
            break
        inspection = _again(run, inspection)
    return planned._replace(inspection=inspection)


def _planned(run: Run, inspection: Inspection) -> PlannedSite:
    if inspection.error:
        return PlannedSite(inspection, error=inspection.error)
    try:
        statuses = selection.changeable(inspection, run.operation)
        site_plan = plan(run.operation, inspection.snapshot, statuses)
    except JhpatchError as error:
        hinted = with_recovery_hint(error, inspection.site.path, run.catalog)
        return PlannedSite(inspection, error=hinted)
    return PlannedSite(inspection, site_plan, _first_refusal(inspection, site_plan))


def _first_refusal(inspection: Inspection, site_plan: Plan) -> Optional[JhpatchError]:
    """The first refusal, with all names and with the command that would do the rest."""
    if not site_plan.refusals:
        return None
    refused = {patch for patch, _ in site_plan.refusals}
    error = site_plan.refusals[0][1]
    if len(refused) > 1:
        error.message += "; refused too: " + ", ".join(sorted(refused)[1:])
    others = [
        status.patch
        for status in inspection.statuses
        if status.patch not in refused
        and status.state in (states.PRISTINE, states.OUTDATED, states.SUPERSEDED)
    ]
    if others and error.next:
        error.next += "; for the others: " + jhpatch_command("apply", *others)
    return error


def _again(run: Run, old: Inspection) -> Inspection:
    """The site as it is now."""
    for inspection in inspect(old.environment, run.catalog):
        if inspection.site.path == old.site.path:
            return inspection
    return old


def _has_work(site: PlannedSite) -> bool:
    if site.plan is None:
        return False
    return bool(site.plan.changes) or transaction.needs_clean_up(site.path, site.plan.keep)


def _untouched(site: PlannedSite, dry_run: bool) -> SiteReport:
    site_plan = site.plan or Plan()
    would = bool(site_plan.changes) and not site.error and dry_run
    return site_report(
        site.inspection,
        site_plan.patches if would else (),
        site.error,
        site.error.exit_code if site.error else 0,
        would_change=would,
        restart=not dry_run,
        notes=tuple(map(_shown, site_plan.changes)) if would else (),
    )


def _shown(change: FileChange) -> str:
    if change.before is None:
        return "would add " + change.path
    return ("would remove " if change.after is None else "would replace ") + change.path


def _as_it_was(site: PlannedSite) -> SiteReport:
    """A site in which there is nothing to do, or that another's failure has spared."""
    try:
        transaction.sync_finished(site.path)
    except Failed as error:
        return _untouched(site._replace(error=error), dry_run=False)
    return _untouched(site._replace(error=None), dry_run=False)


# As the user who owns a site, where that is not us.


def _carried_out(run: Run, todo: List[Inspection]) -> Iterator[Tuple[str, SiteReport]]:
    """Site by site, by path."""
    groups: Dict[Optional[int], List[Inspection]] = {}
    failed: Dict[str, JhpatchError] = {}
    for inspection in todo:
        try:
            python = inspection.environment.python
            paths = [inspection.site.path] + ([python] if python else [])
            groups.setdefault(path_owners.owner_to_become(paths), []).append(inspection)
        except JhpatchError as error:
            failed[inspection.site.path] = error
    if failed:
        for inspection in todo:
            why = failed.get(inspection.site.path)
            code = why.exit_code if why else 0
            yield inspection.site.path, site_report(inspection, (), why, code)
        return
    for uid, inspections in groups.items():
        if uid is None:
            reports = _locked_and_changed(run, inspections)
        else:
            reports = _as_user(uid, run, inspections)
        for report in reports:
            yield report.site, report
        if any(report.error for report in reports):
            return


def _as_user(uid: int, run: Run, inspections: List[Inspection]) -> Tuple[SiteReport, ...]:
    import py_compile  # noqa: F401  the child may not be able to read our files any more
    import subprocess  # noqa: F401

    run.catalog.load()

    def work() -> Any:
        return packing.packed(_locked_and_changed(run, inspections))

    try:
        return packing.unpacked(become_user.run_as(uid, work))
    except (JhpatchError, KeyError, TypeError, ValueError, AttributeError) as error:
        failure = error if isinstance(error, JhpatchError) else Failed("a child's odd answer")
        return tuple(site_report(inspection, (), failure, 1) for inspection in inspections)


# Under the locks.


def _locked_and_changed(run: Run, inspections: List[Inspection]) -> Tuple[SiteReport, ...]:
    """Locks in one order for all runs, so that two never wait for each other."""
    reports: List[SiteReport] = []
    locks: Dict[str, Transaction] = {}
    with contextlib.ExitStack() as stack:
        try:
            paths = {inspection.site.path for inspection in inspections}
            for path in sorted(paths, key=selection.identity):
                locks[path] = stack.enter_context(transaction.locked(path, run.lock_timeout))
            planned = [_planned(run, _again(run, inspection)) for inspection in inspections]
        except JhpatchError as error:
            with_recovery_hint(error, path, run.catalog)
            return tuple(
                site_report(inspection, (), error, error.exit_code) for inspection in inspections
            )
        if any(site.error for site in planned):
            return tuple(_untouched(site, dry_run=False) for site in planned)
        for site in planned:
            report = _changed(run, site, locks[site.path])
            reports.append(report)
            if report.error:
                break
    return tuple(_with_cleanup_error(report, locks[report.site]) for report in reports)


def _with_cleanup_error(report: SiteReport, lock: Transaction) -> SiteReport:
    """A site that was changed, and not cleaned up, is no success."""
    error = lock.cleanup_error
    if error is None or report.error:
        return report
    return report._replace(error=error_of(error), exit_code=error.exit_code)


def _changed(run: Run, site: PlannedSite, lock: Transaction) -> SiteReport:
    """One site's transaction, and the site as it is after it."""
    notes = _recovery_notes(lock)
    site_plan = site.plan or Plan()
    try:
        if site_plan.changes:
            python = site.inspection.environment.python
            rebuild = _compiled(run, site.inspection, site_plan)
            lock.commit(site_plan.changes, python, site_plan.originals, site_plan.keep, rebuild)
        else:
            lock.prune(site_plan.keep)
    except JhpatchError as error:
        inspection = _again(run, site.inspection)
        return site_report(inspection, (), error, error.exit_code, notes=notes)
    return _seen_after(run, site.inspection, site_plan, notes)


def _compiled(
    run: Run, inspection: Inspection, site_plan: Plan
) -> Optional[Callable[[List[str]], None]]:
    """Compiles what shall be there, before the first write; what rebuilds .pyc files."""
    environment, path = inspection.environment, inspection.site.path
    if not environment.own and environment.python is None:
        return None
    python = None if environment.own else environment.python
    sources = {
        change.path: change.after
        for change in site_plan.changes
        if change.after is not None and change.path.endswith(".py")
    }
    code = bytecode.check(python, sources, path) if sources else None
    return bytecode.rebuilder(python, path, None if run.dated else code)


def _seen_after(
    run: Run, inspection: Inspection, site_plan: Plan, notes: Tuple[str, ...]
) -> SiteReport:
    """The changed site as it is found now; what cannot be seen is no success."""
    try:
        after = _again(run, inspection)
        if after.error:
            raise after.error
        notes += _record_notes(after)
        return site_report(after, site_plan.patches, exit_code=0, notes=notes, restart=True)
    except (JhpatchError, OSError) as error:
        blind = Failed(
            "the change was made, but the site could not be looked at again: %s" % error,
            path=inspection.site.path,
            next=jhpatch_command("status"),
        )
        return site_report(inspection._replace(error=None), (), blind, 1, notes=notes)


def _recovery_notes(lock: Transaction) -> Tuple[str, ...]:
    if lock.recovery is None:
        return ()
    notes = ["an earlier run had died here; its change was undone"]
    notes += ["left alone, somebody else changed it: " + path for path in lock.recovery.foreign]
    return tuple(notes)


def _record_notes(inspection: Inspection) -> Tuple[str, ...]:
    return tuple(
        "%s: no RECORD here; proved by its hashes alone" % status.patch
        for status in inspection.statuses
        if status.state == states.APPLIED
        and status.distribution
        and status.distribution.record is None
    )
