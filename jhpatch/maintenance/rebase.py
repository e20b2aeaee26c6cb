"""Port a patch to another release, or refuse.

A release with the bytes of an edition is added to its ``Versions``. For any other release, the
nearest edition is ported (``insertions``, ``statements``).
"""

import os
import tempfile
from typing import Dict, Iterable, List, Optional, Tuple

from jhpatch.errors import Failed, Refused, jhpatch_command, unknown_name
from jhpatch.maintenance import insertions, patch_writer, release_files, statements, wheels
from jhpatch.maintenance.doubts import Doubts, doubtful
from jhpatch.maintenance.release_files import ReleaseFiles
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset import catalog, engine, unified_diff, versions
from jhpatch.patchset.edition import Edition, normalized, read_edition
from jhpatch.system import compiler
from jhpatch.system.sha256 import sha256


class Rebased(NamedTuple):
    """The result for a release."""

    note: str
    edition: Edition
    """The edition that covers the release, or that was ported."""
    text: Optional[str] = None
    """The text of the patch file to write; None if the release is covered."""
    port: Optional[str] = None
    """The name of the new edition; None if ``edition`` itself is rewritten."""


def editions_of(patch: str, directories: List[str]) -> List[Edition]:
    """Return the editions of a patch, of which at least one changes a file. Raises Usage."""
    distribution, _, slug = patch.partition("/")
    name = (normalized(distribution), slug)
    editions = catalog.editions(directories)
    named = [
        edition
        for edition in editions
        if (edition.distribution, edition.patch.partition("/")[2]) == name
    ]
    if not any(edition.changes for edition in named):
        names = {edition.patch for edition in editions if edition.changes}
        raise unknown_name("patch name", patch, sorted(names), jhpatch_command("list"))
    return named


def rebase(
    editions: List[Edition], target: ReleaseFiles, origin: Optional[str], directory: str
) -> Rebased:
    """Return the patch file for the target release.

    ``origin`` is a file or wheel of a release of the nearest edition; if it is None, pip downloads
    the wheel into ``directory``. Raises Refused if anything is doubtful, Failed.
    """
    covering = next((edition for edition in editions if edition.fits(target.version)), None)
    if covering:
        return _covered(covering, target)
    editions = [edition for edition in editions if edition.changes]
    identical = next((edition for edition in editions if target.is_before(edition)), None)
    if identical:
        note = "%s: its files are identical to those for %s" % (target.version, identical.name)
        others = [edition for edition in editions if edition is not identical]
        extended = extend_versions(identical, target.version, others, directory)
        return Rebased(note, identical, patch_writer.with_versions(identical, extended))
    edition = _nearest(editions, target.version)
    before = release_files.origin(origin, edition, directory)
    text = port(edition, before, target.files, target.version)
    name = "%s-%s" % (target.version, edition.patch.partition("/")[2])
    _verify(text, name, edition, target, directory)
    note = "%s: ported from %s" % (target.version, edition.name)
    return Rebased(note, edition, text, name)


def _covered(edition: Edition, target: ReleaseFiles) -> Rebased:
    """Return the result for a covered release. Raises Refused if its files have other bytes."""
    if edition.not_needed:
        return Rebased("%s needs no patch: %s" % (target.version, edition.not_needed), edition)
    if target.is_before(edition):
        return Rebased("%s is already supported by %s" % (target.version, edition.name), edition)
    found = {row.path: release_files.digest(target.files.get(row.path)) for row in edition.changes}
    change = next(row for row in edition.changes if found[row.path] != row.before)
    digest = found[change.path]
    raise Refused(
        "%s names %s, but a file of that release has other bytes" % (edition.name, target.version),
        path=edition.file,
        expected="%s sha256:%s" % (change.path, change.before or "none"),
        found="sha256:" + digest if digest else "no such file",
        next="edit Versions (%s) in this patch file so that it excludes %s, then run the same "
        "command again" % (edition.versions, target.version),
    )


def _refuse_whole_files(edition: Edition, version: str) -> None:
    """Raise Refused for a patch that creates or removes files.

    No syntax tree shows whether another release needs the new file or the removed one.
    """
    for change in edition.changes:
        if change.before is None or change.after is None:
            step = jhpatch_command(
                *("create", edition.patch, "--from", edition.file, "--python", "PYTHON"),
                *("--description", edition.description),
            )
            verb = "creates" if change.before is None else "removes"
            raise Refused(
                "the patch %s a file, but rebase ports only changes to existing files" % verb,
                path=change.path,
                expected="a file that exists with and without the patch",
                found="a file that exists only %s the patch"
                % ("with" if change.before is None else "without"),
                next="install %s==%s into an environment, then create the patch with its PYTHON: "
                % (edition.package, version)
                + step,
            )


