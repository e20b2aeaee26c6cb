"""Notebooks in the users' homes, written by no server."""

import json
import os
import pwd
import shutil

from integration.e2e.hub import notebook

CODE = "1 + 1"
"""The cell of a notebook."""


def notebook_of(name: str) -> str:
    """An empty notebook in the user's home that no server has saved; its name."""
    path = "/home/%s/unsaved.ipynb" % name
    with open(path, "w") as file:
        json.dump(notebook(), file)
    shutil.chown(path, name, name)
    return os.path.basename(path)


def notebook_of_alice(name: str, code: str = CODE) -> str:
    """A notebook of one cell in alice's home; its path."""
    cell = dict(cell_type="code", id="a", execution_count=None, metadata={}, outputs=[])
    spec = dict(name="python3", display_name="Python 3", language="python")
    content = dict(
        cells=[dict(cell, source=[code])],
        metadata=dict(kernelspec=spec),
        nbformat=4,
        nbformat_minor=5,
    )
    path = "/home/alice/" + name
    with open(path, "w") as file:
        json.dump(content, file)
    entry = pwd.getpwnam("alice")
    os.chown(path, entry.pw_uid, entry.pw_gid)
    return path
