"""Waiting for what must come, with a limit that only a hang reaches."""

import time
from typing import Callable

LIMIT = 300.0  # seconds


def until(condition: Callable[[], object], seconds: float = LIMIT) -> None:
    """Return once ``condition()`` holds; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within %g s" % seconds
        time.sleep(0.02)


def within(seconds: float, condition: Callable[[], object]) -> bool:
    """Return whether ``condition()`` comes to hold within ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
