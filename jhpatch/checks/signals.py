"""Clean up even if a signal ends the process, when ``finally`` and atexit do not run."""

import contextlib
import os
import signal
import threading
from typing import Any, Callable, Dict, Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def cleaned_up(clean_up: Callable[[], None]) -> Iterator[None]:
    """Call ``clean_up`` at the end, and before a signal ends the process.

    A signal that is ignored, as by nohup(1), stays ignored. After ``clean_up`` the signal does
    what it did before. ``clean_up`` can be called twice.
    """
    old: Dict[int, Any] = {}

    def end(number: int, frame: Any) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one does not interrupt this
        clean_up()
        signal.signal(number, old[number])
        os.kill(os.getpid(), number)

    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                old[number] = signal.signal(number, end)
    try:
        yield
    finally:
        clean_up()
        for name in old:
            signal.signal(name, old[name])
