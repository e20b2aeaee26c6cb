"""The real command in processes of its own, and a small distribution with patches of its own."""

import base64
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from typing import Dict, NamedTuple

import pytest

from testing import ROOT
from testing.trees import tree
from testing.wheels import PYTHON

RELEASES = ("1.0", "2.0")
CORE, DEEP = "our_app/core.py", "our_app/sub/deep.py"
PART, HELPER = ADDED = ("our_app/_added/part.py", "our_app/_added/__init__.py")
"""A package that the patch adds, in the order of writing."""
PATCHED = (CORE, DEEP)
_FILLER = 60  # modules around those that matter, so that pip takes a while


class Place(NamedTuple):
    """Where a test works. All paths are strings."""

    python: str
    """An interpreter for which ``-I -m jhpatch`` is the checkout's."""
    console: str
    """The script that pip would put into ``bin``."""
    env: str
    """An environment with an interpreter that works; it holds the site."""
    site: str
    """A site with release 1.0 of our_app, as pip would leave it."""
    patches: str
    """The tree with the patches for our_app."""

    def argv(self, command, *more, **how):
        """A command on the site, as a person types it.

        ``console=True`` takes the script in place of ``-m``; ``env=True`` names the
        environment, whose interpreter then compiles, in place of the site alone.
        """
        first = [self.console] if how.get("console") else [self.python, "-I", "-m", "jhpatch"]
        where = ["--python", self.env] if how.get("env") else ["--site", self.site]
        return first + [command, *where, "--patches", self.patches, *more]

    def typed(self, command, *more, **options):
        """The command, run to its end; its talk and its output are bytes."""
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return subprocess.run(self.argv(command, *more), cwd="/", timeout=300, **options)

    def picture(self):
        """All that a revert gives back, ``.jhpatch`` included."""
        return tree(self.site)


class Outcome(NamedTuple):
    """What a command with ``--json`` has said."""

    code: int
    document: Dict
    talk: bytes

    @property
    def error(self):
        """The first error, of the command or of a site; {} for none."""
        errors = [self.document["error"]] + [site["error"] for site in self.document["sites"]]
        return next((error for error in errors if error), {})

    @property
    def states(self):
        """The state of each patch whose distribution is, or was, there."""
        sites = self.document["sites"]
        every = {one["patch"]: one["state"] for site in sites for one in site["patches"]}
        return {patch: state for patch, state in every.items() if state != "absent"}


def made(folder):
    """A place in ``folder``: a tool of its own, and a site with release 1.0."""
    tool, env = os.path.join(str(folder), "tool"), os.path.join(str(folder), "env")
    site = _environment(env)
    unpacked(wheel(str(folder), "1.0"), site)
    python, console = _installed(tool)
    return Place(python, console, env, site, _patches(os.path.join(str(folder), "tree")))


def is_applied(site):
    """Whether every file is as the patch makes it; False where every one is as released.

    Anything in between fails the test.
    """
    found = {path: read(site, path) for path in (*PATCHED, *ADDED)}
    kinds = [dict(sources(version), **dict.fromkeys(ADDED)) for version in RELEASES]
    kinds += [patched(version) for version in RELEASES]
    assert found in kinds, found
    directory = os.path.dirname(os.path.join(site, HELPER))
    assert os.path.isdir(directory) == (found[HELPER] is not None), os.listdir(directory)
    return found[HELPER] is not None


