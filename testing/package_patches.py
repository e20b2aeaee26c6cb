"""``app`` 1.0 with two modules, and a patch directory whose two patches share what they add."""

import base64
import hashlib
import os
from typing import Any, Dict, NamedTuple, Sequence, Tuple

from jhpatch.patchset import unified_diff

INFO = "app-1.0.dist-info"
RECORD = INFO + "/RECORD"
A, B = "app/a", "app/b"
HELPER, PACKAGE = "app/_added.py", "app/_added"
ONE_FILE = {HELPER: "shape = 'file'\nfrom os import sep as hook\n"}
"""The helper as one file."""
FILES = {
    PACKAGE + "/part.py": "part = 1\n",
    PACKAGE + "/deep/inner.py": "inner = 1\n",
    PACKAGE + "/deep/__init__.py": "from app._added.deep.inner import inner\n",
    PACKAGE + "/__init__.py": (
        "from app._added.part import part\nfrom app._added.deep import inner\n"
        "shape = 'package'\nfrom os import sep as hook\n"
    ),
}
"""The helper as a package, in the order of writing."""


class Small(NamedTuple):
    """A site with ``app``, and a directory of patches for it. Paths are strings."""

    site: str
    patches: str

    @property
    def where(self) -> Tuple[str, ...]:
        """The options of a command."""
        return ("--site", self.site, "--patches", self.patches)

    def path(self, name: str) -> str:
        """The path of a file of the site."""
        return os.path.join(self.site, name)

    def patch(self, added: Dict[str, str], slugs: Sequence[str] = ("a", "b")) -> None:
        """Write the patches of these modules; each adds the files ``added``."""
        rows = ""
        for path, text in added.items():
            source = "app/%s-%s.txt" % ("".join(slugs), path.replace("/", "-"))
            _write(os.path.join(self.patches, source), text)
            rows += "Adds: %s < %s\n" % (path, source)
        for slug in slugs:
            path, before, after = "app/%s.py" % slug, _module(slug, False), _module(slug, True)
            head = "Package: app\nVersions: ==1.0\nDescription: d\n"
            head += "Before: %s sha256:%s\n" % (path, hashlib.sha256(before).hexdigest())
            head += "After: %s sha256:%s\n" % (path, hashlib.sha256(after).hexdigest())
            text = head + rows + "---\n" + unified_diff.diff(path, before, after)
            _write(os.path.join(self.patches, "app/1.0-%s.patch" % slug), text)


def small(folder: Any) -> Small:
    """Make a site with ``app`` in a directory, and an empty patch directory."""
    made = Small(os.path.join(str(folder), "site"), os.path.join(str(folder), "patches"))
    files = {
        "app/__init__.py": b"",
        "app/a.py": _module("a", False),
        "app/b.py": _module("b", False),
    }
    files[INFO + "/METADATA"] = b"Metadata-Version: 2.1\nName: app\nVersion: 1.0\n"
    rows = ["%s,sha256=%s,%d" % (path, _row(data), len(data)) for path, data in files.items()]
    files[RECORD] = "\n".join([*rows, RECORD + ",,", ""]).encode()
    for path, data in files.items():
        _write(made.path(path), data.decode())
    os.makedirs(os.path.join(made.patches, "app"))
    return made


def _module(name: str, patched: bool) -> bytes:
    line = "from app._added import hook, shape\n" if patched else ""
    return ("# %s\n# 1\n# 2\nimport os\n%s# 3\n# 4\n# 5\n" % (name, line)).encode()


def _row(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
