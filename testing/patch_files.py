"""Small distributions, and patch directories with a patch for them."""

import hashlib
import os
from typing import Any, Dict, Optional, Union

from jhpatch.patchset import unified_diff

PATH = "app/handlers.py"
UPSTREAM = b'''\
"""The handlers of app."""

import json

from tornado import web

from app.base import Handler


class PageHandler(Handler):
    """Shows a page."""

    def get(self, path):
        return path


class ContentsHandler(Handler):
    """Reads and saves."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.settings = settings

    @web.authenticated
    async def get(self, path=""):
        """A model."""
        return json.dumps(path)

    async def _save(self, model, path):
        """Saves a model."""
        return path
'''
"""The file of release 1.0."""
HELPER_ROW = "app/_helper.py < _added/helper.txt"
"""What the patch adds; ``put`` writes its source, too."""
_HELPER = b"on_open = on_save = on_start = lambda *arguments: arguments[0]\n"
ZERO, ONE = "0" * 64, "1" * 64
HEADER = """\
Package: app
Versions: >=1.0,<=1.4 | ==2.0rc1
Description: what
 it does
Before: app/a.py sha256:%s
After: app/a.py sha256:%s
---
""" % (ZERO, ONE)
"""The header of ``app/hooks``, without a diff."""


def patched(before: bytes) -> bytes:
    """Return upstream's file with an import, two decorators and a call."""
    for old, new in (
        (b"from app.base", b"from app._helper import on_open, on_save, on_start\nfrom app.base"),
        (b"settings = settings\n", b"settings = settings\n        on_start(self)\n"),
        (b"    async def get", b"    @on_open\n    async def get"),
        (b"    async def _save", b"    @on_save\n    async def _save"),
    ):
        assert before.count(old) == 1, old
        before = before.replace(old, new)
    return before


def patch_text(
    before: bytes = UPSTREAM,
    after: Optional[bytes] = None,
    versions: str = ">=1.0,<=1.2",
    **fields: str,
) -> str:
    """Return a patch file; ``fields`` are set, or left out if empty (``_`` for ``-``)."""
    after = patched(before) if after is None else after
    values: Dict[str, str] = {
        "Package": "app",
        "Versions": versions,
        "Description": "what it does\n and why",
        "Origin": "vendor",
        "Before": "%s sha256:%s" % (PATH, hashlib.sha256(before).hexdigest()),
        "After": "%s sha256:%s" % (PATH, hashlib.sha256(after).hexdigest()),
        "Adds": HELPER_ROW,
    }
    values.update({name.replace("_", "-"): value for name, value in fields.items()})
    head = "".join("%s: %s\n" % pair for pair in values.items() if pair[1])
    return head + "---\n" + unified_diff.diff(PATH, before, after)


def put(
    tree: str, text: Union[str, bytes], name: str = "1.0-hooks.patch", directory: str = "app"
) -> str:
    """Write a file of a distribution into a patch directory; return its path."""
    path = os.path.join(tree, directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    data = text.encode() if isinstance(text, str) else text
    with open(path, "wb") as file:
        file.write(data)
    if HELPER_ROW.encode() in data:
        source = os.path.join(tree, "_added", "helper.txt")
        os.makedirs(os.path.dirname(source), exist_ok=True)
        with open(source, "wb") as file:
            file.write(_HELPER)
    return path


def own_patch(tmp_path: Any, before: Dict[str, bytes], after: Dict[str, bytes], site: str) -> str:
    """Make a patch directory for ``our-app`` in ``site``: two changed files and an added one."""
    for name, data in before.items():
        path = os.path.join(site, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
    os.makedirs(os.path.join(site, "our_app-1.0.dist-info"))
    with open(os.path.join(site, "our_app-1.0.dist-info/METADATA"), "w") as file:
        file.write("Name: Our.App\nVersion: 1.0\n")
    folder = tmp_path / "tree" / "our-app"
    folder.mkdir(parents=True)
    (folder / "extra.py").write_text("extra = 1\n")
    rows, diffs = [], []
    for name in sorted(before):
        for field, data in (("Before", before[name]), ("After", after[name])):
            rows.append("%s: %s sha256:%s\n" % (field, name, hashlib.sha256(data).hexdigest()))
        diffs.append(
            "--- a/%s\n+++ b/%s\n@@ -1,1 +1,1 @@\n-%s+%s"
            % (name, name, before[name].decode(), after[name].decode())
        )
    head = "Package: our-app\nVersions: ==1.0\nDescription: ours\n%s" % "".join(rows)
    head += "Adds: our_app/extra.py < our-app/extra.py\n---\n"
    (folder / "1.0-ours.patch").write_text(head + "".join(diffs))
    return str(tmp_path / "tree")
