"""The rule that a patch changes only files of its own distribution.

A change of another distribution's file would make the RECORD of that distribution wrong, and
its next upgrade would remove the patch without a message.
"""

from typing import Iterable, List, Optional

from jhpatch.errors import Refused
from jhpatch.installer.distribution import is_listed
from jhpatch.installer.patch_status import PatchStatus, SiteSnapshot
from jhpatch.installer.refusals import Refusals


def refusals_of(snapshot: SiteSnapshot, statuses: List[PatchStatus]) -> Refusals:
    """Refuse patches that change or add a file outside of their distribution."""
    found: Refusals = []
    for status in statuses:
        error = _refusal(snapshot, status)
        if error:
            found.append((status.patch, error))
    return found


def _refusal(snapshot: SiteSnapshot, status: PatchStatus) -> Optional[Refused]:
    edition, distribution = status.edition, status.distribution
    if edition is None or distribution is None:
        return None
    record = snapshot.read(distribution.record) if distribution.record else None
    content = record or b""
    for change in edition.changes:
        if change.before is not None and not is_listed(content, change.path):
            owner = snapshot.other_owner(change.path, distribution.info)
            if owner:
                return _refused(snapshot, status, change.path, owner)
    created = [change.path for change in edition.changes if change.before is None]
    new = created + [addition.path for addition in edition.adds]
    # status runs this, too: check only one path in each directory.
    for path in {path.rpartition("/")[0]: path for path in reversed(new)}.values():
        directory = _nearest_directory(snapshot, path)
        if not directory:
            return _refused(snapshot, status, path, None)
        if record is None or not is_listed(content, directory + "/"):
            owner = snapshot.other_owner(directory + "/", distribution.info)
            if owner:
                return _refused(snapshot, status, path, owner)
    return None


def _nearest_directory(snapshot: SiteSnapshot, path: str) -> str:
    """Return the deepest existing directory above a path; "" for the site itself."""
    for directory in _directories_above(path):
        if snapshot.has_directory_of(directory + "/x"):
            return directory
    return ""


def _directories_above(path: str) -> Iterable[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _refused(
    snapshot: SiteSnapshot, status: PatchStatus, path: str, owner: Optional[str]
) -> Refused:
    name = status.patch.partition("/")[0]
    of = owner.rpartition(".")[0].rpartition("-")[0] if owner else "no distribution"
    return Refused(
        "%s changes or adds a file that does not belong to %s" % (status.patch, name),
        path="%s/%s" % (snapshot.path, path),
        expected="a file of %s, or a new file in its package" % name,
        found="a file of %s" % of if owner else "a new file in the site itself",
        next="create a patch for %s instead" % of if owner else "move the file into the package",
    )
