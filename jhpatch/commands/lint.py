"""``jhpatch lint``: check patch files against the rules; fill in the hashes of a new one."""

import argparse
from typing import Iterable

from jhpatch.commands.arguments import add_output_options, add_patches, patch_dirs_of
from jhpatch.errors import JhpatchError, Usage, jhpatch_command
from jhpatch.installer import self_check
from jhpatch.maintenance import lint, patch_writer
from jhpatch.patchset import catalog
from jhpatch.report.result import PatchErrors, Result, error_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lint``."""
    add = parser.add_argument
    add_patches(
        parser, "Check this patch directory, not jhpatch's own; can be given more than once"
    )
    add(
        "--wheels",
        metavar="DIR",
        help="Compare every release of each range with its wheel in this directory; pip downloads "
        "missing wheels into it",
    )
    add(
        "--wheel",
        action="append",
        default=[],
        metavar="WHEEL",
        help="Compare the patches of a release with its wheel; can be given more than once",
    )
    add(
        "--fix-hashes",
        action="store_true",
        help="Write the Before and After hashes into the patch files "
        "for the release of each --wheel",
    )
    add(
        "--installed",
        action="store_true",
        help="Compare the files of jhpatch itself with the RECORD of its wheel",
    )
    add_output_options(parser)


def run(arguments: argparse.Namespace) -> Result:
    """Exit code 3: a patch file breaks a rule, or a file of jhpatch differs; 5: refused."""
    if arguments.installed:
        errors = list(self_check.findings())
        count = _counted(len(errors), "finding")
        return _result(errors, "compared jhpatch with the RECORD of its wheel: " + count)
    directories = patch_dirs_of(arguments) or [catalog.own_patch_dir()]
    if arguments.fix_hashes:
        if not arguments.wheel:
            raise Usage(
                "--fix-hashes needs --wheel",
                expected="--wheel WHEEL",
                found="none",
                next=jhpatch_command("lint", "--fix-hashes", "--wheel", "WHEEL"),
            )
        paths = patch_writer.fill_hashes(directories, arguments.wheel)
        notes = tuple("filled in the hashes of " + path for path in paths)
        return Result("lint", PatchErrors(()), changed=True, notes=notes)
    report = lint.check(directories, arguments.wheel, arguments.wheels)
    sound = _counted(report.editions, "valid header")
    compared = "no release was compared byte for byte (see --wheels)"
    if report.releases:
        count = _counted(report.releases, "comparison")
        compared = "made %s of a patch file with the bytes of a release" % count
    summary = "%s, %s" % (sound, _counted(len(report.errors), "finding"))
    return _result(report.errors, summary, compared, *report.notes)


def _result(errors: Iterable[JhpatchError], *notes: str) -> Result:
    rows = tuple(map(error_of, errors))
    return Result("lint", PatchErrors(rows), own_exit_code=3 if rows else 0, notes=notes)


def _counted(number: int, noun: str) -> str:
    return "%s %s%s" % (number or "no", noun, "" if number == 1 else "s")
