"""The changes of one distribution: its files, what is added to it, and its RECORD. Pure."""

import contextlib
from typing import Dict, Iterable, List, Optional, Set

from jhpatch.errors import BadPatch
from jhpatch.installer import record, refusals
from jhpatch.installer.assessment import PatchStatus, SiteSnapshot
from jhpatch.installer.state import AppliedPatch, DistributionState, FileHashes
from jhpatch.patchset import engine
from jhpatch.patchset.edition import Edition, digest
from jhpatch.report import states
from jhpatch.system.sha256 import sha256
from jhpatch.transaction.change import FileChange

FORCED = ".jhpatch/forced"
_NOT_PATCHED = (states.ABSENT, states.NOT_NEEDED, states.UNSUPPORTED, states.SUPERSEDED)
_PATCHED = (states.APPLIED, states.OUTDATED, states.MODIFIED)


class DistributionPlan:
    """The changes of one distribution: its files, what is added to it, and its RECORD."""

    def __init__(self, snapshot: SiteSnapshot, name: str, statuses: List[PatchStatus]) -> None:
        """``statuses``: of all patches of the distribution ``name``."""
        self.snapshot = snapshot
        self.name = name
        self.statuses = statuses
        self.originals: List[bytes] = []
        self._changed: Dict[str, FileChange] = {}
        installed = (status.distribution for status in statuses if status.distribution)
        self.distribution = next(installed, None)
        self.entry = snapshot.state.of(name) if snapshot.state else None

    @property
    def changes(self) -> List[FileChange]:
        """In the order in which they were found."""
        return list(self._changed.values())

    def run(
        self, wanted: List[PatchStatus], dropped: Set[str], when: str
    ) -> Optional[DistributionState]:
        """Fills ``changes`` and ``originals``; the distribution's new entry for the state.

        ``wanted`` are the patches to apply, ``dropped`` the names of those to revert; None
        where no patch is left. Raises BadPatch, Refused.
        """
        anew = {status.patch for status in wanted}
        patches = [self._apply(status, when) for status in wanted]
        for status in self.statuses:
            if status.applied and status.patch not in dropped | anew:
                patches.append(self._with_shared(status.applied))
        stays = {file.path for patch in patches for file in patch.files}
        for status in self.statuses:
            if status.patch in dropped:
                self._restore(status, stays)
            elif status.patch in anew:
                self._drop(status.leftovers, stays)
        file = self._record(patches)
        if not patches or self.distribution is None:
            return None
        patches.sort(key=lambda patch: patch.patch)
        return DistributionState(self.name, self.distribution.version, file, tuple(patches))

    def _with_shared(self, patch: AppliedPatch) -> AppliedPatch:
        """A patch that stays, with the new bytes of a file that it shares with another."""
        new = {c.path: sha256(c.after) for c in self.changes if c.after is not None}
        files = (
            file._replace(after=new.get(file.path, file.after)) if file.before is None else file
            for file in patch.files
        )
        return patch._replace(files=tuple(files))

    def _apply(self, status: PatchStatus, when: str) -> AppliedPatch:
        edition = status.edition
        assert edition is not None
        before = self._before(status, edition)
        after = engine.after_of(edition, before)
        files: List[FileHashes] = []
        for path, data in sorted(after.items()):
            self._change(path, data, None)
            self.originals.append(before[path])
            files.append(FileHashes(path, sha256(before[path]), sha256(data)))
        for addition in sorted(edition.adds, key=lambda addition: addition.path):
            self._change(addition.path, addition.data, self._guard())
            files.append(FileHashes(addition.path, None, sha256(addition.data)))
        return AppliedPatch(status.patch, edition.name, digest(edition), when, tuple(files))

    def _guard(self) -> Optional[str]:
        """The file that tells whether this is the same release, put there by the same hand.

        RECORD; without one the metadata, else a module that a patch changes: two
        releases may have the same bytes there.
        """
        info = self.distribution.info if self.distribution else ""
        for path in ("/RECORD", "/METADATA", "/PKG-INFO", "") if info else ():
            with contextlib.suppress(OSError):  # an egg-info may be a file by itself
                if self.snapshot.read(info + path) is not None:
                    return info + path
        return self._module()

    def _before(self, status: PatchStatus, edition: Edition) -> Dict[str, bytes]:
        """The unpatched bytes: those that are there, the saved ones, or derived and proved."""
        found = {change.path: self.snapshot.read(change.path) or b"" for change in edition.changes}
        saved = {file.before for file in status.applied.files} if status.applied else set()
        before: Dict[str, bytes] = {}
        for change in edition.changes:
            if sha256(found[change.path]) == change.before:
                before[change.path] = found[change.path]
            elif change.before in saved:
                before[change.path] = self.snapshot.original(change.before)
        rest = {path: data for path, data in found.items() if path not in before}
        if rest:
            try:
                before.update(engine.before_of(edition, rest))
            except BadPatch:
                raise refusals.modified(self.snapshot, status, reverting=True)
        return before

    def _restore(self, status: PatchStatus, stays: Set[str]) -> None:
        if status.state in _NOT_PATCHED:
            self._drop(status.leftovers, stays)
        elif status.applied:
            odd = {file.path for file in status.files if file.state == states.OTHER}
            for file in status.applied.files:
                if file.path in odd:
                    self._keep_forced(file)
                if file.before is not None:
                    self._change(file.path, self.snapshot.original(file.before), self._guard())
            added = [file for file in status.applied.files if file.before is None]
            self._drop(added, stays)
        elif status.edition:
            for path, data in sorted(self._before(status, status.edition).items()):
                self._change(path, data, self._guard())
            added = [FileHashes(addition.path, None, "") for addition in status.edition.adds]
            self._drop(added, stays)

    def _keep_forced(self, file: FileHashes) -> None:
        """Bytes that ``--force`` overwrites are somebody's work: they stay in .jhpatch."""
        data = self.snapshot.read(file.path)
        if data is not None:
            path = "%s/%s-%s" % (FORCED, sha256(data)[:16], file.path.replace("/", "-"))
            self._change(path, data, None)

    def _drop(self, added: Iterable[FileHashes], stays: Set[str]) -> None:
        for file in added:
            if file.path not in stays:
                self._change(file.path, None, self._guard())

    def _module(self) -> Optional[str]:
        patches = (status.applied for status in self.statuses if status.applied)
        files = (file.path for patch in patches for file in patch.files if file.before)
        return next(files, None)

    def _change(self, path: str, after: Optional[bytes], guard: Optional[str]) -> None:
        before = self.snapshot.read(path)
        if before != after and path not in self._changed:
            self._changed[path] = FileChange(path, before, after, guard)

    # RECORD: a function of the original one and of the patches that are applied.

    def _record(self, patches: List[AppliedPatch]) -> Optional[FileHashes]:
        path = self.distribution.record if self.distribution else None
        found = self.snapshot.read(path) if path else None
        if path is None or found is None:
            return None
        original = self._original_record(path, found)
        files: Dict[str, record.Entry] = {}
        added: Dict[str, record.Entry] = {}
        for file in (file for patch in patches for file in patch.files):
            data = self._planned(file.path)
            entry = record.Entry(sha256(data), len(data))
            (files if file.before is not None else added)[file.path] = entry
        after = record.changed(original, files, added) if patches else original
        self._change(path, after, None)
        if patches:
            self.originals.append(original)
        return FileHashes(path, sha256(original), sha256(after))

    def _original_record(self, path: str, found: bytes) -> bytes:
        old = self.entry.record if self.entry else None
        if old and old.path == path and sha256(found) in (old.before, old.after):
            if sha256(found) == old.before:
                return found
            return self.snapshot.original(old.before or "")
        live = [status for status in self.statuses if status.state in _PATCHED]
        recorded = [file for status in live if status.applied for file in status.applied.files]
        files = {file.path for file in recorded if file.before}
        added = {file.path for file in recorded if not file.before}
        if old and old.path == path and old.before and files:
            return record.restored(found, self.snapshot.original(old.before), files, added)
        return self._derived_record(found, live)

    def _derived_record(self, found: bytes, live: List[PatchStatus]) -> bytes:
        """For files that were patched and never recorded: RECORD with their release's hashes."""
        unrecorded = [
            status for status in live if status.state != states.MODIFIED and not status.applied
        ]
        editions = [status.edition for status in unrecorded if status.edition]
        files: Dict[str, record.Entry] = {}
        for status, edition in zip(unrecorded, editions):
            for path, data in self._before(status, edition).items():
                files[path] = record.Entry(sha256(data), len(data))
        dropped = [addition.path for edition in editions for addition in edition.adds]
        return record.changed(found, files, {}, dropped) if editions else found

    def _planned(self, path: str) -> bytes:
        """A file as it will be."""
        change = self._changed.get(path)
        return (change.after if change else self.snapshot.read(path)) or b""
