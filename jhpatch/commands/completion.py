"""``jhpatch completion``: print the completion script of a shell."""

import argparse
import os

from jhpatch.commands.arguments import add_output_options
from jhpatch.errors import Failed
from jhpatch.installer import self_check
from jhpatch.report.result import Result, Script

SHELLS = ("bash", "zsh", "fish")
DIRECTORY = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "completions"
)
"""The directory of the scripts, one for each shell, which tools/completions.py generates."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``completion``."""
    parser.add_argument(
        "shell",
        choices=SHELLS,
        help='The shell; for bash, write into ~/.bashrc: eval "$(jhpatch completion bash)"',
    )
    add_output_options(parser)


def run(arguments: argparse.Namespace) -> Result:
    """Return the shell's script unchanged. Raises Failed."""
    path = os.path.join(DIRECTORY, "jhpatch." + arguments.shell)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise Failed(
            "cannot read the completion script: %s" % error.strerror,
            path=path,
            next=self_check.reinstall_jhpatch(),
        )
    return Result("completion", Script(text))
