"""The states of a site → everything that a command would change, or why it will not.

Pure: nothing is written here, and no file is opened. Whoever reads this module, and the
two that it uses (``refusals``, ``distribution_plan``), knows what jhpatch does to a site.
"""

from typing import FrozenSet, Iterable, List, Tuple

from jhpatch.errors import JhpatchError
from jhpatch.installer import refusals, state
from jhpatch.installer.assessment import UNRECORDED, PatchStatus, SiteSnapshot
from jhpatch.installer.refusals import Refusals
from jhpatch.installer.state import STATE, State
from jhpatch.namedtuple import NamedTuple
from jhpatch.report import states
from jhpatch.transaction.change import FileChange


class Operation(NamedTuple):
    """What is asked of each site: by which command, for which patches."""

    command: str
    """``apply`` or ``revert``."""
    named: FrozenSet[str]
    """The patches; empty for all."""
    tool: str
    """The version of jhpatch, for the state."""
    when: str = ""
    """The time in UTC, for the state."""
    allow_unlisted: bool = False
    """Of apply: also for a release that no patch names, whose bytes a patch knows."""
    force: bool = False
    """Of revert: also a file that was changed since."""

    @property
    def reverting(self) -> bool:
        """Whether it gives the release's bytes back."""
        return self.command == "revert"

    def concerns(self, patch: str) -> bool:
        """Whether a patch is one of those that are asked for."""
        return not self.named or patch in self.named


class Plan(NamedTuple):
    """What a command would do to a site: every change, in order, or the refusals."""

    changes: Tuple[FileChange, ...] = ()
    patches: Tuple[str, ...] = ()
    """The patches whose state changes."""
    originals: Tuple[bytes, ...] = ()
    """Bytes that a later revert needs."""
    keep: Tuple[str, ...] = ()
    """All saved originals that stay, by SHA-256."""
    refusals: Tuple[Tuple[str, JhpatchError], ...] = ()


class _Selected(NamedTuple):
    """The patches to apply, those to drop from the record, and the refusals of the others."""

    wanted: List[PatchStatus]
    dropped: List[PatchStatus]
    refusals: Refusals


def plan(operation: Operation, snapshot: SiteSnapshot, statuses: Iterable[PatchStatus]) -> Plan:
    """Everything that ``operation`` would do to a site, whose patches are in ``statuses``."""
    statuses = tuple(statuses)
    selected = _select(operation, snapshot, statuses)
    if selected.refusals:
        return Plan(refusals=tuple(selected.refusals))
    return _plan(operation, snapshot, statuses, selected)


def would_change(
    operation: Operation, snapshot: SiteSnapshot, statuses: Iterable[PatchStatus]
) -> bool:
    """Whether ``operation`` would change the site, as the states alone tell."""
    selected = _select(operation, snapshot, statuses)
    return bool(selected.wanted or selected.dropped) and not selected.refusals


def _select(
    operation: Operation, snapshot: SiteSnapshot, statuses: Iterable[PatchStatus]
) -> _Selected:
    concerned = (status for status in statuses if operation.concerns(status.patch))
    select = _select_to_revert if operation.reverting else _select_to_apply
    return select(operation, snapshot, concerned)


def _select_to_apply(
    operation: Operation, snapshot: SiteSnapshot, statuses: Iterable[PatchStatus]
) -> _Selected:
    selected = _Selected([], [], [])
    for status in statuses:
        unlisted = status.state == states.UNSUPPORTED and status.unlisted
        if unlisted and operation.allow_unlisted:
            status = status._replace(state=states.PRISTINE, edition=unlisted)
        refusal = refusals.of_apply(snapshot, status, bool(operation.named), operation.tool)
        if refusal:
            selected.refusals.append((status.patch, refusal))
        elif status.state in (states.ABSENT, states.NOT_NEEDED):
            selected.dropped.extend([status] if status.applied else [])
        elif status.state != states.APPLIED or status.is_because(UNRECORDED):
            selected.wanted.append(status)
    selected.refusals.extend(refusals.of_additions(snapshot, selected.wanted))
    selected.refusals.extend(refusals.of_shared_files(snapshot, selected.wanted))
    return selected


def _select_to_revert(
    operation: Operation, snapshot: SiteSnapshot, statuses: Iterable[PatchStatus]
) -> _Selected:
    selected = _Selected([], [], [])
    for status in statuses:
        refusal = refusals.of_revert(snapshot, status, operation.force)
        if refusal:
            selected.refusals.append((status.patch, refusal))
        elif status.applied or status.state in (states.APPLIED, states.OUTDATED):
            selected.dropped.append(status)
    return selected


def _plan(
    operation: Operation,
    snapshot: SiteSnapshot,
    statuses: Tuple[PatchStatus, ...],
    selected: _Selected,
) -> Plan:
    # status asks for no plan, and what makes one takes 2 ms to load.
    from jhpatch.installer.distribution_plan import DistributionPlan

    touched = selected.wanted + selected.dropped
    entries = {
        entry.name: entry for entry in (snapshot.state.distributions if snapshot.state else ())
    }
    changes: List[FileChange] = []
    originals: List[bytes] = []
    for name in sorted({status.distribution_name for status in touched}):
        job = DistributionPlan(
            snapshot, name, [one for one in statuses if one.distribution_name == name]
        )
        entry = job.run(
            [status for status in selected.wanted if status.distribution_name == name],
            {status.patch for status in selected.dropped},
            operation.when,
        )
        changes += job.changes
        originals += job.originals
        entries.pop(name, None)
        if entry is not None:
            entries[name] = entry
    after = State(operation.tool, tuple(entries[name] for name in sorted(entries)))
    data = state.dump(after) if after.distributions else None
    if changes or touched:
        changes = _ordered(changes, operation.reverting)
        if data != snapshot.state_bytes:
            changes.append(FileChange(STATE, snapshot.state_bytes, data))
    names = tuple(sorted(status.patch for status in touched)) if changes else ()
    return Plan(tuple(changes), names, tuple(originals), after.originals())


def _ordered(changes: List[FileChange], reverting: bool) -> List[FileChange]:
    """What others import must be there first: RECORD, helper, modules; back the other way."""

    def place(change: FileChange) -> Tuple[int, str]:
        if change.path.endswith("/RECORD"):
            return (4 if reverting else 0), change.path
        if change.after is None:
            return 3, change.path
        is_added = change.before is None or change.guard
        return (1 if is_added and not reverting else 2), change.path

    return sorted(changes, key=place)
