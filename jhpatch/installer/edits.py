"""The files of a distribution that were edited in place, against what its release shipped.

RECORD states the release's SHA-256 of each file. If patches are applied, the RECORD from before
them counts, and a file that one of them changed is not an edit.
"""

import contextlib
import os
import re
import stat
from typing import Collection, Dict, Iterable, Iterator, List, Optional, Set, Tuple

from jhpatch.errors import NextStep, Refused, jhpatch_command
from jhpatch.installer import record
from jhpatch.installer.distribution import Distribution
from jhpatch.installer.patch_status import SiteSnapshot
from jhpatch.installer.record import Row
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset.additions import is_of_a_package
from jhpatch.patchset.edition import normalized
from jhpatch.system.files import read_file
from jhpatch.system.rooted_files import SIZE_CAP, RootDir, UnsafePath, is_relative
from jhpatch.system.sha256 import sha256

# New files that are no part of a package: bytecode, and what editors, patch(1), git, NFS,
# Jupyter and test tools leave beside a file.
_IGNORED = re.compile(
    r"(.*\.(pyc|pyo|orig|rej|bak|tmp|sw[a-p])|.*~|#.*#|\.#.*|\.jhpatch-.*|\.nfs.*|\.DS_Store"
    r"|\.(git|hg|svn|idea|vscode|ipynb_checkpoints)|\.\w+_cache|__pycache__|Untitled\d*\.ipynb)\Z"
)
METADATA = "it is a metadata file"
SCRIPT = "it is a script, which pip writes for each environment"
_NO_HASH = "RECORD has no SHA-256 of the file; name the wheel that was installed: --wheel WHEEL"
_MISSING = "it is missing, and outside of the site"
NOT_REFUSED = (METADATA, SCRIPT, _MISSING)
"""Reasons for which an edited file is left out of a patch with only a note."""


class Edit(NamedTuple):
    """A file that differs from its release: the release's SHA-256, and the bytes now.

    None means no file: it is new, or was removed.
    """

    path: str
    before: Optional[str]
    after: Optional[bytes]


class Edits(NamedTuple):
    """The edits of a distribution, and the files that no patch can change, with the reasons."""

    edits: Tuple[Edit, ...]
    others: Tuple[Tuple[str, str], ...]


def edits_of(
    snapshot: SiteSnapshot,
    distribution: Distribution,
    patch: str,
    rows: Iterable[Row],
    shipped: Collection[str] = (),
) -> Edits:
    """Return the edits of an installed distribution.

    ``rows`` are those of its release (``release_rows``), ``shipped`` the patches that come with
    jhpatch. An applied ``patch`` counts as an edit itself. Raises Refused for an edit of a file
    of another patch.
    """
    hashes = {row.path: row.sha256 for row in rows if row.path}
    edits: List[Edit] = []
    others: List[Tuple[str, str]] = []
    owners = _owners(snapshot, patch)
    info = distribution.info + "/"
    for path, digest in hashes.items():
        if path in owners or path.endswith((".pyc", ".pyo")):
            continue
        if digest is None:
            if not path.startswith(info):
                others.append((path, unpatchable(path, None) or _NO_HASH))
            continue
        try:
            data = _read(snapshot, path)
        except OSError as error:
            others.append((path, "%s" % (error.strerror or error)))
            continue
        if data is None or sha256(data) != digest:
            reason = METADATA if path.startswith(info) else unpatchable(path, data)
            if data is None and not is_relative(path) and reason != SCRIPT:
                reason = _MISSING  # an image has no share/doc, for example
            if reason:
                others.append((path, reason))
            else:
                edits.append(Edit(path, digest, data))
    for path, owner in owners.items():
        _refuse_edit(snapshot, path, *owner, shipped)
    with RootDir(snapshot.path) as root:
        for path, reason in _new_files(root, distribution, set(hashes), set(owners)):
            try:
                data = None if reason else snapshot.read(path)
            except OSError as error:
                data, reason = None, "%s" % (error.strerror or error)
            reason = reason or unpatchable(path, data)
            if reason:
                others.append((path, reason))
            else:
                edits.append(Edit(path, None, data))
    return Edits(tuple(sorted(edits)), tuple(sorted(others)))


def release_rows(snapshot: SiteSnapshot, distribution: Distribution) -> Optional[Tuple[Row, ...]]:
    """Return the rows of RECORD as the release has them; None without a RECORD."""
    data = snapshot.read(distribution.record) if distribution.record else None
    if data is None:
        return None
    entry = snapshot.state.of(distribution.name) if snapshot.state else None
    saved = entry.record if entry else None
    if saved and saved.before and sha256(data) == saved.after:
        data = snapshot.original(saved.before)
    return record.parse(data)


