"""A package that is made here, the change that each tool makes to it, and how each reads it."""

import hashlib
import json
import os
import uuid
from typing import Dict, NamedTuple, Tuple

from jhpatch.patchset import unified_diff
from testing.index import made_wheel

NAME, VERSION = "app", "1.0.0"


class Change(NamedTuple):
    """The files that are changed, from the site's root: before, and after two hunks in each."""

    before: Dict[str, bytes]
    after: Dict[str, bytes]
    rest: Dict[str, bytes]
    """The package's other files."""

    def wheel(self, folder: str) -> str:
        """The package as a wheel; gives its path."""
        return made_wheel(folder, NAME, VERSION, {**self.rest, **self.before})

    def diff(self, old: str = "a/", new: str = "b/", cut: str = "") -> str:
        """As a unified diff; ``cut`` is taken off the front of each path."""
        diffs = (
            unified_diff.diff(path, self.before[path], self.after[path])
            .replace("--- a/" + path, "--- " + old + path[len(cut) :], 1)
            .replace("+++ b/" + path, "+++ " + new + path[len(cut) :], 1)
            for path in sorted(self.before)
        )
        return "".join(diffs)


def change(files: int = 2, lines: int = 300, others: int = 8) -> Change:
    """``files`` modules of so many lines that are changed, and ``others`` that are not."""
    before = {"app/changed_%04d.py" % n: _module(n, lines) for n in range(files)}
    rest = {"app/other_%04d.py" % n: _module(n, lines) for n in range(others)}
    rest["app/__init__.py"] = b'"""A package that is made for a benchmark."""\n'
    return Change(before, {path: _patched(data) for path, data in before.items()}, rest)


def _module(number: int, lines: int) -> bytes:
    """Python that compiles: functions of six lines."""
    rows = ['"""Module %d of a package that is made for a benchmark."""' % number]
    for place in range(lines // 6):
        rows += [
            "",
            "",
            "def function_%d(first, second=%d):" % (place, number),
            '    """Adds, and says what it has added."""',
            "    total = first + second * %d" % place,
            '    return {"first": first, "total": total}',
        ]
    return ("\n".join(rows) + "\n").encode()


def _patched(before: bytes) -> bytes:
    """A hunk at the head of the file, and one at its end."""
    lines = before.decode().split("\n")
    lines[5:5] = ["    first = int(first)"]
    lines[-2:-2] = ['    assert total, "nothing at all"']
    return "\n".join(lines).encode()


def _put(path: str, text: str) -> str:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", newline="") as file:
        file.write(text)
    return path


# What each tool reads.


def plain(folder: str, made: Change) -> str:
    """For GNU patch and ``git apply``, from the site's root; gives the path."""
    return _put(os.path.join(folder, "plain.patch"), made.diff())


def tree(folder: str, made: Change) -> str:
    """For jhpatch: a tree with one patch, which states each hash; gives the folder."""
    head = "Package: %s\nVersions: ==%s\nDescription: a change\nOrigin: vendor\n" % (NAME, VERSION)
    for word, files in (("Before", made.before), ("After", made.after)):
        for path in sorted(files):
            digest = hashlib.sha256(files[path]).hexdigest()
            head += "%s: %s sha256:%s\n" % (word, path, digest)
    path = os.path.join(folder, "tree", NAME, VERSION + "-change.patch")
    return os.path.dirname(os.path.dirname(_put(path, head + "---\n" + made.diff())))


def mail(folder: str, made: Change) -> str:
    """For venv-patcher: a mail for ``git am``, in the package's folder, and the YAML that names
    it; gives the path of this.
    """
    head = (
        "From: a <a@localhost>\nDate: Thu, 1 Jan 1970 00:00:00 +0000\nSubject: a change\n\n---\n"
    )
    _put(os.path.join(folder, "mail.patch"), head + made.diff(cut=NAME + "/") + "-- \n1\n")
    text = "version: 1\npatches:\n  - package: %s\n    path: mail.patch\n" % NAME
    return _put(os.path.join(folder, "patches.yml"), text)


def named(folder: str, made: Change, between: str, prefixes: Tuple[str, str]) -> str:
    """``patches/app==1.0.0.patch`` and its like, in the current folder; gives this folder."""
    name = "%s%s%s.patch" % (NAME, between, VERSION)
    _put(os.path.join(folder, "patches", name), made.diff(*prefixes))
    return folder


def inner(folder: str, made: Change) -> str:
    """For pypatch: from the module's folder; gives the path."""
    return _put(os.path.join(folder, "inner.patch"), made.diff("", "", cut=NAME + "/"))


def node(folder: str, made: Change) -> str:
    """For npm's patch-package: a project with the package below node_modules; gives its folder."""
    manifest = {"name": NAME, "version": VERSION}
    _put(os.path.join(folder, "package.json"), json.dumps({"name": "project", "version": "1.0.0"}))
    inside = os.path.join(folder, "node_modules")
    _put(os.path.join(inside, NAME, "package.json"), json.dumps(manifest))
    for path, data in {**made.rest, **made.before}.items():
        _put(os.path.join(inside, path), data.decode())
    diff = ""
    for path in sorted(made.before):
        whole = "node_modules/" + path
        diff += "diff --git a/%s b/%s\nindex 1111111..2222222 100644\n" % (whole, whole)
        one = Change({path: made.before[path]}, {path: made.after[path]}, {})
        diff += one.diff("a/node_modules/", "b/node_modules/")
    _put(os.path.join(folder, "patches", "%s+%s.patch" % (NAME, VERSION)), diff)
    return folder


def blobs(folder: str, made: Change) -> str:
    """For socket-patch: a manifest with hashes as git's, and all bytes; gives the folder."""
    files = {}
    for path in made.before:
        hashes = [_blob(folder, data) for data in (made.before[path], made.after[path])]
        files[path] = dict(zip(("beforeHash", "afterHash"), hashes))
    record = {
        "uuid": str(uuid.UUID(int=1 << 76 | 2 << 62)),
        "exportedAt": "1970-01-01T00:00:00Z",
        "files": files,
        "vulnerabilities": {},
        "description": "a change",
        "license": "MIT",
        "tier": "free",
    }
    text = json.dumps({"patches": {"pkg:pypi/%s@%s" % (NAME, VERSION): record}})
    _put(os.path.join(folder, ".socket", "manifest.json"), text)
    return folder


def _blob(folder: str, data: bytes) -> str:
    name = hashlib.sha256(b"blob %d\0" % len(data) + data).hexdigest()
    _put(os.path.join(folder, ".socket", "blobs", name), data.decode())
    return name
