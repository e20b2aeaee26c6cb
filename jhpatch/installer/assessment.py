"""Patches, bytes and state → the state that each patch has in a site.

The rules stand in their order in ``_assess``; the first that holds decides. State
says what was meant, hashes say what is. The disk is seen only through the ``SiteSnapshot``
that is passed in.
"""

from typing import Callable, Dict, Iterable, List, Optional, Set, Tuple

from jhpatch.installer.distribution import Distribution
from jhpatch.installer.state import AppliedPatch, FileHashes, State
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset import versions
from jhpatch.patchset.edition import Edition, digest, normalized
from jhpatch.report import states
from jhpatch.report.result import FileReport
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
    has_directory_of: Callable[[str], bool] = lambda path: True
    """Whether the directory of a path is there, and reached through no symlink."""


LAYOUT, UNRECORDED, UNKNOWN_RELEASE = "layout", "unrecorded", "unknown release"


class Reason(NamedTuple):
    """Why a patch is in its state."""

    text: str
    kind: Optional[str] = None
    """``LAYOUT``, ``UNRECORDED`` or ``UNKNOWN_RELEASE``, where a command must know."""
    releases: Optional[str] = None
    """Of an unknown release: the known ones."""


class PatchStatus(NamedTuple):
    """A patch in a site: its state, and why."""

    patch: str
    state: str
    reason: Optional[Reason]
    edition: Optional[Edition]
    distribution: Optional[Distribution]
    applied: Optional[AppliedPatch]
    files: Tuple[FileReport, ...] = ()
    leftovers: Tuple[FileHashes, ...] = ()
    """Files that we added and that are still there, though they should not be."""
    unlisted: Optional[Edition] = None
    """An edition whose bytes fit although its Versions do not name the release."""

    @property
    def version(self) -> Optional[str]:
        """The installed release."""
        return self.distribution.version if self.distribution else None

    @property
    def distribution_name(self) -> str:
        """The normalized name of the patch's distribution."""
        return normalized(self.patch.partition("/")[0])

    def is_because(self, kind: str) -> bool:
        """Whether the reason is of that kind."""
        return self.reason is not None and self.reason.kind == kind


def assess(snapshot: SiteSnapshot, editions: Iterable[Edition]) -> Tuple[PatchStatus, ...]:
    """The state of each patch of the catalog and of the site's own state, by name."""
    by_patch: Dict[str, List[Edition]] = {}
    for edition in editions:
        by_patch.setdefault(edition.patch, []).append(edition)
    recorded = {patch.patch: patch for patch in _applied(snapshot)}
    for patch in recorded:
        by_patch.setdefault(patch, [])
    return tuple(
        _assess(snapshot, patch, by_patch[patch], recorded.get(patch))
        for patch in sorted(by_patch)
    )


def _applied(snapshot: SiteSnapshot) -> Tuple[AppliedPatch, ...]:
    return snapshot.state.patches() if snapshot.state else ()


def absent(patch: str) -> PatchStatus:
    """A patch whose distribution is not installed, and of which nothing is left."""
    return PatchStatus(patch, states.ABSENT, None, None, None, None)


def _assess(
    snapshot: SiteSnapshot, patch: str, editions: List[Edition], applied: Optional[AppliedPatch]
) -> PatchStatus:
    found = snapshot.distributions.get(normalized(patch.partition("/")[0]), [])
    try:
        if not found:
            left = _leftovers(snapshot, applied)
            reason = _left(applied)
            return PatchStatus(patch, states.ABSENT, reason, None, None, applied, (), left)
        if len(found) > 1:
            reason = _layout("two of it: " + " and ".join(one.info for one in found))
            return PatchStatus(patch, states.UNSUPPORTED, reason, None, found[0], applied)
        if found[0].layout:
            reason = _layout(found[0].layout)
            return PatchStatus(patch, states.UNSUPPORTED, reason, None, found[0], applied)
        return _of_installed(snapshot, patch, editions, applied, found[0])
    except UnsafePath as error:
        reason = _layout("%s: %s" % (error.filename, error.strerror))
        distribution = found[0] if found else None
        return PatchStatus(patch, states.UNSUPPORTED, reason, None, distribution, applied)


