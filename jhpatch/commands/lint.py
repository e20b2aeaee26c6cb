"""``jhpatch lint``: whether patch files keep the rules; fills in the hashes of a new one."""

import argparse
from typing import Dict, Iterator, List, Sequence, Tuple

from jhpatch.commands.arguments import add_output_options, add_patches, patch_dirs_of
from jhpatch.errors import JhpatchError, Refused, Usage, jhpatch_command
from jhpatch.installer import self_check
from jhpatch.maintenance import lint, patch_writer, wheels
from jhpatch.patchset import catalog
from jhpatch.patchset.edition import Edition, normalized
from jhpatch.report.result import PatchErrors, Result, error_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``lint``."""
    add = parser.add_argument
    add_patches(parser, "a tree of patches to look at in place of jhpatch's own; may repeat")
    add(
        "--wheels",
        metavar="DIR",
        help="compare the bytes too, with the wheels in this folder; pip brings missing ones",
    )
    add(
        "--wheel",
        action="append",
        default=[],
        metavar="WHEEL",
        help="compare the patches of this release with its wheel; may repeat",
    )
    add(
        "--fix-hashes",
        action="store_true",
        help="write the hashes into the patches of each --wheel",
    )
    add(
        "--installed",
        action="store_true",
        help="compare jhpatch itself, patches and all, with the RECORD of its own wheel",
    )
    add_output_options(parser)


def run(arguments: argparse.Namespace) -> Result:
    """0: no finding; 3: some; 5: a hash that cannot be filled in."""
    if arguments.installed:
        return _installed()
    trees = patch_dirs_of(arguments) or [catalog.own_patch_dir()]
    if arguments.fix_hashes:
        if not arguments.wheel:
            raise Usage(
                "--fix-hashes without the release",
                expected="--wheel WHEEL",
                found="none",
                next=jhpatch_command("lint", "--fix-hashes", "--wheel", "WHEEL"),
            )
        return _fixed(trees, arguments.wheel)
    editions: List[Edition] = []
    found: List[JhpatchError] = []
    for tree in trees:
        sound, errors = lint.editions_of(tree)
        editions += sound
        found += errors
    found += catalog.overlaps(sorted(editions, key=catalog.in_order))
    found += lint.conflicts(editions)
    for one in editions:
        found += lint.findings(one)
    compared = 0
    for edition, version, release in _releases(editions, arguments):
        found += lint.of_release(edition, version, release)
        compared += 1
    notes = ["%s, %s" % (_counted(len(editions), "sound header"), _counted(len(found), "finding"))]
    notes.append(
        "compared with the bytes of " + _counted(compared, "release")
        if compared
        else "the bytes of no release were compared: --wheels DIR does that"
    )
    return _result(found, *notes)


def _installed() -> Result:
    found = list(self_check.findings())
    return _result(
        found, "compared jhpatch with the RECORD of its wheel: " + _counted(len(found), "finding")
    )


def _result(found: Sequence[JhpatchError], *notes: str) -> Result:
    rows = tuple(error_of(error) for error in found)
    return Result("lint", PatchErrors(rows), own_exit_code=3 if rows else 0, notes=notes)


def _counted(number: int, noun: str) -> str:
    return "%s %s%s" % (number or "no", noun, "" if number == 1 else "s")


def _releases(
    editions: List[Edition], arguments: argparse.Namespace
) -> Iterator[Tuple[Edition, str, Dict[str, bytes]]]:
    """The files of the releases that are at hand, each with the edition for it."""
    named = [(path,) + wheels.release_of(path) for path in arguments.wheel]
    for edition in editions:
        paths = [change.path for change in edition.changes]
        for path, name, version in named:
            if edition.distribution == normalized(name) and edition.fits(version):
                yield edition, version, wheels.files_of(path, paths)
        if arguments.wheels and paths:
            for version in lint.ends(edition):
                wheel = wheels.wheel_of(edition.package, version, arguments.wheels)
                yield edition, version, wheels.files_of(wheel, paths)


def _fixed(trees: List[str], named: List[str]) -> Result:
    """Fills in the hashes of every patch that names the release of a wheel.

    All are made before one is written.
    """
    texts: Dict[str, str] = {}
    for wheel in named:
        name, version = wheels.release_of(wheel)
        for path in catalog.files(trees, {normalized(name)}):
            edition = patch_writer.unhashed(path)
            if edition.changes and edition.fits(version):
                paths = [change.path for change in edition.changes]
                texts[path] = patch_writer.filled(edition, wheels.files_of(wheel, paths))
    if not texts:
        raise Refused(
            "no patch is for the release of a wheel",
            path=", ".join(named),
            expected="Versions: ==X in a patch of that distribution",
            found="none in " + ", ".join(trees),
            next="name the release in Versions, and give the tree with --patches DIR",
        )
    for path, text in sorted(texts.items()):
        patch_writer.write(path, text)
    notes = tuple("%s: hashes filled in" % path for path in sorted(texts))
    return Result("lint", PatchErrors(()), changed=True, notes=notes)
