"""How far a command is that lasts over a second: on a terminal, and drawn by rich where it is."""

import threading
from typing import Any, Optional, TextIO

_AFTER = 1.0  # seconds in which most commands have ended


class Progress:
    """A line that is drawn anew with each step, on a terminal, and taken away at the end."""

    def __init__(self, stream: TextIO, after: float = _AFTER) -> None:
        self._stream = stream
        self._words = ""
        self._status: Any = None
        self._lock = threading.Lock()
        self._timer: Optional[threading.Timer] = threading.Timer(after, self._begin)
        self._timer.daemon = True
        self._timer.start()

    def step(self, words: str) -> None:
        """What is done now."""
        with self._lock:
            self._words = words
            if self._status is not None:
                self._status.update(_plain(words))

    def _begin(self) -> None:
        try:
            from rich.console import Console
        except ImportError:
            return  # jhpatch[terminal] was not asked for
        with self._lock:
            if self._timer is not None:
                console = Console(file=self._stream, highlight=False)
                self._status = console.status(_plain(self._words))
                self._status.start()

    def end(self) -> None:
        """Nothing of it is left on the terminal."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
            if self._status is not None:
                self._status.stop()


def _plain(words: str) -> str:
    """Words without rich's own marks, and without what a terminal would obey."""
    shown = "".join(one if one.isprintable() else "?" for one in words)
    return shown.replace("[", r"\[")
