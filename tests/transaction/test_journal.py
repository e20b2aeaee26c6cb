"""The undo journal: read back as it was written, refused where jhpatch did not write it."""

import json
import os
import subprocess
import sys

import pytest

from jhpatch.errors import Untrusted
from jhpatch.transaction import journal as journals
from jhpatch.transaction.journal import Directory, Journal, Row
from jhpatch.transaction.transaction import locked
from testing.trees import tree

ROW = Row("app/a.py", "0" * 64, "1" * 64, ".jhpatch-0123456789abcdef-0", 0o644, 0, 0, None)
JOURNAL = Journal(1, "1", "b", "h", None, (ROW,))
DIRECTORY = Directory("app", 0o755, 0, 0, True)


def written(**row):
    """The text of a journal whose row has other fields."""
    document = json.loads(journals.dump(JOURNAL).decode())
    document["rows"][0].update(row)
    return json.dumps(document)


def with_directory(**fields):
    """The text of a journal whose directory has other fields."""
    document = json.loads(journals.dump(JOURNAL._replace(directories=(DIRECTORY,))).decode())
    document["directories"][0].update(fields)
    return json.dumps(document)


def test_a_journal_is_read_back():
    """What is written is what is read; a guard and a new file are kept."""
    whole = JOURNAL._replace(
        python="/py", rows=(ROW, ROW._replace(path="app/b.py", before=None, guard="app/a.py"))
    )
    for journal in (JOURNAL, whole):
        assert journals.parse(journals.dump(journal), "p") == journal
    made = JOURNAL._replace(directories=(DIRECTORY,))
    assert journals.parse(journals.dump(made), "p") == made


def test_a_journal_without_directories_keeps_its_schema():
    """A jhpatch that knows no directories can undo it, and refuses one that has some."""
    schemas = {
        json.loads(journals.dump(journal).decode())["schema"]: "directories" in journal._fields
        for journal in (JOURNAL, JOURNAL._replace(directories=(DIRECTORY,)))
    }
    assert sorted(schemas) == [1, 2]
    assert "directories" not in json.loads(journals.dump(JOURNAL).decode())


def test_directories_are_read_outermost_first():
    """Each is created in one that exists, whatever their order in the file."""
    row = ROW._replace(path="app/new/deep/a.py")
    outer, inner = (DIRECTORY._replace(path=path) for path in ("app/new", "app/new/deep"))
    made = JOURNAL._replace(rows=(row,), directories=(inner, outer))
    assert journals.parse(journals.dump(made), "p").directories == (outer, inner)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100000,
        written().replace('"schema": 1', '"schema": 2'),
        written().replace('"schema": 1', '"schema": "1"'),
        json.dumps(dict(json.loads(written()), rows=[{}])),
        json.dumps(dict(json.loads(written()), rows=2 * json.loads(written())["rows"])),
        json.dumps(dict(json.loads(written()), pid=-1)),
        written(path="../x"),
        written(path="/etc/passwd"),
        written(temp="../../etc/passwd"),
        written(temp="a.py"),
        written(temp=7),
        written(before="zz"),
        written(before=None, after=None),
        written(guard="../x"),
        written(mode="rwx"),
        written(mode=-1),
        written(uid=2**32 - 1),
        written(more=1),
        written().replace('"schema": 1', '"schema": 3'),
        with_directory(path="../app"),
        with_directory(path="/app"),
        with_directory(path="app/.."),
        with_directory(path="other"),
        with_directory(path="app/a.py"),
        with_directory(path="ap"),
        with_directory(path=["app"]),
        with_directory(mode="rwx"),
        with_directory(mode=-1),
        with_directory(uid=2**32 - 1),
        with_directory(is_new=1),
        with_directory(more=1),
        with_directory().replace('"directories"', '"folders"'),
        json.dumps(dict(json.loads(with_directory()), directories={"a": 1})),
        json.dumps(dict(json.loads(with_directory()), directories=[[]])),
        json.dumps(
            dict(json.loads(with_directory()), directories=2 * [dict(DIRECTORY._asdict())])
        ),
    ],
)
def test_a_hostile_journal_changes_nothing(site, text):
    """A journal that jhpatch did not write is refused: nothing is written or removed."""
    directory = site / ".jhpatch"
    directory.mkdir()
    (directory / "journal.json").write_text(text)
    before = tree(str(site))
    with pytest.raises(Untrusted) as refused, locked(str(site)):
        pass
    assert refused.value.path == str(directory / "journal.json")
    after = tree(str(site))
    after.pop(".jhpatch/lock", None)
    assert after == before


