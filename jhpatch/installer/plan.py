"""The plan of a command: everything that it would change in a site, or why it refuses.

Pure: this module opens and writes no file. With the two modules that it uses
(``refusals``, ``distribution_plan``), it defines all that jhpatch does to a site.
"""

from typing import FrozenSet, Iterable, List, Set, Tuple

from jhpatch.errors import JhpatchError
from jhpatch.installer import ownership, refusals, state
from jhpatch.installer.patch_status import UNRECORDED, PatchStatus, SiteSnapshot
from jhpatch.installer.refusals import Refusals
from jhpatch.installer.state import STATE, State
from jhpatch.namedtuple import NamedTuple
from jhpatch.report import states
from jhpatch.transaction.change import FileChange

_DEEPEST = 1024  # more than a path has parts


class Operation(NamedTuple):
    """A command for each site: apply or revert, and for which patches."""

    command: str
    """``apply`` or ``revert``."""
    named: FrozenSet[str]
    """The patches; empty for all."""
    tool: str
    """The version of jhpatch, for the state."""
    when: str = ""
    """The time in UTC, for the state."""
    allow_unlisted: bool = False
    """For apply: accept a release that no patch names, if the hashes of a patch match."""
    force: bool = False
    """For revert: overwrite a file that was changed after apply."""

    @property
    def reverting(self) -> bool:
        """Whether the command restores the release's bytes."""
        return self.command == "revert"

    def concerns(self, patch: str) -> bool:
        """Return whether the command includes a patch."""
        return not self.named or patch in self.named


class Plan(NamedTuple):
    """The changes of a command to a site, in order, or its refusals."""

    changes: Tuple[FileChange, ...] = ()
    patches: Tuple[str, ...] = ()
    """The patches whose state changes."""
    originals: Tuple[bytes, ...] = ()
    """The bytes that a later revert needs."""
    keep: Tuple[str, ...] = ()
    """The SHA-256 of all saved originals that must stay."""
    refusals: Tuple[Tuple[str, JhpatchError], ...] = ()


class _Selected(NamedTuple):
    """The patches to apply, those to revert or to remove from the state, and the refusals."""

    to_apply: List[PatchStatus]
    to_revert: List[PatchStatus]
    refusals: Refusals


def plan(operation: Operation, snapshot: SiteSnapshot, statuses: Iterable[PatchStatus]) -> Plan:
    """Plan ``operation`` for a site; ``statuses`` are those of its patches."""
    statuses = tuple(statuses)
    selected = _select(operation, snapshot, statuses)
    if selected.refusals:
        return Plan(refusals=tuple(selected.refusals))
    return _plan(operation, snapshot, statuses, selected)


def would_change(
    operation: Operation, snapshot: SiteSnapshot, statuses: Iterable[PatchStatus]
) -> bool:
    """Return whether ``operation`` would change the site, only by the states of the patches."""
    selected = _select(operation, snapshot, tuple(statuses))
    return bool(selected.to_apply or selected.to_revert) and not selected.refusals


def _select(
    operation: Operation, snapshot: SiteSnapshot, statuses: Tuple[PatchStatus, ...]
) -> _Selected:
    concerned = (status for status in statuses if operation.concerns(status.patch))
    if operation.reverting:
        selected = _select_to_revert(operation, snapshot, concerned)
        _record_siblings(statuses, selected)
    else:
        selected = _select_to_apply(operation, snapshot, concerned)
        _update_siblings(operation, snapshot, statuses, selected)
        selected.refusals.extend(refusals.of_additions(snapshot, selected.to_apply))
        selected.refusals.extend(ownership.refusals_of(snapshot, selected.to_apply))
        selected.refusals.extend(refusals.of_shared_files(snapshot, selected.to_apply))
    return selected


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
            selected.to_revert.extend([status] if status.applied else [])
        elif status.state != states.APPLIED or status.is_because(UNRECORDED):
            selected.to_apply.append(status)
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
            selected.to_revert.append(status)
    return selected


