"""``jhpatch rebase``: carry a patch to another release, where nothing is doubtful."""

import argparse
import os
import re
import sys
from typing import Dict, List, Optional

from jhpatch.commands.arguments import add_output_options, add_patches, add_wheels, patch_dirs_of
from jhpatch.errors import Failed, Refused, Usage, jhpatch_command
from jhpatch.maintenance import patch_writer, rebase, wheels
from jhpatch.namedtuple import NamedTuple
from jhpatch.patchset import catalog, engine, unified_diff, versions
from jhpatch.patchset.edition import Edition, normalized, read_edition
from jhpatch.report.result import Candidate, RebasedPatch, Result
from jhpatch.system import sha256

_HELP = jhpatch_command("rebase", "--help")


class _Target(NamedTuple):
    """The release to carry to: its version, and its files by path."""

    version: str
    files: Dict[str, bytes]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``rebase``."""
    add = parser.add_argument
    add("patch", metavar="PATCH", help="a name from `jhpatch list`")
    add(
        "--to",
        required=True,
        metavar="VERSION|FILE|WHEEL",
        help="a release, which pip brings; its wheel; or its unpatched file, with --release",
    )
    add("--release", metavar="VERSION", help="the release that the FILE of --to is of")
    add(
        "--from",
        dest="origin",
        metavar="FILE|WHEEL",
        help="the unpatched file, or the wheel, that the nearest edition is for; default: "
        "pip brings it",
    )
    add("--output", metavar="FILE", help="where to write it; default: beside the other editions")
    add("--dry-run", action="store_true", help="show what would be written; write nothing")
    add_wheels(parser)
    add_patches(parser)
    add_output_options(parser)


def run(arguments: argparse.Namespace) -> Result:
    """0: written, or nothing to do; 5: doubtful, and nothing written."""
    if sys.version_info < (3, 8):
        raise Failed(
            "rebase reads syntax trees as Python 3.8 and later make them",
            expected="Python 3.8",
            found="Python %d.%d" % sys.version_info[:2],
            next="run it with a newer Python: it looks at no site",
        )
    editions = _editions(arguments)
    with wheels.kept_in(arguments.wheels) as folder:
        return _rebased(arguments, editions, folder)


def _rebased(arguments: argparse.Namespace, editions: List[Edition], folder: str) -> Result:
    paths = sorted({change.path for one in editions for change in one.changes})
    target = _target(arguments, editions[0].package, paths, folder)
    fitting = next((one for one in editions if one.fits(target.version)), None)
    if fitting:
        return _covered(fitting, target)
    editions = [one for one in editions if one.changes]
    same = next((one for one in editions if _is_before(one, target)), None)
    if same:
        return _widened(arguments, same, editions, target)
    return _carried(arguments, _nearest(editions, target.version), target, folder)


def _editions(arguments: argparse.Namespace) -> List[Edition]:
    """The editions of the patch, at least one that changes something. Raises Usage."""
    trees = [catalog.own_patch_dir()] + patch_dirs_of(arguments)
    distribution, _, slug = arguments.patch.partition("/")
    name = (normalized(distribution), slug)
    every = catalog.editions(trees)
    found = [one for one in every if (one.distribution, one.patch.partition("/")[2]) == name]
    if not any(one.changes for one in found):
        raise Usage(
            "no patch has this name: " + arguments.patch,
            expected="one of " + ", ".join(sorted({one.patch for one in every if one.changes})),
            found=arguments.patch,
            next=jhpatch_command("list"),
        )
    return found


def _target(arguments: argparse.Namespace, package: str, paths: List[str], folder: str) -> _Target:
    to = arguments.to
    if to.endswith(".whl"):
        name, version = wheels.release_of(to)
        if normalized(name) != normalized(package):
            raise Usage(
                "a wheel of another distribution",
                path=to,
                expected=package,
                found=name,
                next=_HELP,
            )
        return _Target(version, wheels.files_of(to, paths))
    if os.path.isfile(to):
        if not re.match(r"^[0-9][\w.!+]*$", arguments.release or ""):
            raise Usage(
                "a file does not say which release it is of",
                path=to,
                expected="--release VERSION",
                found=arguments.release or "none",
                next=_HELP,
            )
        return _Target(arguments.release, _one_file(to, paths))
    if not to[:1].isdigit() or "/" in to:
        raise Usage(
            "neither a release nor a file that is there",
            expected="VERSION|FILE|WHEEL",
            found=to,
            next=_HELP,
        )
    wheel = wheels.wheel_of(package, to, folder)
    return _Target(to, wheels.files_of(wheel, paths))


def _one_file(path: str, paths: List[str]) -> Dict[str, bytes]:
    if len(paths) != 1:
        raise Usage(
            "the patch changes several files, and one was given",
            path=path,
            expected="a wheel with " + ", ".join(paths),
            found=os.path.basename(path),
            next=_HELP,
        )
    try:
        with open(path, "rb") as file:
            return {paths[0]: file.read()}
    except OSError as error:
        raise Failed("cannot read a file: %s" % error.strerror, path=path)


def _is_before(edition: Edition, target: _Target) -> bool:
    return all(
        change.path in target.files and sha256.sha256(target.files[change.path]) == change.before
        for change in edition.changes
    )


def _covered(edition: Edition, target: _Target) -> Result:
    if edition.not_needed:
        note = "%s needs no patch: %s" % (target.version, edition.not_needed)
        return Result("rebase", RebasedPatch(None), notes=(note, "nothing to do"))
    if _is_before(edition, target):
        note = "%s: %s is for it" % (target.version, edition.name)
        return Result("rebase", RebasedPatch(None), notes=(note, "nothing to do"))
    change = edition.changes[0]
    found = target.files.get(change.path)
    raise Refused(
        "%s names %s, whose file has other bytes" % (edition.name, target.version),
        path=edition.file,
        expected="%s sha256:%s" % (change.path, change.before),
        found="sha256:" + sha256.sha256(found) if found is not None else "no such file",
        next="end its Versions (%s) before %s" % (edition.versions, target.version),
    )


def _nearest(editions: List[Edition], version: str) -> Edition:
    """The last edition before a release, or the first of all."""
    here = versions.key(version)
    older = [one for one in editions if versions.key(one.ranges[0].low) <= here]
    return older[-1] if older else editions[0]


def _widened(
    arguments: argparse.Namespace, edition: Edition, editions: List[Edition], target: _Target
) -> Result:
    """The release's bytes are known: the edition that is for them names it too."""
    others = [one for one in editions if one is not edition]
    text = patch_writer.versioned(edition, rebase.widened(edition, target.version, others))
    note = "%s: the bytes that %s is for" % (target.version, edition.name)
    return _put(arguments, edition, edition.name, target.version, edition.file, text, note)


