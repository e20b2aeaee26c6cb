"""Unified diffs of two files, as patch(1) and git take them."""

import subprocess

import pytest

from jhpatch.patchset import unified_diff

LONG = b"".join(
    b"    def method_%d(self):\n        return self\n\n" % number for number in range(300)
)
"""A long file with lines that stand often: difflib's autojunk takes them for junk."""


def test_a_line_between_two_changes():
    """A line that stays is no change, however often it occurs elsewhere."""
    after = LONG.replace(b"return self\n\n    def method_200(", b"return 200\n\n    def other(")
    found = unified_diff.diff("a.py", LONG, after).splitlines()
    assert [line[0] for line in found[3:]] == list("   -+ -+   ")


@pytest.mark.parametrize(
    "before, after",
    [
        (b"one\ntwo\n", b"one\n2\n"),
        (b"one\n", b"one"),
        (b"one", b"one\ntwo\n"),
        (LONG, LONG + b"more\n"),
        (LONG, b"more\n" + LONG),
        (LONG, LONG[LONG.index(b"\n") + 1 :]),
        (b"", b"one\n"),
        (b"caf\xe9\r\n", b"caf\xe9\n"),
    ],
)
def test_patch_takes_it(tmp_path, before, after):
    """patch(1) makes the other file from the diff, byte for byte."""
    (tmp_path / "a.py").write_bytes(before)
    text = unified_diff.diff("a.py", before, after).encode("utf-8", "surrogateescape")
    command = ["patch", "--binary", "-p1", "--no-backup-if-mismatch"]
    subprocess.run(command, input=text, cwd=str(tmp_path), check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / "a.py").read_bytes() == after


def test_files_that_come_and_go():
    """A missing file is /dev/null, and equal files have no diff."""
    assert unified_diff.diff("a", None, b"x\n") == "--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+x\n"
    assert unified_diff.diff("a", b"x\n", None) == "--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    assert unified_diff.diff("a", b"x\n", b"x\n") == ""
