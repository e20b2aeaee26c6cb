"""The next step of a result, as a person types it: complete, and quoted once."""

import subprocess

import pytest

from jhpatch.errors import (
    NextStep,
    command_alone,
    jhpatch_command,
    python_command,
    same_command,
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
        (
            jhpatch_command("lint", "--patches", "/p"),
            "'/opt/py thon' -m jhpatch lint --patches /p",
        ),
        (python_command("pip", "install", "jhpatch"), "'/opt/py thon' -m pip install jhpatch"),
        (shell_command("rm", "-r", "/a b/.jhpatch"), "rm -r '/a b/.jhpatch'"),
        (NextStep("name it in Versions"), "name it in Versions"),
    ],
    ids=[
        "a site",
        "no command",
        "a maintainer",
        "other patches",
        "a module",
        "a program",
        "words",
    ],
)
def test_a_step_is_shown_with_its_interpreter_and_options(step, text):
    """A command has the Python and the options of this run; a program has neither."""
    assert RUNNER.shown(step) == text


ISOLATED = ("-I",)


def test_the_command_of_this_run_for_another_user():
    """It is complete: sudo, the interpreter, -I if it finds jhpatch, and every argument."""
    arguments = ("apply", "--python", "env/bin/python", "my dir")
    runner = Runner("/ours", ("--python", "env/bin/python"), (), (), ISOLATED, arguments)
    words = "/ours -I -m jhpatch apply --python env/bin/python 'my dir'"
    assert runner.shown(same_command("sudo", "-H", "-u", "#7")) == "sudo -H -u '#7' " + words
    plain = runner._replace(flags_of_others=())
    assert plain.shown(same_command("sudo", "-H")) == "sudo -H " + words.replace(" -I", "")
    assert runner.shown(same_command()) == words.replace(" -I", "")


def test_a_run_with_isolation_prints_it():
    """``python -I -m jhpatch`` names commands with -I, of jhpatch and of other modules."""
    runner = Runner("/ours", flags=ISOLATED)
    assert runner.shown(jhpatch_command("status")) == "/ours -I -m jhpatch status"
    assert runner.shown(python_command("pip", "list")) == "/ours -I -m pip list"


def test_a_command_for_another_site_has_its_own_options():
    """--python and --site of this run name other environments; --patches stays."""
    step = command_alone("apply", "--site", "/s")
    assert RUNNER.shown(step).endswith(" -m jhpatch apply --patches /srv/patches --site /s")


@pytest.mark.parametrize(
    "step, words",
    [
        (jhpatch_command("apply", "a/b"), "apply --site /s --patches p --only-patches a/b"),
        (jhpatch_command("rebase", "a/b"), "rebase --patches p --only-patches a/b"),
        (command_alone("apply", "--site", "/t"), "apply --patches p --only-patches --site /t"),
        (jhpatch_command("lint", "--wheels", "DIR"), "lint --patches p --wheels DIR"),
        (
            jhpatch_command("create", "--only-patches", "a/b"),
            "create --site /s --patches p --only-patches a/b",
        ),
    ],
)
def test_a_run_without_jhpatchs_own_patches(step, words):
    """The next command leaves them out, too: a patch of the same name would conflict; once."""
    patches = ("--patches", "p", "--only-patches")
    runner = Runner("py", ("--site", "/s", *patches), patches)
    assert runner.shown(step) == "py -m jhpatch " + words


def test_a_standing_patch_directory_reaches_the_command_of_another_user():
    """sudo removes the variable; the user's own shell still has it."""
    runner = Runner("py", arguments=("apply",), variables=("JHPATCH_PATCHES=/srv/my p",))
    words = "env 'JHPATCH_PATCHES=/srv/my p' py -m jhpatch apply"
    assert runner.shown(same_command("sudo", "-H")) == "sudo -H " + words
    assert runner.shown(same_command()) == "py -m jhpatch apply"


def test_words_and_commands_stand_in_their_order():
    """Steps are added to words and to each other on both sides."""
    step = "first: " + jhpatch_command("status") + "; then " + shell_command("ls", "/a b")
    assert Runner("py").shown(step) == "first: py -m jhpatch status; then ls '/a b'"


@pytest.mark.parametrize("word", ["a", "a/b-1.0_c", "", "a b", "$HOME", "'", '"', "\n", "*", "~"])
def test_a_shell_reads_back_what_is_quoted(word):
    """sh(1) prints the very word, whatever is in it."""
    done = subprocess.run(["sh", "-c", "printf %s " + quoted(word)], stdout=subprocess.PIPE)
    assert done.stdout.decode() == word