def _carried(
    arguments: argparse.Namespace, edition: Edition, target: _Target, folder: str
) -> Result:
    text = rebase.carried(
        edition, _before(arguments, edition, folder), target.files, target.version
    )
    name = "%s-%s" % (target.version, edition.patch.partition("/")[2])
    _check(text, name, edition, target, folder)
    path = arguments.output or os.path.join(os.path.dirname(edition.file), name + ".patch")
    note = "%s: carried from %s" % (target.version, edition.name)
    return _put(arguments, edition, name, target.version, path, text, note)


def _check(text: str, name: str, edition: Edition, target: _Target, folder: str) -> None:
    """Reads the candidate as any patch file is read, and applies it. Raises BadPatch."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix=".candidate-", dir=folder) as scratch:
        tree = os.path.join(scratch, os.path.basename(os.path.dirname(edition.file)))
        os.mkdir(tree)
        path = os.path.join(tree, name + ".patch")
        patch_writer.write(path, text, is_new=True)
        engine.after_of(read_edition(path), target.files)


def _before(arguments: argparse.Namespace, edition: Edition, folder: str) -> Dict[str, bytes]:
    """The unpatched files that an edition is for."""
    paths = [change.path for change in edition.changes]
    origin: Optional[str] = arguments.origin
    if origin is None:
        origin = wheels.wheel_of(edition.package, edition.ranges[0].low, folder)
    found = wheels.files_of(origin, paths) if origin.endswith(".whl") else _one_file(origin, paths)
    if not _is_before(edition, _Target("", found)):
        raise Refused(
            "not the release that %s is for" % edition.name,
            path=origin,
            expected="%s %s" % (edition.package, edition.versions),
            found="other bytes",
            next="give its wheel with --from, or leave --from out",
        )
    return found


def _put(
    arguments: argparse.Namespace,
    edition: Edition,
    name: str,
    version: str,
    path: str,
    text: str,
    note: str,
) -> Result:
    """Writes a patch file, unless in a dry run."""
    with open(edition.file, "rb") as file:
        old = file.read()
    diff = unified_diff.diff(
        os.path.basename(edition.file), old, text.encode("utf-8"), name + ".patch"
    )
    one = Candidate(edition.patch, name, version, path, text, diff)
    if not arguments.dry_run:
        patch_writer.write(path, text, is_new=path != edition.file)
    verb = "would write" if arguments.dry_run else "wrote"
    return Result(
        "rebase",
        RebasedPatch(one),
        dry_run=arguments.dry_run,
        changed=not arguments.dry_run,
        would_change=arguments.dry_run,
        notes=(note, "%s %s" % (verb, path)),
        next=None
        if arguments.dry_run
        else "read it; then " + jhpatch_command("lint", "--wheels", "DIR"),
    )