def read(site, path):
    """A file's bytes; None for none."""
    try:
        with open(os.path.join(site, path), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


NO_MEMORY = re.compile(
    rb"jhpatch: (out of memory|cannot print the result \(\w+\)); no site is half changed\n"
)
"""All that is said where memory is too short even for a document. CPython without memory may
raise what it likes: 3.11 has called a function with the arguments of another.
"""


def answered(place, command, *more, **options):
    """A command and its document. No fault may ever give a traceback or no document."""
    done = place.typed(command, "--json", *more, **options)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    if NO_MEMORY.fullmatch(done.stderr) and not done.stdout:
        error = {"message": done.stderr.decode()}
        return Outcome(done.returncode, {"error": error, "sites": []}, b"")
    assert done.stdout, (done.returncode, done.stderr)
    document = json.loads(done.stdout.decode("ascii"))
    assert document["exit_code"] == done.returncode
    return Outcome(done.returncode, document, done.stderr)


def stretched(calls, argv, when="exit", milliseconds=20):
    """The same command, in which each of these system calls takes its time (strace(1))."""
    if shutil.which("strace") is None:
        pytest.skip("no strace")
    delay = "inject=%s:delay_%s=%d" % (calls, when, 1000 * milliseconds)
    return ["strace", "-qq", "-o", "/dev/null", "-e", "trace=" + calls, "-e", delay, *argv]


def succeeded(place, command, *more):
    """A command that nothing stands in the way of."""
    outcome = answered(place, command, *more)
    assert outcome.code == 0, outcome.error
    return outcome


def without_ours(picture):
    """A picture of a site without the folder in which jhpatch keeps its state."""
    return {path: row for path, row in picture.items() if path.split("/")[0] != ".jhpatch"}


def leftovers(site):
    """What a run that has failed must not leave: temporary files and a journal."""
    found = []
    for folder, _, names in os.walk(site):
        for name in names:
            if name.startswith(".jhpatch-") or name.endswith(".new") or name == "journal.json":
                found.append(os.path.join(folder, name))
    return found


def _environment(prefix):
    """An empty environment as venv makes it; gives its site."""
    site = os.path.join(prefix, "lib", PYTHON, "site-packages")
    os.makedirs(site)
    os.makedirs(os.path.join(prefix, "bin"))
    home = os.path.join(sys.base_prefix, "bin")
    with open(os.path.join(prefix, "pyvenv.cfg"), "w") as file:
        file.write("home = %s\ninclude-system-site-packages = false\n" % home)
        file.write("version = %d.%d.%d\n" % sys.version_info[:3])
    for name, target in ((PYTHON, os.path.join(home, PYTHON)), ("python", PYTHON)):
        os.symlink(target, os.path.join(prefix, "bin", name))
    return site


def _installed(prefix):
    """An environment in which the checkout is installed: its interpreter, and its script."""
    others = os.path.dirname(importlib.util.find_spec("patch_ng").origin)
    with open(os.path.join(_environment(prefix), "checkout.pth"), "w") as file:
        file.write("%s\n%s\n" % (ROOT, others))
    python, console = (os.path.join(prefix, "bin", name) for name in ("python", "jhpatch"))
    module, function = _entry_point()
    with open(console, "w") as file:
        file.write("#!%s\nimport sys\nfrom %s import %s\n" % (python, module, function))
        file.write("if __name__ == '__main__':\n    sys.exit(%s())\n" % function)
    os.chmod(console, 0o755)
    return python, console


def _entry_point():
    """Module and function of the console script, as setup.py names them."""
    with open(os.path.join(ROOT, "setup.py")) as file:
        text = file.read().partition('"jhpatch = ')[2].partition('"')[0]
    return tuple(text.split(":"))


# A distribution of two releases, and its patches.


def sources(version):
    """The files of a release that are patched, without the patch."""
    return {path: _module(version, "False") for path in PATCHED}


def patched(version):
    """Those files with the patch, and what it adds: same size, or Python could not be fooled."""
    found = {path: _module(version, "mark ") for path in PATCHED}
    assert all(len(found[path]) == len(sources(version)[path]) for path in PATCHED)
    found[PART] = b"mark = True\n"
    found[HELPER] = b"from our_app._added.part import mark\n"
    return found


def _module(version, value):
    first = "from our_app._added import mark" if value == "mark " else "# nothing is added to this"
    text = "version = '%s'\n%s\nmarked = %s\n%s" % (version, first.ljust(32), value, "#\n" * 20)
    return text.encode()


def files(version):
    """All files of a release; release 2.0 has another filler."""
    found = dict(sources(version))
    found["our_app/__init__.py"] = b"version = '%s'\n" % version.encode()
    found["our_app/sub/__init__.py"] = b""
    for number in range(_FILLER):
        found["our_app/filler/f%02d.py" % number] = b"# %s\n" % version.encode() * 9
    info = "our_app-%s.dist-info/" % version
    head = "Metadata-Version: 2.1\nName: our-app\nVersion: %s\n" % version
    found[info + "METADATA"] = head.encode()
    found[info + "WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    return found


def wheel(folder, version):
    """The wheel of a release, made anew in ``folder``."""
    path = os.path.join(folder, "our_app-%s-py3-none-any.whl" % version)
    found = files(version)
    record = "our_app-%s.dist-info/RECORD" % version
    rows = [
        "%s,sha256=%s,%d\n" % (name, _row_hash(data), len(data)) for name, data in found.items()
    ]
    found[record] = ("".join(rows) + record + ",,\n").encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name in found:
            archive.writestr(name, found[name])
    return path


def _row_hash(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def unpacked(path, site):
    """A wheel's files as pip would put them."""
    with zipfile.ZipFile(path) as archive:
        archive.extractall(site)
        info = next(name for name in archive.namelist() if name.endswith("/RECORD"))
    with open(os.path.join(site, os.path.dirname(info), "INSTALLER"), "w") as file:
        file.write("pip\n")


def _patches(folder):
    os.makedirs(os.path.join(folder, "our-app"))
    for path in ADDED:
        with open(os.path.join(folder, "our-app", os.path.basename(path)), "wb") as file:
            file.write(patched("1.0")[path])
    for version in RELEASES:
        with open(os.path.join(folder, "our-app", version + "-marked.patch"), "w") as file:
            file.write(_patch(version))
    return folder


def _patch(version):
    """One patch of two files, which adds a package."""
    old, new = sources(version), patched(version)
    head = "Package: our-app\nVersions: ==%s\nDescription: says that it was here\n" % version
    for path in PATCHED:
        head += "Before: %s sha256:%s\n" % (path, hashlib.sha256(old[path]).hexdigest())
        head += "After: %s sha256:%s\n" % (path, hashlib.sha256(new[path]).hexdigest())
    head += "".join("Adds: %s < our-app/%s\n" % (p, os.path.basename(p)) for p in ADDED) + "---\n"
    return head + "".join(_diff(path, old[path], new[path]) for path in PATCHED)


def _diff(path, old, new):
    import difflib

    lines = (data.decode().splitlines(keepends=True) for data in (old, new))
    return "".join(difflib.unified_diff(*lines, fromfile="a/" + path, tofile="b/" + path))