def _nearest(editions: List[Edition], version: str) -> Edition:
    """Return the last edition before a release, or the first of all."""
    key = versions.key(version)
    older = [edition for edition in editions if versions.key(edition.ranges[0].low) <= key]
    return older[-1] if older else editions[0]


def port(
    edition: Edition, before: Dict[str, bytes], target: Dict[str, bytes], version: str
) -> str:
    """Return the text of the patch file that ports ``edition`` to ``version``.

    ``before`` and ``target`` are the unpatched files of the edition's release and of
    the other one, by path. Raises Refused if anything is doubtful, BadPatch if the
    edition does not fit ``before``.
    """
    _refuse_whole_files(edition, version)
    after = engine.after_of(edition, dict(before))
    ported: Dict[str, bytes] = {}
    doubts = Doubts()
    for path in (change.path for change in edition.changes):
        with doubts.collected():
            if path not in target:
                raise doubtful("%s has no such file" % version, path)
            ported[path] = _ported(before[path], after[path] or b"", target[path], path)
            for _, error in compiler.check({path: ported[path].decode("latin-1")}):
                raise doubtful("the patched file does not compile: %s" % error, path)
    doubts.refuse()
    fields: List[Tuple[str, str]] = []
    for name, value in edition.fields:
        if name in ("Before", "After"):
            path = value.partition(" ")[0]
            data = target[path] if name == "Before" else ported[path]
            value = "%s sha256:%s" % (path, sha256(data))
        fields.append((name, "==" + version if name == "Versions" else value))
    diffs = (unified_diff.diff(path, target[path], ported[path]) for path in sorted(ported))
    return patch_writer.text_of(fields, "".join(diffs))


def _ported(before: bytes, after: bytes, target: bytes, path: str) -> bytes:
    """Return a file of the target release with the patch. Raises Refused."""
    if not path.endswith(".py"):
        raise doubtful("the file is not Python, so it has no syntax tree", path)
    try:
        inserted = insertions.insertions_of(before, after, path)
    except Refused:  # it does more than insert imports, decorators and calls
        return statements.port(before, after, target, path)
    return insertions.insert(inserted, target, path)


def _verify(text: str, name: str, edition: Edition, target: ReleaseFiles, directory: str) -> None:
    """Read the text like any patch file, and apply it in memory. Raises BadPatch."""
    with tempfile.TemporaryDirectory(prefix=".candidate-", dir=directory) as scratch:
        parent = os.path.join(scratch, os.path.basename(os.path.dirname(edition.file)))
        os.mkdir(parent)
        path = os.path.join(parent, name + ".patch")
        patch_writer.write(path, text, is_new=True)
        engine.after_of(read_edition(path), dict(target.files))


def extend_versions(
    edition: Edition, version: str, others: Iterable[Edition], directory: str
) -> str:
    """Return the ``Versions`` of an edition with ``version`` in it, whose bytes are the same.

    The last range is extended if the release follows it in the same major version, no edition
    of ``others`` is in between, and every release in between on the package index has these
    bytes, too (wheels in ``directory``). Otherwise, the release is named by itself.
    """
    last = edition.ranges[-1]
    follows = (
        versions.is_plain(version)
        and versions.is_plain(last.high)
        and versions.key(version) > versions.key(last.high)
        and version.partition(".")[0] == last.high.partition(".")[0]
    )
    extended = versions.Range(last.low, version)
    is_free = not any(row.meets(extended) for other in others for row in other.ranges)
    if follows and is_free and _are_seen(edition, last.high, version, directory):
        parts = edition.versions.split("|")[:-1] + [">=%s,<=%s" % (last.low, version)]
    else:
        parts = edition.versions.split("|") + ["==" + version]
    return " | ".join(part.strip() for part in parts)


def _are_seen(edition: Edition, low: str, high: str, directory: str) -> bool:
    """Return whether every release between two has the bytes that an edition is for.

    False if the releases cannot be listed or read: a range never spans unknown releases.
    """
    paths = [change.path for change in edition.changes]
    try:
        released = wheels.released_versions(edition.package)
        for version in released + wheels.yanked_versions(edition.package):
            between = versions.is_plain(version) and (
                versions.key(low) < versions.key(version) < versions.key(high)
            )
            if between:
                wheel = wheels.fetch(edition.package, version, directory)
                release = ReleaseFiles(version, wheels.read_files(wheel, paths))
                if not release.is_before(edition):
                    return False
    except Failed:
        return False
    return True
