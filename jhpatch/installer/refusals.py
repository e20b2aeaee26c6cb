"""Why a command will not change a patch, each with the command to type next."""

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
"""Each with the patch that is refused."""


def of_apply(
    snapshot: SiteSnapshot, status: PatchStatus, named: bool, tool: str
) -> Optional[JhpatchError]:
    """Why ``apply`` by jhpatch ``tool`` refuses a patch; None where its state allows it."""
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
    """Why ``revert`` refuses a patch; None where its state allows it."""
    if status.state == states.MODIFIED and not (force and _is_recorded(snapshot, status)):
        return modified(snapshot, status, reverting=True)
    is_layout = bool(status.reason) and status.reason.kind == LAYOUT  # type: ignore[union-attr]
    if status.state == states.UNSUPPORTED and status.applied and is_layout:
        return _unsupported(snapshot, status)
    return None


def of_additions(snapshot: SiteSnapshot, wanted: List[PatchStatus]) -> Refusals:
    """A file is added to a package that is there; jhpatch makes no directory in a site."""
    refusals: Refusals = []
    for status in wanted:
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


def of_shared_files(snapshot: SiteSnapshot, wanted: List[PatchStatus]) -> Refusals:
    """A file belongs to one patch at most: the second is refused, with both names."""
    owners = {
        file.path: patch.patch
        for patch in (snapshot.state.patches() if snapshot.state else ())
        for file in patch.files
        if file.before is not None
    }
    refusals: Refusals = []
    for status in wanted:
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
    """A file of the patch holds bytes that no patch knows."""
    file = next((file for file in status.files if file.state == states.OTHER), None)
    again = reinstall_command("%s==%s" % (status.patch.partition("/")[0], status.version))
    if reverting and status.applied:
        again = jhpatch_command("revert", "--force", status.patch)
    reason = status.reason.text if status.reason else "the bytes are not known"
    return Refused(
        "%s: %s" % (status.patch, reason),
        path="%s/%s" % (snapshot.path, file.path) if file else snapshot.path,
        expected="sha256:%s" % file.expected if file and file.expected else None,
        found=("sha256:%s" % file.found if file.found else "no file") if file else None,
        next=jhpatch_command("diff", status.patch) + "; then " + again,
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
    """Whether the changed file is of the release that was patched, so that --force may act."""
    distribution = status.distribution
    entry = snapshot.state.of(distribution.name) if snapshot.state and distribution else None
    return bool(status.applied and entry and entry.version == status.version)


def _is_newer(version: str, other: str) -> bool:
    return versions.key(version) > versions.key(other)
