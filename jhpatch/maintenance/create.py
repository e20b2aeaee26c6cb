"""Create a patch file that lint accepts from the files of a release and the edited files."""

import os
import re
from typing import Iterable, List, Optional, Tuple

from jhpatch.errors import JhpatchError, Refused, Usage
from jhpatch.maintenance import lint, patch_writer
from jhpatch.maintenance.release_files import digest
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset import additions, catalog, unified_diff
from jhpatch.patchset.edition import Edition, edition_of, normalized
from jhpatch.patchset.engine import Files

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]*\Z")


class NewPatch(NamedTuple):
    """A patch file to write, and the one that it replaces."""

    edition: Edition
    text: str
    old: Optional[Edition]


def name_of(patch: str) -> Tuple[str, str]:
    """Return the normalized distribution and the slug of ``DISTRIBUTION/NAME``. Raises Usage."""
    distribution, slash, slug = patch.partition("/")
    if not slash or not distribution or not _SLUG.match(slug):
        raise Usage(
            "the patch name is invalid",
            expected="DISTRIBUTION/NAME, with only lower-case letters, digits and - in NAME",
            found=patch,
        )
    return normalized(distribution), slug


def new_patch(
    patch: str,
    release: Tuple[str, str],
    description: Optional[str],
    before: Files,
    after: Files,
    patch_dir: str,
) -> NewPatch:
    """Return the patch file of ``patch`` for a release (distribution and version).

    ``before`` and ``after`` are the files of the release and the edited ones, by path. A patch
    file for the same release is replaced, but keeps the other fields of its header. Raises Usage
    without a description; Refused if another patch file is in the way or the patch is too large.
    """
    distribution, slug = name_of(patch)
    package, version = release
    directory = _directory(patch_dir, distribution)
    old = existing_edition(patch, version, patch_dir)
    if old is not None:
        _refuse_other_releases(old, version, before)
    is_blank = description is not None and not description.strip()
    if is_blank or (description is None and old is None):
        raise Usage(
            "a new patch needs a description",
            expected="--description TEXT: what the patch does, and why",
            found="none",
        )
    path = old.file if old else os.path.join(directory, "%s-%s.patch" % (version, slug))
    if old is None and os.path.lexists(path):
        raise Refused(
            "a patch file for other releases already has the name of the new one",
            path=path,
            expected="Versions: ==%s, or another name" % version,
            found="a patch file that does not name %s" % version,
            next="rename that file after the first release in its Versions, or choose another "
            "name for the patch",
        )
    text = patch_writer.text_of(
        _fields(old, package, version, description, before, after),
        "".join(unified_diff.diff(name, before[name], after[name]) for name in sorted(before)),
    )
    data = patch_writer.encoded(text)
    if len(data) > additions.CAP:
        raise Refused(
            "the patch would be too large",
            expected="a patch file of at most %d bytes" % additions.CAP,
            found="%d bytes" % len(data),
            next="leave large files out: name the others with --file PATH",
        )
    edition = edition_of(path, data)
    return NewPatch(edition, text, old)


def refuse_faulty(edition: Edition, patch_dirs: Iterable[str]) -> None:
    """Raise Refused if a new patch file breaks a rule of lint, or conflicts with another one."""
    others = catalog.editions(patch_dirs, [edition.distribution])
    others = tuple(other for other in others if other.file != edition.file)
    errors: List[JhpatchError] = list(lint.check_edition(edition, others))
    if errors:
        first = errors[0]
        path = first.path if first.path and os.path.exists(first.path) else None
        raise Refused(
            "the patch would break a rule of lint: " + first.message,
            path,
            first.expected,
            first.found,
            next="correct the edit (with --from: the diff) and run the same command again, or "
            "name only some of the files with --file PATH",
        )


def _directory(patch_dir: str, distribution: str) -> str:
    """Return the directory of a distribution in a patch directory, however it is spelled."""
    names = catalog.distribution_dirs(patch_dir) if os.path.isdir(patch_dir) else []
    spelled = (name for name in names if normalized(name) == distribution)
    return os.path.join(patch_dir, next(spelled, distribution))


def existing_edition(patch: str, version: str, patch_dir: str) -> Optional[Edition]:
    """Return the edition of ``patch`` in a patch directory that fits a release, or None."""
    distribution, slug = name_of(patch)
    directory = _directory(patch_dir, distribution)
    if not os.path.isdir(directory):
        return None
    for edition in catalog.editions([patch_dir], [distribution]):
        if edition.name.partition("-")[2] == slug and edition.fits(version):
            return edition
    return None


def _refuse_other_releases(edition: Edition, version: str, before: Files) -> None:
    """Raise Refused if a patch file for several releases would no longer fit all of them."""
    old = {change.path: change.before for change in edition.changes}
    same = all(old.get(path, "") == digest(data) for path, data in before.items())
    is_range = len(edition.ranges) > 1 or edition.ranges[0].low != edition.ranges[0].high
    if is_range and not same:
        raise Refused(
            "the patch file for %s is also for other releases" % version,
            path=edition.file,
            expected="Versions: ==%s, because the new patch changes different files" % version,
            found=edition.versions,
            next="exclude the release from the Versions of that file, or choose another name for "
            "the patch",
        )


def _fields(
    old: Optional[Edition],
    package: str,
    version: str,
    description: Optional[str],
    before: Files,
    after: Files,
) -> List[Tuple[str, str]]:
    """Return the header: that of the old patch file, with new hashes."""
    fields = list(old.fields) if old else [("Package", package), ("Versions", "==" + version)]
    if description is not None:
        fields = [field for field in fields if field[0] != "Description"]
        fields.insert(2, ("Description", _folded(description)))
    fields = [field for field in fields if field[0] not in ("Before", "After")]
    fields = [
        (name, value)
        for name, value in fields
        if name != "Adds" or value.partition("<")[0].strip() not in after
    ]
    for path in sorted(before):
        fields.append(("Before", patch_writer.hash_row(path, before[path])))
        fields.append(("After", patch_writer.hash_row(path, after[path])))
    return fields


def _folded(description: str) -> str:
    """Return a description on lines of at most 80 columns."""
    import textwrap

    lines = textwrap.wrap(" ".join(description.split()), 78, break_on_hyphens=False)
    return "\n".join(lines)
