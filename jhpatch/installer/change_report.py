"""The report of a site after a change, with notes on the recovery of an interrupted run."""

from typing import List, Optional, Tuple

from jhpatch.errors import Failed, JhpatchError, NextStep, jhpatch_command
from jhpatch.installer.distribution_plan import FORCED
from jhpatch.installer.inspection import Inspection
from jhpatch.installer.patch_status import PatchStatus
from jhpatch.installer.plan import Plan
from jhpatch.installer.site_report import site_report
from jhpatch.report import states
from jhpatch.report.result import SiteReport, error_of
from jhpatch.system import path_owners
from jhpatch.transaction.recovery import Recovery
from jhpatch.transaction.transaction import Transaction

_UNTOUCHED = (states.ABSENT, states.NOT_NEEDED, states.UNSUPPORTED)
"""States in which a revert drops the record of a patch and restores no file."""


def changed_report(
    planned: Inspection, inspected: Inspection, site_plan: Plan, notes: Tuple[str, ...]
) -> SiteReport:
    """Report a changed site: ``planned`` is the inspection before, ``inspected`` after it.

    Raises the error of ``inspected``.
    """
    if inspected.error:
        raise inspected.error
    whole = with_reverted(planned, inspected, site_plan.patches)
    notes += record_notes(inspected) + _saved_notes(planned, site_plan)
    return site_report(whole, site_plan.patches, exit_code=0, notes=notes, restart=True)


def _saved_notes(planned: Inspection, site_plan: Plan) -> Tuple[str, ...]:
    """Return where ``--force`` has saved the modified files that it has replaced."""
    saved = [change for change in site_plan.changes if change.path.startswith(FORCED + "/")]
    return tuple(
        "saved the changed file as %s/%s" % (planned.site.path, row.path) for row in saved
    )


def failed_report(inspection: Inspection, error: Exception, notes: Tuple[str, ...]) -> SiteReport:
    """Report a changed site that cannot be inspected again."""
    reason = "out of memory" if isinstance(error, MemoryError) else error
    failure = Failed(
        "the change was made, but the site could not be read again: %s" % reason,
        path=inspection.site.path,
        next=jhpatch_command("status"),
    )
    return site_report(inspection._replace(error=None), (), failure, 1, notes=notes)


def with_reverted(
    planned: Inspection, inspected: Inspection, patches: Tuple[str, ...]
) -> Inspection:
    """Add the reverted patches that only the state has named, such as those of ``--patches``."""
    known = {status.patch for status in inspected.statuses}
    gone = [
        _reverted(status)
        for status in planned.statuses
        if status.patch in patches and status.patch not in known
    ]
    statuses = sorted(inspected.statuses + tuple(gone), key=lambda status: status.patch)
    return inspected._replace(statuses=tuple(statuses))


def _reverted(status: PatchStatus) -> PatchStatus:
    state = status.state if status.state in _UNTOUCHED else states.PRISTINE
    return status._replace(state=state, reason=None, applied=None, files=(), leftovers=())


def recovery_notes(recovery: Optional[Recovery]) -> Tuple[str, ...]:
    """Return notes on what the undo of an interrupted run did."""
    if recovery is None:
        return ()
    notes = ["an earlier run was interrupted; its change was undone"]
    notes += [
        "jhpatch did not restore a file that was changed in the meantime: " + path
        for path in recovery.foreign
    ]
    return tuple(notes)


def record_notes(inspection: Inspection) -> Tuple[str, ...]:
    """Return a note for each applied patch of a distribution without RECORD."""
    return tuple(
        "%s: %s has no RECORD, so jhpatch verifies the patch by its hashes alone. Uninstalling "
        "the distribution leaves the files that the patch adds"
        % (status.patch, status.distribution.name)
        for status in inspection.statuses
        if status.state == states.APPLIED
        and status.distribution
        and (
            status.distribution.record is None
            or inspection.snapshot.read(status.distribution.record) is None
        )
    )


def with_errors(report: SiteReport, lock: Transaction) -> SiteReport:
    """Add the error of an incomplete recovery or clean-up to the report of a site."""
    left: List[str] = list(lock.recovery.left) if lock.recovery else []
    error: Optional[JhpatchError] = lock.cleanup_error
    if left:
        error = Failed(
            "jhpatch undid an interrupted run, but left this file, which was changed since",
            path="%s/%s" % (report.site, left[0]),
            expected="the bytes that jhpatch wrote, or no file",
            found="other bytes",
            next="move the file elsewhere, then run the same command again",
        )
    if error is None or (report.error and report.exit_code != 5):
        return report
    if report.error:  # refused, but the recovery has changed the site
        return report._replace(exit_code=error.exit_code) if left else report
    return report._replace(error=error_of(error), exit_code=error.exit_code)


def without_return_to_root(inspection: Inspection, report: SiteReport) -> SiteReport:
    """Return the report without the command of this run as root.

    Root would become the same user again, who can write a part of the path, but not the site.
    """
    error = report.error
    steps = error.next.parts if error and error.next else ()
    if error is None or not any(
        not isinstance(step, str) and step.before and "-u" not in step.before for step in steps
    ):
        return report
    paths = filter(None, [inspection.site.path, inspection.environment.python])
    writer = next(filter(None, map(path_owners.writer_of, paths)), None)
    words = (
        "change the owners so that only root can write %s, or so that its owner can also write "
        "%s; then run the same command again"
    )
    step = NextStep(words % (writer.path if writer else report.site, error.path))
    return report._replace(error=error._replace(next=step))
