"""The terminal and the standard streams: styles, messages, output and its failures."""

import contextlib
import os
import sys
import time
from typing import Any, Callable, Iterator, Optional, TextIO

from jhpatch.report.text import WIDTH, Style, shown

_HOME = "\033[H\033[J"  # to the upper left corner, and erase below (ECMA-48: CUP, ED)


def style(verbose: bool) -> Style:
    """Return the style of text on standard output."""
    terminal = _is_terminal(sys.stdout)
    colour = terminal and not os.environ.get("NO_COLOR") and not is_dumb()
    return Style(terminal, colour, verbose, _width() if terminal else 0)


def is_dumb() -> bool:
    """Return whether the terminal interprets no escape sequences."""
    return os.environ.get("TERM") == "dumb"


def help_width() -> int:
    """Return the width of help texts: COLUMNS or the terminal's columns, and at most 88."""
    if os.environ.get("COLUMNS") or _is_terminal(sys.stdout):
        return min(_width(), WIDTH)
    return WIDTH


def _is_terminal(stream: Optional[TextIO]) -> bool:
    return stream is not None and stream.isatty()


def _width() -> int:
    """Return COLUMNS, or else the columns of the terminal."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


class Messages:
    """The messages of a running command on standard error.

    ``step`` names the current step, ``say`` is a line of its own. A terminal shows only the
    last text of both, on a status line after one second; elsewhere steps are not written.
    """

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._draws = _is_terminal(sys.stderr) and not quiet
        self._progress: Any = None

    def step(self, text: str) -> None:
        """Show the current step."""
        if not self._draws:
            return
        if self._progress is None:
            from jhpatch.cli.progress import Progress

            self._progress = Progress(sys.stderr)
        self._progress.step(text)

    def say(self, text: str) -> None:
        """Write a line of its own."""
        if self._draws:
            self.step(text)
        elif not self._quiet:
            error_output(text + "\n")

    def end(self) -> None:
        """Remove the status line from the terminal."""
        if self._progress is not None:
            self._progress.end()


def watch(
    run: Callable[[], Any], text_of: Callable[[Any], str], seconds: float, redraw: bool
) -> int:
    """Call ``run`` repeatedly until Ctrl-C or a closed pipe; return the last exit code.

    A terminal is redrawn; elsewhere each changed line is written once.
    """
    code, previous = 1, [""]
    try:
        while True:
            result = run()
            code = result.exit_code
            text = text_of(result)
            lines = text.splitlines(True)
            changed = "".join(line for line in lines if line not in previous)
            write(sys.stdout, _HOME + text if redraw else changed)
            previous = lines
            time.sleep(seconds)
    except KeyboardInterrupt:
        return code
    except BrokenPipeError:
        _discard(1)
        return code


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn Ctrl-C into KeyboardInterrupt if __main__ has set it to end the process."""
    import _signal  # type: ignore[import-not-found]  # signal.py takes 1 ms

    old = _signal.getsignal(_signal.SIGINT)
    if old != _signal.SIG_DFL:
        yield
        return
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    try:
        yield
    finally:
        _signal.signal(_signal.SIGINT, old)


def paged(text: str) -> bool:
    """Show a text longer than the terminal in a pager, as git does; return whether it did."""
    import _signal
    import shutil
    import subprocess

    command = os.environ.get("PAGER", "less")
    if command in ("", "cat") or text.count("\n") < shutil.get_terminal_size().lines:
        return False
    environment = dict({"LESS": "FRX", "LV": "-c"}, **os.environ)
    data = shown(text).encode("utf-8", "backslashreplace")
    # Ctrl-C is for the pager: if jhpatch exited, pager and shell would both read the terminal.
    old = _signal.signal(_signal.SIGINT, lambda *_: None)
    try:
        child = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, env=environment)
        child.communicate(data)
    except OSError:
        return False
    finally:
        _signal.signal(_signal.SIGINT, old)
    return child.returncode != 127  # sh(1): no such program


def output(text: str, escaped: bool = True) -> int:
    """Write to standard output; return 1 if it failed, 0 also if the reader closed the pipe."""
    stream = sys.stdout
    try:
        if escaped or not hasattr(stream, "buffer"):
            write(stream, text)
        elif stream is not None:
            stream.buffer.write(text.encode("utf-8", "surrogateescape"))
            stream.buffer.flush()
        return 0
    except OSError as error:
        _discard(1)  # the reader is gone, or the disk is full
        if isinstance(error, BrokenPipeError):
            return 0
        error_output("jhpatch: cannot write the result: %s\n" % error.strerror)
        return 1


def ask(question: str) -> str:
    """Return a line that is typed on the terminal; "" without a terminal."""
    if not (_is_terminal(sys.stdin) and _is_terminal(sys.stderr)):
        return ""
    error_output(question)
    return sys.stdin.readline().strip()


def error_output(text: str) -> None:
    """Write to standard error; if that fails, only the exit code reports the error."""
    try:
        write(sys.stderr, text)
    except OSError:
        _discard(2)


def _discard(fd: int) -> None:
    """Redirect a broken stream to /dev/null, so that Python does not flush it again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), fd)


def write(stream: Optional[TextIO], text: str) -> None:
    """Write a text in any locale (LC_ALL=C); characters that it lacks are escaped."""
    if stream is not None and text:
        encoding = stream.encoding or "ascii"
        stream.write(shown(text).encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
