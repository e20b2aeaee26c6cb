"""The edited files of a distribution, against its RECORD."""

import base64
import errno
import hashlib
import os

import pytest

from jhpatch.installer import edits
from jhpatch.installer.distribution import Distribution
from jhpatch.installer.patch_status import SiteSnapshot
from jhpatch.system.rooted_files import RootDir

APP = Distribution("app", "1.0", "app-1.0.dist-info", None, "pip")


@pytest.fixture
def site(tmp_path):
    """``site({"app": {path: data}, …}, changes)``: distributions, then changes; None removes."""

    def call(distributions, changes, more="app/x.pyc,,", cap=1 << 20):
        root = str(tmp_path)
        for name, files in distributions.items():
            rows = []
            for path, data in files.items():
                put(root, path, data)
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
                rows.append("%s,sha256=%s,%d\n" % (path, digest.rstrip("="), len(data)))
            record = "%s-1.0.dist-info/RECORD" % name
            put(root, record, "".join([*rows, more + "\n", record + ",,\n"]).encode())
        for path, data in changes.items():
            put(root, path, data)
        top = RootDir(root)

        def read(path):
            content = top.read(path, cap)
            return content.data if content else None

        snapshot = SiteSnapshot(root, {"app": [APP]}, None, None, read, lambda digest: b"")
        rows = edits.release_rows(snapshot, APP)
        return edits.edits_of(snapshot, APP, "app/try", rows)

    return call


def put(root, path, data):
    """Write or remove a file."""
    path = os.path.join(root, path)
    if data is None:
        os.unlink(path)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def changed(found):
    """The paths of the edits, with ``+`` for new files and ``-`` for removed ones."""
    marks = {(True, False): "+", (False, True): "-", (False, False): " "}
    return [marks[edit.before is None, edit.after is None] + edit.path for edit in found.edits]


def test_each_kind_of_edit(site):
    """Changed, removed and new files, and none that is as the release has it."""
    files = {"app/__init__.py": b"", "app/a.py": b"1\n", "app/b.py": b"2\n", "app/c.py": b"3\n"}
    changes = {"app/a.py": b"one\n", "app/b.py": None, "app/new/deep/d.py": b"4\n"}
    found = site({"app": files}, changes)
    assert changed(found) == [" app/a.py", "-app/b.py", "+app/new/deep/d.py"]
    assert found.others == ()


def test_what_is_no_edit(site):
    """Bytecode, what editors and tools leave, and files at the top of the site."""
    ignored = (
        "app/__pycache__/a.pyc app/a.pyc app/a.py~ app/a.py.orig app/.a.py.swp top.py app/a.tmp "
        "app/.nfs0001 app/.git/config app/.ipynb_checkpoints/a-checkpoint.py app/Untitled1.ipynb "
        "app/.mypy_cache/a.json app/.DS_Store"
    )
    changes = {path: b"x" for path in ignored.split()}
    assert site({"app": {"app/__init__.py": b""}}, changes) == ((), ())


def test_a_file_of_the_release_counts_whatever_its_name(site):
    """What an editor might have left, the release ships here."""
    names = ("app/a.py.orig", "app/b.tmp", "app/Untitled.ipynb")
    found = site({"app": {name: b"1\n" for name in names}}, {name: b"2\n" for name in names})
    assert [edit.path for edit in found.edits] == sorted(names)


def test_scripts(site):
    """pip writes them for each environment; older ones leave the wheel's hash in RECORD."""
    files = {"app/__init__.py": b"", "../bin/app": b"#!python\n"}
    found = site({"app": files}, {"../bin/app": b"#!/usr/bin/python\n"})
    assert found == ((), (("../bin/app", edits.SCRIPT),))
    assert edits.SCRIPT in edits.NOT_REFUSED


