"""Sites as text: tables on a terminal, tabs in a pipe, and a last line that says what next."""

import pytest

from jhpatch.report.next_command import Runner
from jhpatch.report.site_text import text
from jhpatch.report.text import Style
from testing.results import HUB, OPEN, PAGE, error, result, site

RUNNER = Runner("py")
PIPE, TERMINAL = Style(), Style(terminal=True, width=80)
SAVE = OPEN._replace(patch="notebook/kerberos-save", state="applied")


def lines(value, style=PIPE):
    """The lines of a result."""
    return text(value, style, RUNNER).splitlines()


def test_a_pipe_gets_a_line_a_patch_with_tabs():
    """The site and who installed it, then patch, version, state and reason."""
    shown = lines(result("status", site(patches=(OPEN._replace(reason="why"), SAVE))))
    assert shown == [
        "/site (pip)",
        "notebook/kerberos-open\t5.7.9\tunpatched\twhy",
        "notebook/kerberos-save\t5.7.9\tapplied\t",
    ]


def test_who_installed_a_site_is_escaped():
    """The file INSTALLER is the installer's: its bytes must not control a terminal."""
    (first, *_) = lines(result("status", site(owner="\x1b[31m")))
    assert first == "/site (\\x1b[31m)"


def test_verbose_text_has_the_files():
    """With -v each file has its state and its hash."""
    value = result("status", site(patches=(OPEN._replace(files=(PAGE,)),)))
    assert "notebook/handlers.py before " + "0" * 64 in text(value, Style(verbose=True), RUNNER)
    assert "handlers.py" not in text(value, PIPE, RUNNER)


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_row_is_wider_than_the_terminal(width):
    """A reason that does not fit goes below its row, wrapped."""
    reason = "another build: RECORD states the bytes of notebook/handlers.py, no patch does"
    value = result("apply", site(patches=(OPEN._replace(reason=reason), SAVE)))
    shown = lines(value, Style(terminal=True, width=width))
    assert max(map(len, shown)) <= max(width, 60)
    assert reason in " ".join(" ".join(shown).split())


def test_colour_comes_with_a_terminal_that_wants_it():
    """The state of a patch is painted, and nothing without colour."""
    value = result("status")
    assert "\033[33munpatched" in text(value, TERMINAL._replace(colour=True), RUNNER)
    assert "\033" not in text(value, TERMINAL, RUNNER)


def test_three_environments_are_one_table():
    """A line for each patch with its Python last; a site without one says so."""
    sites = [site(python="/py%d" % number) for number in range(2)]
    sites += [site(python="/py2", patches=()), site(python="/py3", patches=(), error=error())]
    shown = lines(result("status", *sites))
    assert shown == [
        "unpatched\t5.7.9\tnotebook/kerberos-open\t/py0",
        "unpatched\t5.7.9\tnotebook/kerberos-open\t/py1",
        "nothing\t-\t-\t/py2",
        "failed\t-\t-\t/py3",
    ]
    columns = lines(result("status", *sites), TERMINAL)
    assert len({line.index("/py") for line in columns}) == 1


@pytest.mark.parametrize(
    "patches, command",
    [
        ((OPEN,), "apply"),
        ((OPEN, SAVE._replace(state="modified")), "diff notebook/kerberos-save"),
        ((OPEN._replace(state="unsupported"), SAVE), "diff notebook/kerberos-open"),
    ],
)
def test_status_ends_with_the_next_command(patches, command):
    """``apply``, or ``diff`` of the patches that need a look first."""
    value = result("status", site(patches=patches, exit_code=3))
    assert lines(value)[-1] == "next: py -m jhpatch " + command


def test_status_of_a_shadowed_copy_ends_with_words():
    """No command changes a package that Python finds elsewhere, without metadata."""
    shadowed = OPEN._replace(state="shadowed")
    absent = SAVE._replace(state="absent")
    value = result("status", site(patches=(shadowed, absent), exit_code=3))
    assert lines(value)[-1] == "next: remove the copy that Python imports, or patch that copy"
    value = result(
        "status", site(patches=(shadowed, SAVE._replace(state="pristine")), exit_code=3)
    )
    assert lines(value)[-1] == "next: py -m jhpatch apply"


@pytest.mark.parametrize(
    "command, report, dry, words",
    [
        ("apply", site(), False, "nothing to do"),
        ("apply", site(changed=True), False, "done"),
        ("apply", site(patches=(OPEN._replace(changed=True),)), False, "1 patch applied"),
        (
            "revert",
            site(patches=(OPEN._replace(changed=True), SAVE._replace(changed=True))),
            False,
            "2 patches reverted",
        ),
        (
            "apply",
            site(patches=(OPEN._replace(changed=True, state="absent"),)),
            False,
            "1 record removed",
        ),
        ("apply", site(would_change=True), True, "would change the files above"),
        ("apply", site(), True, "nothing to do"),
    ],
)
def test_a_change_ends_with_what_was_done(command, report, dry, words):
    """How many patches were applied or reverted, or that nothing was to be done."""
    assert lines(result(command, report, dry_run=dry))[-1] == words


def test_processes_that_run_the_old_code_are_named():
    """Each with pid, name, user and start; hidden processes are reported as unknown."""
    changed = site(patches=(OPEN._replace(changed=True),), restart=(HUB,))
    shown = lines(result("apply", changed))
    row = "  restart needed: pid 7 jupyterhub of root, running since 2026-01-01T00:00:00Z"
    assert row in shown and "until you restart them" in shown[-1]
    hidden = site(restart=None, restart_reason="hidden")
    assert "  restart: unknown, because hidden" in lines(result("apply", hidden))


def test_list_shows_the_first_and_the_last_release():
    """The ranges of a patch are two releases for a person."""
    patch = OPEN._replace(versions=">=5.0.0,<=5.4.1 | ==6.5.7", description="what for")
    assert lines(result("list", site(patches=(patch,)))) == [
        "/site (pip)",
        "notebook/kerberos-open\t5.0.0 to 6.5.7\tunpatched\twhat for",
    ]


def test_diff_is_the_diffs_and_nothing_else():
    """What patch(1) gets has no other line."""
    value = result("diff", site(diff="--- a/x\n"), site(diff=None), site(diff="--- a/y\n"))
    assert text(value, PIPE, RUNNER) == "--- a/x\n--- a/y\n"
