"""The output of git diff, diff -u and diff -ru, for the files of a release."""

import os
import shutil
import subprocess

import pytest

from jhpatch.errors import BadPatch
from jhpatch.maintenance import foreign_diff
from jhpatch.report.next_command import Runner
from testing.packages import LONG

BEFORE = {
    "app/a.py": LONG,
    "app/crlf.py": LONG.replace(b"\n", b"\r\n"),
    "app/gone.py": b"A = 1\n",
    "app/open.py": b"A = 1\nB = 2",
    "app/my file.txt": b"one\n",
    "app/caf\u00e9.txt": b"caf\xe9\n",
}
AFTER = {
    "app/a.py": LONG.replace(b"line_9 = 9\n", b"").replace(b"line_30 = 30\n", b"more\n"),
    "app/crlf.py": BEFORE["app/crlf.py"].replace(b"line_9 = 9", b"nine"),
    "app/open.py": b"A = 1\nB = 3",
    "app/my file.txt": b"two\n",
    "app/caf\u00e9.txt": b"caf\xe9s\n",
    "app/new.py": b"new = 1\n",
    "app/deep/new.py": b"new = 2",
}


def put(top, files):
    """Write files into a directory."""
    for path, data in files.items():
        target = os.path.join(str(top), path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(data)


def run(cwd, *argv):
    """The output of a program; diff exits with 1."""
    if not shutil.which(argv[0]):
        pytest.skip("no " + argv[0])
    done = subprocess.run(argv, cwd=str(cwd), stdout=subprocess.PIPE)
    assert done.returncode in (0, 1), argv
    return done.stdout


def git(cwd, *arguments):
    """git with a committer, and without the configuration of this host."""
    return run(cwd, "git", "-c", "user.name=x", "-c", "user.email=x@y", *arguments)


def checkout(tmp_path, above=""):
    """A git checkout of the release with the changes in its work tree."""
    git(tmp_path, "init", "-q")
    put(tmp_path / above, BEFORE)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    os.unlink(str(tmp_path / above / "app/gone.py"))
    put(tmp_path / above, AFTER)
    git(tmp_path, "add", "-A", ".")


def of_git(tmp_path):
    checkout(tmp_path)
    return git(tmp_path, "diff", "--cached", "--no-renames")


def of_a_source_checkout(tmp_path):
    checkout(tmp_path, "src")
    put(tmp_path, {"docs/a.rst": b"more\n", "tests/a.py": LONG})
    git(tmp_path, "add", ".")
    return git(tmp_path, "diff", "--cached", "--no-renames", "--no-prefix")


def of_a_mail(tmp_path):
    checkout(tmp_path)
    git(tmp_path, "commit", "-q", "-m", "two\n\n--- not a diff\n")
    return git(tmp_path, "format-patch", "-1", "--stdout", "--no-renames", "--full-index")


def of_two_directories(tmp_path):
    put(tmp_path / "app-1.0", BEFORE)
    put(tmp_path / "mine", {path: data for path, data in BEFORE.items() if "gone" not in path})
    put(tmp_path / "mine", AFTER)
    return run(tmp_path, "diff", "-ruNa", "app-1.0", "mine")


def as_crlf_header(tmp_path):
    data = of_two_directories(tmp_path).split(b"\n")
    return b"\n".join(
        line + b"\r" if line.startswith((b"---", b"+++", b"diff")) else line for line in data
    )


@pytest.mark.parametrize(
    "source", [of_git, of_a_source_checkout, of_a_mail, of_two_directories, as_crlf_header]
)
def test_each_kind_of_diff(tmp_path, source):
    """The files of the release become the edited ones, new and removed ones too."""
    sections = foreign_diff.sections(source(tmp_path), "d")
    by_path, others = foreign_diff.matched(sections, set(BEFORE) | {"app/deep/other.py"}, "d")
    assert set(by_path) == set(BEFORE) | set(AFTER)
    assert others == (["docs/a.rst", "tests/a.py"] if source is of_a_source_checkout else [])
    for path, row in by_path.items():
        assert foreign_diff.applied(BEFORE.get(path), row, path, "d") == (AFTER.get(path), [])


def test_a_diff_of_one_file(tmp_path):
    """``diff -u a.py.orig a.py`` in the site, by relative or absolute names."""
    put(tmp_path, {"lib/app/a.py.orig": LONG, "lib/app/a.py": AFTER["app/a.py"]})
    names = [str(tmp_path / "lib/app/a.py.orig"), str(tmp_path / "lib/app/a.py")]
    (row,) = foreign_diff.sections(run(tmp_path, "diff", "-u", *names), "d")
    by_path, others = foreign_diff.matched([row], BEFORE, "d")
    assert (list(by_path), others) == (["app/a.py"], [])
    assert foreign_diff.applied(LONG, row, "app/a.py", "d")[0] == AFTER["app/a.py"]


def test_an_empty_file_by_git(tmp_path):
    """It has no hunk."""
    git(tmp_path, "init", "-q")
    put(tmp_path, {"app/__init__.py": b""})
    git(tmp_path, "add", ".")
    (row,) = foreign_diff.sections(git(tmp_path, "diff", "--cached"), "d")
    assert foreign_diff.applied(None, row, "app/__init__.py", "d")[0] == b""


def test_an_empty_file_before_a_diff_of_another_kind():
    """The ``---`` of the next file is not its own."""
    text = (
        b"diff --git a/app/e.txt b/app/e.txt\ndeleted file mode 100644\nindex e69..000\n"
        + ONE_HUNK
    )
    assert [(row.old, row.new) for row in foreign_diff.sections(text, "d")] == [
        ("a/app/e.txt", None),
        ("a/a", "b/a"),
    ]


def one(before, after, tmp_path):
    """The section of a change of ``a.py``."""
    put(tmp_path, {"a/a.py": before, "b/a.py": after})
    (row,) = foreign_diff.sections(run(tmp_path, "diff", "-ru", "a", "b"), "d")
    return row


def test_a_hunk_moves_to_the_only_place_that_has_its_lines(tmp_path):
    """It is said; with two places, or none, it is refused."""
    row = one(LONG, LONG.replace(b"line_9 = 9\n", b"nine\n"), tmp_path)
    moved = b"# more\n" * 3 + LONG
    data, notes = foreign_diff.applied(moved, row, "a.py", "d")
    assert data == moved.replace(b"line_9 = 9\n", b"nine\n")
    assert notes == ["a.py: a hunk for line 7 is applied at line 10"]
    for other, places in ((moved + LONG, "2 places"), (b"# more\n", "0 places")):
        with pytest.raises(BadPatch, match=places):
            foreign_diff.applied(other, row, "a.py", "d")


BLOCKS = b"".join(
    b"def f%d():\n    try:\n        go()\n    except Exception:\n        pass\n\n\n" % number
    for number in range(9)
)


def test_a_hunk_moves_as_far_as_the_one_before_it():
    """Its own line has the same lines in another release, but those of another function."""
    text = b"""--- a/a.py
+++ b/a.py
@@ -1,2 +1,2 @@
-def f0():
+def g0():
     try:
@@ -31,3 +31,3 @@
         go()
     except Exception:
-        pass
+        raise
"""
    (row,) = foreign_diff.sections(text, "d")
    start = BLOCKS.index(b"def f4")
    after = BLOCKS[:start].replace(b"f0", b"g0") + BLOCKS[start:].replace(b"pass", b"raise", 1)
    assert foreign_diff.applied(BLOCKS, row, "a.py", "d") == (after, [])
    more = b"# more\n" * 7
    assert foreign_diff.applied(more + BLOCKS, row, "a.py", "d")[0] == more + after


def test_a_hunk_that_fits_several_places_of_another_release():
    """Its line proves nothing if another hunk is not at its own."""
    after = BLOCKS.replace(b"f8", b"g8").replace(b"pass", b"raise", 1)
    text = b"""--- a/a.py
+++ b/a.py
@@ -3,3 +3,3 @@
         go()
     except Exception:
-        pass
+        raise
@@ -57,2 +57,2 @@
-def f8():
+def g8():
     try:
"""
    (row,) = foreign_diff.sections(text, "d")
    assert foreign_diff.applied(BLOCKS, row, "a.py", "d") == (after, [])
    with pytest.raises(BadPatch, match="matches 9 places"):
        foreign_diff.applied(b"# more\n" * 7 + BLOCKS, row, "a.py", "d")


ONE_HUNK = b"--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n x\n-y\n+z\n"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no diff\n",
        b"diff --git a/a b/b\nsimilarity index 90%\nrename from a\nrename to b\n",
        b"Binary files a/x.so and b/x.so differ\n",
        b"diff --git a/i b/i\nindex 0..1\nGIT binary patch\nliteral 3\n",
        b"Only in b: new.py\n",
        b"--- a/a\n+++ b/a\n@@ -1,3 +1,3 @@\n x\n-y\n",
        b"--- a/a\n+++ b/a\n@@ -1,3 +1,3 @@\n x\n-y\n*z\n",
        ONE_HUNK + b"@@ garbage @@\n-y\n+z\n",
        ONE_HUNK + b"+more\n",
        ONE_HUNK + b"-more\n",
        ONE_HUNK + b" more\n",
        b"--- a/a\n+++ b/a\n@@ -1 @@\n-y\n+z\n",
        ONE_HUNK + b"*** a/b\n--- b/b\n***************\n*** 1,2 ****\n! y\n--- 1,2 ----\n! z\n",
        b"diff --git a/l b/l\nnew file mode 120000\nindex 0..1\n"
        b"--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+a.py\n\\ No newline at end of file\n",
        b"diff --git a/l b/l\nindex 12..34 120000\n--- a/l\n+++ b/l\n@@ -1 +1 @@\n-y\n+z\n",
        b"diff --git a/m b/m\nnew file mode 160000\nindex 0..1\n",
        b"diff --git a/one file b/other\nnew file mode 100644\nindex 0..e69\n",
    ],
)
def test_what_cannot_be_taken(text):
    """A file without its text, or half a hunk, is an error and not left out."""
    with pytest.raises(BadPatch) as error:
        foreign_diff.sections(text, "d")
    assert "the same command" in Runner().shown(error.value.next)


