"""Users who log in at a hub, at a steady rate or as fast as it lets them in."""

import concurrent.futures
import time
from typing import Any, Callable, Dict, List, NamedTuple

import requests

from benchmarks.environments import PASSWORD
from benchmarks.simulated_hub import SimulatedHub, Window
from benchmarks.subject import Times
from integration.e2e.client import Browser, Refused

TURN = 60
"""Seconds after which the other hub has its turn."""
Figures = Dict[str, Any]


class Visit(NamedTuple):
    """What a user saw: milliseconds of the login and until the server answered."""

    login: float
    spawn: float
    is_in: bool


class Side:
    """One of the two hubs, with its users and what was measured of it."""

    def __init__(self, hub: SimulatedHub, names: List[str], more: List[str]) -> None:
        self.hub, self.names, self.more = hub, names, more
        self.variant = hub.variant
        self.visits: List[Visit] = []
        self.turns: List[Window] = []
        self.cpu = 0.0  # seconds, in these turns

    def visit(self, name: str, with_server: bool = True) -> Visit:
        """Log in, and start a server."""
        browser = Browser(self.hub.hub, name)
        began = time.perf_counter()
        try:
            browser.login(PASSWORD)
            between = time.perf_counter()
            if with_server:
                browser.spawn()
        except (AssertionError, Refused, requests.RequestException):
            return Visit((time.perf_counter() - began) * 1000, 0.0, False)
        end = time.perf_counter()
        return Visit((between - began) * 1000, (end - between) * 1000, True)

    def arrive(self, names: List[str], seconds: float, pool: Any) -> None:
        """Let users arrive evenly within some seconds; return when all have their servers."""
        began, before, visits = time.monotonic(), self.hub.cpu(), []
        for number, name in enumerate(names):
            time.sleep(max(began + number * seconds / len(names) - time.monotonic(), 0))
            visits.append(pool.submit(self.visit, name))
        self.visits += [visit.result() for visit in visits]
        self.turns.append(Window(began, time.monotonic()))
        self.cpu += self.hub.cpu() - before

    def lag(self, windows: List[Window]) -> Figures:
        """Return how late the loop was."""
        times = self.hub.lag(windows)
        return {name: round(times.at(part), 2) for name, part in _PARTS}


_PARTS = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))


def morning(sides: List[Side], there: int, minutes: float, say: Callable[[str], None]) -> Figures:
    """All users of each hub but the first ones arrive within some minutes of its own."""
    count = len(sides[0].names) - there
    turns = max(round(minutes * 60 / TURN), 1)
    with concurrent.futures.ThreadPoolExecutor(256) as pool:
        for number in range(turns):
            begin, end = (count * one // turns for one in (number, number + 1))
            for side in sides if number % 2 else reversed(sides):
                side.arrive(side.names[there + begin : there + end], minutes * 60 / turns, pool)
            say("morning: %d of %d users" % (end, count))
    return {side.variant: _of_morning(side, there) for side in sides}


def _of_morning(side: Side, there: int) -> Figures:
    side.hub.wait_for_servers(there + sum(visit.is_in for visit in side.visits))
    return {
        "login_ms": Times([visit.login for visit in side.visits]).document(),
        "spawn_ms": Times([visit.spawn for visit in side.visits if visit.is_in]).document(),
        "let_in": sum(visit.is_in for visit in side.visits),
        "lag_ms": side.lag(side.turns),
        "cpu_ms_each": round(1000 * side.cpu / len(side.visits), 1),
    }


def at_once(side: Side, clients: int) -> Figures:
    """Return how many logins a second there are if so many clients never pause."""
    began, before = time.monotonic(), side.hub.cpu()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        visits = list(pool.map(lambda name: side.visit(name, False), side.more))
    seconds = time.monotonic() - began
    return {
        "logins_per_s": round(len(visits) / seconds, 1),
        "cpu_ms_each": round(1000 * (side.hub.cpu() - before) / len(visits), 1),
        "let_in": sum(visit.is_in for visit in visits),
    }