def _update_siblings(
    operation: Operation,
    snapshot: SiteSnapshot,
    statuses: Tuple[PatchStatus, ...],
    selected: _Selected,
) -> None:
    """Select the applied patches that share added files with a patch to apply, too.

    The shared files are then those of the current patches for all of them. A patch that would
    change such a file is refused if another one needs it and cannot be updated.
    """
    for status in selected.to_apply:  # the loop appends to it
        for sibling in _siblings(status, statuses, selected):
            is_current = sibling.state == states.APPLIED and not sibling.is_because(UNRECORDED)
            refusal = refusals.of_apply(snapshot, sibling, False, operation.tool)
            if not is_current and not refusal:
                selected.to_apply.append(sibling)
                continue
            refusal = refusals.of_sibling(snapshot, status, sibling, refusal)
            if refusal:
                selected.refusals.append((status.patch, refusal))


def _record_siblings(statuses: Tuple[PatchStatus, ...], selected: _Selected) -> None:
    """Select unrecorded patches that need an added file of a patch to revert, to record them."""
    for status in selected.to_revert:
        for sibling in _siblings(status, statuses, selected):
            if sibling.is_because(UNRECORDED):
                selected.to_apply.append(sibling)


def _siblings(
    status: PatchStatus, statuses: Tuple[PatchStatus, ...], selected: _Selected
) -> List[PatchStatus]:
    """Return the applied patches that share an added file and are not selected yet."""
    chosen = {other.patch for other in selected.to_apply + selected.to_revert}
    return [
        other
        for other in statuses
        if other.patch not in chosen
        and other.distribution_name == status.distribution_name
        and other.state in states.PATCHED
        and other.added & status.added
    ]


def _plan(
    operation: Operation,
    snapshot: SiteSnapshot,
    statuses: Tuple[PatchStatus, ...],
    selected: _Selected,
) -> Plan:
    # status needs no plan, and this module takes 2 ms to load.
    from jhpatch.installer.distribution_plan import DistributionPlan

    touched = selected.to_apply + selected.to_revert
    entries = {
        entry.name: entry for entry in (snapshot.state.distributions if snapshot.state else ())
    }
    changes: List[FileChange] = []
    originals: List[bytes] = []
    for name in sorted({status.distribution_name for status in touched}):
        distribution_plan = DistributionPlan(
            snapshot, name, [status for status in statuses if status.distribution_name == name]
        )
        entry = distribution_plan.run(
            [status for status in selected.to_apply if status.distribution_name == name],
            {status.patch for status in selected.to_revert},
            operation.when,
        )
        changes += distribution_plan.changes
        originals += distribution_plan.originals
        entries.pop(name, None)
        if entry is not None:
            entries[name] = entry
    new_state = State(
        _tool_of(operation, snapshot, {status.patch for status in touched}),
        tuple(entries[name] for name in sorted(entries)),
    )
    data = state.dump(new_state) if new_state.distributions else None
    if changes or touched:
        changes = _ordered(changes, operation.reverting)
        if data != snapshot.state_bytes:
            changes.append(FileChange(STATE, snapshot.state_bytes, data))
    names = tuple(sorted(status.patch for status in touched)) if changes else ()
    return Plan(tuple(changes), names, tuple(originals), new_state.originals())


def _tool_of(operation: Operation, snapshot: SiteSnapshot, touched: Set[str]) -> str:
    """Return the version of jhpatch to record: the newest that wrote a patch in the state."""
    recorded = snapshot.state
    if recorded is None or {patch.patch for patch in recorded.patches()} <= touched:
        return operation.tool
    is_newer = refusals.is_newer(recorded.tool, operation.tool)
    return recorded.tool if is_newer else operation.tool


def _ordered(changes: List[FileChange], reverting: bool) -> List[FileChange]:
    """Sort the changes: imported files before their importers, in a revert after them.

    Added files keep their order, but ``__init__.py`` is written as the last file of its
    directory and removed as the first: Python imports a package in place of a module of its
    name, but a module in place of a directory without ``__init__.py``. At each moment,
    an import therefore finds one of the two, and finds it complete.
    """

    def sort_key(change: FileChange) -> Tuple[int, int, str]:
        if change.path.endswith("/RECORD"):
            return (4 if reverting else 0), 0, change.path
        is_init = change.path.endswith("/__init__.py")
        depth = change.path.count("/")
        if change.after is None:
            return 3, (depth if is_init else _DEEPEST), ""
        if (change.before is None or change.guard) and not reverting:
            return 1, (_DEEPEST - depth if is_init else 0), ""
        return 2, 0, change.path

    return sorted(changes, key=sort_key)