@pytest.mark.parametrize("path", [".jhpatch", ".jhpatch/forced"])
def test_the_state_is_no_directory_of_a_journal(path):
    """Though it has files that a transaction changes."""
    row = ROW._replace(path=".jhpatch/forced/x")
    made = JOURNAL._replace(rows=(row,), directories=(DIRECTORY._replace(path=path),))
    with pytest.raises(Untrusted):
        journals.parse(journals.dump(made), "p")


def test_a_journal_that_is_huge_or_a_symlink_is_refused(site):
    """A journal of a gigabyte is not read, and a symlink is not followed."""
    directory = site / ".jhpatch"
    directory.mkdir()
    with open(str(directory / "journal.json"), "wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(Untrusted), locked(str(site)):
        pass
    (directory / "journal.json").unlink()
    os.symlink("/etc/passwd", str(directory / "journal.json"))
    with pytest.raises(Untrusted), locked(str(site)):
        pass


@pytest.mark.parametrize(
    "found, guard, undone",
    [
        ("after", None, True),
        ("before", None, False),
        ("other", None, False),
        (None, None, False),
        ("after", "guard before", True),
        ("after", "guard after", True),
        ("after", "other", False),
        ("after", None, True),
    ],
)
def test_an_undo_acts_on_its_own_bytes_alone(found, guard, undone):
    """A file is undone where it has the journal's bytes, in the distribution that was known."""
    hashes = {"before": "0" * 64, "after": "1" * 64, "other": "2" * 64}
    hashes.update({"guard before": "3" * 64, "guard after": "4" * 64})
    row = ROW._replace(guard="R" if guard else None)
    rows = {"app/a.py": row, "R": ROW._replace(path="R", before="3" * 64, after="4" * 64)}
    disk = {"app/a.py": hashes.get(found), "R": hashes.get(guard)}
    assert journals.is_undone(rows, row, disk.get, lambda path: True) is undone


def test_an_undo_adds_nothing_where_the_directory_is_gone():
    """A file that is missing is missing by our change only where its directory is still there."""
    row = ROW._replace(after=None)
    rows = {"app/a.py": row}
    assert journals.is_undone(rows, row, lambda path: None, lambda path: True)
    assert not journals.is_undone(rows, row, lambda path: None, lambda path: False)


def test_a_directory_that_the_journal_removed_counts_as_existing():
    """Unless the one that it was in is gone as well: then pip has removed the distribution."""
    removed = tuple(
        DIRECTORY._replace(path=path, is_new=False) for path in ("app/new", "app/new/deep")
    )
    asked = []
    had = journals.before_removal(JOURNAL._replace(directories=removed), asked.append)
    for path in ("app/new/deep/a.py", "app/new/a.py", "app/a.py", "other/deep/a.py"):
        had(path)
    assert asked == ["app/new", "app/new", "app/a.py", "other/deep/a.py"]


def test_a_writer_is_identified_by_pid_start_and_boot():
    """The journal of a live writer is busy; one of an ended process or of another boot is not."""
    mine = journals.of_this_process(None, ())
    assert journals.is_writer_alive(mine)
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert not journals.is_writer_alive(mine._replace(pid=child.pid))
    assert not journals.is_writer_alive(mine._replace(boot="another boot"))
    assert not journals.is_writer_alive(mine._replace(started="0"))