def test_what_may_follow_a_hunk():
    """The signature of a mail, the next commit of a log."""
    for end in (b"-- \n2.39.2\n", b"--\n2.39.2\n", b"\ncommit 1234\n\n    A message.\n"):
        (row,) = foreign_diff.sections(ONE_HUNK + end, "d")
        assert row.body == ONE_HUNK.partition(b"@@")[1] + ONE_HUNK.partition(b"@@")[2]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("seconds", [0, 1, 3600, 40000])
def test_files_of_the_first_day_of_unix_time(tmp_path, monkeypatch, zone, seconds):
    """An image's files can have such a date; only a missing one has no line at second 0."""
    monkeypatch.setenv("TZ", zone)
    put(tmp_path / "a", {"a.py": LONG, "gone.py": b"1\n"})
    put(tmp_path / "b", {"a.py": b"# more\n" + LONG, "new.py": b"1\n"})
    for path in ("a/a.py", "b/a.py", "a/gone.py", "b/new.py"):
        os.utime(str(tmp_path / path), (seconds, seconds))
    rows = foreign_diff.sections(run(tmp_path, "diff", "-ruN", "a", "b"), "d")
    assert [(row.old, row.new) for row in rows] == [
        ("a/a.py", "b/a.py"),
        ("a/gone.py", None),
        (None, "b/new.py"),
    ]


