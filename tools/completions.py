"""Makes the scripts that complete ``jhpatch``: ``python tools/completions.py`` (needs shtab)."""

import os
import sys

import shtab

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from jhpatch.cli import main
from jhpatch.commands import completion


def made(shell: str) -> str:
    """The script for a shell."""
    text: str = shtab.complete(main.parser(None, whole=True), shell)
    return "\n".join(map(str.rstrip, text.splitlines())) + "\n"


if __name__ == "__main__":
    for name in completion.SHELLS:
        with open(os.path.join(completion.DIRECTORY, "jhpatch." + name), "w") as file:
            file.write(made(name))
