"""``jhpatch completion``: the words that a shell completes behind ``jhpatch``."""

import argparse
import os

from jhpatch.commands.arguments import add_output_options
from jhpatch.errors import Failed, python_command
from jhpatch.report.result import Result, Script

SHELLS = ("bash", "zsh", "fish")
FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "completions")
"""A script for each shell, made by tools/completions.py."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``completion``."""
    parser.add_argument("shell", choices=SHELLS, help='eval "$(jhpatch completion bash)"')
    add_output_options(parser)


def run(arguments: argparse.Namespace) -> Result:
    """The shell's script, as it is."""
    path = os.path.join(FOLDER, "jhpatch." + arguments.shell)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise Failed(
            str(error.strerror),
            path=path,
            next=python_command("pip", "install", "--force-reinstall", "jhpatch"),
        )
    return Result("completion", Script(text))
