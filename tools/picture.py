"""Draws README.md's picture, of real commands on a real environment (needs rich and pip).

    python tools/picture.py

Makes a virtual environment with a released JupyterHub and jupyter_server, runs the commands
on a terminal, and writes what that shows to docs/picture.svg.
"""

import os
import pty
import re
import subprocess
import sys
import tempfile
from typing import List

from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from rich.text import Text

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATH = os.path.join(ROOT, "docs", "picture.svg")
RELEASES = ["jupyterhub==6.1.1", "jupyter_server==2.21.1", "notebook==7.6.5"]
COMMANDS = ["status", "apply", "revert"]
WIDTH = 80
_SHOWN = "/opt/jupyterhub"


def on_terminal(argv: List[str]) -> str:
    """What a terminal shows of a command, with its colours."""
    master, slave = pty.openpty()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": ROOT,
        "TERM": "xterm",
        "COLUMNS": str(WIDTH),
    }
    child = subprocess.Popen(
        argv, env=environment, cwd="/", stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    text = b""
    while True:
        try:
            text += os.read(master, 65536)
        except OSError:  # EIO: the other side is closed
            break
    child.wait()
    os.close(master)
    return text.decode().replace("\r\n", "\n")


def environment(folder: str) -> str:
    """Released packages in a new virtual environment; its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = os.path.join(folder, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site]
    subprocess.run([*pip, *RELEASES], check=True)
    return os.path.join(folder, "bin", "python")


def drawn(python: str, prefix: str) -> str:
    """The picture, as SVG."""
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"), force_terminal=True)
    for command in COMMANDS:
        shown = "python -m jhpatch %s --python %s/bin/python" % (command, _SHOWN)
        console.print(Text("# ", style="dim") + Text(shown, style="bold"))
        text = on_terminal([sys.executable, "-m", "jhpatch", command, "--python", python])
        text = text.replace(sys.executable, "python").replace(prefix, _SHOWN)
        text = re.sub(r"python3\.\d+", "python3.11", text)
        console.print(Text.from_ansi(text.rstrip("\n")))
        console.print()
    return console.export_svg(title="jhpatch", theme=DEFAULT_TERMINAL_THEME, unique_id="jhpatch")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as top:
        prefix = os.path.join(os.path.realpath(top), "env")
        picture = drawn(environment(prefix), prefix)
    with open(PATH, "w", encoding="utf-8") as file:
        fonts = r"@font-face \{.*?\}\s*"  # from another host: no reader's browser asks there
        picture = re.sub(fonts, "", picture, flags=re.S)
        file.write(re.sub(r"[ \t]+$", "", picture, flags=re.M))
