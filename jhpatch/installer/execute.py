"""The execution of an operation, for apply and revert.

All sites are inspected and planned first, without a lock; if one is refused, nothing is
changed. Then the sites that need it are locked, recovered, planned again and changed
one after the other, each in one transaction.
"""

import contextlib
import os
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from jhpatch.errors import Failed, JhpatchError, jhpatch_command
from jhpatch.installer import bytecode, selection
from jhpatch.installer.change_report import (
    changed_report,
    failed_report,
    recovery_notes,
    with_errors,
    without_return_to_root,
)
from jhpatch.installer.inspection import Inspection, inspect, stamp_of, with_recovery_hint
from jhpatch.installer.plan import Operation, Plan, plan
from jhpatch.installer.site_report import site_report
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset.catalog import Catalog
from jhpatch.report import packing, states
from jhpatch.report.result import Result, SiteReport, Sites
from jhpatch.system import become_user, path_owners
from jhpatch.system.rooted_files import RootDir
from jhpatch.transaction import store, transaction
from jhpatch.transaction.change import FileChange
from jhpatch.transaction.transaction import Transaction

_ATTEMPTS = 50
_CHANGEABLE = {
    "apply": (states.PRISTINE, states.OUTDATED, states.SUPERSEDED),
    "revert": (states.APPLIED, states.OUTDATED),
}
"""The states in which a patch that is not refused is worth the command."""


class Run(NamedTuple):
    """An operation and its options."""

    operation: Operation
    catalog: Catalog
    lock_timeout: float
    """In seconds."""
    dry_run: bool
    dated: bool
    """Whether SOURCE_DATE_EPOCH is set: py_compile then writes hashes into .pyc files."""


class PlannedSite(NamedTuple):
    """A site with its plan, or with the reason why there is none."""

    inspection: Inspection
    plan: Optional[Plan] = None
    """None if the site could not be planned."""
    error: Optional[JhpatchError] = None

    @property
    def path(self) -> str:
        """The path of the site."""
        return self.inspection.site.path


def execute(run: Run, inspections: List[Inspection]) -> Result:
    """Execute ``run`` in each site. Errors of a site are in the result, not raised."""
    sites = [_inspect_and_plan(run, inspection) for inspection in inspections]
    if run.dry_run:
        sites = [_with_owner_checked(site) for site in sites]
    refused = any(site.error for site in sites)
    blocked = refused and not any(site.inspection.journal for site in sites)
    if run.dry_run or blocked or any(site.inspection.error for site in sites):
        is_preview = run.dry_run and not refused
        reports = [_unchanged_report(run, site, dry_run=is_preview) for site in sites]
        return Result(run.operation.command, Sites(tuple(reports)), dry_run=run.dry_run)
    pending = [site for site in sites if site.inspection.journal or _has_work(site)]
    changed = dict(_run_as_owners(run, pending))
    reports = [changed.get(site.path) or _finished_report(run, site) for site in sites]
    return Result(run.operation.command, Sites(tuple(reports)))


# Without a lock.


def _inspect_and_plan(run: Run, inspection: Inspection) -> PlannedSite:
    """Plan a site; repeat it if another run changes the site, because no lock is held."""
    for _ in range(_ATTEMPTS):
        stamp = stamp_of(inspection.site.path)
        planned = _plan_site(run, inspection)
        stable = stamp == inspection.stamp == stamp_of(inspection.site.path)
        if planned.error is None or stable:
            break
        inspection = _reinspect(run, inspection)
    return planned._replace(inspection=inspection)


def _plan_site(run: Run, inspection: Inspection) -> PlannedSite:
    if inspection.error:
        return PlannedSite(inspection, error=inspection.error)
    try:
        statuses = selection.changeable(inspection, run.operation)
        site_plan = plan(run.operation, inspection.snapshot, statuses)
    except JhpatchError as error:
        hinted = with_recovery_hint(error, inspection, run.catalog)
        return PlannedSite(inspection, error=hinted)
    refusal = _first_refusal(run.operation.command, inspection, site_plan)
    return PlannedSite(inspection, site_plan, refusal)


