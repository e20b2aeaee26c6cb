"""The state of each patch in a site, from the patches, the bytes and the recorded state.

``_assess`` applies the rules in order; the first that matches decides. The recorded state
names the intention, hashes the facts. The disk is read only through a ``SiteSnapshot``.
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
    """A site as the input of a plan."""

    path: str
    distributions: Dict[str, List[Distribution]]
    state: Optional[State]
    state_bytes: Optional[bytes]
    read: Callable[[str], Optional[bytes]]
    """The bytes of a file, or None. Raises UnsafePath unless it is a regular file of the site."""
    original: Callable[[str], bytes]
    """The bytes of a saved original, by SHA-256. Raises Untrusted."""
    has_directory_of: Callable[[str], bool] = lambda path: True
    """Whether the parent directory of a path exists, without a symlink on the way."""


LAYOUT, UNRECORDED, UNKNOWN_RELEASE = "layout", "unrecorded", "unknown release"


class Reason(NamedTuple):
    """The reason of a patch's state."""

    text: str
    kind: Optional[str] = None
    """``LAYOUT``, ``UNRECORDED`` or ``UNKNOWN_RELEASE``, if a command depends on it."""
    releases: Optional[str] = None
    """For an unknown release, the known ones."""


class PatchStatus(NamedTuple):
    """A patch in a site: its state and the reason."""

    patch: str
    state: str
    reason: Optional[Reason]
    edition: Optional[Edition]
    distribution: Optional[Distribution]
    applied: Optional[AppliedPatch]
    files: Tuple[FileReport, ...] = ()
    leftovers: Tuple[FileHashes, ...] = ()
    """Files that jhpatch added and that should no longer exist."""
    unlisted: Optional[Edition] = None
    """An edition whose hashes fit although its Versions do not name the release."""

    @property
    def version(self) -> Optional[str]:
        """The installed release."""
        return self.distribution.version if self.distribution else None

    @property
    def distribution_name(self) -> str:
        """The normalized name of the patch's distribution."""
        return normalized(self.patch.partition("/")[0])

    def is_because(self, kind: str) -> bool:
        """Return whether the reason is of that kind."""
        return self.reason is not None and self.reason.kind == kind


def assess(snapshot: SiteSnapshot, editions: Iterable[Edition]) -> Tuple[PatchStatus, ...]:
    """Assess each patch of the catalog and of the recorded state, in order of name."""
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
    """Return the status of a patch whose distribution is not installed."""
    return PatchStatus(patch, states.ABSENT, None, None, None, None)


def _assess(
    snapshot: SiteSnapshot, patch: str, editions: List[Edition], applied: Optional[AppliedPatch]
) -> PatchStatus:
    distributions = snapshot.distributions.get(normalized(patch.partition("/")[0]), [])
    try:
        if not distributions:
            leftovers = _leftovers(snapshot, applied)
            reason = _leftover_reason(applied)
            return PatchStatus(patch, states.ABSENT, reason, None, None, applied, (), leftovers)
        if len(distributions) > 1:
            names = " and ".join(distribution.info for distribution in distributions)
            reason = _layout_reason("two of it: " + names)
            return PatchStatus(patch, states.UNSUPPORTED, reason, None, distributions[0], applied)
        if distributions[0].layout:
            reason = _layout_reason(distributions[0].layout)
            return PatchStatus(patch, states.UNSUPPORTED, reason, None, distributions[0], applied)
        return _assess_installed(snapshot, patch, editions, applied, distributions[0])
    except UnsafePath as error:
        reason = _layout_reason("%s: %s" % (error.filename, error.strerror))
        distribution = distributions[0] if distributions else None
        return PatchStatus(patch, states.UNSUPPORTED, reason, None, distribution, applied)


def _layout_reason(text: str) -> Reason:
    return Reason("layout: " + text, LAYOUT)


def _assess_installed(
    snapshot: SiteSnapshot,
    patch: str,
    editions: List[Edition],
    applied: Optional[AppliedPatch],
    distribution: Distribution,
) -> PatchStatus:
    edition = next((edition for edition in editions if edition.fits(distribution.version)), None)
    base = PatchStatus(patch, "", None, edition, distribution, applied)
    if applied and all(_hash(snapshot, file.path) == file.after for file in applied.files):
        state, reason = _current(applied, edition, editions)
        return base._replace(state=state, reason=reason, files=_applied_files(applied))
    if edition and edition.not_needed:
        leftovers = _leftovers(snapshot, applied)
        return base._replace(
            state=states.NOT_NEEDED,
            reason=Reason(edition.not_needed),
            edition=edition,
            leftovers=leftovers,
        )
    if edition is not None:
        return _assess_files(snapshot, base, edition)
    entry = snapshot.state.of(distribution.name) if snapshot.state else None
    if applied and entry and entry.version == distribution.version:
        return _assess_recorded(snapshot, base, applied)
    return _assess_unknown_release(snapshot, base, editions)


def _current(
    applied: AppliedPatch, edition: Optional[Edition], editions: List[Edition]
) -> Tuple[str, Optional[Reason]]:
    """Return ``applied``, or ``outdated`` if the catalog has another patch for this release."""
    edition = edition or next(
        (candidate for candidate in editions if candidate.name == applied.edition), None
    )
    if edition is None:
        return states.APPLIED, Reason("the catalog no longer has this patch for this release")
    if edition.not_needed or digest(edition) != applied.digest:
        return states.OUTDATED, Reason("the catalog has another version of this patch")
    return states.APPLIED, None


