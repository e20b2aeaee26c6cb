"""The terminal and the streams: what is written, in which form, and who does not read it."""

import contextlib
import os
import sys
import time
from typing import Any, Callable, Iterator, Optional, TextIO

from jhpatch.report.text import Style, shown

_HOME = "\033[H\033[J"  # the upper left corner, and nothing below it (ECMA-48, CUP and ED)


def style(verbose: bool) -> Style:
    """How text is written to standard output."""
    terminal = _is_terminal(sys.stdout)
    colour = terminal and "NO_COLOR" not in os.environ
    return Style(terminal, colour, verbose, _width() if terminal else 0)


def _is_terminal(stream: Optional[TextIO]) -> bool:
    return stream is not None and stream.isatty()


def _width() -> int:
    """The terminal's columns, or what COLUMNS says."""
    said = os.environ.get("COLUMNS", "")
    if said.isdigit() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


class Talk:
    """What a command says while it runs, on standard error.

    ``step`` says what it does now, ``say`` what is worth a line of its own where nothing is
    drawn: on a terminal the last words are, after a second.
    """

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._draws = _is_terminal(sys.stderr) and not quiet
        self._progress: Any = None

    def step(self, words: str) -> None:
        """What is done now."""
        if not self._draws:
            return
        if self._progress is None:
            from jhpatch.cli.progress import Progress

            self._progress = Progress(sys.stderr)
        self._progress.step(words)

    def say(self, words: str) -> None:
        """A line of its own."""
        if self._draws:
            self.step(words)
        elif not self._quiet:
            talk(words + "\n")

    def end(self) -> None:
        """Nothing of it is left on the terminal."""
        if self._progress is not None:
            self._progress.end()


def watch(
    look: Callable[[], Any], text_of: Callable[[Any], str], seconds: float, redraw: bool
) -> int:
    """Looks again and again, until Ctrl-C or until nobody reads; the last result's exit code.

    A terminal is drawn anew; elsewhere each line that has changed is written once.
    """
    code, old = 1, [""]
    try:
        while True:
            result = look()
            code = result.exit_code
            text = text_of(result)
            new = text.splitlines(True)
            changed = "".join(line for line in new if line not in old)
            write(sys.stdout, _HOME + text if redraw else changed)
            old = new
            time.sleep(seconds)
    except KeyboardInterrupt:
        return code
    except BrokenPipeError:
        _give_up(1)
        return code


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C is an error that we word, where __main__ has left it to end the process."""
    import _signal  # type: ignore[import-not-found]  # signal.py costs a millisecond

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
    """Shows more lines than the terminal has by a pager, as git does; whether it did."""
    import _signal
    import shutil
    import subprocess

    command = os.environ.get("PAGER", "less")
    if command in ("", "cat") or text.count("\n") < shutil.get_terminal_size().lines:
        return False
    environment = dict({"LESS": "FRX", "LV": "-c"}, **os.environ)
    data = shown(text).encode("utf-8", "backslashreplace")
    # Ctrl-C is the pager's: without us it would go on with the terminal as it has set it.
    old = _signal.signal(_signal.SIGINT, lambda *_: None)
    try:
        child = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, env=environment)
        child.communicate(data)
    except OSError:
        return False
    finally:
        _signal.signal(_signal.SIGINT, old)
    return child.returncode != 127  # sh(1): there is no such program


def output(text: str, escaped: bool = True) -> int:
    """Puts ``text`` on standard output; 1 where it was lost, though not by a reader's wish."""
    stream = sys.stdout
    try:
        if escaped or not hasattr(stream, "buffer"):
            write(stream, text)
        elif stream is not None:
            stream.buffer.write(text.encode("utf-8", "surrogateescape"))
            stream.buffer.flush()
        return 0
    except OSError as error:
        _give_up(1)  # nobody is left to tell, or there is no room
        if isinstance(error, BrokenPipeError):
            return 0
        talk("jhpatch: cannot write the result: %s\n" % error.strerror)
        return 1


def talk(text: str) -> None:
    """Puts ``text`` on standard error; the exit code alone must tell where that fails."""
    try:
        write(sys.stderr, text)
    except OSError:
        _give_up(2)


def _give_up(fd: int) -> None:
    """A stream that cannot be written: Python must not try the rest again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), fd)


def write(stream: Optional[TextIO], text: str) -> None:
    """Text that survives any locale (LC_ALL=C): what it cannot show is escaped."""
    if stream is not None and text:
        encoding = stream.encoding or "ascii"
        stream.write(shown(text).encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
