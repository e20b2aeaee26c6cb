"""``jhpatch revert``: give every byte back, RECORD included."""

import argparse

from jhpatch import __version__
from jhpatch.commands.arguments import add_arguments as add_shared_arguments
from jhpatch.commands.arguments import change
from jhpatch.installer.plan import Operation
from jhpatch.report.result import Result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``revert``."""
    add_shared_arguments(parser, changes=True)
    parser.add_argument(
        "--force",
        action="store_true",
        help="also a file that was changed since; its bytes are kept in .jhpatch/forced",
    )


def run(arguments: argparse.Namespace) -> Result:
    """0: as upstream, or nothing to do; 4: another run; 5: refused, and nothing changed."""
    operation = Operation("revert", frozenset(), __version__, force=arguments.force)
    return change(arguments, operation)
