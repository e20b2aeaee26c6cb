"""The sections of a diff: each kind of change, and nothing that a parser would skip."""

import os
import shutil
import subprocess

import pytest

from jhpatch.errors import BadPatch
from jhpatch.patchset import engine, unified_diff
from jhpatch.patchset.diff_sections import sections, unescaped

LONG = b"".join(b"line %d\n" % number for number in range(30))
KINDS = {
    "changed": (LONG, LONG.replace(b"line 9\n", b"nine\n")),
    "created": (None, b"one\ntwo\n"),
    "created, one line": (None, b"one"),
    "removed": (b"one\ntwo", None),
    "created empty": (None, b""),
    "removed empty": (b"", None),
    "emptied": (b"one\ntwo\n", b""),
    "filled": (b"", b"one\n"),
    "CRLF": (
        LONG.replace(b"\n", b"\r\n"),
        LONG.replace(b"9\n", b"nine\n").replace(b"\n", b"\r\n"),
    ),
    "CRLF to LF": (b"one\r\ntwo\r\n", b"one\ntwo\n"),
    "a lone CR": (b"one\rtwo\n", b"one\rthree\n"),
    "no final newline": (LONG + b"end", LONG + b"END"),
    "a final newline comes": (LONG + b"end", LONG + b"end\n"),
    "a final newline goes": (LONG + b"end\n", LONG + b"end"),
    "Latin-1": (b"caf\xe9\n", b"caf\xe9s\n"),
    "a BOM": (b"\xef\xbb\xbfA = 1\n", b"\xef\xbb\xbfA = 2\n"),
}


