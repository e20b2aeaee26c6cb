"""A user at a notebook: it is saved and opened every few seconds, and each save is timed."""

import threading
import time
from typing import List, NamedTuple

from integration.e2e.client import Browser

_PAUSE = 5.0  # seconds


class Visit(NamedTuple):
    """A save and an open: when it began (monotonic), the seconds of the save, the error."""

    at: float
    took: float
    error: str


class Visits(threading.Thread):
    """A browser's visits, until it is stopped."""

    def __init__(self, browser: Browser) -> None:
        super().__init__(daemon=True)
        self._browser = browser
        self._over = threading.Event()
        self.seen: List[Visit] = []
        self.is_new = True
        """Whether the user's server has had no page yet, which starts its renewal thread."""

    def run(self) -> None:
        """Visit the server, whatever happens; an error is remembered."""
        while not self._over.wait(_PAUSE):
            began, took, error = time.monotonic(), 0.0, ""
            try:
                if not self.seen or self.seen[-1].error:
                    self._browser.arrive()  # its server may be another one
                saving = time.monotonic()
                self._browser.save("week.ipynb")
                took = time.monotonic() - saving
                self._browser.api("GET", "contents/week.ipynb?content=1")
                self.is_new = False
            except Exception as problem:
                error = "%s: %s" % (type(problem).__name__, str(problem)[:300])
            self.seen.append(Visit(began, took, error))

    def stop(self) -> None:
        """End the visits; what was seen stays."""
        self._over.set()
        if self.is_alive():
            self.join()