def _owners(snapshot: SiteSnapshot, patch: str) -> Dict[str, Tuple[str, Optional[str]]]:
    """Return the files of the other applied patches: the patch, and the SHA-256 with it."""
    applied = snapshot.state.patches() if snapshot.state else ()
    return {
        file.path: (other.patch, file.after)
        for other in applied
        if _parts(other.patch) != _parts(patch)
        for file in other.files
    }


def _parts(patch: str) -> Tuple[str, str]:
    """Return the normalized distribution and the slug: a patch directory spells it as it likes."""
    distribution, _, slug = patch.partition("/")
    return normalized(distribution), slug


def _refuse_edit(
    snapshot: SiteSnapshot,
    path: str,
    owner: str,
    expected: Optional[str],
    shipped: Collection[str],
) -> None:
    data = snapshot.read(path)
    found = None if data is None else sha256(data)
    if found != expected:
        raise Refused(
            "an edited file belongs to the patch %s, and only one patch can change a file" % owner,
            path="%s/%s" % (snapshot.path, path),
            expected="sha256:%s" % expected if expected else "no file",
            found="sha256:%s" % found if found else "no file",
            next=_way_to_edit(owner, owner in shipped),
        )


def _way_to_edit(owner: str, is_shipped: bool) -> NextStep:
    """Return the next step after an edit of a file of the patch ``owner``."""
    if not is_shipped:
        return NextStep("add the edit to that patch: ") + jhpatch_command("create", owner)
    words = NextStep(
        "that patch comes with jhpatch: put the change in another file, or create your own "
        "version of the patch, and use --only-patches in every later command: "
    )
    return words + jhpatch_command("create", "--only-patches", owner)


def unpatchable(path: str, data: Optional[bytes]) -> Optional[str]:
    """Return why no patch can change a file, or None."""
    if re.match(r"[./]+bin/", path):
        return SCRIPT  # some installers leave the wheel's hash in RECORD
    if not is_relative(path):
        return "it is outside of the site"
    if not is_of_a_package(path):
        return "it is a metadata file, or a unified diff would have to quote its name"
    if data is not None and b"\0" in data:
        return "it is binary, and a unified diff contains only text"
    return None


def _read(snapshot: SiteSnapshot, path: str) -> Optional[bytes]:
    """Read a file that RECORD lists; one of ``share`` or ``bin`` lies outside of the site."""
    if is_relative(path):
        return snapshot.read(path)
    try:
        return read_file(os.path.join(snapshot.path, path), SIZE_CAP).data
    except FileNotFoundError:
        return None


def _new_files(
    root: RootDir, distribution: Distribution, own: Set[str], owned: Set[str]
) -> Iterator[Tuple[str, Optional[str]]]:
    """Yield the files in the distribution's directories that no RECORD lists, each with the
    reason why no patch can add it, or None.

    A directory belongs to the distribution if RECORD lists a file directly in it, as do the
    directories below it that contain no listed file. The site itself belongs to no distribution.
    """
    listed = own | owned | set(_listed_by_others(root, distribution))
    directories = {path.rpartition("/")[0] for path in listed}
    pending = sorted({path.rpartition("/")[0] for path in own if is_relative(path)} - {""})
    seen = set(pending)
    while pending:
        path = pending.pop(0)
        if path.partition("/")[0] == distribution.info:
            continue
        try:
            entries = _entries(root, path)
        except (FileNotFoundError, UnsafePath):
            continue
        except OSError as error:
            yield path, "%s" % (error.strerror or error)
            continue
        for name, mode in entries:
            inner = path + "/" + name
            if stat.S_ISDIR(mode):
                if inner not in seen | directories:
                    seen.add(inner)
                    pending.append(inner)
            elif inner not in listed:
                yield inner, None if stat.S_ISREG(mode) else "it is not a regular file"


def _entries(root: RootDir, path: str) -> List[Tuple[str, int]]:
    """Return the names in a directory that can belong to a package, in order, and their modes."""
    with root.directory(path) as opened:
        statuses = [
            (name, opened.lstat(name))
            for name in sorted(opened.names())
            if not _IGNORED.match(name)
        ]
    return [(name, status.st_mode) for name, status in statuses if status is not None]


def _listed_by_others(root: RootDir, distribution: Distribution) -> Iterator[str]:
    with root.directory("") as site_dir:
        names = site_dir.names()
    for name in names:
        if name.endswith(".dist-info") and name != distribution.info:
            with contextlib.suppress(OSError):
                content = root.read(name + "/RECORD")
                for row in record.parse(content.data) if content else ():
                    yield row.path
