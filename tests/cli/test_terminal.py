"""The streams: pager, colours and width on a terminal, escapes, and readers that leave."""

import errno
import io
import json
import os
import pty
import subprocess
import sys

import pytest

from jhpatch.cli import terminal
from testing import ROOT
from testing.commands import typed
from testing.notebook_site import PAGE, append

ON_PAGER = "sed 's/^/by the pager: /'"


def on_terminal(arguments, pager):
    """The exit code of a command on a terminal of 24 lines with that PAGER, and what it shows."""
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
    """A diff goes through PAGER as with git; through none where it is cat, empty or missing."""
    command = ["diff", "--python", env.python]
    code, text = on_terminal(command, ON_PAGER)
    assert code == 0 and text.count("by the pager: ") > 24 and "\033[32m+" in text
    for pager in ("cat", "", "/nowhere/pager"):
        code, text = on_terminal(command, pager)
        assert code == 0 and "by the pager" not in text and "\033[32m+" in text
    _, text = on_terminal(["status", "--python", env.python], ON_PAGER)
    assert "by the pager" not in text


def test_a_refused_diff_is_paged_and_its_error_follows(env):
    """The edit goes through the pager; the error with the next step comes after: exit code 5."""
    append(env, PAGE, b"# an edit\n" * 60)
    code, text = on_terminal(["diff", "--python", env.python], ON_PAGER)
    assert code == 5 and text.count("by the pager: ") > 24
    assert PAGE in text.partition("jhpatch: ")[2]


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_no_line_is_longer_than_the_terminal(tmp_path, make_site, columns):
    """Reasons that do not fit go below their row, wrapped."""
    env = make_site(tmp_path, [("notebook", "7.6.5"), ("jupyterhub", "0.9.6")], slim=True)
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


@pytest.mark.parametrize("command", ["status", "list", "diff", "apply", "revert"])
def test_text_survives_any_locale(env, command):
    """LC_ALL=C and paths that are not UTF-8: no traceback, and something to read."""
    odd = os.path.join(os.fsencode(os.path.dirname(env.prefix)), b"\xff \xc3\xa4\nx")
    os.rename(os.fsencode(env.prefix), odd)
    try:
        for extra in ([], ["--json"]):
            done = typed(
                command, "--python", os.fsdecode(odd), *extra, environment={"LC_ALL": "C"}
            )
            assert b"Traceback" not in done.stderr
            assert done.returncode in (0, 3), done.stderr
            if extra:
                (site,) = json.loads(done.stdout.decode("ascii"))["sites"]
                assert "site_b64" in site
    finally:
        os.rename(odd, os.fsencode(env.prefix))


def test_a_reader_that_leaves_is_no_error(env):
    """``jhpatch diff | head -1`` prints no traceback."""
    argv = [sys.executable, "-m", "jhpatch", "diff", "--python", env.python]
    child = subprocess.Popen(
        argv,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    child.stdout.close()
    talk = child.stderr.read()
    child.stderr.close()
    child.wait()
    assert b"Traceback" not in talk and b"Exception" not in talk, talk


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize(
    "environ, style",
    [
        ({"COLUMNS": "100"}, (True, True, False, 100)),
        ({"COLUMNS": "100", "NO_COLOR": "1"}, (True, False, False, 100)),
        ({"COLUMNS": "100", "NO_COLOR": ""}, (True, True, False, 100)),
        ({"COLUMNS": "100", "TERM": "dumb"}, (True, False, False, 100)),
        ({"COLUMNS": "0"}, (True, True, False, 80)),
        ({}, (True, True, False, 80)),
    ],
)
def test_the_style_of_a_terminal(monkeypatch, environ, style):
    """Colour unless NO_COLOR is not empty or the terminal is dumb; COLUMNS is the width, or 80."""
    for name in ("COLUMNS", "NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(os, "get_terminal_size", lambda fd: os.terminal_size((0, 0)))
    assert terminal.style(verbose=False) == style


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_the_style_of_a_pipe(monkeypatch, stream):
    """No colour and no width; the same where there is no standard output at all."""
    monkeypatch.setattr(sys, "stdout", stream)
    assert terminal.style(verbose=True) == (False, False, True, 0)


def test_output_that_is_lost_is_an_error(monkeypatch, capsys):
    """A full disk is exit code 1 and a line; a reader that has left is neither."""

    class Broken(io.StringIO):
        def __init__(self, number):
            super().__init__()
            self.number = number

        def write(self, text):
            raise OSError(self.number, os.strerror(self.number))

    given_up = []
    monkeypatch.setattr(terminal, "_discard", given_up.append)
    for number, code in ((errno.ENOSPC, 1), (errno.EPIPE, 0)):
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", Broken(number))
            assert terminal.output("text") == code
    assert given_up == [1, 1]
    assert capsys.readouterr().err == (
        "jhpatch: cannot write the result: No space left on device\n"
    )


def test_the_exact_bytes_of_a_diff(monkeypatch):
    """Unescaped output has the bytes that a surrogate stands for (PEP 383)."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert terminal.output("+caf\udce9\n", escaped=False) == 0
    assert terminal.output("+caf\udce9 \u00e9\n") == 0
    assert stream.buffer.getvalue() == b"+caf\xe9\n+caf\\xe9 \\xe9\n"


def test_talk_is_for_a_person_who_listens(monkeypatch, capsys):
    """A line of its own in a pipe; nothing with --quiet; a step is drawn on a terminal alone."""
    for quiet in (False, True):
        talk = terminal.Messages(quiet)
        talk.step("a step")
        talk.say("a line")
        talk.end()
    assert capsys.readouterr().err == "a line\n"


def test_watching_prints_what_has_changed(monkeypatch, capsys):
    """In a pipe each line that is new is printed once; Ctrl-C ends with the last exit code."""
    texts = iter(["a\nb\n", "a\nb\n", "a\nc\n"])

    class Result:
        exit_code = 3

    def look():
        return Result

    def text_of(result):
        return next(texts)

    pauses = []

    def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(terminal.time, "sleep", sleep)
    assert terminal.watch(look, text_of, 5, redraw=False) == 3
    assert capsys.readouterr().out == "a\nb\nc\n" and pauses == [5, 5, 5]
