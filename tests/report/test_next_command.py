"""The next step of a result, as a person types it: complete, and quoted once."""

import subprocess

import pytest

from jhpatch.errors import (
    NextStep,
    jhpatch_command,
    python_command,
    reinstall_command,
    shell_command,
)
from jhpatch.report.next_command import Runner, quoted

OPTIONS = ("--python", "/opt/my env/bin/python", "--patches", "/srv/patches")
RUNNER = Runner("/opt/py thon", OPTIONS, OPTIONS[2:])


@pytest.mark.parametrize(
    "step, text",
    [
        (
            jhpatch_command("apply", "notebook/kerberos-open"),
            "'/opt/py thon' -m jhpatch apply --python '/opt/my env/bin/python'"
            " --patches /srv/patches notebook/kerberos-open",
        ),
        (jhpatch_command("--help"), "'/opt/py thon' -m jhpatch --help"),
        (
            jhpatch_command("rebase", "app/hooks", "--to", "1.3"),
            "'/opt/py thon' -m jhpatch rebase --patches /srv/patches app/hooks --to 1.3",
        ),
        (python_command("pip", "install", "jhpatch"), "'/opt/py thon' -m pip install jhpatch"),
        (shell_command("rm", "-r", "/a b/.jhpatch"), "rm -r '/a b/.jhpatch'"),
        (NextStep("name it in Versions"), "name it in Versions"),
    ],
    ids=["a site", "no command", "a maintainer", "a module", "a program", "words"],
)
def test_a_step_is_shown_with_its_interpreter_and_options(step, text):
    """A command has the Python and the options of this run; a program has neither."""
    assert RUNNER.shown(step) == text


def test_a_reinstallation_runs_with_the_python_of_the_site():
    """pip of the site's own Python, or of the running one where the site has none."""
    step = reinstall_command("notebook==5.7.9")
    words = " -m pip install --force-reinstall --no-deps notebook==5.7.9"
    assert Runner("/ours").shown(step, "/theirs") == "/theirs" + words
    assert Runner("/ours").shown(step) == "/ours" + words


def test_words_and_commands_stand_in_their_order():
    """Steps are added to words and to each other on both sides."""
    step = "first: " + jhpatch_command("status") + "; then " + shell_command("ls", "/a b")
    assert Runner("py").shown(step) == "first: py -m jhpatch status; then ls '/a b'"


@pytest.mark.parametrize("word", ["a", "a/b-1.0_c", "", "a b", "$HOME", "'", '"', "\n", "*", "~"])
def test_a_shell_reads_back_what_is_quoted(word):
    """sh(1) prints the very word, whatever is in it."""
    done = subprocess.run(["sh", "-c", "printf %s " + quoted(word)], stdout=subprocess.PIPE)
    assert done.stdout.decode() == word
