"""What a command returns: its exit code, and a next step for each error."""

import pytest

from jhpatch.errors import Refused, jhpatch_command, shell_command
from jhpatch.report.result import (
    Finding,
    PatchErrors,
    Result,
    checked,
    error_of,
    with_fallbacks,
    worst_first,
)
from testing.results import error, result, site


@pytest.mark.parametrize(
    "own, codes, expected",
    [
        (0, [], 0),
        (0, [0, 3], 3),
        (0, [3, 5], 5),
        (0, [5, 4], 4),
        (2, [4], 2),
        (0, [2, 1], 1),
        (3, [0], 3),
    ],
)
def test_the_exit_code_is_the_worst(own, codes, expected):
    """Of the command's own code and its sites': 1, 2, 4, 5, 3, 0, in this order."""
    sites = [site(exit_code=code) for code in codes]
    assert result("status", *sites, own_exit_code=own).exit_code == expected


def test_only_a_command_on_sites_has_sites():
    """Any other content, or none, has no sites."""
    assert Result("lint", PatchErrors(())).sites == Result("status").sites == ()


def test_findings_that_are_notes_are_no_finding():
    """A command that checks exits 3 for an error or a warning, 0 for notes."""
    note = Finding("a", "note", "m", None, "why", None)
    assert checked([]) == checked([note]) == 0
    assert checked([note, note._replace(severity="warning")]) == 3
    assert checked([note._replace(severity="error")]) == 3


def test_an_exception_becomes_a_value():
    """The value has the code of the class and the fields of the exception."""
    refused = Refused("no", "/p", "a", "b", jhpatch_command("list"))
    assert error_of(refused) == ("refused", "no", "/p", "a", "b", jhpatch_command("list"))


@pytest.mark.parametrize(
    "command, code, path, step",
    [
        ("apply", "usage", "/p", jhpatch_command("apply", "--help")),
        (None, "usage", None, jhpatch_command("--help")),
        ("status", "bad-patch", "/p", jhpatch_command("lint")),
        ("status", "bad-patch", "/p/a/1.patch", jhpatch_command("lint", "--patches", "/p")),
        ("lint", "bad-patch", "/p", None),
        ("apply", "failed", "/p", shell_command("ls", "-ld", "/p")),
        ("apply", "failed", None, None),
    ],
)
def test_an_error_without_a_next_step_gets_one(command, code, path, step):
    """Help for a usage error, lint for a patch file, ls for a path; of a command or a site."""
    bare = error(code=code, path=path)
    assert with_fallbacks(Result(command, error=bare)).error == bare._replace(next=step)
    filled = with_fallbacks(result(command, site(error=bare)))
    assert filled.sites[0].error == bare._replace(next=step)


def test_a_next_step_that_is_there_stays():
    """A fallback replaces none."""
    own = error(next=jhpatch_command("diff"))
    assert with_fallbacks(result("apply", site(error=own), error=own)) == result(
        "apply", site(error=own), error=own
    )


def test_findings_are_ordered_by_severity():
    """Errors come first, notes last; findings of the same severity keep their order."""
    rows = [
        Finding(code, severity, "", None, "", None)
        for code, severity in (("a", "note"), ("b", "warning"), ("c", "error"), ("d", "warning"))
    ]
    assert [row.code for row in worst_first(rows)] == ["c", "b", "d", "a"]