def _first_refusal(
    command: str, inspection: Inspection, site_plan: Plan
) -> Optional[JhpatchError]:
    """Return the first refusal, with all refused names and the command for the other patches."""
    if not site_plan.refusals:
        return None
    first, error = site_plan.refusals[0]
    refused = {patch for patch, _ in site_plan.refusals}
    others = sorted(refused - {first})
    if others:
        error.message += "; also refused: " + ", ".join(others)
    allowed = [
        status.patch
        for status in inspection.statuses
        if status.patch not in refused and status.state in _CHANGEABLE[command]
    ]
    if allowed and error.next:
        error.next += "; to %s the others: " % command + jhpatch_command(command, *allowed)
    return error


def _reinspect(run: Run, previous: Inspection) -> Inspection:
    """Return the inspection of the site as it is now."""
    for inspection in inspect(previous.environment, run.catalog):
        if inspection.site.path == previous.site.path:
            return inspection
    return previous


def _has_work(site: PlannedSite) -> bool:
    if site.plan is None:
        return False
    return bool(site.plan.changes) or transaction.needs_clean_up(site.path, site.plan.keep)


def _unchanged_report(run: Run, site: PlannedSite, dry_run: bool) -> SiteReport:
    site_plan = site.plan or Plan()
    would = bool(site_plan.changes) and not site.error and dry_run
    return site_report(
        site.inspection,
        site_plan.patches if would else (),
        site.error,
        site.error.exit_code if site.error else 0,
        would_change=would,
        restart=not dry_run,
        notes=_sibling_notes(run, site_plan) + tuple(map(_describe, site_plan.changes))
        if would
        else (),
    )


def _sibling_notes(run: Run, site_plan: Plan) -> Tuple[str, ...]:
    return tuple(
        "%s is included, because it shares added files with the named patches" % patch
        for patch in site_plan.patches
        if not run.operation.concerns(patch)
    )


def _describe(change: FileChange) -> str:
    if change.before is None:
        return "would add " + change.path
    return ("would remove " if change.after is None else "would replace ") + change.path


def _finished_report(run: Run, site: PlannedSite) -> SiteReport:
    """Report a site without work, or one that was not reached because another site failed."""
    try:
        transaction.sync_finished(site.path)
    except Failed as error:
        return _unchanged_report(run, site._replace(error=error), dry_run=False)
    return _unchanged_report(run, site._replace(error=None), dry_run=False)


# As the user who owns a site, if that is another user.


def _run_as_owners(run: Run, sites: List[PlannedSite]) -> Iterator[Tuple[str, SiteReport]]:
    """Yield the path and the report of each site."""
    groups: Dict[Tuple[Optional[int], Optional[int]], List[Inspection]] = {}
    errors: Dict[str, JhpatchError] = {}
    for site in sites:
        inspection = site.inspection
        try:
            uid = _owner_to_become(site)
            groups.setdefault((uid, _group_to_join(uid, inspection)), []).append(inspection)
        except JhpatchError as error:
            errors[site.path] = error
    if errors:
        for site in sites:
            failure = errors.get(site.path)
            code = failure.exit_code if failure else 0
            yield site.path, site_report(site.inspection, (), failure, code)
        return
    for (uid, gid), group in groups.items():
        if uid is None:
            reports = _run_locked(run, group)
        else:
            reports = _run_as_user(uid, gid, run, group)
        for report in reports:
            yield report.site, report
        if any(report.error for report in reports):
            return


def _owner_to_become(site: PlannedSite) -> Optional[int]:
    python = site.inspection.environment.python
    paths = [site.path] + ([python] if python else [])
    return path_owners.owner_to_become(paths, _directories(site))


def _with_owner_checked(site: PlannedSite) -> PlannedSite:
    """Add the error with which a run would refuse to write in the site."""
    if site.error is None and (site.inspection.journal or _has_work(site)):
        try:
            _owner_to_become(site)
        except JhpatchError as error:
            return site._replace(error=error)
    return site


