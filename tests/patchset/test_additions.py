"""The files that a patch adds: where their bytes may come from, and where they may go."""

import os

import pytest

from jhpatch.errors import BadPatch
from jhpatch.patchset import additions, edition
from testing.patch_files import HEADER, put


def read(tmp_path, *rows):
    """The edition of a patch file with these rows ``Adds``."""
    text = "".join("Adds: %s\n" % row for row in rows)
    return edition.read_edition(put(str(tmp_path), HEADER.replace("---\n", text + "---\n")))


def test_what_is_added_comes_from_the_patch_directory_or_from_jhpatch(tmp_path):
    """A file beside the patch, or a helper; its bytes are given by the path in the site."""
    put(str(tmp_path), "h = 1\n", "h.py")
    made = read(tmp_path, "app/h.py < app/h.py", "app/_k.py < helper:kerberos")
    assert [addition.is_helper for addition in made.adds] == [False, True]
    added = {addition.path: addition.data for addition in made.adds}
    assert added["app/h.py"] == b"h = 1\n" and b"Kerberos" in added["app/_k.py"]


@pytest.mark.parametrize("kind", ["missing", "a link", "a directory"])
def test_a_source_outside_of_the_patch_directory_is_refused(tmp_path, kind):
    """A source that is missing, a symlink or no regular file is BadPatch when it is read."""
    tree = tmp_path / "tree"
    (tree / "app").mkdir(parents=True)
    if kind == "a link":
        (tree / "app/h.py").symlink_to("/etc/hostname")
    elif kind == "a directory":
        (tree / "app/h.py").mkdir()
    made = read(tree, "app/h.py < app/h.py")
    with pytest.raises(BadPatch) as refused:
        edition.digest(made)
    assert refused.value.path == made.file


@pytest.mark.parametrize(
    "row",
    [
        "app/h.py",
        "app/h.py < ../../etc/passwd",
        "app/h.py < /etc/passwd",
        "../h.py < helper:kerberos",
        "app/h.py < helper:../x",
        "app/h.py < helper:missing",
        "app-1.dist-info/h.py < helper:kerberos",
    ],
)
def test_a_bad_row_is_refused(tmp_path, row):
    """A row that leaves the site or the patch directory is an error with the file's path."""
    with pytest.raises(BadPatch) as refused:
        read(tmp_path, row)
    assert refused.value.path == str(tmp_path / "app/1.0-hooks.patch")


@pytest.mark.parametrize(
    "path, fits",
    [
        ("app/a.py", True),
        ("app/static/a b.js", False),
        ("app/__pycache__/a.pyc", False),
        ("app-1.egg-info/PKG-INFO", False),
        (".jhpatch/state.json", False),
        ("app/%s" % ("a" * 256), False),
        ("app/../a.py", False),
        ("/app/a.py", False),
    ],
)
def test_which_files_a_patch_may_have(path, fits):
    """No metadata, bytecode, state of jhpatch, or name that RECORD would have to quote."""
    assert additions.is_of_a_package(path) is fits


def test_a_patch_file_may_be_a_symlink(tmp_path):
    """Some package managers install files as symlinks; their target is read."""
    (tmp_path / "real").write_bytes(b"text")
    os.symlink("real", str(tmp_path / "link"))
    assert additions.read_patch(str(tmp_path / "link")) == b"text"


@pytest.mark.parametrize(
    "kind, message",
    [
        ("missing", "cannot read a patch: No such file or directory"),
        ("a FIFO", "a patch that is no regular file"),
        ("too large", "a patch of more than 1 MiB"),
    ],
)
def test_a_patch_file_that_cannot_be_read(tmp_path, kind, message):
    """The error names the file and the reason; a FIFO is not waited for."""
    path = str(tmp_path / "1.0-hooks.patch")
    if kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "too large":
        (tmp_path / "1.0-hooks.patch").write_bytes(b"x" * (additions.CAP + 1))
    with pytest.raises(BadPatch) as refused:
        additions.read_patch(path)
    assert (refused.value.message, refused.value.path) == (message, path)