def _layout(text: str) -> Reason:
    return Reason("layout: " + text, LAYOUT)


def _of_installed(
    snapshot: SiteSnapshot,
    patch: str,
    editions: List[Edition],
    applied: Optional[AppliedPatch],
    distribution: Distribution,
) -> PatchStatus:
    edition = next((one for one in editions if one.fits(distribution.version)), None)
    base = PatchStatus(patch, "", None, edition, distribution, applied)
    if applied and all(_hash(snapshot, file.path) == file.after for file in applied.files):
        state, reason = _current(applied, edition, editions)
        return base._replace(state=state, reason=reason, files=_applied_files(applied))
    if edition and edition.not_needed:
        left = _leftovers(snapshot, applied)
        return base._replace(
            state=states.NOT_NEEDED,
            reason=Reason(edition.not_needed),
            edition=edition,
            leftovers=left,
        )
    if edition is not None:
        return _by_bytes(snapshot, base, edition)
    entry = snapshot.state.of(distribution.name) if snapshot.state else None
    if applied and entry and entry.version == distribution.version:
        return _by_record(snapshot, base, applied)
    return _unlisted(snapshot, base, editions)


def _current(
    applied: AppliedPatch, edition: Optional[Edition], editions: List[Edition]
) -> Tuple[str, Optional[Reason]]:
    """``applied``, or ``outdated`` where the catalog's patch for this release is another."""
    edition = edition or next((one for one in editions if one.name == applied.edition), None)
    if edition is None:
        return states.APPLIED, Reason("the catalog no longer has this patch for this release")
    if edition.not_needed or digest(edition) != applied.digest:
        return states.OUTDATED, Reason("the catalog has another version of this patch")
    return states.APPLIED, None


def _unlisted(snapshot: SiteSnapshot, base: PatchStatus, editions: List[Edition]) -> PatchStatus:
    """No edition names the release; perhaps one has its bytes."""
    fits = next((e for e in editions if e.changes and _is_before(snapshot, e)), None)
    ranges = (one for edition in editions if edition.changes for one in edition.ranges)
    known = versions.near(base.version or "", ranges)
    text = "release %s is not known; known: %s" % (base.version, known)
    if fits:
        text += "; its bytes are those of %s: --allow-unlisted accepts them" % fits.name
    return base._replace(
        state=states.UNSUPPORTED,
        reason=Reason(text, UNKNOWN_RELEASE, known),
        unlisted=fits,
        leftovers=_leftovers(snapshot, base.applied),
    )


def _is_before(snapshot: SiteSnapshot, edition: Edition) -> bool:
    return all(_hash(snapshot, change.path) == change.before for change in edition.changes)


def _by_bytes(snapshot: SiteSnapshot, base: PatchStatus, edition: Edition) -> PatchStatus:
    """The states that the bytes decide: modified, pristine, superseded, applied, outdated."""
    applied = base.applied
    adds = {addition.path: sha256(addition.data) for addition in edition.adds}
    recorded = {file.path: file for file in applied.files} if applied else {}
    changed = tuple(
        _file_state(snapshot, change.path, change.before, change.after, recorded.get(change.path))
        for change in edition.changes
    )
    added = tuple(
        _file_state(snapshot, path, None, after, recorded.get(path))
        for path, after in sorted(adds.items())
    )
    modules = {change.path for change in edition.changes}
    return _decided(snapshot, base._replace(files=changed + added), modules)