def test_a_new_package_in_one_of_the_release(tmp_path):
    """Its modules are of the release's package; a new directory beside the package is not."""
    new = {"src/app/sub/__init__.py": b"", "src/app/sub/deep/x y.py": b"1\n", "docs/x.py": b"1\n"}
    put(tmp_path, {"src/app/a.py": LONG})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    put(tmp_path, dict(new, **{"src/app/a.py": b"1\n", "src/app/my empty.txt": b""}))
    git(tmp_path, "add", ".")
    sections = foreign_diff.sections(git(tmp_path, "diff", "--cached"), "d")
    by_path, others = foreign_diff.matched(sections, ["app/a.py"], "d")
    assert others == ["b/docs/x.py"]
    assert sorted(by_path) == [
        "app/a.py",
        "app/my empty.txt",
        "app/sub/__init__.py",
        "app/sub/deep/x y.py",
    ]


def test_two_sections_for_one_file_are_refused(tmp_path):
    """A series of commits: neither edit is lost. A new file can be in two of them, too."""
    checkout(tmp_path)
    git(tmp_path, "commit", "-q", "-m", "two")
    put(tmp_path, {"app/a.py": LONG + b"end = 1\n"})
    git(tmp_path, "commit", "-q", "-a", "-m", "three")
    put(tmp_path, {"app/new.py": b"new = 3\n"})
    git(tmp_path, "commit", "-q", "-a", "-m", "four")
    os.unlink(str(tmp_path / "app/new.py"))
    git(tmp_path, "commit", "-q", "-a", "-m", "five")
    for path in ("app/a.py", "app/new.py"):
        span = ("HEAD~4..HEAD", "--", "app/__init__.py", path)
        data = git(tmp_path, "log", "-p", "--reverse", "--no-renames", *span)
        with pytest.raises(BadPatch, match="two sections for " + path):
            foreign_diff.matched(foreign_diff.sections(data, "d"), BEFORE, "d")


