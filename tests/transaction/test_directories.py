"""Directories that a change creates and removes: their modes, and what stays in them."""

import os
import shutil
import stat

import pytest

from jhpatch.errors import Failed
from jhpatch.system.rooted_files import RootDir
from jhpatch.transaction import directories
from jhpatch.transaction.journal import Directory
from jhpatch.transaction.transaction import FileChange, locked
from testing.trees import tree
from testing.users import ROOT_ONLY
from tests.transaction.small_site import (
    NEW,
    OLD,
    PACKAGE,
    RECORD,
    apply,
    contents,
    killed_at,
    labels_of,
    revert,
)

NEW_DIRECTORIES = ["app/new", "app/new/deep"]


def mode_of(path):
    """The mode of a file, with the setgid bit."""
    return stat.S_IMODE(os.stat(str(path)).st_mode)


def recover(site):
    """Open a site as the next run does."""
    with locked(str(site)):
        pass


def outside(site):
    """Hash, mode and owner of all but what jhpatch keeps for itself."""
    return {path: row for path, row in tree(str(site)).items() if path[:8] != ".jhpatch"}


def killed_before(label, job, site):
    """Kill a job right before one of its steps."""
    copy = site.parent / "steps"
    shutil.copytree(str(site), str(copy))
    steps = labels_of(job, copy)
    shutil.rmtree(str(copy))
    assert killed_at(steps.index(label), job, site)


@pytest.mark.parametrize("umask", [0o077, 0o000])
@pytest.mark.parametrize("setgid", [0, stat.S_ISGID], ids=["plain", "setgid"])
def test_mode_and_owner_of_a_new_directory(site, umask, setgid):
    """0755 whatever the umask, the owner and the group of the directory above, and its setgid."""
    if os.geteuid() == 0:
        os.chown(str(site / "app"), 1234, 2345)
    os.chmod(str(site / "app"), 0o775 | setgid)
    old = os.umask(umask)
    try:
        apply(site)
    finally:
        os.umask(old)
    above = os.stat(str(site / "app"))
    for path in NEW_DIRECTORIES:
        status = os.stat(str(site / path))
        assert stat.S_IMODE(status.st_mode) == 0o755 | setgid
        assert (status.st_uid, status.st_gid) == (above.st_uid, above.st_gid)
    assert os.stat(str(site / "app/new/part.py")).st_uid == above.st_uid


def test_a_revert_removes_the_directories_with_our_bytecode(site):
    """The last file of a directory takes it along, with the .pyc files of removed modules."""
    apply(site)
    (site / "app/new/__pycache__").mkdir()
    (site / "app/new/__pycache__/part.cpython-36.pyc").touch()
    (site / "app/new/__pycache__/__init__.cpython-36.opt-1.pyc").touch()
    revert(site)
    assert contents(site) == OLD and not (site / "app/new").exists()


@pytest.mark.parametrize(
    "path", ["app/new/notes.txt", "app/new/deep/x", "app/new/__pycache__/other.cpython-36.pyc"]
)
def test_a_file_of_others_keeps_the_directory(site, path):
    """No file of somebody else is removed; the directory stays with it, and that is no error."""
    apply(site)
    (site / path).parent.mkdir(exist_ok=True)
    (site / path).write_bytes(b"theirs")
    revert(site)
    assert contents(site) == dict(OLD, **{path: b"theirs"})


def test_a_file_that_appears_meanwhile_keeps_the_directory(site):
    """Written after the plan and right before the removal: it stays."""
    apply(site)

    def step(label):
        if label == "remove app/new":
            (site / "app/new/notes.txt").write_bytes(b"theirs")

    revert(site, step)
    assert contents(site) == dict(OLD, **{"app/new/notes.txt": b"theirs"})


def test_a_directory_in_which_a_file_is_added_stays(site):
    """One file out and one in: the directory is never removed in between."""
    apply(site)
    os.chmod(str(site / "app/new"), 0o750)
    inode = os.stat(str(site / "app/new")).st_ino
    change = [
        FileChange("app/new/deep/data.txt", NEW["app/new/deep/data.txt"], None),
        FileChange("app/new/part.py", NEW["app/new/part.py"], None),
        FileChange("app/new/__init__.py", NEW["app/new/__init__.py"], None),
        FileChange("app/new/other.py", None, b"other = 1\n"),
    ]
    with locked(str(site)) as transaction:
        transaction.commit(change)
    assert os.listdir(str(site / "app/new")) == ["other.py"]
    assert (os.stat(str(site / "app/new")).st_ino, mode_of(site / "app/new")) == (inode, 0o750)


@pytest.mark.parametrize("kind", ["a file", "a symlink", "a dangling symlink"])
def test_what_is_in_the_way_is_refused_before_the_first_write(site, tmp_path, kind):
    """Neither followed nor replaced; nothing of ours is left."""
    outside = tmp_path / "outside"
    outside.mkdir()
    if kind == "a file":
        (site / "app/new").write_bytes(b"theirs")
    else:
        (site / "app/new").symlink_to(outside if kind == "a symlink" else tmp_path / "none")
    before = tree(str(site))
    with pytest.raises(Failed) as failed:
        apply(site)
    assert failed.value.path == str(site / "app/new/part.py")
    assert tree(str(site)) == before and os.listdir(str(outside)) == []