def _decided(snapshot: SiteSnapshot, base: PatchStatus, modules: Set[str]) -> PatchStatus:
    files = base.files
    odd = next((file for file in files if file.state == states.OTHER), None)
    if odd:
        return _of_odd_bytes(snapshot, base, odd)
    if all(file.state == states.BEFORE for file in files if file.path in modules):
        if base.applied is None:
            own = next(
                (p for p in _foreign(snapshot, base) if _is_listed(snapshot, base, p)), None
            )
            if own:
                reason = Reason("the release has %s itself" % own)
                return base._replace(state=states.UNSUPPORTED, reason=reason)
            return base._replace(state=states.PRISTINE)
        return base._replace(
            state=states.SUPERSEDED,
            reason=Reason("the distribution was installed again since the patch was applied"),
            leftovers=_leftovers(snapshot, base.applied),
        )
    if all(file.state == states.AFTER and file.found == file.expected for file in files):
        return base._replace(state=states.APPLIED, reason=Reason("unrecorded", UNRECORDED))
    return base._replace(
        state=states.OUTDATED, reason=Reason("a mix of bytes of several versions")
    )


def _by_record(snapshot: SiteSnapshot, base: PatchStatus, applied: AppliedPatch) -> PatchStatus:
    """A recorded patch that the catalog does not have for this release any more."""
    files = tuple(_file_state(snapshot, f.path, f.before, f.after, f) for f in applied.files)
    modules = {file.path for file in applied.files if file.before is not None}
    return _decided(snapshot, base._replace(files=files), modules)


def _file_state(
    snapshot: SiteSnapshot,
    path: str,
    before: Optional[str],
    after: str,
    recorded: Optional[FileHashes],
) -> FileReport:
    found = _hash(snapshot, path)
    if found == before:
        return FileReport(path, states.BEFORE if before else states.MISSING, before, found)
    if found == after or (recorded and found == recorded.after):
        return FileReport(path, states.AFTER, after, found)
    if found is None:
        return FileReport(path, states.OTHER, before, found)
    if recorded and found == recorded.before:
        return FileReport(path, states.AFTER, after, found)
    return FileReport(path, states.OTHER, after if recorded else before, found)


def _foreign(snapshot: SiteSnapshot, base: PatchStatus) -> List[str]:
    """Files that a patch adds and that are there already, brought by no patch of ours.

    A helper is ours whoever lists it: patches of a distribution share it.
    """
    ours = {file.path for patch in _applied(snapshot) for file in patch.files}
    there = {file.path for file in base.files if file.found}
    adds = base.edition.adds if base.edition else ()
    return [one.path for one in adds if one.path in there - ours and not one.is_helper]


def _is_listed(snapshot: SiteSnapshot, base: PatchStatus, path: str) -> bool:
    """Whether RECORD has a row for a file."""
    from jhpatch.installer import record

    listed = (
        base.distribution and base.distribution.record and snapshot.read(base.distribution.record)
    )
    return bool(listed) and any(row.path == path for row in record.parse(listed or b""))


def _of_odd_bytes(snapshot: SiteSnapshot, base: PatchStatus, odd: FileReport) -> PatchStatus:
    """Bytes that we do not know: another build of the release, if RECORD states them."""
    from jhpatch.installer import record

    distribution = base.distribution
    listed = distribution and distribution.record and snapshot.read(distribution.record)
    if listed and odd.found and record.stated(record.parse(listed), odd.path) == odd.found:
        text = "another build: RECORD states the bytes of %s, no patch does" % odd.path
        return base._replace(state=states.UNSUPPORTED, reason=Reason(text))
    what = "is missing" if odd.found is None else "has bytes that no patch knows"
    return base._replace(state=states.MODIFIED, reason=Reason("%s %s" % (odd.path, what)))


def _applied_files(applied: AppliedPatch) -> Tuple[FileReport, ...]:
    return tuple(FileReport(f.path, states.AFTER, f.after, f.after) for f in applied.files)


def _leftovers(snapshot: SiteSnapshot, applied: Optional[AppliedPatch]) -> Tuple[FileHashes, ...]:
    """The files that we added and that are there still, with our bytes."""
    added = [file for file in applied.files if file.before is None] if applied else []
    return tuple(file for file in added if _hash(snapshot, file.path) == file.after)


def _left(applied: Optional[AppliedPatch]) -> Optional[Reason]:
    text = "the distribution is gone; what was recorded of it is left"
    return Reason(text) if applied else None


def _hash(snapshot: SiteSnapshot, path: str) -> Optional[str]:
    data = snapshot.read(path)
    return None if data is None else sha256(data)