def test_files_outside_of_the_site(site):
    """One that was edited cannot be patched; one that an image does not have is no edit."""
    files = {"app/a.py": b"1\n", "../share/a.css": b"a", "../share/b.css": b"b"}
    found = site({"app": files}, {"../share/a.css": b"A", "../share/b.css": None})
    assert found.edits == ()
    (edited, missing) = found.others
    assert edited[0] == "../share/a.css" and "outside of the site" in edited[1]
    assert missing[0] == "../share/b.css" and "missing" in missing[1]
    assert edited[1] not in edits.NOT_REFUSED and missing[1] in edits.NOT_REFUSED


@pytest.mark.parametrize("row", ["app/b.py,,", "app/b.py,md5=rL0Y20zC-Fzt72VPzMSk2A,3"])
def test_a_file_without_a_sha256(site, row):
    """Whether it was edited cannot be told: it is named, and no edit is lost."""
    found = site({"app": {"app/a.py": b"1\n"}}, {"app/b.py": b"2\n"}, row)
    assert found.edits == ()
    ((path, reason),) = found.others
    assert path == "app/b.py" and "no SHA-256" in reason and "--wheel" in reason
    assert reason not in edits.NOT_REFUSED


@pytest.mark.parametrize(
    "path, reason", [("../share/x.txt", "outside of the site"), ("../../bin/x", edits.SCRIPT)]
)
def test_a_file_without_a_sha256_that_no_patch_can_change(site, path, reason):
    """No wheel helps: the reason is where the file is."""
    (other,) = site({"app": {"app/a.py": b"1\n"}}, {}, path + ",,").others
    assert other[0] == path and reason in other[1]


def test_files_of_other_distributions(site):
    """A namespace package: each file is of the distribution in whose directory it lies."""
    distributions = {
        "app": {"spaces/app/a.py": b"1\n"},
        "other": {"spaces/other/a.py": b"1\n", "spaces/app/plugin/b.py": b"2\n"},
    }
    changes = {
        "spaces/app/new.py": b"",
        "spaces/other/new.py": b"",
        "spaces/app/plugin/new.py": b"",
        "spaces/new.py": b"",
    }
    assert changed(site(distributions, changes)) == ["+spaces/app/new.py"]


def test_what_no_patch_can_carry(site):
    """Metadata, files outside of the site, binary ones: each with the reason."""
    files = {"app/a.py": b"", "app-1.0.dist-info/METADATA": b"M", "../share/x.html": b"x"}
    changes = {
        "app/a.bin": b"\0",
        "app-1.0.dist-info/METADATA": b"N",
        "../share/x.html": b"y",
    }
    found = site({"app": files}, changes)
    assert found.edits == ()
    assert [path for path, _ in found.others] == [
        "../share/x.html",
        "app-1.0.dist-info/METADATA",
        "app/a.bin",
    ]
    assert dict(found.others)["app-1.0.dist-info/METADATA"] == "it is a metadata file"


def test_a_name_that_is_not_utf_8(site):
    """A header and a RECORD are UTF-8."""
    found = site({"app": {"app/a.py": b"1\n"}}, {"app/\udcff.txt": b"2\n"})
    ((path, reason),) = found.others
    assert path == "app/\udcff.txt" and reason.startswith(
        "it is a metadata file, or a unified diff"
    )


def test_what_cannot_be_read(site, monkeypatch):
    """A directory, or a new file that is too large: its path in the site, and the reason."""
    real = edits.RootDir.directory

    def directory(self, path, *more):
        if path == "app/secret":
            raise PermissionError(errno.EACCES, "Permission denied", "secret")
        return real(self, path, *more)

    monkeypatch.setattr(edits.RootDir, "directory", directory)
    changes = {"app/secret/a.py": b"1\n", "app/large.txt": b"1" * 2000}
    found = site({"app": {"app/a.py": b"1\n"}}, changes, cap=1000)
    assert found.others == (
        ("app/large.txt", "larger than 1000 bytes"),
        ("app/secret", "Permission denied"),
    )
