"""Patches, bytes and state → the state that each patch has in a site.

The rules stand in their order in ``_assess``; the first that holds decides. State
says what was meant, hashes say what is. The disk is seen only through the ``SiteSnapshot``
that is passed in.
"""

from typing import Callable, Dict, Iterable, List, Optional, Set, Tuple

from jhpatch.installer.environment import Distribution
from jhpatch.installer.state import AppliedPatch, FileHashes, State
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset import versions
from jhpatch.patchset.edition import Edition, digest, normalized
from jhpatch.system.rooted_files import UnsafePath
from jhpatch.system.sha256 import sha256


class SiteSnapshot(NamedTuple):
    """A site as a plan sees it."""

    path: str
    distributions: Dict[str, List[Distribution]]
    state: Optional[State]
    state_bytes: Optional[bytes]
    read: Callable[[str], Optional[bytes]]
    """A file's bytes, or None. Raises UnsafePath for what is no plain file of the site."""
    original: Callable[[str], bytes]
    """A saved original by SHA-256. Raises Untrusted."""
    has_folder_of: Callable[[str], bool] = lambda path: True
    """Whether the folder of a path is there, and reached through no symlink."""


class FileStatus(NamedTuple):
    """A file of a patch: ``before``, ``after``, ``missing`` or ``other``; hashes as hex."""

    path: str
    state: str
    expected: Optional[str]
    found: Optional[str]


class PatchStatus(NamedTuple):
    """A patch in a site: its state, and why."""

    patch: str
    state: str
    reason: Optional[str]
    edition: Optional[Edition]
    distribution: Optional[Distribution]
    applied: Optional[AppliedPatch]
    files: Tuple[FileStatus, ...] = ()
    leftovers: Tuple[FileHashes, ...] = ()
    """Files that we added and that are still there, though they should not be."""
    unlisted: Optional[Edition] = None
    """An edition whose bytes fit although its Versions do not name the release."""

    @property
    def version(self) -> Optional[str]:
        """The installed release."""
        return self.distribution.version if self.distribution else None


def assess(view: SiteSnapshot, editions: Iterable[Edition]) -> Tuple[PatchStatus, ...]:
    """The state of each patch of the catalog and of the site's own state, by name."""
    by_patch: Dict[str, List[Edition]] = {}
    for edition in editions:
        by_patch.setdefault(edition.patch, []).append(edition)
    recorded = {
        a.patch: a for one in (view.state.patched if view.state else ()) for a in one.applied
    }
    for patch in recorded:
        by_patch.setdefault(patch, [])
    return tuple(
        _assess(view, patch, by_patch[patch], recorded.get(patch)) for patch in sorted(by_patch)
    )


def absent(patch: str) -> PatchStatus:
    """A patch whose distribution is not installed, and of which nothing is left."""
    return PatchStatus(patch, "absent", None, None, None, None)


def _assess(
    view: SiteSnapshot, patch: str, editions: List[Edition], applied: Optional[AppliedPatch]
) -> PatchStatus:
    found = view.distributions.get(normalized(patch.partition("/")[0]), [])
    try:
        if not found:
            left = _leftovers(view, applied)
            return PatchStatus(patch, "absent", _left(applied), None, None, applied, (), left)
        if len(found) > 1:
            reason = "layout: two of it: " + " and ".join(one.info for one in found)
            return PatchStatus(patch, "unsupported", reason, None, found[0], applied)
        if found[0].layout:
            reason = "layout: " + found[0].layout
            return PatchStatus(patch, "unsupported", reason, None, found[0], applied)
        return _of_installed(view, patch, editions, applied, found[0])
    except UnsafePath as error:
        reason = "layout: %s: %s" % (error.filename, error.strerror)
        return PatchStatus(
            patch, "unsupported", reason, None, found[0] if found else None, applied
        )


def _of_installed(
    view: SiteSnapshot,
    patch: str,
    editions: List[Edition],
    applied: Optional[AppliedPatch],
    distribution: Distribution,
) -> PatchStatus:
    edition = next((one for one in editions if one.fits(distribution.version)), None)
    base = PatchStatus(patch, "", None, edition, distribution, applied)
    if applied and all(_hash(view, file.path) == file.after for file in applied.files):
        state, reason = _current(applied, edition, editions)
        return base._replace(state=state, reason=reason, files=_applied_files(applied))
    if edition and edition.not_needed:
        left = _leftovers(view, applied)
        return base._replace(
            state="not-needed", reason=edition.not_needed, edition=edition, leftovers=left
        )
    if edition is not None:
        return _by_bytes(view, base, edition)
    entry = view.state.of(distribution.name) if view.state else None
    if applied and entry and entry.version == distribution.version:
        return _by_record(view, base, applied)
    return _unlisted(view, base, editions)


def _current(
    applied: AppliedPatch, edition: Optional[Edition], editions: List[Edition]
) -> Tuple[str, Optional[str]]:
    """``applied``, or ``outdated`` where the catalog's patch for this release is another."""
    edition = edition or next((one for one in editions if one.name == applied.edition), None)
    if edition is None:
        return "applied", "the catalog no longer has this patch for this release"
    if edition.not_needed or digest(edition) != applied.digest:
        return "outdated", "the catalog has another version of this patch"
    return "applied", None