def test_a_directory_that_appears_meanwhile_is_not_taken_over(site):
    """Created by others after the plan: an error, and what they have in it stays."""

    def step(label):
        if label == "create app/new":
            (site / "app/new").mkdir()
            (site / "app/new/notes.txt").write_bytes(b"theirs")

    with pytest.raises(Failed):
        apply(site, step)
    assert contents(site) == dict(OLD, **{"app/new/notes.txt": b"theirs"})


def test_a_symlink_in_the_place_of_a_directory_is_not_followed(site, tmp_path):
    """Put there after its creation, or before its removal: nothing on the other side changes."""
    outside = tmp_path / "outside"

    def swap(label):
        if label in ("stage app/new/__init__.py", "remove app/new"):
            os.rename(str(site / "app/new"), str(site / "app/moved"))
            shutil.copytree(str(site / "app/moved"), str(outside))
            (site / "app/new").symlink_to(outside)

    with pytest.raises(Failed):
        apply(site, swap)
    assert sorted(os.listdir(str(outside))) and (site / "app/new").is_symlink()
    before = tree(str(outside))
    recover(site)
    assert tree(str(outside)) == before


def test_an_undo_gives_a_removed_directory_its_mode(site):
    """As it was before the revert that was killed, with its files, whatever the umask."""
    apply(site)
    os.chmod(str(site / "app/new"), 0o2750)
    os.chmod(str(site / "app/new/deep"), 0o700)
    before = outside(site)
    killed_before("commit .jhpatch/journal.json", revert, site)
    assert not (site / "app/new").exists()
    old = os.umask(0o077)
    try:
        recover(site)
    finally:
        os.umask(old)
    assert outside(site) == before


@ROOT_ONLY
def test_an_undo_gives_a_removed_directory_its_owner(site):
    """The journal has it."""
    apply(site)
    os.chown(str(site / "app/new"), 1234, 2345)
    before = outside(site)
    killed_before("commit .jhpatch/journal.json", revert, site)
    recover(site)
    assert outside(site) == before


def test_an_undo_that_was_killed_gives_a_directory_its_mode(site):
    """Created again, but not yet with its mode: the next undo sets it."""
    apply(site)
    before = outside(site)
    killed_before("commit .jhpatch/journal.json", revert, site)
    (site / "app/new").mkdir(0o700)
    recover(site)
    assert outside(site) == before


def test_an_undo_without_a_guard_recreates_no_package(site):
    """Without metadata the directory above tells that the distribution is gone."""
    apply(site)
    gone = [FileChange(path, NEW[path], None) for path in PACKAGE]

    def remove(site, step):
        with locked(str(site), step=step) as transaction:
            transaction.commit(gone)

    killed_before("commit .jhpatch/journal.json", remove, site)
    shutil.rmtree(str(site / "app"))
    recover(site)
    assert not (site / "app").exists()


@pytest.mark.parametrize("gone", ["the distribution", "its metadata"])
def test_an_undo_recreates_nothing_that_pip_has_removed(site, gone):
    """A distribution that was uninstalled in between does not come back."""
    apply(site)
    killed_before("commit .jhpatch/journal.json", revert, site)
    shutil.rmtree(str(site / "app-1.dist-info"))
    if gone == "the distribution":
        shutil.rmtree(str(site / "app"))
    recover(site)
    assert not (site / "app/new").exists()
    assert not (site / RECORD).exists()


def test_an_undo_removes_new_directories_of_a_removed_distribution(site):
    """Our files kept them from pip: no empty package is left."""
    killed_before("replace app/a.py", apply, site)
    shutil.rmtree(str(site / "app-1.dist-info"))
    for path in OLD:
        if path.startswith("app/"):
            (site / path).unlink()
    recover(site)
    assert os.listdir(str(site)) == []


def test_only_directories_without_other_files_are_emptied(site):
    """Those in which nothing is left, the outermost first; never one that keeps a file."""
    apply(site)
    gone = [FileChange(path, data, None) for path, data in NEW.items() if path not in OLD]
    with RootDir(str(site)) as root:
        found = directories.emptied(root, gone)
        assert [directory.path for directory in found] == NEW_DIRECTORIES
        assert not any(directory.is_new for directory in found)
        more = [*gone, FileChange("app/new/other.py", None, b"other = 1\n")]
        assert [directory.path for directory in directories.emptied(root, more)] == [
            "app/new/deep"
        ]
        (site / "app/new/deep/x").touch()
        assert directories.emptied(root, gone) == ()


def test_missing_directories_are_named_outermost_first(site):
    """Those between the directory that exists and the file."""
    status = os.stat(str(site))
    owner = (0o755 | status.st_mode & stat.S_ISGID, status.st_uid, status.st_gid, True)
    found = directories.missing("app/new/deep/x.py", "new/deep/x.py", status)
    assert list(found) == [Directory(path, *owner) for path in NEW_DIRECTORIES]
    assert list(directories.missing("app/x.py", "x.py", status)) == []
    (found,) = directories.missing("new/x.py", "new/x.py", status)
    assert found.path == "new"
