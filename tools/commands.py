"""Makes docs/commands.md from the parser: ``python tools/commands.py``."""

import argparse
import os
import sys
from typing import Dict, Iterator, Tuple

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from jhpatch.cli import main
from jhpatch.commands import COMMANDS

PATH = os.path.join(sys.path[0], "docs", "commands.md")
_HEAD = """\
# Commands

`python -m jhpatch`, or `jhpatch`, for the environment whose Python runs it. This page is
made from the program's own help by `tools/commands.py`.

| exit code | means |
|---|---|
| 0 | done, or nothing to do |
| 1 | failed; the message says how things are now |
| 2 | usage, or a name that there is not |
| 3 | a command that only checks found something |
| 4 | another run holds the lock |
| 5 | refused by a command that would change something: nothing was changed |

Over several sites: the first of 1, 4, 5, 3, 0 that any has.
"""


def made() -> str:
    """The page."""
    text = _HEAD
    for name in COMMANDS:
        for title, one in _with_actions(name, main.parser(name)):
            help_text = (
                one.format_help().rstrip().replace("\n\nexit codes:", "\n\n~").partition("~")
            )
            text += "\n## %s\n\n```text\n%s\n```\n" % (title, help_text[0].rstrip())
    return text


def _with_actions(
    name: str, parser: argparse.ArgumentParser
) -> Iterator[Tuple[str, argparse.ArgumentParser]]:
    """A command's parser, and those of what it can do."""
    one = _below(parser)[name]
    yield name, one
    for action, parser_of in _below(one).items():
        yield "%s %s" % (name, action), parser_of


def _below(parser: argparse.ArgumentParser) -> Dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


if __name__ == "__main__":
    with open(PATH, "w", encoding="utf-8") as file:
        file.write(made())
