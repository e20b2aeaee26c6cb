"""What a long command shows on a terminal: after a second, where it is; at the end nothing."""

import importlib.util
import io
import sys
import threading

import pytest

from jhpatch.cli import terminal
from jhpatch.cli.progress import Progress
from testing.waiting import until

pytestmark = pytest.mark.skipif(
    not importlib.util.find_spec("rich"), reason="no rich for this Python"
)


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def stream(monkeypatch):
    """A terminal that rich draws on."""
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


def test_the_present_step_is_drawn(stream):
    """After the delay the last words are on the terminal, as text and not as rich's marks."""
    progress = Progress(stream, after=0)
    progress.step("the [red]KDC")
    until(lambda: "the [red]KDC" in stream.getvalue())
    progress.step("a\x1b[31m step")
    until(lambda: "a?[31m step" in stream.getvalue())
    progress.end()
    assert stream.getvalue().rstrip("\r\n").endswith(("\x1b[2K", "\x1b[?25h"))


def test_a_short_command_draws_nothing(stream):
    """Before the delay nothing is drawn, nor after the end."""
    progress = Progress(stream, after=600)
    progress.step("a step")
    progress.end()
    progress.end()
    assert stream.getvalue() == "" and progress._timer is None


@pytest.mark.slow
def test_a_command_draws_its_steps_on_a_terminal(stream, monkeypatch):
    """``Messages`` draws a step, and a line too, which would be lost above what is drawn."""
    monkeypatch.setattr(sys, "stderr", stream)
    talk = terminal.Messages(quiet=False)
    talk.step("a step")
    until(lambda: "a step" in stream.getvalue())
    talk.say("a line")
    until(lambda: "a line" in stream.getvalue())
    talk.end()
    assert stream.getvalue().rstrip("\r\n").endswith(("\x1b[2K", "\x1b[?25h"))


def test_no_thread_is_left(stream):
    """The thread that draws has ended when the command has."""
    before = set(threading.enumerate())  # one of another test may end meanwhile
    progress = Progress(stream, after=0)
    progress.step("a step")
    until(lambda: "a step" in stream.getvalue())
    progress.end()
    until(lambda: not set(threading.enumerate()) - before)
