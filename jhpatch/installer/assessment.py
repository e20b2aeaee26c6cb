"""The state of each patch in a site, from the patches, the bytes and the recorded state.

``_assess`` applies the rules in order; the first that matches decides. The recorded state
lists what was applied; only hashes prove what is installed now. The disk is read only through
a ``SiteSnapshot``.
"""

import errno
from typing import Dict, Iterable, List, Optional, Set, Tuple

from jhpatch.installer.applied_files import listed_by_the_release, owner_of
from jhpatch.installer.distribution import Distribution
from jhpatch.installer.patch_status import (
    BELONGS,
    COMPILED,
    LAYOUT,
    UNKNOWN_RELEASE,
    UNRECORDED,
    PatchStatus,
    Reason,
    SiteSnapshot,
)
from jhpatch.installer.state import AppliedPatch, FileHashes
from jhpatch.patchset import versions
from jhpatch.patchset.edition import Edition, digest, normalized
from jhpatch.report import states
from jhpatch.report.result import FileReport
from jhpatch.system.rooted_files import UnsafePath
from jhpatch.system.sha256 import sha256


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


def absent(patch: str, abandoned: Iterable[Distribution] = ()) -> PatchStatus:
    """Return the status of a patch whose distribution is not installed.

    ``abandoned`` are as in ``SiteSnapshot``.
    """
    name = normalized(patch.partition("/")[0])
    entries = (distribution.info for distribution in abandoned if distribution.name == name)
    reason = next((Reason("an interrupted run of pip left " + entry) for entry in entries), None)
    return PatchStatus(patch, states.ABSENT, reason, None, None, None)


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
            reason = _layout_reason("several metadata directories: " + names)
            return PatchStatus(patch, states.UNSUPPORTED, reason, None, distributions[0], applied)
        if distributions[0].layout:
            reason = _layout_reason(distributions[0].layout)
            return PatchStatus(patch, states.UNSUPPORTED, reason, None, distributions[0], applied)
        return _assess_installed(snapshot, patch, editions, applied, distributions[0])
    except UnsafePath as error:
        is_link = error.errno == errno.ELOOP
        text = " is a symlink" if is_link else ": %s" % error.strerror
        reason = _layout_reason("%s%s" % (error.filename, text))
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
        return states.APPLIED, Reason(
            "no patch directory of this run has this patch for this release"
        )
    if edition.not_needed or digest(edition) != applied.digest:
        return states.OUTDATED, Reason("the patch directory has another version of this patch")
    return states.APPLIED, None


def _assess_unknown_release(
    snapshot: SiteSnapshot, base: PatchStatus, editions: List[Edition]
) -> PatchStatus:
    """Assess a patch for a release that no edition names; an edition may fit its bytes."""
    changing = (edition for edition in editions if edition.changes)
    fits = next((edition for edition in changing if _is_before(snapshot, edition)), None)
    ranges = (interval for edition in editions if edition.changes for interval in edition.ranges)
    releases = versions.near(base.version or "", ranges)
    text = "release %s is untested; tested releases: %s" % (base.version, releases)
    if fits:
        text += "; patch file %s fits: --allow-unlisted accepts the release" % fits.name
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
    paths = {change.path for change in edition.changes}
    owner = owner_of(snapshot.state, base.patch, paths, lambda path: _hash(snapshot, path))
    if owner and not applied:
        reason = Reason("%s belongs to %s, which is applied" % owner, BELONGS, owner=owner[1])
        return base._replace(state=states.UNSUPPORTED, reason=reason)
    for path in sorted(paths) if not applied else ():
        copy = snapshot.compiled_copy(path)
        if copy:
            reason = Reason("Python imports %s in place of %s" % (copy, path), COMPILED)
            return base._replace(state=states.UNSUPPORTED, reason=reason)
    adds = {addition.path: sha256(addition.data) for addition in edition.adds}
    # Another patch may have added a different version of a shared file.
    files = (file for patch in _applied(snapshot) for file in patch.files)
    recorded = {file.path: file for file in files if file.before is None}
    recorded.update({file.path: file for file in applied.files} if applied else {})
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
    unpatched = (states.BEFORE, states.MISSING)
    if all(file.state in unpatched for file in files if file.path in modules):
        if base.applied is None:
            paths = _foreign_files(snapshot, base)
            listed = next((path for path in paths if _is_listed(snapshot, base, path)), None)
            if listed:
                reason = Reason("the release itself contains %s" % listed)
                return base._replace(state=states.UNSUPPORTED, reason=reason)
            return base._replace(state=states.PRISTINE)
        return base._replace(
            state=states.SUPERSEDED,
            reason=Reason("the files are unpatched again, for example after a reinstallation"),
            leftovers=_leftovers(snapshot, base.applied),
        )
    if all(file.state == states.AFTER and file.found == file.expected for file in files):
        return base._replace(state=states.APPLIED, reason=Reason("unrecorded", UNRECORDED))
    return base._replace(
        state=states.OUTDATED,
        reason=Reason("the patch is applied only in part, or in another version"),
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
    after: Optional[str],
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

    Helpers do not count: the patches of a distribution share them.
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
        text = "another build: RECORD has another hash of %s than the patch" % file.path
        return base._replace(state=states.UNSUPPORTED, reason=Reason(text))
    message = "is missing" if file.found is None else "was modified"
    return base._replace(state=states.MODIFIED, reason=Reason("%s %s" % (file.path, message)))


def _applied_files(applied: AppliedPatch) -> Tuple[FileReport, ...]:
    return tuple(FileReport(f.path, states.AFTER, f.after, f.after) for f in applied.files)


def _leftovers(snapshot: SiteSnapshot, applied: Optional[AppliedPatch]) -> Tuple[FileHashes, ...]:
    """Return the files that the patch added and that still have its bytes.

    Files that a new RECORD lists do not count: the installed release has the same file.
    """
    added = [file for file in applied.files if file.before is None] if applied else []
    left = [file for file in added if _hash(snapshot, file.path) == file.after]
    if not applied or not left:
        return ()
    name = normalized(applied.patch.partition("/")[0])
    installed = snapshot.distributions.get(name) or []
    path = installed[0].record if installed else None
    record = snapshot.read(path) if path else None
    listed = listed_by_the_release(snapshot.state, name, record)
    return tuple(file for file in left if file.path not in listed)


def _leftover_reason(applied: Optional[AppliedPatch]) -> Optional[Reason]:
    text = "the distribution was removed, but .jhpatch still lists the patch"
    return Reason(text) if applied else None


def _hash(snapshot: SiteSnapshot, path: str) -> Optional[str]:
    data = snapshot.read(path)
    return None if data is None else sha256(data)
