"""Pages that a hub serves while something happens: they show whether its event loop goes on."""

import threading
import time
from typing import List, Tuple

import requests

from integration.e2e.hub import Hub


class Pages(threading.Thread):
    """Asks a hub for its login page, again and again, until it is stopped."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(daemon=True)
        self._hub = hub
        self._over = threading.Event()
        self._took: List[float] = []
        self.start()

    def run(self) -> None:
        """One at a time."""
        while not self._over.wait(0.1):
            began = time.monotonic()
            assert requests.get(self._hub.url + "/hub/login", timeout=300).status_code == 200
            self._took.append(time.monotonic() - began)

    def stop(self) -> Tuple[int, float]:
        """How many pages came, and how long the slowest took."""
        self._over.set()
        self.join()
        return len(self._took), max(self._took)

    def waited(self, least: float) -> float:
        """The seconds of all pages that took at least so long."""
        return sum(took for took in self._took if took >= least)
