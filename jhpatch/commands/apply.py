"""``jhpatch apply``: apply every patch that fits, or none if one is refused."""

import argparse
import time

from jhpatch import __version__
from jhpatch.commands.arguments import add_arguments as add_shared_arguments
from jhpatch.commands.arguments import change
from jhpatch.installer.plan import Operation
from jhpatch.report.result import Result
from jhpatch.system import timestamps


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``apply``."""
    add_shared_arguments(parser, changes=True)
    parser.add_argument(
        "--allow-unlisted",
        action="store_true",
        help="Also patch an untested release if the files that a patch changes are identical to "
        "those of a tested one",
    )


def run(arguments: argparse.Namespace) -> Result:
    """Apply. Exit code 0: applied or nothing to do; 4: the lock is held; 5: refused, no change."""
    operation = Operation(
        "apply",
        frozenset(),
        __version__,
        timestamps.now(time.time()),
        allow_unlisted=arguments.allow_unlisted,
    )
    return change(arguments, operation)
