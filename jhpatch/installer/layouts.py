"""The refusal of an installation that cannot be patched in place, with the next step."""

from typing import List, Optional, Tuple, Union

from jhpatch.errors import NextStep, Refused, shell_command
from jhpatch.installer import record
from jhpatch.installer.distribution import ARCHIVE, EDITABLE, EGG, Distribution
from jhpatch.installer.patch_status import PatchStatus, SiteSnapshot
from jhpatch.system.rooted_files import UnsafePath
from jhpatch.system.sha256 import sha256


def refusal(snapshot: SiteSnapshot, status: PatchStatus) -> Refused:
    """Return the refusal of a patch whose distribution has such a layout."""
    name = status.patch.partition("/")[0]
    copies = snapshot.distributions.get(status.distribution_name, [])
    text = status.reason.text if status.reason else ""
    found, step = text.replace("layout: ", "", 1), _remedy(snapshot, status, copies)
    expected = "the files of %s as pip, uv, conda or apt copy them into the site" % name
    if len(copies) > 1:
        expected = "one metadata directory of " + name
        found = " and ".join(copy.info for copy in copies)
        stale = stale_of(snapshot, copies)
        if stale:
            found += (
                "; %s is stale, because the installed files are those that the other directory "
                "lists" % stale.info
            )
    return Refused(
        "%s does not fit this %s" % (status.patch, text),
        path=snapshot.path,
        expected=expected,
        found=found,
        next=step,
    )


def _remedy(
    snapshot: SiteSnapshot, status: PatchStatus, copies: List[Distribution]
) -> Union[str, NextStep]:
    if len(copies) > 1:
        stale = stale_of(snapshot, copies)
        if stale:
            return shell_command("rm", "-r", "%s/%s" % (snapshot.path, stale.info))
        return (
            "determine the release of the installed files, for example from their version module, "
            "and remove the metadata directory of the other release"
        )
    distribution = status.distribution
    layout = (distribution and distribution.layout) or ""
    if distribution is None:
        return "replace the symlink with the file, then run the same command again"
    if layout == EDITABLE:
        words = "patch the source tree with git apply, or install the release instead: "
        return words + snapshot.reinstall(distribution)
    if layout.startswith(ARCHIVE):
        return "remove the archive from the .pth file that names it, and install the release"
    if layout == EGG:
        return "install the release as unpacked files: " + snapshot.reinstall(distribution)
    # uv --link-mode symlink, conda's softlinks: the target is shared with other environments.
    return snapshot.reinstall(distribution, copies=True)


def stale_of(snapshot: SiteSnapshot, copies: List[Distribution]) -> Optional[Distribution]:
    """Return the one of two distributions of a name whose files are not the installed ones.

    Only the rows in which the two RECORDs differ count. All of one must match the files, and not
    all of the other; else return None.
    """
    if len(copies) != 2:
        return None
    rows = [_rows(snapshot, copy) for copy in copies]
    differing = [set(ours) - set(theirs) for ours, theirs in (rows, rows[::-1])]
    whole = [all(_matches(snapshot, path, digest) for path, digest in part) for part in differing]
    if whole[0] == whole[1] or not all(differing):
        return None
    return copies[0] if whole[1] else copies[1]


def _rows(snapshot: SiteSnapshot, copy: Distribution) -> List[Tuple[str, str]]:
    data = snapshot.read(copy.record) if copy.record else None
    rows = record.parse(data or b"")
    return [
        (row.path, row.sha256)
        for row in rows
        if row.sha256 and not row.path.startswith((copy.info + "/", "../"))
    ]


def _matches(snapshot: SiteSnapshot, path: str, digest: str) -> bool:
    try:
        data = snapshot.read(path)
    except UnsafePath:
        return False
    return data is not None and sha256(data) == digest
