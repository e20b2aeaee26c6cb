"""The hub's log as it grows: each line with the time at which it came, through rotations."""

import os
import shutil
import threading
import time
from typing import List, NamedTuple


class Line(NamedTuple):
    """A line of the log, and when it was read (monotonic)."""

    at: float
    text: str


class HubLog(threading.Thread):
    """Reads a log twice a second until it is stopped."""

    def __init__(self, path: str) -> None:
        super().__init__(daemon=True)
        self._path = path
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._offset = 0
        self._rest = b""
        self._copies = 0
        self.lines: List[Line] = []

    def run(self) -> None:
        """Read what there is."""
        while not self._over.wait(0.5):
            with self._lock:
                self._read(self._path)

    def stop(self) -> None:
        """Read to the end."""
        self._over.set()
        if self.is_alive():
            self.join()
        self._read(self._path)

    def rotate(self) -> None:
        """Copy the log, truncate it: who writes it appends."""
        with self._lock:
            copy = "%s.%d" % (self._path, self._copies)
            self._copies += 1
            shutil.copy(self._path, copy)
            self._read(copy)
            os.truncate(self._path, 0)
            self._offset = 0

    def _read(self, path: str) -> None:
        with open(path, "rb") as file:
            file.seek(self._offset)
            data = file.read()
        self._offset += len(data)
        whole, _, rest = (self._rest + data).rpartition(b"\n")
        self._rest = rest
        now = time.monotonic()
        if whole:
            for text in whole.decode(errors="replace").split("\n"):
                self.lines.append(Line(now, text))
