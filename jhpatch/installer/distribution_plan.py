"""The changes of one distribution: its files, added files and RECORD. Pure."""

import contextlib
from typing import Dict, List, Optional, Sequence, Set

from jhpatch.errors import BadPatch
from jhpatch.installer import record, refusals
from jhpatch.installer.patch_status import PatchStatus, SiteSnapshot
from jhpatch.installer.state import AppliedPatch, DistributionState, FileHashes
from jhpatch.patchset import engine
from jhpatch.patchset.edition import Edition, digest
from jhpatch.report import states
from jhpatch.system.sha256 import sha256
from jhpatch.transaction.change import FileChange

FORCED = ".jhpatch/forced"
_NOT_PATCHED = (states.ABSENT, states.NOT_NEEDED, states.UNSUPPORTED, states.SUPERSEDED)


class DistributionPlan:
    """The changes of one distribution: its files, added files and RECORD."""

    def __init__(self, snapshot: SiteSnapshot, name: str, statuses: List[PatchStatus]) -> None:
        """``statuses`` are those of all patches of the distribution ``name``."""
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
        """The changes, in the order in which they were added."""
        return list(self._changed.values())

    def run(
        self, to_apply: List[PatchStatus], to_revert: Set[str], when: str
    ) -> Optional[DistributionState]:
        """Fill ``changes`` and ``originals``; return the distribution's entry for the new state.

        ``to_apply`` are patches, ``to_revert`` the names of patches. None if no patch stays
        applied. Raises BadPatch, Refused.
        """
        applied = {status.patch for status in to_apply}
        patches = [self._apply(status, when) for status in to_apply]
        for status in self.statuses:
            if status.applied and status.patch not in to_revert | applied:
                patches.append(self._with_shared(status, status.applied, to_revert))
        kept = {file.path for patch in patches for file in patch.files}
        for status in self.statuses:
            if status.state in states.PATCHED and status.patch not in to_revert | applied:
                kept |= status.added  # an unrecorded patch needs its files as well
        for status in self.statuses:
            if status.patch in to_revert:
                self._restore(status, kept)
            elif status.patch in applied:
                self._drop_outgrown(status, kept)
        file = self._change_record(patches)
        if not patches or self.distribution is None:
            return None
        patches.sort(key=lambda patch: patch.patch)
        return DistributionState(self.name, self.distribution.version, file, tuple(patches))

    def _with_shared(
        self, status: PatchStatus, patch: AppliedPatch, to_revert: Set[str]
    ) -> AppliedPatch:
        """Return a patch that stays, with the new hash of files that it shares with others.

        It takes over the files that it needs of those to revert: an older jhpatch updated one
        of two patches and recorded a new file for that one alone.
        """
        new = {
            change.path: sha256(change.after)
            for change in self.changes
            if change.after is not None
        }
        files = (
            file._replace(after=new.get(file.path, file.after)) if file.before is None else file
            for file in patch.files
        )
        own = {file.path for file in patch.files}
        others = (other for other in self.statuses if other.patch in to_revert and other.applied)
        taken_over = {
            file.path: file
            for other in others
            for file in (other.applied.files if other.applied else ())
            if file.path in status.added - own and self._is_as_recorded(file)
        }
        return patch._replace(files=tuple(files) + tuple(taken_over.values()))

    def _apply(self, status: PatchStatus, when: str) -> AppliedPatch:
        edition = status.edition
        assert edition is not None
        before = self._before(status, edition)
        after = engine.after_of(edition, before)
        files: List[FileHashes] = []
        for path, data in sorted(after.items()):
            old = before[path]
            guard = None if old is not None and data is not None else self._guard()
            self._add_change(path, data, guard)
            if old is not None:
                self.originals.append(old)
            mode = self._mode_of_removed(status, path) if data is None else None
            files.append(FileHashes(path, _hash(old), _hash(data), mode))
        for addition in edition.adds:
            self._add_change(addition.path, addition.data, self._guard())
            files.append(FileHashes(addition.path, None, sha256(addition.data)))
        return AppliedPatch(status.patch, edition.name, digest(edition), when, tuple(files))

    def _mode_of_removed(self, status: PatchStatus, path: str) -> Optional[int]:
        """Return the permissions of a file that a patch removes, or has removed."""
        recorded = status.applied.files if status.applied else ()
        saved = next((file.mode for file in recorded if file.path == path), None)
        return self.snapshot.mode_of(path) or saved

    def _guard(self) -> Optional[str]:
        """Return the path of the file that identifies the installed release (``FileChange``).

        It is RECORD; without one, the metadata; else a module that a patch changes, although two
        releases can have the same bytes of it.
        """
        info = self.distribution.info if self.distribution else ""
        for path in ("/RECORD", "/METADATA", "/PKG-INFO", "") if info else ():
            with contextlib.suppress(OSError):  # an egg-info can be a file itself
                if self.snapshot.read(info + path) is not None:
                    return info + path
        return self._module_guard()

    def _before(self, status: PatchStatus, edition: Edition) -> engine.Files:
        """Return the unpatched bytes: the current, the saved, or derived and verified ones."""
        current = {change.path: self.snapshot.read(change.path) for change in edition.changes}
        originals = {file.before for file in status.applied.files} if status.applied else set()
        before: engine.Files = {}
        for change in edition.changes:
            if change.before is None or _hash(current[change.path]) == change.before:
                before[change.path] = current[change.path] if change.before else None
            elif change.before in originals:
                before[change.path] = self.snapshot.original(change.before)
        patched = {path: data for path, data in current.items() if path not in before}
        if patched:
            try:
                before.update(engine.before_of(edition, patched))
            except BadPatch:
                raise refusals.modified(self.snapshot, status, reverting=True)
        return before

    def _restore(self, status: PatchStatus, kept: Set[str]) -> None:
        if status.state in _NOT_PATCHED:
            self._remove(status.leftovers, kept)
        elif status.applied:
            modified = {file.path for file in status.files if file.state == states.OTHER}
            for file in status.applied.files:
                if file.path in modified:
                    self._keep_forced(file)
                if file.before is not None:
                    original = self.snapshot.original(file.before)
                    self._add_change(file.path, original, self._guard(), file.mode)
            added = [file for file in status.applied.files if file.before is None]
            self._remove(added, kept)
        elif status.edition:
            for path, before in sorted(self._before(status, status.edition).items()):
                self._add_change(path, before, self._guard())
            added = [FileHashes(addition.path, None, "") for addition in status.edition.adds]
            self._remove(added, kept)

    def _drop_outgrown(self, status: PatchStatus, kept: Set[str]) -> None:
        """Restore and remove the files of an older version that the patch no longer has."""
        files = status.applied.files if status.applied else ()
        if status.state == states.OUTDATED:
            for file in files:
                if file.before and file.path not in kept and self._is_as_recorded(file):
                    original = self.snapshot.original(file.before)
                    self._add_change(file.path, original, self._guard(), file.mode)
        added = [file for file in files if file.before is None and self._is_as_recorded(file)]
        self._remove(added, kept)

    def _is_as_recorded(self, file: FileHashes) -> bool:
        return _hash(self.snapshot.read(file.path)) == file.after

    def _keep_forced(self, file: FileHashes) -> None:
        """Copy a file that ``--force`` overwrites to .jhpatch, because it contains an edit."""
        data = self.snapshot.read(file.path)
        if data is not None:
            path = "%s/%s-%s" % (FORCED, sha256(data)[:16], file.path.replace("/", "-"))
            self._add_change(path, data, None)

    def _remove(self, added: Sequence[FileHashes], kept: Set[str]) -> None:
        for file in reversed(added):  # importers first
            if file.path not in kept:
                self._add_change(file.path, None, self._guard())

    def _module_guard(self) -> Optional[str]:
        patches = (status.applied for status in self.statuses if status.applied)
        files = (file.path for patch in patches for file in patch.files if file.before)
        return next(files, None)

    def _add_change(
        self, path: str, after: Optional[bytes], guard: Optional[str], mode: Optional[int] = None
    ) -> None:
        before = self.snapshot.read(path)
        if before != after and path not in self._changed:
            self._changed[path] = FileChange(path, before, after, guard, mode)

    # RECORD is a function of the original RECORD and of the applied patches.

    def _change_record(self, patches: List[AppliedPatch]) -> Optional[FileHashes]:
        path = self.distribution.record if self.distribution else None
        current = self.snapshot.read(path) if path else None
        if path is None or current is None:
            return None
        original = self._original_record(path, current)
        files: Dict[str, record.Entry] = {}
        added: Dict[str, record.Entry] = {}
        removed: List[str] = []
        for file in (file for patch in patches for file in patch.files):
            if file.after is None:
                removed.append(file.path)
                continue
            data = self._planned_bytes(file.path)
            entry = record.Entry(sha256(data), len(data))
            (files if file.before is not None else added)[file.path] = entry
        after = record.changed(original, files, added, removed) if patches else original
        self._add_change(path, after, None)
        if patches:
            self.originals.append(original)
        return FileHashes(path, sha256(original), sha256(after))

    def _original_record(self, path: str, current: bytes) -> bytes:
        old = self.entry.record if self.entry else None
        if old and old.path == path and sha256(current) in (old.before, old.after):
            if sha256(current) == old.before:
                return current
            return self.snapshot.original(old.before or "")
        patched = [status for status in self.statuses if status.state in states.PATCHED]
        hashes = [file for status in patched if status.applied for file in status.applied.files]
        files = {file.path for file in hashes if file.before}
        added = {file.path for file in hashes if not file.before}
        if old and old.path == path and old.before and files:
            return record.restored(current, self.snapshot.original(old.before), files, added)
        return self._derived_record(current, patched)

    def _derived_record(self, current: bytes, patched: List[PatchStatus]) -> bytes:
        """Return RECORD with the release's hashes, for files that were patched unrecorded."""
        unrecorded = [
            status for status in patched if status.state != states.MODIFIED and not status.applied
        ]
        editions = [status.edition for status in unrecorded if status.edition]
        files: Dict[str, record.Entry] = {}
        dropped = [addition.path for edition in editions for addition in edition.adds]
        for status, edition in zip(unrecorded, editions):
            for path, data in self._before(status, edition).items():
                if data is None:
                    dropped.append(path)
                else:
                    files[path] = record.Entry(sha256(data), len(data))
        listed = {row.path for row in record.parse(current)}
        removed = {
            path: entry
            for path, entry in files.items()
            if path not in listed and self.snapshot.read(path) is None
        }
        return record.changed(current, files, removed, dropped) if editions else current

    def _planned_bytes(self, path: str) -> bytes:
        """Return the bytes of a file after the changes."""
        change = self._changed.get(path)
        return (change.after if change else self.snapshot.read(path)) or b""


def _hash(data: Optional[bytes]) -> Optional[str]:
    return None if data is None else sha256(data)