def _directories(site: PlannedSite) -> List[str]:
    """Return the directories in a site that a run writes, and those between the two, sorted.

    Those of the recovery from an interrupted run are among them.
    """
    paths = [change.path for change in site.plan.changes] if site.plan else []
    if site.inspection.journal:
        with contextlib.suppress(OSError), RootDir(site.path) as root:
            journal = store.journal_of(root)
            paths += [row.path for row in journal.rows] if journal else []
    caches = {os.path.dirname(path) + "/__pycache__" for path in paths if path.endswith(".py")}
    found: Set[str] = set()
    for directory in {store.ORIGINALS, *map(os.path.dirname, paths), *caches}:
        while directory and directory not in found:
            found.add(directory)
            directory = os.path.dirname(directory)
    return [os.path.join(site.path, directory) for directory in sorted(found)]


def _group_to_join(uid: Optional[int], inspection: Inspection) -> Optional[int]:
    """Return the group of a site whose user this host does not know as a member, or None.

    An image's files have the uids and gids of the image. An interpreter that the user can
    write must not run in a group that they are not in, so only an unknown user joins it then.
    """
    if uid is None:
        return None
    gid = os.stat(inspection.site.path).st_gid
    is_unknown = path_owners.account_of(uid) is None and gid != 0
    return gid if inspection.environment.python is None or is_unknown else None


def _run_as_user(
    uid: int, gid: Optional[int], run: Run, inspections: List[Inspection]
) -> Tuple[SiteReport, ...]:
    import py_compile  # noqa: F401  the child process may not be able to read our files
    import subprocess  # noqa: F401

    run.catalog.load()

    def work() -> Any:
        return packing.packed(_run_locked(run, inspections))

    try:
        reports = packing.unpacked(become_user.run_as(uid, work, gid))
        return tuple(map(without_return_to_root, inspections, reports))
    except (JhpatchError, KeyError, TypeError, ValueError, AttributeError) as error:
        failure = (
            error
            if isinstance(error, JhpatchError)
            else Failed("a child process returned unexpected output")
        )
        failure.path = failure.path or inspections[0].site.path
        code = failure.exit_code
        return tuple(site_report(inspection, (), failure, code) for inspection in inspections)


# Under the locks.


def _run_locked(run: Run, inspections: List[Inspection]) -> Tuple[SiteReport, ...]:
    """Lock, plan and change sites; the same order in all runs prevents a deadlock."""
    reports: List[SiteReport] = []
    locks: Dict[str, Transaction] = {}
    with contextlib.ExitStack() as stack:
        try:
            paths = {inspection.site.path for inspection in inspections}
            for path in sorted(paths, key=selection.identity):
                locks[path] = stack.enter_context(transaction.locked(path, run.lock_timeout))
            sites = [_plan_site(run, _reinspect(run, inspection)) for inspection in inspections]
        except JhpatchError as error:
            failed = next(site for site in inspections if site.site.path == path)
            with_recovery_hint(error, failed, run.catalog)
            return tuple(
                site_report(inspection, (), error, error.exit_code) for inspection in inspections
            )
        if any(site.error for site in sites):
            unchanged = [_unchanged_report(run, site, dry_run=False) for site in sites]
            return tuple(with_errors(report, locks[report.site]) for report in unchanged)
        for site in sites:
            report = _change_site(run, site, locks[site.path])
            reports.append(report)
            if report.error:
                break
    return tuple(with_errors(report, locks[report.site]) for report in reports)


def _change_site(run: Run, site: PlannedSite, lock: Transaction) -> SiteReport:
    """Change a site in one transaction; report the site after it."""
    notes = recovery_notes(lock.recovery)
    site_plan = site.plan or Plan()
    try:
        if site_plan.changes:
            python = site.inspection.environment.python
            rebuild = _compile(run, site.inspection, site_plan)
            lock.commit(site_plan.changes, python, site_plan.originals, site_plan.keep, rebuild)
        else:
            lock.prune(site_plan.keep)
    except JhpatchError as error:
        inspection = _reinspect(run, site.inspection)
        return site_report(inspection, (), error, error.exit_code, notes=notes)
    try:
        inspected = _reinspect(run, site.inspection)
        notes += _sibling_notes(run, site_plan)
        return changed_report(site.inspection, inspected, site_plan, notes)
    except (JhpatchError, OSError, MemoryError) as error:
        return failed_report(site.inspection, error, notes)


def _compile(
    run: Run, inspection: Inspection, site_plan: Plan
) -> Optional[Callable[[List[str]], None]]:
    """Compile the new sources before the first write; return the function that rebuilds .pyc."""
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
