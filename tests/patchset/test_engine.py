"""Unified diffs: the declared bytes, or nothing."""

import hashlib
import os
import random
import subprocess
import sys
import zipfile

import pytest

from jhpatch.errors import BadPatch, MissingModule, install_command
from jhpatch.patchset import catalog, engine
from testing import ROOT

BEFORE = b"".join(b"line %d\n" % number for number in range(1, 21))
DIFF = b"""\
--- a/app/a.py
+++ b/app/a.py
@@ -4,6 +4,7 @@
 line 4
 line 5
 line 6
+added
 line 7
 line 8
 line 9
@@ -14,7 +15,7 @@
 line 14
 line 15
 line 16
-line 17
+changed
 line 18
 line 19
 line 20
"""
AFTER = BEFORE.replace(b"line 6\n", b"line 6\nadded\n").replace(b"line 17\n", b"changed\n")


def edition_of(tmp_path, diff=DIFF, before=BEFORE, after=AFTER):
    """An edition with ``diff`` as it stands."""
    folder = tmp_path / ("tree-%d" % random.getrandbits(60)) / "app"
    folder.mkdir(parents=True)
    head = "Package: app\nVersions: ==1\nDescription: x\n"
    head += "Before: app/a.py sha256:%s\n" % hashlib.sha256(before).hexdigest()
    head += "After: app/a.py sha256:%s\n" % hashlib.sha256(after).hexdigest()
    (folder / "1-slug.patch").write_bytes(head.encode() + b"---\n" + diff)
    (edition,) = catalog.editions([str(folder.parent)])
    return edition


def test_forward_and_back(tmp_path):
    """The diff gives After from Before, and Before from After."""
    edition = edition_of(tmp_path)
    assert engine.after_of(edition, {"app/a.py": BEFORE}) == {"app/a.py": AFTER}
    assert engine.before_of(edition, {"app/a.py": AFTER}) == {"app/a.py": BEFORE}


# The first and the last release of some editions; integration/releases has them all.
slow = pytest.mark.slow
RELEASES = [
    ("jupyterhub", "0.9.6", "0.9.0-kerberos-login"),
    ("notebook", "5.7.9", "5.5.0-kerberos-open"),
    ("notebook", "5.7.16", "5.2.0-kerberos-save"),
    ("jupyter_server", "2.21.1", "2.18.0-kerberos-contents"),
    pytest.param("jupyterhub", "0.9.0", "0.9.0-kerberos-login", marks=slow),
    pytest.param("jupyterhub", "6.1.0", "6.1.0-kerberos-login", marks=slow),
    pytest.param("jupyterhub", "6.1.1", "6.1.0-kerberos-login", marks=slow),
    pytest.param("notebook", "5.5.0", "5.5.0-kerberos-open", marks=slow),
    pytest.param("notebook", "5.2.0", "5.2.0-kerberos-save", marks=slow),
    pytest.param("jupyter_server", "2.18.0", "2.18.0-kerberos-contents", marks=slow),
]


@pytest.mark.parametrize("distribution, version, name", RELEASES)
def test_our_patches_fit_the_real_releases(wheel, distribution, version, name):
    """The bytes of a release are Before, become After, and come back."""
    editions = catalog.editions([catalog.own_patch_dir()], [distribution])
    (edition,) = [edition for edition in editions if edition.name == name]
    assert edition.fits(version)
    with zipfile.ZipFile(wheel(distribution, version)) as archive:
        before = {change.path: archive.read(change.path) for change in edition.changes}
    after = engine.after_of(edition, before)
    for path, data in after.items():
        if distribution == "notebook":  # of an age that each Python can compile
            compile(data, path, "exec", dont_inherit=True)
    assert engine.before_of(edition, after) == before


def test_a_shifted_file_is_refused(tmp_path):
    """Hunks are not searched for: a line more above is an error."""
    before = b"another\n" + BEFORE
    with pytest.raises(BadPatch, match="a hunk does not match the file at line 4"):
        engine.after_of(edition_of(tmp_path, before=before), {"app/a.py": before})