def diff_of(path, before, after):
    """The diff of a file as bytes."""
    return unified_diff.diff(path, before, after).encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("path", ["app/a.py", "app/my file.txt", "app/caf\u00e9.html"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_of_change(kind, path):
    """The diff gives the new bytes, and its inverse the old ones."""
    before, after = KINDS[kind]
    diff = engine.parsed(diff_of(path, before, after), "p")[path]
    assert engine.spliced(before, diff, "p") == after
    assert engine.spliced(after, engine._inverse(diff), "p") == before


@pytest.mark.parametrize("tool", ["git", "patch"])
@pytest.mark.parametrize("path", ["app/a.py", "app/my file.txt"])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_git_and_patch_take_it(tmp_path, kind, path, tool):
    """``git apply`` and ``patch -p1`` make the same files."""
    if not shutil.which(tool):
        pytest.skip("no " + tool)
    if tool == "patch" and kind.endswith(" empty") and " " in path:
        pytest.skip("patch(1) finds no such file")
    before, after = KINDS[kind]
    target = str(tmp_path / path)
    os.makedirs(os.path.dirname(target))
    if before is not None:
        with open(target, "wb") as file:
            file.write(before)
    command = {
        "git": ["git", "apply", "--whitespace=nowarn"],
        "patch": ["patch", "-p1", "--binary", "-s", "--no-backup-if-mismatch"],
    }[tool]
    # git looks for a repository above: below a checkout it would be that one.
    environ = dict(os.environ, GIT_CEILING_DIRECTORIES=os.path.dirname(str(tmp_path)))
    diff = diff_of(path, before, after)
    subprocess.run(command, cwd=str(tmp_path), input=diff, env=environ, check=True)
    found = None
    if os.path.exists(target):
        with open(target, "rb") as file:
            found = file.read()
    # patch(1) removes a file that a diff empties.
    assert found == after or (tool, kind, found) == ("patch", "emptied", None)


@pytest.mark.parametrize(
    "diff",
    [
        b"--- /dev/null\n+++ /dev/null\n@@ -0,0 +1 @@\n+x\n",
        b"--- /dev/null\n+++ b/a\n@@ -1 +1,2 @@\n x\n+y\n",
        b"--- a/a\n+++ /dev/null\n@@ -1,2 +1 @@\n x\n-y\n",
        b"--- a/a\n+++ b/a\n@@ -1,0 +2 @@\n+x\n",
        b"--- a/a b\n+++ b/a b\n@@ -1 +1 @@\n-x\n+y\n",
        b"--- a/a\t2024-01-01\n+++ b/a\t2024-01-01\n@@ -1 +1 @@\n-x\n+y\n",
        b"--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+x\n\\ No newline at end of file\n" * 2,
        b"--- a/a\n+++ b/a\n\\ No newline at end of file\n@@ -1 +1 @@\n-x\n+y\n",
        b"--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+y\n" + b"\\ No newline at end of file\n" * 2,
        b"diff --git a/a b/a\nnew file mode 100755\nindex 0000000..e69de29\n",
        b"diff --git a/a b/b\nnew file mode 100644\nindex 0000000..e69de29\n",
        b"diff --git a/a b/a\nnew file mode 100644\nindex 0000000..e69de28\n",
        b"diff --git a/a b/a\nnew file mode 100644\n",
        b"diff --git a/a b/a\n",
        b"diff --git a/a b/a\nold mode 100644\n",
        b"diff --git a/a b/a\nnew file mode 100644\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+y\n",
    ],
)
def test_what_is_no_plain_diff(diff):
    """A section that would be skipped or misread is an error."""
    with pytest.raises(BadPatch):
        engine.parsed(diff, "p")


@pytest.mark.parametrize(
    "header", ["old mode 100644\nnew mode 100755", "new file mode 100755\nindex 0..e69de29"]
)
def test_permissions_are_refused_by_name(header):
    """The reason is the permissions, not the form of the diff."""
    with pytest.raises(BadPatch, match="line 2 of the diff sets permissions"):
        engine.parsed(b"diff --git a/a b/a\n%s\n" % header.encode(), "p")


def test_the_escapes_are_for_the_parser_alone():
    """CR and a missing line end come back as they are in the file."""
    (section,) = sections(diff_of("a", b"x\r\n", b"y\r"), "p")
    lines = section.body.split(b"\n")[1:-1]
    assert [unescaped(line[1:] + b"\n") for line in lines] == [b"x\r\n", b"y\r"]


def test_a_removed_file_must_be_whole():
    """A diff that removes a file and names only a part of its lines is an error."""
    diff = engine.parsed(b"--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n", "p")["a"]
    with pytest.raises(BadPatch):
        engine.spliced(b"x\ny\n", diff, "p")
    with pytest.raises(BadPatch):
        engine.spliced(None, diff, "p")


HEADERS = {
    "no prefix": b"--- x\n+++ x\n",
    "a date": b"--- a/x 2024-01-01\n+++ b/x 2024-01-01\n",
    "no new name": b"--- a/x\n@@ -1 +1 @@\n",
    "two old names": b"--- a/x\n--- b/x\n",
    "CRLF": b"--- a/x\r\n+++ b/x\r\n",
    "a blank without a tab": b"--- a/x y\n+++ b/x y\n",
    "no file": b"--- /dev/null\n+++ /dev/null\n",
}


@pytest.mark.parametrize("kind", sorted(HEADERS))
def test_a_malformed_header_names_no_file_again(kind):
    """The error is of the form of the two lines."""
    with pytest.raises(BadPatch) as error:
        sections(HEADERS[kind] + b"@@ -1 +1 @@\n-a\n+b\n", "p")
    assert "does not begin a file" in error.value.message
    assert error.value.expected == "--- a/NAME and +++ b/NAME of one file"


@pytest.mark.parametrize(
    "header", [b"--- a/x\n+++ b/y\n", b"--- a/z\n+++ b/z\n@@ -1 +1 @@\n-a\n+b\n" * 2]
)
def test_a_file_comes_once_under_one_name(header):
    """A renaming, and a second section of the same file."""
    with pytest.raises(BadPatch, match="names a file again, or renames it"):
        sections(header + b"@@ -1 +1 @@\n-a\n+b\n", "p")
