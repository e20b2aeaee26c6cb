"""The reasons for which a command refuses a patch, each with the next command to type."""

from typing import List, Optional, Tuple

from jhpatch.errors import (
    JhpatchError,
    Refused,
    jhpatch_command,
    python_command,
    reinstall_command,
)
from jhpatch.installer.assessment import LAYOUT, PatchStatus, SiteSnapshot
from jhpatch.patchset import versions
from jhpatch.report import states

Refusals = List[Tuple[str, JhpatchError]]
"""Pairs of a refused patch and its error."""


def of_apply(
    snapshot: SiteSnapshot, status: PatchStatus, named: bool, tool: str
) -> Optional[JhpatchError]:
    """Return why ``apply`` refuses a patch, or None; ``tool`` is the version of jhpatch."""
    if status.state == states.MODIFIED:
        return modified(snapshot, status, reverting=False)
    outdated = status.state == states.OUTDATED
    if status.state == states.UNSUPPORTED or (outdated and status.edition is None):
        return _unsupported(snapshot, status)
    if status.state == states.ABSENT and named and not status.applied:
        return Refused(
            "%s: its distribution is not installed here" % status.patch,
            path=snapshot.path,
            expected=status.patch.partition("/")[0],
            found="nothing",
            next=jhpatch_command("status"),
        )
    if outdated and snapshot.state and _is_newer(snapshot.state.tool, tool):
        return Refused(
            "%s was applied by a newer jhpatch" % status.patch,
            path=snapshot.path,
            expected="jhpatch %s or older" % tool,
            found="jhpatch " + snapshot.state.tool,
            next=python_command("pip", "install", "jhpatch>=" + snapshot.state.tool),
        )
    return None


def of_revert(snapshot: SiteSnapshot, status: PatchStatus, force: bool) -> Optional[JhpatchError]:
    """Return why ``revert`` refuses a patch, or None."""
    if status.state == states.MODIFIED and not (force and _is_recorded(snapshot, status)):
        return modified(snapshot, status, reverting=True)
    is_layout = bool(status.reason) and status.reason.kind == LAYOUT  # type: ignore[union-attr]
    if status.state == states.UNSUPPORTED and status.applied and is_layout:
        return _unsupported(snapshot, status)
    return None


def of_additions(snapshot: SiteSnapshot, statuses: List[PatchStatus]) -> Refusals:
    """Refuse added files without a parent directory: jhpatch creates none in a site."""
    refusals: Refusals = []
    for status in statuses:
        for addition in status.edition.adds if status.edition else ():
            if not snapshot.has_directory_of(addition.path):
                error = Refused(
                    "%s adds a file where there is no folder" % status.patch,
                    path="%s/%s" % (snapshot.path, addition.path),
                    expected="a folder of the distribution",
                    found="none",
                    next=jhpatch_command("lint"),
                )
                refusals.append((status.patch, error))
                break
    return refusals


def of_shared_files(snapshot: SiteSnapshot, statuses: List[PatchStatus]) -> Refusals:
    """Refuse the second of two patches that change the same file, with both names."""
    owners = {
        file.path: patch.patch
        for patch in (snapshot.state.patches() if snapshot.state else ())
        for file in patch.files
        if file.before is not None
    }
    refusals: Refusals = []
    for status in statuses:
        for change in status.edition.changes if status.edition else ():
            owner = owners.setdefault(change.path, status.patch)
            if owner != status.patch:
                error = Refused(
                    "two patches change the same file: %s and %s" % (owner, status.patch),
                    path="%s/%s" % (snapshot.path, change.path),
                    next=jhpatch_command("apply", owner) + ", or revert %s first" % owner,
                )
                refusals.append((status.patch, error))
    return refusals


def modified(snapshot: SiteSnapshot, status: PatchStatus, reverting: bool) -> Refused:
    """Return the refusal of a patch with a file whose bytes are unknown."""
    file = next((file for file in status.files if file.state == states.OTHER), None)
    command = reinstall_command("%s==%s" % (status.patch.partition("/")[0], status.version))
    if reverting and status.applied:
        command = jhpatch_command("revert", "--force", status.patch)
    reason = status.reason.text if status.reason else "the bytes are not known"
    return Refused(
        "%s: %s" % (status.patch, reason),
        path="%s/%s" % (snapshot.path, file.path) if file else snapshot.path,
        expected="sha256:%s" % file.expected if file and file.expected else None,
        found=("sha256:%s" % file.found if file.found else "no file") if file else None,
        next=jhpatch_command("diff", status.patch) + "; then " + command,
    )


def _unsupported(snapshot: SiteSnapshot, status: PatchStatus) -> Refused:
    reason = status.reason
    return Refused(
        "%s does not fit: %s" % (status.patch, reason.text if reason else None),
        path=snapshot.path,
        expected=(reason and reason.releases) or "a release that a patch was made for",
        found="%s %s" % (status.patch.partition("/")[0], status.version or ""),
        next=jhpatch_command("apply", "--allow-unlisted", status.patch)
        if status.unlisted
        else jhpatch_command("list"),
    )


def _is_recorded(snapshot: SiteSnapshot, status: PatchStatus) -> bool:
    """Return whether the patched release is still installed, which --force requires."""
    distribution = status.distribution
    entry = snapshot.state.of(distribution.name) if snapshot.state and distribution else None
    return bool(status.applied and entry and entry.version == status.version)


def _is_newer(version: str, other: str) -> bool:
    return versions.key(version) > versions.key(other)
