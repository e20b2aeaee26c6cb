"""Assessed patches → everything that a command would change, or why it will not.

Nothing is written here. Whoever reads this module knows what jhpatch does to a site.
"""

import contextlib
from typing import Dict, Iterable, List, Optional, Set, Tuple

from jhpatch.errors import (
    BadPatch,
    JhpatchError,
    Refused,
    jhpatch_command,
    python_command,
    reinstall_command,
)
from jhpatch.installer import record, state
from jhpatch.installer.assessment import PatchStatus, SiteSnapshot
from jhpatch.installer.state import STATE, AppliedPatch, DistributionState, FileHashes, State
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset import engine, versions
from jhpatch.patchset.edition import Edition, digest, normalized
from jhpatch.system.sha256 import sha256

FORCED = ".jhpatch/forced"


class Change(NamedTuple):
    """A file's bytes now and as they shall be (None: no file); see transaction.FileChange."""

    path: str
    before: Optional[bytes]
    after: Optional[bytes]
    guard: Optional[str]


class Plan(NamedTuple):
    """What a command would do to a site: every change, in order, or the refusals."""

    changes: Tuple[Change, ...]
    patches: Tuple[str, ...]
    """The patches whose state changes."""
    originals: Tuple[bytes, ...]
    """Bytes that a later revert needs."""
    keep: Tuple[str, ...]
    """All saved originals that stay, by SHA-256."""
    refusals: Tuple[Tuple[str, JhpatchError], ...]


def plan_apply(
    view: SiteSnapshot,
    assessments: Iterable[PatchStatus],
    named: Set[str],
    tool: str,
    when: str,
    allow_unlisted: bool = False,
) -> Plan:
    """Everything that ``apply`` would do; ``named`` is empty for all patches.

    ``tool`` is the version of jhpatch and ``when`` the time, for the state.
    """
    assessments = tuple(assessments)
    wanted, dropped, refusals = _sorted_out(view, assessments, named, tool, allow_unlisted)
    if refusals:
        return Plan((), (), (), (), tuple(refusals))
    return _plan(view, assessments, wanted, dropped, tool, when, reverting=False)


def would_apply(view: SiteSnapshot, assessments: Iterable[PatchStatus], tool: str) -> bool:
    """Whether ``apply`` of all patches would change the site, as the states tell."""
    wanted, dropped, refusals = _sorted_out(view, assessments, set(), tool, allow_unlisted=False)
    return bool(wanted or dropped) and not refusals


def _sorted_out(
    view: SiteSnapshot,
    assessments: Iterable[PatchStatus],
    named: Set[str],
    tool: str,
    allow_unlisted: bool,
) -> Tuple[List[PatchStatus], List[PatchStatus], List[Tuple[str, JhpatchError]]]:
    """The patches to apply, those to drop from the record, and the refusals of the others."""
    wanted: List[PatchStatus] = []
    dropped: List[PatchStatus] = []
    refusals: List[Tuple[str, JhpatchError]] = []
    for one in assessments:
        if named and one.patch not in named:
            continue
        if one.state == "unsupported" and one.unlisted and allow_unlisted:
            one = one._replace(state="pristine", edition=one.unlisted)
        refusal = _refusal(view, one, bool(named), tool)
        if refusal:
            refusals.append((one.patch, refusal))
        elif one.state in ("absent", "not-needed"):
            dropped += [one] if one.applied else []
        elif one.state != "applied" or one.reason == "unrecorded":
            wanted.append(one)
    refusals += _without_folder(view, wanted) + _two_owners(view, wanted)
    return wanted, dropped, refusals


def plan_revert(
    view: SiteSnapshot,
    assessments: Iterable[PatchStatus],
    named: Set[str],
    tool: str,
    force: bool = False,
) -> Plan:
    """Everything that ``revert`` would do; ``named`` is empty for all patches."""
    dropped: List[PatchStatus] = []
    refusals: List[Tuple[str, JhpatchError]] = []
    for one in assessments:
        if named and one.patch not in named:
            continue
        if one.state == "modified" and not (force and _is_recorded(view, one)):
            refusals.append((one.patch, _modified(view, one, reverting=True)))
        elif one.state == "unsupported" and one.applied and _is_layout(one):
            refusals.append((one.patch, _unsupported(view, one)))
        elif one.applied or one.state in ("applied", "outdated"):
            dropped.append(one)
    if refusals:
        return Plan((), (), (), (), tuple(refusals))
    return _plan(view, tuple(assessments), [], dropped, tool, "", reverting=True)


