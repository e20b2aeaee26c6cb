"""Findings of lint, releases of survey and candidates of rebase as text."""

from jhpatch.errors import jhpatch_command
from jhpatch.report.next_command import Runner
from jhpatch.report.patch_text import text
from jhpatch.report.result import (
    Candidate,
    PatchErrors,
    RebasedPatch,
    Release,
    Releases,
    Result,
)
from jhpatch.report.text import Style
from testing.results import error

RUNNER = Runner("py")


def shown(content, style=None, **fields):
    """The lines of a result with that content."""
    return text(content, Result("x", content, **fields), style or Style(), RUNNER).splitlines()


def test_a_finding_starts_with_its_file():
    """Path and message on a line, then expected, found and next; notes end the text."""
    errors = (error(next=jhpatch_command("lint")), error(path=None, expected=None, found=None))
    assert shown(PatchErrors(errors), notes=("2 findings",)) == [
        "/site/a.py: it does not fit",
        "  expected: 1.0",
        "  found:    2.0",
        "  next:     py -m jhpatch lint",
        ": it does not fit",
        "2 findings",
    ]


def test_releases_that_need_something_are_shown():
    """Identical and new releases; the others only with -v."""
    releases = Releases(
        (
            Release("app", "1.3", "new", reason="no patch knows its bytes"),
            Release("app", "1.2", "identical", ("1.0-hooks",)),
            Release("app", "1.1", "covered"),
        )
    )
    assert shown(releases, next=jhpatch_command("rebase", "app/hooks")) == [
        "app 1.3 new (no patch knows its bytes)",
        "app 1.2 identical 1.0-hooks",
        "next: py -m jhpatch rebase app/hooks",
    ]
    assert "app 1.1 covered" in shown(releases, Style(verbose=True))


def test_a_candidate_is_its_diff():
    """The diff of the patch files and the notes; without a candidate the notes alone."""
    candidate = Candidate("app/hooks", "1.3-hooks", "1.3", "/p", "text", "--- a\n+++ b\n")
    assert shown(RebasedPatch(candidate), notes=("written",)) == ["--- a", "+++ b", "written"]
    assert shown(RebasedPatch(None), notes=("nothing to do",)) == ["nothing to do"]
    coloured = shown(RebasedPatch(candidate), Style(terminal=True, colour=True))
    assert coloured[1] == "\033[32m+++ b\033[0m"
