"""The edited files of an installed distribution, and the same files of its release."""

import argparse
import os
import re
from typing import Dict, Iterable, List, Optional, Set, Tuple

from jhpatch.commands.edited_distribution import Target
from jhpatch.errors import BadPatch, Failed, NextStep, Refused
from jhpatch.installer import edits
from jhpatch.installer.edits import Edit
from jhpatch.installer.inspection import Inspection
from jhpatch.maintenance import foreign_diff, release_bytes, wheels
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset import engine
from jhpatch.patchset.catalog import Catalog, own_patch_dir
from jhpatch.patchset.edition import Edition
from jhpatch.patchset.engine import Files
from jhpatch.system.files import read_file

_DIFF_CAP = 16 * 1024 * 1024  # bytes


class Change(NamedTuple):
    """The files of the release and with the patch, by path, and the messages for the user."""

    before: Files
    after: Files
    notes: Tuple[str, ...]


def edited(arguments: argparse.Namespace, target: Target, patch: str) -> Change:
    """Return the files that were edited in place, and the same files of the release."""
    snapshot = target.inspection.snapshot
    shipped = Catalog([own_patch_dir()]).patches([target.distribution.name])
    found = edits.edits_of(snapshot, target.distribution, patch, target.rows, shipped)
    chosen = found.edits
    if arguments.file:
        named = _named_files(arguments, target)
        chosen = tuple(edit for edit in found.edits if edit.path in named)
        for path in sorted(named - {edit.path for edit in chosen}):
            reason = dict(found.others).get(path) or _not_edited(target, path)
            raise Refused(
                "cannot add a file to the patch: " + reason,
                path=os.path.normpath(os.path.join(snapshot.path, path)),
                expected="an edited file, by its path in the site",
                found=path,
                next="name an edited file, or omit --file to patch all edited files",
            )
    notes = tuple("not in the patch: %s: %s" % other for other in found.others)
    refused = [other for other in found.others if other[1] not in edits.NOT_REFUSED]
    if refused and not arguments.file:
        raise Refused(
            "a file cannot be compared or patched: " + refused[0][1],
            path=os.path.normpath(os.path.join(snapshot.path, refused[0][0])),
            expected="text files of %s in the site" % target.package,
            found=", ".join(path for path, _ in refused),
            next="leave the file out: name the others with --file PATH"
            if chosen
            else "if the reason names no remedy, change the package's configuration or templates",
        )
    if not chosen:
        raise Refused(
            "no file of %s was edited" % target.package,
            path=snapshot.path,
            expected="a file that differs from RECORD",
            found="; ".join(notes) or "the files of %s" % target.distribution.version,
            next="edit a file, then run the same command again; or use --from DIFF",
        )
    _refuse_known_files(arguments, target, [edit.path for edit in chosen if edit.before is None])
    before = _release_files(arguments, target, chosen)
    return Change(before, {edit.path: edit.after for edit in chosen}, notes)


def _refuse_known_files(arguments: argparse.Namespace, target: Target, paths: List[str]) -> None:
    """Raise Refused if a named wheel has a file that RECORD does not list.

    The file only appears to be new: a revert would remove it.
    """
    for wheel in arguments.wheel if paths else ():
        for path in sorted(wheels.read_files(wheel, paths)):
            raise Refused(
                "RECORD does not list a file that the release has",
                path="%s/%s" % (target.inspection.snapshot.path, path),
                expected="the RECORD of " + os.path.basename(wheel),
                found="no row for " + path,
                next=target.inspection.snapshot.reinstall(target.distribution),
            )


def _named_files(arguments: argparse.Namespace, target: Target) -> Set[str]:
    """Return the values of ``--file``, as paths from the site."""
    site = os.path.realpath(target.inspection.site.path)
    named = set()
    for path in arguments.file:
        directory, name = os.path.split(os.path.join(site, path))
        named.add(os.path.relpath(os.path.join(os.path.realpath(directory), name), site))
    return named


def _not_edited(target: Target, path: str) -> str:
    """Return why a named file is not an edit."""
    if path in {row.path for row in target.rows}:
        return "it is identical to the file of the release"
    return "%s has no file with this path in the site" % target.package