def _plan(
    view: SiteSnapshot,
    assessments: Tuple[PatchStatus, ...],
    wanted: List[PatchStatus],
    dropped: List[PatchStatus],
    tool: str,
    when: str,
    reverting: bool,
) -> Plan:
    touched = {one.patch.partition("/")[0] for one in wanted + dropped}
    patched = {one.name: one for one in (view.state.patched if view.state else ())}
    changes: List[Change] = []
    originals: List[bytes] = []
    for name in sorted(normalized(name) for name in touched):
        ours = [one for one in assessments if normalized(one.patch.partition("/")[0]) == name]
        job = _Job(view, name, ours, [w for w in wanted if w.patch in {o.patch for o in ours}])
        entry = job.run({one.patch for one in dropped}, when)
        changes += job.changes
        originals += job.originals
        patched.pop(name, None)
        if entry is not None:
            patched[name] = entry
    after = State(tool, tuple(patched[name] for name in sorted(patched)))
    data = state.dump(after) if after.patched else None
    if changes or touched:
        changes = _ordered(changes, reverting)
        if data != view.state_bytes:
            changes.append(Change(STATE, view.state_bytes, data, None))
    names = tuple(sorted(one.patch for one in wanted + dropped))
    keep = after.originals()
    return Plan(tuple(changes), names if changes else (), tuple(originals), keep, ())


def _ordered(changes: List[Change], reverting: bool) -> List[Change]:
    """What others import must be there first: RECORD, helper, modules; back the other way."""

    def place(change: Change) -> Tuple[int, str]:
        if change.path.endswith("/RECORD"):
            return (4 if reverting else 0), change.path
        if change.after is None:
            return 3, change.path
        is_added = change.before is None or change.guard
        return (1 if is_added and not reverting else 2), change.path

    return sorted(changes, key=place)


