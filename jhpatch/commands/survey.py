"""``jhpatch survey``: list the releases on the package index that no patch names yet."""

import argparse
from typing import Iterable, Iterator, List

from jhpatch.commands.arguments import (
    add_only_patches,
    add_output_options,
    add_patches,
    add_wheels,
    all_patch_dirs_of,
)
from jhpatch.errors import jhpatch_command
from jhpatch.maintenance import survey, wheels
from jhpatch.report.result import Release, Releases, Result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``survey``."""
    parser.add_argument(
        "distribution",
        nargs="*",
        metavar="DISTRIBUTION",
        help="A distribution that has patches (default: all)",
    )
    add_wheels(parser)
    add_patches(parser)
    add_only_patches(parser)
    add_output_options(parser)


def run(arguments: argparse.Namespace) -> Result:
    """Exit code 3: the patches do not cover a release."""
    directories = all_patch_dirs_of(arguments)
    by_name = survey.editions_of(arguments.distribution, directories)
    with wheels.directory_for_downloads(arguments.wheels) as directory:
        # One line for each release, also without a terminal: the downloads take minutes.
        surveyed = survey.survey(by_name, directory, arguments.say)
        releases = [Release(*coverage) for coverage in surveyed]
    step = None
    for release in releases:
        if release.uncovered:
            step = jhpatch_command("rebase", release.uncovered[0], "--to", release.version)
            break
    return Result(
        "survey",
        Releases(tuple(releases)),
        notes=tuple(_counts(by_name, releases)),
        next=step,
        own_exit_code=3 if step else 0,
    )


def _counts(names: Iterable[str], releases: List[Release]) -> Iterator[str]:
    for name in names:
        states = [release.state for release in releases if release.distribution == name]
        counts = [
            "%d %s" % (states.count(state), state)
            for state in ("covered", "identical", "new", "older", "passed")
            if state in states
        ]
        of_name = [release for release in releases if release.distribution == name]
        yanked = sum(release.yanked for release in of_name)
        counts += ["%d yanked" % yanked] * bool(yanked)
        plural = "" if len(states) == 1 else "s"
        yield "%s: %d release%s: %s" % (name, len(states), plural, ", ".join(counts))
