"""``jhpatch revert``: restore the original files and RECORD byte for byte."""

import argparse
import time

from jhpatch import __version__
from jhpatch.commands.arguments import add_arguments as add_shared_arguments
from jhpatch.commands.arguments import change
from jhpatch.installer.plan import Operation
from jhpatch.report.result import Result
from jhpatch.system import timestamps


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``revert``."""
    add_shared_arguments(parser, changes=True)
    parser.add_argument(
        "--force",
        action="store_true",
        help="Also restore files that were changed after apply; save the changed files in "
        ".jhpatch/forced in the site",
    )


def run(arguments: argparse.Namespace) -> Result:
    """Revert. Exit code 0: done or nothing to do; 4: the lock is held; 5: refused, no change."""
    now = timestamps.now(time.time())
    operation = Operation("revert", frozenset(), __version__, now, force=arguments.force)
    return change(arguments, operation)
