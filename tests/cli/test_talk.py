"""How the command line talks: help, version, quiet, a pager, what a shell completes."""

import importlib.util
import io
import os
import pty
import shutil
import subprocess
import sys
import time

import pytest

from jhpatch.checks import runner
from jhpatch.cli import main
from jhpatch.commands import COMMANDS, EXAMPLES, completion
from testing import ROOT


@pytest.fixture
def env(tmp_path, make_site):
    """notebook 5.7.9, which has two patches."""
    return make_site(tmp_path, [("notebook", "5.7.9")], slim=True)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_help_of_each_command_has_an_example_that_is_one(command, capsys):
    """It is shown, and the parser takes it."""
    with pytest.raises(SystemExit):
        main.main([command, "--help"])
    assert "python -m jhpatch " + EXAMPLES[command] in capsys.readouterr().out
    words = EXAMPLES[command].split()
    assert main.parser(command).parse_args(words).command == command


def test_the_version_says_what_each_patch_knows(capsys):
    """The tool, the Python that runs it, and the newest release of each patch."""
    with pytest.raises(SystemExit) as left:
        main.main(["--version"])
    assert not left.value.code
    out = capsys.readouterr().out
    assert "jhpatch 0." in out and sys.executable in out
    assert any(
        line.split() == ["jupyterhub/kerberos-login", "to", "6.1.1"] for line in out.split("\n")
    )


def test_quiet_says_nothing_but_what_is_wrong(env, capsys):
    """Nothing on standard output; an error on the other one; the exit code as always."""
    assert main.main(["apply", "-q", "--python", env.python]) == 0
    assert main.main(["status", "--quiet", "--python", env.python]) == 0
    assert capsys.readouterr() == ("", "")
    with open(env.site + "/notebook/notebook/handlers.py", "a") as file:
        file.write("#\n")
    assert main.main(["apply", "-q", "--python", env.python]) == 5
    out, talk = capsys.readouterr()
    assert out == "" and "notebook/notebook/handlers.py" in talk


def on_terminal(arguments, pager):
    """What a terminal of 24 lines shows, with that PAGER."""
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "jhpatch"] + arguments,
        env={"PYTHONPATH": ROOT, "PATH": os.environ["PATH"], "PAGER": pager, "TERM": "xterm"},
        cwd="/",
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    text = b""
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # EIO: the other side is closed
            break
        text += data
        if not data:
            break
    os.close(master)
    return child.wait(), text.decode()


def test_a_long_diff_is_paged_and_coloured(env):
    """On a terminal, by PAGER as git does it; by none where it is cat, or is not there."""
    command = ["diff", "--python", env.python]
    code, text = on_terminal(command, "sed 's/^/by the pager: /'")
    assert code == 0 and text.count("by the pager: ") > 24 and "\033[32m+" in text
    for pager in ("cat", "", "/nowhere/pager"):
        code, text = on_terminal(command, pager)
        assert code == 0 and "by the pager" not in text and "\033[32m+" in text
    assert (
        "by the pager"
        not in on_terminal(["status", "--python", env.python], "sed 's/^/by the pager: /'")[1]
    )


@pytest.mark.skipif(not importlib.util.find_spec("shtab"), reason="no shtab for this Python")
@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_scripts_are_those_of_the_parser(shell, jhpatch):
    """Made anew they are the same: each option that was added is in them."""
    path = os.path.join(ROOT, "tools", "completions.py")
    spec = importlib.util.spec_from_file_location("completions", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    if sys.version_info >= (3, 11):  # argparse's own words differ in older ones
        assert jhpatch(None, "completion", shell).document["script"] == tool.made(shell)


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
@pytest.mark.parametrize(
    "words, wanted",
    [("kern", {"kernelspec"}), ("re", {"revert", "rebase"}), ("apply --dr", {"--dry-run"})],
)
def test_bash_completes(words, wanted):
    """A real bash, with the script that the command prints."""
    script = 'eval "$("$0" -m jhpatch completion bash)"; COMP_WORDS=(jhpatch $1)\n'
    script += "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _shtab_jhpatch; echo ${COMPREPLY[@]}\n"
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, words],
        env={"PYTHONPATH": ROOT, "PATH": os.environ["PATH"]},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert set(done.stdout.decode().split()) == wanted, done.stderr.decode()


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_no_line_is_longer_than_the_terminal(tmp_path, make_site, columns):
    """Reasons that do not fit go below their row, wrapped; 80 columns look right."""
    env = make_site(tmp_path, [("notebook", "7.6.5"), ("jupyterhub", "6.1.1")], slim=True)
    master, slave = pty.openpty()
    argv = [sys.executable, "-m", "jhpatch", "status", "--python", env.python]
    environment = {"PYTHONPATH": ROOT, "NO_COLOR": "1", "COLUMNS": str(columns)}
    subprocess.call(argv, env=environment, cwd="/", stdout=slave)
    os.close(slave)
    lines = os.read(master, 65536).decode().splitlines()
    os.close(master)
    rows = [line for line in lines if not line.startswith(("/", "next:"))]
    assert rows and max(map(len, rows)) <= max(columns, 60)
    assert sum("not-needed" in row for row in rows) == 2


class Terminal(io.StringIO):
    """A stream that says that it is one."""

    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.mark.skipif(not importlib.util.find_spec("rich"), reason="no rich for this Python")
@pytest.mark.parametrize("seconds, drawn", [(0.0, False), (1.8, True)])
def test_what_lasts_says_where_it_is(monkeypatch, seconds, drawn):
    """After a second, on a terminal, as text and not as rich's marks; at the end it is gone."""

    def slow(deadline):
        time.sleep(seconds)
        return []

    monkeypatch.setenv("TERM", "xterm")
    for name in ("kerberos", "spark"):
        check = [runner.Check("the [red]KDC", slow)] if name == "kerberos" else []
        monkeypatch.setattr(
            "jhpatch.commands.doctor.%s_checks.checks" % name,
            lambda *asked, found=check: list(found),
        )
    monkeypatch.setattr(sys, "stderr", Terminal())
    main.main(["doctor", "--site", ROOT])
    text = sys.stderr.getvalue()
    assert ("the [red]KDC" in text) == drawn
    assert not text or text.rstrip("\r\n").endswith(("\x1b[2K", "\x1b[?25h"))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    main.main(["doctor", "--site", ROOT])
    assert sys.stderr.getvalue() == ""


def test_a_long_diff_that_is_refused_says_so_too(env):
    """The edit in the pager, and behind it the error with the next step: exit code 5."""
    with open(env.site + "/notebook/notebook/handlers.py", "a") as file:
        file.write("# an edit\n" * 60)
    code, text = on_terminal(["diff", "--python", env.python], "sed 's/^/by the pager: /'")
    assert code == 5 and text.count("by the pager: ") > 24
    assert (
        "jhpatch: " in text and "notebook/notebook/handlers.py" in text.partition("jhpatch: ")[2]
    )
