"""Tables of findings, and how a finding's next step is filled in."""

import pytest

from jhpatch.checks.finding import FindingKind, FindingTable, error, note, warning
from jhpatch.errors import NextStep, shell_command

TABLE = FindingTable(
    {
        "words": error("it fails", "edit {path} of {user}, port {port}"),
        "command": warning("it can fail", shell_command("chown", "{user}", "{path}") + " now"),
        "nothing": note("all is well"),
    }
)


def test_the_severity_is_the_constructors():
    """error(), warning() and note() differ in the severity alone."""
    assert [make("x", "y") for make in (error, warning, note)] == [
        FindingKind("error", "x", "y"),
        FindingKind("warning", "x", "y"),
        FindingKind("note", "x", "y"),
    ]


def test_words_are_filled_in():
    """A next step in words receives the path, the user and the other fields."""
    finding = TABLE.finding("words", "message", "/a", "alice", port=88)
    assert finding.next == NextStep("edit /a of alice, port 88")
    assert (finding.code, finding.severity, finding.why) == ("words", "error", "it fails")
    assert (finding.message, finding.path, finding.user) == ("message", "/a", "alice")


def test_a_command_is_filled_in_by_argument():
    """A value with a space stays one argument; braces in a value are not filled in again."""
    finding = TABLE.finding("command", "message", "/a {user} b", "alice")
    assert finding.next == shell_command("chown", "alice", "/a {user} b") + " now"


@pytest.mark.parametrize("path, user", [(None, None), ("/a", None), (None, "alice")])
def test_a_step_for_an_unknown_path_or_user_is_omitted(path, user):
    """No command with a placeholder is shown."""
    finding = TABLE.finding("command", "message", path, user)
    assert finding.next is None
    assert (finding.path, finding.user) == (path, user)


def test_a_kind_may_have_no_next_step():
    """The finding then has none either."""
    assert TABLE.finding("nothing", "message").next is None


@pytest.mark.parametrize("code, fields", [("unknown", {}), ("words", {"path": "/a", "user": "b"})])
def test_a_mistake_in_a_call_is_an_error(code, fields):
    """An unknown code and a field that is not given raise KeyError."""
    with pytest.raises(KeyError):
        TABLE.finding(code, "message", **fields)