def _unlisted(view: SiteSnapshot, base: PatchStatus, editions: List[Edition]) -> PatchStatus:
    """No edition names the release; perhaps one has its bytes."""
    fits = next((e for e in editions if e.changes and _is_before(view, e)), None)
    ranges = (one for edition in editions if edition.changes for one in edition.ranges)
    known = versions.near(base.version or "", ranges)
    reason = "release %s is not known; known: %s" % (base.version, known)
    if fits:
        reason += "; its bytes are those of %s: --allow-unlisted accepts them" % fits.name
    left = _leftovers(view, base.applied)
    return base._replace(state="unsupported", reason=reason, unlisted=fits, leftovers=left)


def _is_before(view: SiteSnapshot, edition: Edition) -> bool:
    return all(_hash(view, change.path) == change.before for change in edition.changes)


def _by_bytes(view: SiteSnapshot, base: PatchStatus, edition: Edition) -> PatchStatus:
    """The states that the bytes decide: modified, pristine, superseded, applied, outdated."""
    applied = base.applied
    adds = {addition.path: sha256(addition.data) for addition in edition.adds}
    recorded = {file.path: file for file in applied.files} if applied else {}
    changed = tuple(
        _file_state(view, change.path, change.before, change.after, recorded.get(change.path))
        for change in edition.changes
    )
    added = tuple(
        _file_state(view, path, None, after, recorded.get(path))
        for path, after in sorted(adds.items())
    )
    modules = {change.path for change in edition.changes}
    return _decided(view, base._replace(files=changed + added), modules)


def _decided(view: SiteSnapshot, base: PatchStatus, modules: Set[str]) -> PatchStatus:
    files = base.files
    odd = next((file for file in files if file.state == "other"), None)
    if odd:
        return _of_odd_bytes(view, base, odd)
    if all(file.state == "before" for file in files if file.path in modules):
        if base.applied is None:
            own = next((p for p in _foreign(view, base) if _is_listed(view, base, p)), None)
            if own:
                return base._replace(state="unsupported", reason="the release has %s itself" % own)
            return base._replace(state="pristine")
        return base._replace(
            state="superseded",
            reason="the distribution was installed again since the patch was applied",
            leftovers=_leftovers(view, base.applied),
        )
    if all(file.state == "after" and file.found == file.expected for file in files):
        return base._replace(state="applied", reason="unrecorded")
    return base._replace(state="outdated", reason="a mix of bytes of several versions")


def _by_record(view: SiteSnapshot, base: PatchStatus, applied: AppliedPatch) -> PatchStatus:
    """A recorded patch that the catalog does not have for this release any more."""
    files = tuple(_file_state(view, f.path, f.before, f.after, f) for f in applied.files)
    modules = {file.path for file in applied.files if file.before is not None}
    return _decided(view, base._replace(files=files), modules)


def _file_state(
    view: SiteSnapshot,
    path: str,
    before: Optional[str],
    after: str,
    recorded: Optional[FileHashes],
) -> FileStatus:
    found = _hash(view, path)
    if found == before:
        return FileStatus(path, "before" if before else "missing", before, found)
    if found == after or (recorded and found == recorded.after):
        return FileStatus(path, "after", after, found)
    if found is None:
        return FileStatus(path, "other", before, found)
    if recorded and found == recorded.before:
        return FileStatus(path, "after", after, found)
    return FileStatus(path, "other", after if recorded else before, found)


def _foreign(view: SiteSnapshot, base: PatchStatus) -> List[str]:
    """Files that a patch adds and that are there already, brought by no patch of ours.

    A helper is ours whoever lists it: patches of a distribution share it.
    """
    patched = view.state.patched if view.state else ()
    ours = {file.path for one in patched for applied in one.applied for file in applied.files}
    there = {file.path for file in base.files if file.found}
    adds = base.edition.adds if base.edition else ()
    return [one.path for one in adds if one.path in there - ours and not one.is_helper]


def _is_listed(view: SiteSnapshot, base: PatchStatus, path: str) -> bool:
    """Whether RECORD has a row for a file."""
    from jhpatch.installer import record

    listed = base.distribution and base.distribution.record and view.read(base.distribution.record)
    return bool(listed) and any(row.path == path for row in record.parse(listed or b""))


def _of_odd_bytes(view: SiteSnapshot, base: PatchStatus, odd: FileStatus) -> PatchStatus:
    """Bytes that we do not know: another build of the release, if RECORD states them."""
    from jhpatch.installer import record

    distribution = base.distribution
    listed = distribution and distribution.record and view.read(distribution.record)
    if listed and odd.found and record.stated(record.parse(listed), odd.path) == odd.found:
        reason = "another build: RECORD states the bytes of %s, no patch does" % odd.path
        return base._replace(state="unsupported", reason=reason)
    what = "is missing" if odd.found is None else "has bytes that no patch knows"
    return base._replace(state="modified", reason="%s %s" % (odd.path, what))


def _applied_files(applied: AppliedPatch) -> Tuple[FileStatus, ...]:
    return tuple(FileStatus(f.path, "after", f.after, f.after) for f in applied.files)


def _leftovers(view: SiteSnapshot, applied: Optional[AppliedPatch]) -> Tuple[FileHashes, ...]:
    """The files that we added and that are there still, with our bytes."""
    added = [file for file in applied.files if file.before is None] if applied else []
    return tuple(file for file in added if _hash(view, file.path) == file.after)


def _left(applied: Optional[AppliedPatch]) -> Optional[str]:
    return "the distribution is gone; what was recorded of it is left" if applied else None


def _hash(view: SiteSnapshot, path: str) -> Optional[str]:
    data = view.read(path)
    return None if data is None else sha256(data)