def test_other_files_of_the_repository_are_named(tmp_path):
    """A module of the tests is not taken for a module of the release with its name."""
    put(tmp_path / "a", {"src/one.py": LONG, "src/two.py": LONG, "tests/one.py": LONG})
    put(tmp_path / "b", {"src/one.py": b"1\n", "src/two.py": b"2\n", "tests/one.py": b"3\n"})
    sections = foreign_diff.sections(run(tmp_path, "diff", "-ru", "a", "b"), "d")
    by_path, others = foreign_diff.matched(sections, ["one.py", "two.py"], "d")
    assert (sorted(by_path), others) == (["one.py", "two.py"], ["b/tests/one.py"])
    assert by_path["one.py"].new == "b/src/one.py"


TEXT = "index 1..2 100644\n--- a/m.py\n+++ b/m.py\n@@ -1 +1 @@\n-x\n+y\n"
NEW = "index 0..2\n--- /dev/null\n+++ b/m.py\n@@ -0,0 +1 @@\n+y\n"


@pytest.mark.parametrize("header", ["old mode 100644\nnew mode 100755", "new file mode 100755"])
@pytest.mark.parametrize("has_text", [True, False])
def test_permissions_are_refused_by_name(header, has_text):
    """A patch has none: the diff is not taken without them in silence."""
    is_new = header.startswith("new file")
    text = (NEW if is_new else TEXT) if has_text else "index 0..e69de29\n" * is_new
    diff = "diff --git a/m.py b/m.py\n%s\n%s" % (header, text)
    other = (
        diff.replace("m.py", "o.py").replace("100755", "100644").replace("old mode 100644\n", "")
    )
    rows = foreign_diff.sections((diff + other).encode(), "d")
    by_path, _ = foreign_diff.matched(rows, ["m.py", "o.py"], "d")
    before = None if is_new else b"x\n"
    with pytest.raises(BadPatch, match="sets the permissions") as failed:
        foreign_diff.applied(before, by_path["m.py"], "m.py", "d")
    assert failed.value.found == header.split("\n")[-1]
    if is_new:
        after = foreign_diff.applied(before, by_path["o.py"], "o.py", "d")
        assert after == (b"y\n" if has_text else b"", [])


def test_a_removed_executable_is_taken():
    """Its permissions go with it."""
    diff = b"diff --git a/m b/m\ndeleted file mode 100755\nindex 1..0\n"
    (row,) = foreign_diff.sections(diff + b"--- a/m\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n", "d")
    assert foreign_diff.applied(b"x\n", row, "m", "d") == (None, [])
