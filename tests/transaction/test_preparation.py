"""The journal of a change: its rows and directories, from the site before the first write."""

import os
import stat

import pytest

from jhpatch.errors import Failed
from jhpatch.system.rooted_files import RootDir
from jhpatch.system.sha256 import sha256
from jhpatch.transaction import preparation
from jhpatch.transaction.change import FileChange
from tests.transaction.small_site import APPLY, NEW, OLD, RECORD, REVERT, apply, changes


def journal_of(site, *made):
    """The journal of changes of a site."""
    (site / ".jhpatch").mkdir(exist_ok=True)  # it has the lock
    with RootDir(str(site)) as root:
        return preparation.journal_of(root, made, "/py")


def test_a_row_for_each_change(site):
    """In their order, with both hashes, and mode and owner of what is there or is added."""
    os.chmod(str(site / "app/a.py"), 0o640)
    journal = journal_of(site, *changes(APPLY, OLD, NEW))
    assert [row.path for row in journal.rows] == APPLY and journal.python == "/py"
    rows = {row.path: row for row in journal.rows}
    assert rows["app/a.py"].before == sha256(OLD["app/a.py"])
    assert rows["app/a.py"].after == sha256(NEW["app/a.py"])
    assert (rows["app/a.py"].mode, rows["app/helper.py"].mode) == (0o640, 0o644)
    assert rows["app/new/part.py"].before is None
    assert rows["app/new/part.py"].uid == os.stat(str(site / "app")).st_uid


def test_directories_are_created_or_removed(site):
    """An apply creates what is missing, a revert removes what it leaves empty."""
    made = journal_of(site, *changes(APPLY, OLD, NEW)).directories
    assert [(d.path, d.is_new) for d in made] == [("app/new", True), ("app/new/deep", True)]
    apply(site)
    os.chmod(str(site / "app/new"), 0o750)
    gone = journal_of(site, *changes(REVERT, NEW, OLD)).directories
    assert [(d.path, d.is_new) for d in gone] == [("app/new", False), ("app/new/deep", False)]
    assert [stat.S_IMODE(d.mode) for d in gone] == [0o750, 0o755]


def test_a_guard_without_a_change_has_a_row(site):
    """It identifies the distribution; one that is missing has none."""
    for guard, count in ((RECORD, 2), ("app-1.dist-info/METADATA", 1)):
        rows = journal_of(site, FileChange("app/x.py", None, b"x = 1\n", guard)).rows
        assert len(rows) == count
    row = journal_of(site, FileChange("app/x.py", None, b"x = 1\n", RECORD)).rows[1]
    assert row.path == RECORD and row.before == row.after == sha256(OLD[RECORD])


def test_nothing_is_written(site):
    """Neither a directory nor a file, and no .jhpatch."""
    before = sorted(str(path) for path in site.rglob("*"))
    journal_of(site, *changes(APPLY, OLD, NEW))
    assert sorted(str(path) for path in site.rglob("*") if path.name != ".jhpatch") == before


@pytest.mark.parametrize("path", ["app/a.py", "app/none.py", "none/a.py"])
def test_a_file_that_is_not_as_planned_is_refused(site, path):
    """Another file's bytes, no file, and no directory."""
    with pytest.raises(Failed) as failed:
        journal_of(site, FileChange(path, b"other\n", b"new\n"))
    assert failed.value.path == str(site / path)


def test_who_can_give_a_new_file_its_owner(monkeypatch):
    """The owner, in a group of theirs or in that of a setgid directory."""
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    monkeypatch.setattr(os, "getegid", lambda: 8)
    monkeypatch.setattr(os, "getgroups", lambda: [8, 9])

    def status(uid, gid, mode=0o100644):
        return os.stat_result((mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))

    plain, setgid = status(7, 10, 0o040775), status(7, 10, 0o042775)
    for uid, gid, directory, can in (
        (7, 8, plain, True),
        (7, 9, plain, True),
        (7, 10, plain, False),
        (7, 10, setgid, True),
        (7, 11, setgid, False),
        (0, 8, setgid, False),
    ):
        assert preparation._can_have_owner(status(uid, gid), directory) == can
