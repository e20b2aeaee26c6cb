"""What every command's text is made of: errors, escapes, colours."""

import pytest

from jhpatch.errors import jhpatch_command, same_command
from jhpatch.report.next_command import Runner
from jhpatch.report.result import Result
from jhpatch.report.text import (
    Style,
    diff_text,
    encoded,
    ending,
    error_text,
    errors_text,
    plain,
    shown,
)
from testing.results import error, result, site

RUNNER = Runner("py")


def test_an_error_names_file_expected_found_and_next():
    """One line each, in this order."""
    text = error_text(error(next=jhpatch_command("diff")), RUNNER)
    assert text.splitlines() == [
        "jhpatch: it does not fit",
        "  path:     /site/a.py",
        "  expected: 1.0",
        "  found:    2.0",
        "  next:     py -m jhpatch diff",
    ]


def test_a_field_that_an_error_lacks_has_no_line():
    """A message alone is one line."""
    bare = error(path=None, expected=None, found=None)
    assert error_text(bare, RUNNER) == "jhpatch: it does not fit\n"


def test_each_error_is_told_once():
    """The command's error and those of its sites; the same text twice is one."""
    step = same_command("sudo", "-H")
    sites = [site(error=error(next=step)), site(error=error(next=step)), site()]
    text = errors_text(result("apply", *sites, error=error(message="first")), RUNNER)
    assert text.count("jhpatch: ") == 2 and text.startswith("jhpatch: first\n")
    assert text.count("sudo -H ") == 1


def test_errors_that_are_reported_together():
    """Each with its fields, in order; the next step is at the end."""
    further = (error(message="second", next=jhpatch_command("list")),)
    first = error(message="first", next=jhpatch_command("diff"))
    text = errors_text(Result("rebase", error=first, further=further), RUNNER)
    assert [line for line in text.splitlines() if not line.startswith("  ")] == [
        "jhpatch: first",
        "jhpatch: second",
    ]
    assert text.count("next:") == 1 and text.endswith("  next:     py -m jhpatch diff\n")


def test_the_ending_has_notes_and_the_next_step():
    """Notes first, then ``next:``; without either nothing."""
    assert ending(Result("lint"), RUNNER) == []
    value = Result("lint", notes=("one", "two\n"), next=jhpatch_command("list"))
    assert ending(value, RUNNER) == ["one", "two\\n", "next: py -m jhpatch list"]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("caf\u00e9 \u4e2d", "caf\u00e9 \u4e2d"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[31m", "\\x1b[31m"),
        ("gnp.\u202etxt", "gnp.\\u202etxt"),
        ("\xad\x9b", "\\xad\\x9b"),
    ],
)
def test_plain_text_obeys_nobody(text, expected):
    """Controls, line ends and characters that turn a line around are escaped."""
    assert plain(text) == expected


def test_a_diff_keeps_its_bytes_but_on_a_terminal():
    """In a pipe a diff is exact; on a terminal CR and escapes are shown, and lines coloured."""
    diff = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\r\n+new\x1b\u202e\tx\n"
    assert diff_text(diff, Style()) == diff
    plain_lines = diff_text(diff, Style(terminal=True)).split("\n")
    assert plain_lines[3:] == ["-old\\r", "+new\\x1b\\u202e\tx", ""]
    coloured = diff_text(diff, Style(terminal=True, colour=True))
    assert "\033[32m+new" in coloured and "\033[31m-old" in coloured and "\033[36m@@" in coloured


@pytest.mark.parametrize(
    "text, escaped, data",
    [
        ("a\u00e9", "a\u00e9", b"a\xc3\xa9"),
        ("a\udcff", "a\\xff", b"a\xff"),
        ("a\ud800", "a\\ud800", b"a\\ud800"),
    ],
)
def test_text_stands_for_bytes(text, escaped, data):
    """A surrogate stands for its byte (PEP 383); shown it is a backslash escape."""
    assert (shown(text), encoded(text)) == (escaped, data)