class _Job:
    """The changes of one distribution: its files, what is added to it, and its RECORD."""

    def __init__(
        self, view: SiteSnapshot, name: str, ours: List[PatchStatus], wanted: List[PatchStatus]
    ) -> None:
        self.view = view
        self.name = name
        self.ours = ours
        self.originals: List[bytes] = []
        self._changed: Dict[str, Change] = {}
        self.distribution = next((one.distribution for one in ours if one.distribution), None)
        self.entry = view.state.of(name) if view.state else None
        self._wanted = wanted

    @property
    def changes(self) -> List[Change]:
        """In the order in which they were found."""
        return list(self._changed.values())

    def run(self, dropped: Set[str], when: str) -> Optional[DistributionState]:
        """Fills ``changes``; gives the distribution's new entry for the state, or None."""
        anew = {one.patch for one in self._wanted}
        kept = [one for one in self.ours if one.applied and one.patch not in dropped | anew]
        records = [self._apply(one, when) for one in self._wanted]
        records += [self._with_shared(one.applied) for one in kept if one.applied]
        stays = {file.path for applied in records for file in applied.files}
        for one in self.ours:
            if one.patch in dropped:
                self._give_back(one, stays)
            elif one.patch in anew:
                self._drop(one.leftovers, stays)
        file = self._record(records)
        if not records or self.distribution is None:
            return None
        records.sort(key=lambda applied: applied.patch)
        return DistributionState(self.name, self.distribution.version, file, tuple(records))

    def _with_shared(self, applied: AppliedPatch) -> AppliedPatch:
        """A patch that stays, with the new bytes of a file that it shares with another."""
        new = {c.path: sha256(c.after) for c in self.changes if c.after is not None}
        files = (
            file._replace(after=new.get(file.path, file.after)) if file.before is None else file
            for file in applied.files
        )
        return applied._replace(files=tuple(files))

    def _apply(self, one: PatchStatus, when: str) -> AppliedPatch:
        edition = one.edition
        assert edition is not None
        before = self._before(one, edition)
        after = engine.after_of(edition, before)
        files: List[FileHashes] = []
        for path, data in sorted(after.items()):
            self._change(path, data, None)
            self.originals.append(before[path])
            files.append(FileHashes(path, sha256(before[path]), sha256(data)))
        for addition in sorted(edition.adds, key=lambda addition: addition.path):
            self._change(addition.path, addition.data, self._guard())
            files.append(FileHashes(addition.path, None, sha256(addition.data)))
        return AppliedPatch(one.patch, edition.name, digest(edition), when, tuple(files))

    def _guard(self) -> Optional[str]:
        """The file that tells whether this is the same release, put there by the same hand.

        RECORD; without one the metadata, else a module that a patch changes: two
        releases may have the same bytes there.
        """
        info = self.distribution.info if self.distribution else ""
        for path in ("/RECORD", "/METADATA", "/PKG-INFO", "") if info else ():
            with contextlib.suppress(OSError):  # an egg-info may be a file by itself
                if self.view.read(info + path) is not None:
                    return info + path
        return self._module()

    def _before(self, one: PatchStatus, edition: Edition) -> Dict[str, bytes]:
        """The unpatched bytes: those that are there, the saved ones, or derived and proved."""
        found = {change.path: self.view.read(change.path) or b"" for change in edition.changes}
        saved = {file.before for file in one.applied.files} if one.applied else set()
        before: Dict[str, bytes] = {}
        for change in edition.changes:
            if sha256(found[change.path]) == change.before:
                before[change.path] = found[change.path]
            elif change.before in saved:
                before[change.path] = self.view.original(change.before)
        rest = {path: data for path, data in found.items() if path not in before}
        if rest:
            try:
                before.update(engine.before_of(edition, rest))
            except BadPatch:
                raise _modified(self.view, one, reverting=True)
        return before

    def _give_back(self, one: PatchStatus, stays: Set[str]) -> None:
        if one.state in ("absent", "not-needed", "unsupported", "superseded"):
            self._drop(one.leftovers, stays)
        elif one.applied:
            odd = {file.path for file in one.files if file.state == "other"}
            for file in one.applied.files:
                if file.path in odd:
                    self._keep_forced(file)
                if file.before is not None:
                    self._change(file.path, self.view.original(file.before), self._guard())
            added = [file for file in one.applied.files if file.before is None]
            self._drop(added, stays)
        elif one.edition:
            for path, data in sorted(self._before(one, one.edition).items()):
                self._change(path, data, self._guard())
            added = [FileHashes(addition.path, None, "") for addition in one.edition.adds]
            self._drop(added, stays)

    def _keep_forced(self, file: FileHashes) -> None:
        """Bytes that ``--force`` overwrites are somebody's work: they stay in .jhpatch."""
        data = self.view.read(file.path)
        if data is not None:
            path = "%s/%s-%s" % (FORCED, sha256(data)[:16], file.path.replace("/", "-"))
            self._change(path, data, None)

    def _drop(self, added: Iterable[FileHashes], stays: Set[str]) -> None:
        for file in added:
            if file.path not in stays:
                self._change(file.path, None, self._guard())

    def _module(self) -> Optional[str]:
        files = (f for one in self.ours if one.applied for f in one.applied.files if f.before)
        return next((file.path for file in files), None)

    def _change(self, path: str, after: Optional[bytes], guard: Optional[str]) -> None:
        before = self.view.read(path)
        if before != after and path not in self._changed:
            self._changed[path] = Change(path, before, after, guard)

    # RECORD: a function of the original one and of the patches that are applied.

    def _record(self, records: List[AppliedPatch]) -> Optional[FileHashes]:
        path = self.distribution.record if self.distribution else None
        found = self.view.read(path) if path else None
        if path is None or found is None:
            return None
        original = self._original_record(path, found)
        files: Dict[str, record.Entry] = {}
        added: Dict[str, record.Entry] = {}
        for file in (file for applied in records for file in applied.files):
            data = self._planned(file.path)
            entry = record.Entry(sha256(data), len(data))
            (files if file.before is not None else added)[file.path] = entry
        after = record.changed(original, files, added) if records else original
        self._change(path, after, None)
        if records:
            self.originals.append(original)
        return FileHashes(path, sha256(original), sha256(after))

    def _original_record(self, path: str, found: bytes) -> bytes:
        old = self.entry.record if self.entry else None
        if old and old.path == path and sha256(found) in (old.before, old.after):
            return found if sha256(found) == old.before else self.view.original(old.before or "")
        live = [one for one in self.ours if one.state in ("applied", "outdated", "modified")]
        files = {f.path for one in live if one.applied for f in one.applied.files if f.before}
        added = {f.path for one in live if one.applied for f in one.applied.files if not f.before}
        if old and old.path == path and old.before and files:
            return record.restored(found, self.view.original(old.before), files, added)
        return self._derived_record(found, live)

    def _derived_record(self, found: bytes, live: List[PatchStatus]) -> bytes:
        """For files that were patched and never recorded: RECORD with their release's hashes."""
        unrecorded = [one for one in live if one.state != "modified" and not one.applied]
        editions = [one.edition for one in unrecorded if one.edition]
        files: Dict[str, record.Entry] = {}
        for one, edition in zip(unrecorded, editions):
            for path, data in self._before(one, edition).items():
                files[path] = record.Entry(sha256(data), len(data))
        dropped = [addition.path for edition in editions for addition in edition.adds]
        return record.changed(found, files, {}, dropped) if editions else found

    def _planned(self, path: str) -> bytes:
        """A file as it will be."""
        change = self._changed.get(path)
        return (change.after if change else self.view.read(path)) or b""