def from_diff(arguments: argparse.Namespace, target: Target) -> Change:
    """Return the files that a diff changes, of the release and with the diff."""
    hashes = {row.path: row.sha256 for row in target.rows if row.sha256}
    try:
        data = read_file(arguments.diff, _DIFF_CAP).data
    except OSError as error:
        raise Failed("cannot read a diff: %s" % error.strerror, path=arguments.diff)
    sections = foreign_diff.sections(data, arguments.diff)
    by_path, others = foreign_diff.matched(sections, hashes, arguments.diff)
    outside = _outside(others, hashes)
    refused = [name for name, reason in outside.items() if reason not in edits.NOT_REFUSED]
    if refused and not arguments.file:
        raise Refused(
            "a file of the diff cannot be patched: " + outside[refused[0]],
            path=arguments.diff,
            expected="files of %s in the site" % target.package,
            found=", ".join(refused)[:400],
            next="leave the file out: name the others with --file PATH"
            if by_path
            else "make the change in the package's configuration or templates instead",
        )
    if arguments.file:
        named = _named_files(arguments, target)
        for path in sorted(named - set(by_path)):
            raise Refused(
                "cannot add a file to the patch: the diff does not change it",
                path=path,
                expected=", ".join(sorted(by_path))[:400] or None,
            )
        by_path = {path: row for path, row in by_path.items() if path in named}
    if not by_path:
        ends = tuple("/" + name for name in others)
        meant = next((path for path in sorted(hashes) if ends and path.endswith(ends)), None)
        raise Refused(
            "the diff changes no file of %s" % target.package,
            path=arguments.diff,
            expected=meant or "a file of %s %s" % (target.package, target.distribution.version),
            found=", ".join(others)[:400] or None,
            next="make the diff in the site-packages directory, so that it names " + meant
            if meant
            else "name the distribution that the diff is for: create DISTRIBUTION/NAME",
        )
    chosen = tuple(Edit(path, hashes.get(path), None) for path in sorted(by_path))
    before = _release_files(arguments, target, chosen)
    after: Dict[str, Optional[bytes]] = {}
    reasons = dict(dict.fromkeys(others, "the release has no such file"), **outside)
    notes = ["not in the patch: %s: %s" % (name, reasons[name]) for name in others]
    for path, row in sorted(by_path.items()):
        try:
            after[path], moved = foreign_diff.applied(before[path], row, path, arguments.diff)
        except BadPatch as error:
            if error.next is None:  # lint, the default next step, does not read such a diff
                error.next = NextStep(
                    "make the diff again with diff -u, against the files of this release"
                )
                error.message = "%s: %s" % (path, error.message)
            raise
        notes += moved
    return Change(before, after, tuple(notes))


def _outside(names: List[str], paths: Iterable[str]) -> Dict[str, str]:
    """Return the names in a diff that are files of the release outside of the site, each with
    the reason why no patch can change it. A wheel has them as ``NAME.data/data/share/…``."""
    tails = {re.sub(r"\A(\.\./)+", "/", path): path for path in paths if path.startswith("../")}
    found = {}
    for name in names:
        path = next((tails[tail] for tail in tails if ("/" + name).endswith(tail)), None)
        if path:
            found[name] = edits.unpatchable(path, None) or ""
    return found


def with_other_files(
    arguments: argparse.Namespace, target: Target, change: Change, old: Edition
) -> Change:
    """Return the change with the files of the patch file that it replaces.

    They stay if only some files were named, by ``--file`` or in a diff. Otherwise the change
    contains every edit, so a file that it lacks is identical to that of the release.
    """
    others = tuple(row for row in old.changes if row.path not in change.before)
    if arguments.diff is None and not arguments.file:
        gone = tuple("no longer in the patch: %s" % row.path for row in others)
        return change._replace(notes=change.notes + gone)
    chosen = tuple(Edit(row.path, row.before, None) for row in others)
    before = _release_files(arguments, target, chosen)
    after = engine.after_of(old, before)
    kept = tuple("stays in the patch: %s" % row.path for row in others)
    return Change({**change.before, **before}, {**change.after, **after}, change.notes + kept)


def _release_files(
    arguments: argparse.Namespace, target: Target, chosen: Tuple[Edit, ...]
) -> Files:
    """Return the release's own bytes of the chosen files. Raises Refused if they are not found."""
    hashes = {edit.path: edit.before for edit in chosen if edit.before is not None}
    sources = release_bytes.Sources(
        saved_originals(target.inspection), tuple(arguments.wheel), arguments.wheels
    )
    distribution = target.distribution
    arguments.step("reading the files of %s %s" % (target.package, distribution.version))
    found = release_bytes.find(target.package, distribution.version, hashes, sources)
    for path in sorted(set(hashes) - set(found.files)):
        raise Refused(
            "the original bytes of a file are not available",
            path=path,
            expected="sha256:%s" % hashes[path],
            found="; ".join(found.tried),
            next="name the wheel that was installed: --wheel WHEEL",
        )
    return {edit.path: found.files.get(edit.path) for edit in chosen}


def saved_originals(inspection: Inspection) -> release_bytes.Saved:
    """Return the originals that jhpatch saved in a site."""
    state = inspection.snapshot.state
    known = set(state.originals()) if state else set()
    return lambda digest: inspection.snapshot.original(digest) if digest in known else None
