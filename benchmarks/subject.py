"""A running hub of hub.py: what is done to it, and what was measured."""

import contextlib
import math
import os
import pwd
import threading
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import requests

from benchmarks.environments import ASKING, PASSWORD, Copy, cache_of, drop_ticket
from integration.e2e.client import Browser, Refused
from integration.e2e.hub import CLASSIC, Hub

_NOTEBOOK = "benchmark.ipynb"
_PAUSE = 0.02  # seconds between two requests of the other client


class Mode(NamedTuple):
    """How the KDC answers: after ``delay`` seconds, or never; a part of the rounds is enough."""

    name: str
    title: str
    delay: Optional[float]
    fewer: int


MODES = (
    Mode("prompt", "a KDC that answers at once", 0.0, 1),
    Mode("slow", "a KDC that answers after 600 ms", 0.6, 2),
    Mode("silent", "a KDC that never answers", None, 4),
)


class Times(NamedTuple):
    """Milliseconds of requests; ``failed`` counts those among them that were refused."""

    took: List[float]
    failed: int = 0

    def plus(self, other: "Times") -> "Times":
        """Both."""
        return Times(self.took + other.took, self.failed + other.failed)

    def at(self, part: float) -> float:
        """A percentile, by nearest rank."""
        return sorted(self.took)[max(math.ceil(part * len(self.took)) - 1, 0)]

    def document(self) -> Dict[str, Any]:
        """For ``--json``."""
        found: Dict[str, Any] = {"count": len(self.took), "failed": self.failed}
        for name, part in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)):
            found[name] = round(self.at(part), 2) if self.took else None
        return found


def timed(action: Callable[[], Any]) -> Tuple[float, bool]:
    """Milliseconds, and whether the answer was the one that was hoped for."""
    start = time.perf_counter()
    try:
        action()
        done = True
    except (AssertionError, Refused, requests.RequestException):
        done = False
    return (time.perf_counter() - start) * 1000, done


def repeated(action: Callable[[], Any], count: int, seconds: float = 0) -> Times:
    """Up to ``count`` times, until ``seconds`` have passed; once at the least."""
    times = Times([])
    deadline = time.monotonic() + seconds
    while len(times.took) < count and (not times.took or time.monotonic() < deadline):
        took, done = timed(action)
        times = times.plus(Times([took], 0 if done else 1))
    return times


class Burst(NamedTuple):
    """Many logins at once: seconds until the last answer, and how many were let in."""

    seconds: float
    let_in: int
    asked: int


class Figures:
    """What was measured of a variant with one KDC."""

    def __init__(self) -> None:
        self.saves = self.others = self.logins = self.logins_again = Times([])
        self.bursts: List[Burst] = []
        self.requests: Dict[str, int] = {}

    def document(self) -> Dict[str, Any]:
        """For ``--json``."""
        return {
            "save_ms": self.saves.document(),
            "other_ms": self.others.document(),
            "login_ms": self.logins.document(),
            "login_again_ms": self.logins_again.document(),
            "bursts": [one._asdict() for one in self.bursts],
            "as_req": self.requests,
        }


class Subject:
    """A running hub of a variant, with a user at work and others who log in."""

    def __init__(self, copy: Copy, folder: str, users: List[str]) -> None:
        os.makedirs(folder)
        self.variant = copy.name
        self.users = users[1:]
        self.figures = {mode.name: Figures() for mode in MODES}
        self._worker = users[0]
        self._turn = 0
        self.hub = Hub(copy, folder, CLASSIC)
        self.hub.start()
        self._browser, self._other = (Browser(self.hub, self._worker) for _ in range(2))
        for browser in (self._browser, self._other):
            browser.login(PASSWORD)
            browser.spawn()

    def warm_up(self) -> None:
        """Everything once that is measured later."""
        for name in self.users[:3]:
            self._login(name)
            self._browser.save(_NOTEBOOK)
            self._other.server()
            self._login(self._worker)
        self._browser.open(_NOTEBOOK)

    def check(self) -> None:
        """Whether the variant does what it is there for; raises AssertionError."""
        for name in [self._worker, *self.users[:3]]:
            kept = os.path.isfile(cache_of(name))
            assert kept == (self.variant in ASKING), "%s: a ticket: %s" % (name, kept)

    def saves(self, mode: Mode, count: int, seconds: float) -> float:
        """Saves, and another client's requests while they run; milliseconds spent."""
        stop, others = threading.Event(), []

        def ask() -> None:
            while not stop.is_set():
                took, done = timed(self._other.server)
                others.append(Times([took], 0 if done else 1))
                stop.wait(_PAUSE)

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            found = repeated(lambda: self._browser.save(_NOTEBOOK), count, seconds)
        finally:
            stop.set()
            asking.join()
        figures = self.figures[mode.name]
        figures.saves = figures.saves.plus(found)
        for one in others:
            figures.others = figures.others.plus(one)
        return sum(found.took)

    def login(self, mode: Mode) -> float:
        """The next user's, who has no ticket; milliseconds spent."""
        self._turn += 1
        name = self.users[self._turn % len(self.users)]
        drop_ticket(name)
        found = repeated(lambda: self._login(name), 1)
        figures = self.figures[mode.name]
        figures.logins = figures.logins.plus(found)
        return sum(found.took)

    def login_again(self, mode: Mode) -> float:
        """The worker's, who has a ticket; milliseconds spent."""
        found = repeated(lambda: self._login(self._worker), 1)
        figures = self.figures[mode.name]
        figures.logins_again = figures.logins_again.plus(found)
        return sum(found.took)

    def _login(self, name: str) -> None:
        Browser(self.hub, name).login(PASSWORD)

    def burst(self, mode: Mode, seconds: float) -> None:
        """All users log in at once; those who wait longer than ``seconds`` are given up."""
        for name in self.users:
            drop_ticket(name)
        start = time.monotonic()
        ends: List[Tuple[float, bool]] = []

        def log_in(name: str) -> None:
            _, done = timed(lambda: self._login(name))
            ends.append((time.monotonic() - start, done))

        threads = [threading.Thread(target=log_in, args=[n], daemon=True) for n in self.users]
        for one in threads:
            one.start()
        for one in threads:
            one.join(max(0.0, start + seconds - time.monotonic()))
        found = list(ends)
        last = max(end for end, _ in found) if len(found) == len(threads) else seconds
        burst = Burst(last, sum(done for _, done in found), len(threads))
        self.figures[mode.name].bursts.append(burst)

    def memory(self) -> Dict[str, Dict[str, int]]:
        """Of the hub's process and of the server's."""
        return {"hub": resources(self.hub.pid), "server": resources(self._server())}

    def _server(self) -> int:
        uid = pwd.getpwnam(self._worker).pw_uid
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(FileNotFoundError), open("/proc/%s/cmdline" % pid) as file:
                if "singleuser" in file.read() and os.stat("/proc/" + pid).st_uid == uid:
                    return int(pid)
        raise AssertionError("no server of " + self._worker)


def resources(pid: int) -> Dict[str, int]:
    """Resident memory in KiB, and threads (proc(5))."""
    with open("/proc/%d/status" % pid) as file:
        fields = dict(line.split(":", 1) for line in file)
    return {"rss_kib": int(fields["VmRSS"].split()[0]), "threads": int(fields["Threads"])}