# Refusals.


def _refusal(
    view: SiteSnapshot, one: PatchStatus, named: bool, tool: str
) -> Optional[JhpatchError]:
    if one.state == "modified":
        return _modified(view, one, reverting=False)
    if one.state == "unsupported" or (one.state == "outdated" and one.edition is None):
        return _unsupported(view, one)
    if one.state == "absent" and named and not one.applied:
        return Refused(
            "%s: its distribution is not installed here" % one.patch,
            path=view.path,
            expected=one.patch.partition("/")[0],
            found="nothing",
            next=jhpatch_command("status"),
        )
    if one.state == "outdated" and view.state and _is_newer(view.state.tool, tool):
        return Refused(
            "%s was applied by a newer jhpatch" % one.patch,
            path=view.path,
            expected="jhpatch %s or older" % tool,
            found="jhpatch " + view.state.tool,
            next=python_command("pip", "install", "jhpatch>=" + view.state.tool),
        )
    return None


def _without_folder(
    view: SiteSnapshot, wanted: List[PatchStatus]
) -> List[Tuple[str, JhpatchError]]:
    """A file is added to a package that is there; jhpatch makes no folders in a site."""
    refusals: List[Tuple[str, JhpatchError]] = []
    for one in wanted:
        for addition in one.edition.adds if one.edition else ():
            if not view.has_folder_of(addition.path):
                error = Refused(
                    "%s adds a file where there is no folder" % one.patch,
                    path="%s/%s" % (view.path, addition.path),
                    expected="a folder of the distribution",
                    found="none",
                    next=jhpatch_command("lint"),
                )
                refusals.append((one.patch, error))
                break
    return refusals


def _two_owners(view: SiteSnapshot, wanted: List[PatchStatus]) -> List[Tuple[str, JhpatchError]]:
    """A file belongs to one patch at most: the second is refused, with both names."""
    applied = [a for one in (view.state.patched if view.state else ()) for a in one.applied]
    owners = {f.path: a.patch for a in applied for f in a.files if f.before is not None}
    refusals: List[Tuple[str, JhpatchError]] = []
    for one in wanted:
        for change in one.edition.changes if one.edition else ():
            owner = owners.setdefault(change.path, one.patch)
            if owner != one.patch:
                error = Refused(
                    "two patches change the same file: %s and %s" % (owner, one.patch),
                    path="%s/%s" % (view.path, change.path),
                    next=jhpatch_command("apply", owner) + ", or revert %s first" % owner,
                )
                refusals.append((one.patch, error))
    return refusals


def _is_recorded(view: SiteSnapshot, one: PatchStatus) -> bool:
    """Whether the changed file is of the release that was patched, so that --force may act."""
    entry = view.state.of(one.distribution.name) if view.state and one.distribution else None
    return bool(one.applied and entry and entry.version == one.version)


def _is_layout(one: PatchStatus) -> bool:
    return (one.reason or "").startswith("layout")


def _is_newer(one: str, other: str) -> bool:
    return versions.key(one) > versions.key(other)


def _unsupported(view: SiteSnapshot, one: PatchStatus) -> Refused:
    name = one.patch.partition("/")[0]
    known = (one.reason or "").partition("known: ")[2].partition(";")[0]
    return Refused(
        "%s does not fit: %s" % (one.patch, one.reason),
        path=view.path,
        expected=known or "a release that a patch was made for",
        found="%s %s" % (name, one.version or ""),
        next=jhpatch_command("apply", "--allow-unlisted", one.patch)
        if one.unlisted
        else jhpatch_command("list"),
    )


def _modified(view: SiteSnapshot, one: PatchStatus, reverting: bool) -> Refused:
    odd = next((file for file in one.files if file.state == "other"), None)
    release = "%s==%s" % (one.patch.partition("/")[0], one.version)
    again = reinstall_command(release)
    if reverting and one.applied:
        again = jhpatch_command("revert", "--force", one.patch)
    return Refused(
        "%s: %s" % (one.patch, one.reason or "the bytes are not known"),
        path="%s/%s" % (view.path, odd.path) if odd else view.path,
        expected="sha256:%s" % odd.expected if odd and odd.expected else None,
        found=("sha256:%s" % odd.found if odd.found else "no file") if odd else None,
        next=jhpatch_command("diff", one.patch) + "; then " + again,
    )