def _assess_unknown_release(
    snapshot: SiteSnapshot, base: PatchStatus, editions: List[Edition]
) -> PatchStatus:
    """Assess a patch for a release that no edition names; an edition may fit its bytes."""
    changing = (edition for edition in editions if edition.changes)
    fits = next((edition for edition in changing if _is_before(snapshot, edition)), None)
    ranges = (interval for edition in editions if edition.changes for interval in edition.ranges)
    releases = versions.near(base.version or "", ranges)
    text = "release %s is not known; known: %s" % (base.version, releases)
    if fits:
        text += "; its bytes are those of %s: --allow-unlisted accepts them" % fits.name
    return base._replace(
        state=states.UNSUPPORTED,
        reason=Reason(text, UNKNOWN_RELEASE, releases),
        unlisted=fits,
        leftovers=_leftovers(snapshot, base.applied),
    )


def _is_before(snapshot: SiteSnapshot, edition: Edition) -> bool:
    return all(_hash(snapshot, change.path) == change.before for change in edition.changes)


def _assess_files(snapshot: SiteSnapshot, base: PatchStatus, edition: Edition) -> PatchStatus:
    """Assess by the bytes: modified, pristine, superseded, applied or outdated."""
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
    return _decide(snapshot, base._replace(files=changed + added), modules)


def _decide(snapshot: SiteSnapshot, base: PatchStatus, modules: Set[str]) -> PatchStatus:
    files = base.files
    other = next((file for file in files if file.state == states.OTHER), None)
    if other:
        return _assess_other(snapshot, base, other)
    if all(file.state == states.BEFORE for file in files if file.path in modules):
        if base.applied is None:
            paths = _foreign_files(snapshot, base)
            listed = next((path for path in paths if _is_listed(snapshot, base, path)), None)
            if listed:
                reason = Reason("the release has %s itself" % listed)
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


def _assess_recorded(
    snapshot: SiteSnapshot, base: PatchStatus, applied: AppliedPatch
) -> PatchStatus:
    """Assess a recorded patch that the catalog no longer has for this release."""
    files = tuple(_file_state(snapshot, f.path, f.before, f.after, f) for f in applied.files)
    modules = {file.path for file in applied.files if file.before is not None}
    return _decide(snapshot, base._replace(files=files), modules)


def _file_state(
    snapshot: SiteSnapshot,
    path: str,
    before: Optional[str],
    after: str,
    recorded: Optional[FileHashes],
) -> FileReport:
    digest = _hash(snapshot, path)
    if digest == before:
        return FileReport(path, states.BEFORE if before else states.MISSING, before, digest)
    if digest == after or (recorded and digest == recorded.after):
        return FileReport(path, states.AFTER, after, digest)
    if digest is None:
        return FileReport(path, states.OTHER, before, digest)
    if recorded and digest == recorded.before:
        return FileReport(path, states.AFTER, after, digest)
    return FileReport(path, states.OTHER, after if recorded else before, digest)


def _foreign_files(snapshot: SiteSnapshot, base: PatchStatus) -> List[str]:
    """Return the files that a patch adds and that exist already, added by no recorded patch.

    Helpers are not among them: the patches of a distribution share them.
    """
    recorded = {file.path for patch in _applied(snapshot) for file in patch.files}
    existing = {file.path for file in base.files if file.found}
    adds = base.edition.adds if base.edition else ()
    paths = (addition.path for addition in adds if not addition.is_helper)
    return [path for path in paths if path in existing - recorded]


def _is_listed(snapshot: SiteSnapshot, base: PatchStatus, path: str) -> bool:
    """Return whether RECORD has a row for a file."""
    from jhpatch.installer import record

    content = (
        base.distribution and base.distribution.record and snapshot.read(base.distribution.record)
    )
    return bool(content) and any(row.path == path for row in record.parse(content or b""))


def _assess_other(snapshot: SiteSnapshot, base: PatchStatus, file: FileReport) -> PatchStatus:
    """Assess unknown bytes: another build of the release if RECORD has their hash."""
    from jhpatch.installer import record

    distribution = base.distribution
    content = distribution and distribution.record and snapshot.read(distribution.record)
    if content and file.found and record.stated(record.parse(content), file.path) == file.found:
        text = "another build: RECORD states the bytes of %s, no patch does" % file.path
        return base._replace(state=states.UNSUPPORTED, reason=Reason(text))
    message = "is missing" if file.found is None else "has bytes that no patch knows"
    return base._replace(state=states.MODIFIED, reason=Reason("%s %s" % (file.path, message)))


def _applied_files(applied: AppliedPatch) -> Tuple[FileReport, ...]:
    return tuple(FileReport(f.path, states.AFTER, f.after, f.after) for f in applied.files)


def _leftovers(snapshot: SiteSnapshot, applied: Optional[AppliedPatch]) -> Tuple[FileHashes, ...]:
    """Return the files that the patch added and that still have its bytes."""
    added = [file for file in applied.files if file.before is None] if applied else []
    return tuple(file for file in added if _hash(snapshot, file.path) == file.after)


def _leftover_reason(applied: Optional[AppliedPatch]) -> Optional[Reason]:
    text = "the distribution is gone; what was recorded of it is left"
    return Reason(text) if applied else None


def _hash(snapshot: SiteSnapshot, path: str) -> Optional[str]:
    data = snapshot.read(path)
    return None if data is None else sha256(data)
