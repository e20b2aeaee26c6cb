"""The reasons for which a command refuses a patch, each with the next command to type."""

import os
from typing import Dict, List, Optional, Tuple

from jhpatch.errors import JhpatchError, NextStep, Refused, jhpatch_command
from jhpatch.installer import compiled_modules
from jhpatch.installer.patch_status import COMPILED, LAYOUT, PatchStatus, SiteSnapshot
from jhpatch.patchset import versions
from jhpatch.report import states
from jhpatch.system.sha256 import sha256

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
        abandoned = [row for row in snapshot.abandoned if row.name == status.distribution_name]
        return Refused(
            "%s: its distribution is not installed here" % status.patch,
            path=snapshot.path,
            expected=status.patch.partition("/")[0],
            found=status.reason.text if status.reason else "nothing",
            next=snapshot.reinstall(*abandoned) if abandoned else jhpatch_command("status"),
        )
    if outdated and snapshot.state and is_newer(snapshot.state.tool, tool):
        return Refused(
            "%s: a newer jhpatch has changed this site" % status.patch,
            path=snapshot.path,
            expected="jhpatch %s or older" % tool,
            found="jhpatch " + snapshot.state.tool,
            next="install jhpatch %s or later from where you obtained this version of jhpatch"
            % snapshot.state.tool,
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
    """Refuse files to add to a missing package, and two different files for one path.

    jhpatch creates directories only in a package that exists in the site.
    """
    refusals: Refusals = []
    added: Dict[str, Tuple[PatchStatus, bytes]] = {}
    for status in statuses:
        for addition in status.edition.adds if status.edition else ():
            path = "%s/%s" % (snapshot.path, addition.path)
            if not snapshot.has_directory_of("/".join(addition.path.split("/")[:2])):
                error = Refused(
                    "%s adds a file to a directory that does not exist" % status.patch,
                    path=path,
                    expected="a directory of the distribution",
                    found="none",
                    next=_lint(status),
                )
                refusals.append((status.patch, error))
                break
            owner, data = added.setdefault(addition.path, (status, addition.data))
            if data != addition.data:
                error = Refused(
                    "two patches add different versions of the same file: %s and %s"
                    % (owner.patch, status.patch),
                    path=path,
                    next=_lint(owner, status),
                )
                refusals.append((status.patch, error))
                break
    return refusals


def _lint(*statuses: PatchStatus) -> NextStep:
    """Return lint for the patch directories of patches; without them, it checks jhpatch's own."""
    files = [status.edition.file for status in statuses if status.edition]
    directories = dict.fromkeys(os.path.dirname(os.path.dirname(file)) or "." for file in files)
    return jhpatch_command("lint", *(word for row in directories for word in ("--patches", row)))


def of_sibling(
    snapshot: SiteSnapshot,
    status: PatchStatus,
    sibling: PatchStatus,
    reason: Optional[JhpatchError],
) -> Optional[JhpatchError]:
    """Return why ``status`` must not change an added file of an applied patch, or None.

    ``reason`` is why that patch cannot be updated; None if it is current.
    """
    for addition in status.edition.adds if status.edition else ():
        data = snapshot.read(addition.path)
        if addition.path in sibling.added and data is not None and data != addition.data:
            why = reason.message if reason else "it is applied with its own version of the file"
            return Refused(
                "%s changes a file that %s needs, but %s cannot be updated: %s"
                % (status.patch, sibling.patch, sibling.patch, why),
                path="%s/%s" % (snapshot.path, addition.path),
                expected="sha256:" + sha256(addition.data),
                found="sha256:" + sha256(data),
                next=(reason and reason.next) or jhpatch_command("revert", sibling.patch),
            )
    return None


def of_shared_files(snapshot: SiteSnapshot, statuses: List[PatchStatus]) -> Refusals:
    """Refuse the second of two patches that change the same file, with both names.

    Patches may share a file that they add, but not one that a diff creates.
    """
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
                error = _shared(snapshot, change.path, owner, status.patch)
                refusals.append((status.patch, error))
    for status in statuses:
        for addition in status.edition.adds if status.edition else ():
            owner = owners.get(addition.path, status.patch)
            if owner != status.patch:
                error = _shared(snapshot, addition.path, owner, status.patch)
                refusals.append((status.patch, error))
    return refusals


def _shared(snapshot: SiteSnapshot, path: str, owner: str, patch: str) -> Refused:
    return Refused(
        "two patches change the same file: %s and %s" % (owner, patch),
        path="%s/%s" % (snapshot.path, path),
        next="apply only one of them: "
        + jhpatch_command("apply", owner)
        + "; or "
        + jhpatch_command("revert", owner)
        + " && "
        + jhpatch_command("apply", patch),
    )


def modified(snapshot: SiteSnapshot, status: PatchStatus, reverting: bool) -> Refused:
    """Return the refusal of a patch with a file whose bytes are unknown."""
    file = next((file for file in status.files if file.state == states.OTHER), None)
    which = [status.distribution] if status.distribution else []
    command = snapshot.reinstall(*which)
    is_recorded = _is_recorded(snapshot, status)
    if reverting and is_recorded:
        command = jhpatch_command("revert", "--force", status.patch)
    reason = status.reason.text if status.reason else "a file has unknown bytes"
    next_step = jhpatch_command("diff", status.patch) + "; then " + command
    added = {addition.path for addition in status.edition.adds} if status.edition else set()
    if file and file.path in added and not is_recorded:
        # No release has this file, so a reinstallation would not replace it.
        next_step = "move this file to another directory; then " + jhpatch_command(
            "revert" if reverting and status.applied else "apply", status.patch
        )
    return Refused(
        "%s: %s" % (status.patch, reason),
        path="%s/%s" % (snapshot.path, file.path) if file else snapshot.path,
        expected="sha256:%s" % file.expected if file and file.expected else None,
        found=("sha256:%s" % file.found if file.found else "no file") if file else None,
        next=next_step,
    )


def _unsupported(snapshot: SiteSnapshot, status: PatchStatus) -> Refused:
    reason = status.reason
    if reason and reason.owner:
        return Refused(
            "two patches change the same file: %s and %s" % (reason.owner, status.patch),
            path="%s/%s" % (snapshot.path, reason.text.partition(" belongs to ")[0]),
            expected="a file that only one patch changes",
            found=reason.text,
            # The state does not record the patch directory of the owner.
            next=jhpatch_command("revert", reason.owner)
            + " && "
            + jhpatch_command("apply", status.patch)
            + "; or combine both patches in one: edit the file, then create %s again, with its "
            "own patch directory as --patches, or, if it comes with jhpatch, with yours and "
            "--only-patches" % reason.owner,
        )
    if reason and reason.kind == COMPILED:
        changes = status.edition.changes if status.edition else ()
        copies = ((change.path, snapshot.compiled_copy(change.path)) for change in changes)
        path, copy = next((path, copy) for path, copy in copies if copy)
        return compiled_modules.refusal(status.patch, snapshot.path, path, copy)
    if reason and reason.kind == LAYOUT:
        from jhpatch.installer import layouts  # only for refusals

        return layouts.refusal(snapshot, status)
    return Refused(
        "%s does not fit: %s" % (status.patch, reason.text if reason else None),
        path=snapshot.path,
        expected=(reason and reason.releases) or "a release that the patch supports",
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


def is_newer(version: str, other: str) -> bool:
    """Return whether a version of jhpatch is newer than another one."""
    return versions.key(version) > versions.key(other)
