"""A status line for commands that take more than a second; needs rich (jhpatch[terminal])."""

import threading
from typing import Any, Optional, TextIO

_AFTER = 1.0  # seconds; most commands are faster


class Progress:
    """A line on a terminal that shows the current step, and is removed at the end."""

    def __init__(self, stream: TextIO, after: float = _AFTER) -> None:
        self._stream = stream
        self._text = ""
        self._status: Any = None
        self._lock = threading.Lock()
        self._timer: Optional[threading.Timer] = threading.Timer(after, self._begin)
        self._timer.daemon = True
        self._timer.start()

    def step(self, text: str) -> None:
        """Show the current step."""
        with self._lock:
            self._text = text
            if self._status is not None:
                self._status.update(_escape(text))

    def _begin(self) -> None:
        try:
            from rich.console import Console
        except ImportError:
            return  # jhpatch[terminal] is not installed
        with self._lock:
            if self._timer is not None:
                console = Console(file=self._stream, highlight=False)
                self._status = console.status(_escape(self._text))
                self._status.start()

    def end(self) -> None:
        """Remove the line from the terminal."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
            if self._status is not None:
                self._status.stop()


def _escape(text: str) -> str:
    """Return a text without the markup of rich and without control characters."""
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return shown.replace("[", r"\[")