def test_other_bytes_than_declared_are_refused(tmp_path):
    """A diff that applies and gives other bytes than After is an error."""
    with pytest.raises(BadPatch) as refused:
        engine.after_of(edition_of(tmp_path, after=AFTER + b"x"), {"app/a.py": BEFORE})
    assert "sha256" in str(refused.value.expected)


@pytest.mark.parametrize(
    "diff",
    [
        b"",
        DIFF.replace(b"+++ b/app/a.py", b"+++ b/app/b.py"),
        DIFF.replace(b"app/a.py", b"/etc/passwd"),
        DIFF.replace(b"app/a.py", b"../a.py"),
        DIFF + DIFF,
        DIFF.replace(b"\n", b"\r\n"),
        DIFF[:-1],
        DIFF + b"\\ No newline at end of file\n",
        b"diff --git a/app/a.py b/app/a.py\nrename from x\nrename to y\n" + DIFF,
        b"GIT binary patch\n",
        DIFF.replace(b"@@ -4,6 +4,7 @@", b"@@ -4,6 +4,9 @@"),
        DIFF.replace(b"@@ -14,7 +15,7 @@", b"@@ -14,7 +99,7 @@"),
        DIFF.replace(b"@@ -14,7 +15,7 @@", b"@@ -2,7 +15,7 @@"),
        DIFF.replace(b"--- a/app/a.py", b"--- /dev/null"),
        DIFF.replace(b" line 5", b" line \0"),
    ],
)
def test_odd_diffs_are_refused(tmp_path, diff):
    """Anything but a plain change of the declared file is an error, never other bytes."""
    with pytest.raises(BadPatch):
        engine.after_of(edition_of(tmp_path, diff), {"app/a.py": BEFORE})


def test_no_truncation_gives_wrong_bytes(tmp_path):
    """A diff that is cut anywhere, or has a wrong byte, gives After or BadPatch."""
    random.seed(1)
    cut = [DIFF[:size] for size in range(len(DIFF))]
    for _ in range(500):
        at = random.randrange(len(DIFF))
        cut.append(DIFF[:at] + bytes([random.randrange(256)]) + DIFF[at + 1 :])
    right = 0
    for diff in cut:
        try:
            assert engine.after_of(edition_of(tmp_path, diff), {"app/a.py": BEFORE}) == {
                "app/a.py": AFTER
            }
            right += 1
        except BadPatch:
            pass
    assert right < len(cut) / 4


def test_patch_ng_is_imported_late():
    """It is imported when a diff is applied, as it takes 40 ms."""
    with open(os.path.join(os.path.dirname(engine.__file__), "engine.py")) as file:
        lines = [line for line in file if "import patch_ng" in line]
    assert {line.partition("#")[0].strip() for line in lines} == {"import patch_ng"}
    assert all(line.startswith(" ") for line in lines)


def test_patch_ng_is_loaded_without_what_it_does_not_need():
    """It is loaded without http, ssl and email, and other importers get the real modules."""
    script = """
import sys
from jhpatch.patchset import engine
parser = engine._parser()
print(sorted({"ssl", "email", "http.client", "urllib.request", "logging"} & set(sys.modules)))
import logging, tempfile, urllib.request
print(callable(urllib.request.urlopen), callable(tempfile.mkdtemp), logging.getLogger().level)
print(engine._parser() is parser)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.stdout.decode() == "[]\nTrue True 30\nTrue\n"


def test_a_missing_package_is_no_broken_patch(tmp_path, monkeypatch):
    """Without patch-ng the error names it and the command that installs it."""
    monkeypatch.setitem(sys.modules, "patch_ng", None)
    with pytest.raises(MissingModule) as failed:
        engine.after_of(edition_of(tmp_path), {"app/a.py": BEFORE})
    assert failed.value.code == "missing-module" and failed.value.exit_code == 1
    assert failed.value.next == install_command("patch-ng")
