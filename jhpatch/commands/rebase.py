"""``jhpatch rebase``: port a patch to another release, unless anything is doubtful."""

import argparse
import os
import sys
from typing import Optional

from jhpatch.commands.arguments import (
    add_only_patches,
    add_output_options,
    add_patches,
    add_wheels,
    all_patch_dirs_of,
)
from jhpatch.errors import Failed, NextStep, jhpatch_command
from jhpatch.maintenance import patch_writer, rebase, release_files, wheels
from jhpatch.maintenance.rebase import Rebased
from jhpatch.patchset import unified_diff
from jhpatch.patchset.edition import Edition, normalized
from jhpatch.report.result import Candidate, RebasedPatch, Result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``rebase``."""
    add = parser.add_argument
    add("patch", metavar="PATCH", help="A patch name from `jhpatch list`")
    add(
        "--to",
        required=True,
        metavar="VERSION|FILE|WHEEL",
        help="Port the patch to this release: a version, which pip downloads, a wheel, or an "
        "unpatched file with --release",
    )
    text = "State the release of the unpatched file that --to names"
    add("--release", metavar="VERSION", help=text)
    add(
        "--from",
        dest="origin",
        metavar="FILE|WHEEL",
        help="Read the nearest supported release from this unpatched file or wheel (default: "
        "pip downloads the wheel)",
    )
    add(
        "--output",
        metavar="FILE",
        help="Write a new patch file here (default: beside those for other releases)",
    )
    add("--dry-run", action="store_true", help="Show what would be written, without writing it")
    add_wheels(parser)
    add_patches(parser)
    add_only_patches(parser)
    add_output_options(parser)


def run(arguments: argparse.Namespace) -> Result:
    """Exit code 5: something is doubtful, and nothing was written."""
    if sys.version_info < (3, 8):
        raise Failed(
            "rebase needs the syntax trees of Python 3.8 or later",
            expected="Python 3.8 or later",
            found="Python %d.%d" % sys.version_info[:2],
            next="run rebase with Python 3.8 or later in any environment: rebase inspects no site",
        )
    directories = all_patch_dirs_of(arguments)
    editions = rebase.editions_of(arguments.patch, directories)
    paths = sorted({change.path for edition in editions for change in edition.changes})
    with wheels.directory_for_downloads(arguments.wheels) as directory:
        target = release_files.target(
            arguments.to, arguments.release, editions[0].package, paths, directory
        )
        rebased = rebase.rebase(editions, target, arguments.origin, directory)
    if rebased.text is None:
        return Result("rebase", RebasedPatch(None), notes=(rebased.note, "nothing to do"))
    candidate = _candidate(rebased, rebased.text, target.version, arguments.output)
    result = Result("rebase", RebasedPatch(candidate), dry_run=arguments.dry_run)
    if arguments.dry_run:
        notes = (rebased.note, "would write " + candidate.path)
        return result._replace(would_change=True, notes=notes)
    patch_writer.write(candidate.path, candidate.text, candidate.path != rebased.edition.file)
    return result._replace(
        changed=True,
        notes=(rebased.note, "wrote " + candidate.path),
        next=_next_step(rebased.edition, candidate),
    )


def _next_step(edition: Edition, candidate: Candidate) -> NextStep:
    """Return lint for the directory of the new patch file, else how to move it into one."""
    directory = os.path.dirname(os.path.abspath(candidate.path))
    words = "review the patch"
    if normalized(os.path.basename(directory)) != edition.distribution:
        directory = os.path.dirname(edition.file)
        words += " and move it to %s" % os.path.join(directory, candidate.edition + ".patch")
    patch_dir = os.path.dirname(directory) or "."
    lint = jhpatch_command("lint", "--patches", patch_dir, "--wheels", "DIR")
    return words + "; then " + lint


def _candidate(rebased: Rebased, text: str, version: str, output: Optional[str]) -> Candidate:
    edition = rebased.edition
    name = rebased.port or edition.name
    path = output or os.path.join(os.path.dirname(edition.file), name + ".patch")
    with open(edition.file, "rb") as file:
        before = file.read()
    diff = unified_diff.diff(
        os.path.basename(edition.file), before, text.encode("utf-8"), name + ".patch"
    )
    return Candidate(edition.patch, name, version, path, text, diff)
