"""The hub's renewal thread: refreshes the tickets of all running servers."""

import collections
import functools
import random
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import (
    Any,
    Callable,
    Deque,
    Dict,
    FrozenSet,
    Iterator,
    List,
    Optional,
    Set,
    Tuple,
)

from . import schedule
from .errors import Problem
from .hub import RENEWAL, HubTickets
from .hub_log import traced
from .metrics import metric
from .namedtuple import NamedTuple
from .settings import VARIABLE
from .spawners import is_local, named_ccache


class Server(NamedTuple):
    """A user's running server: its user, and the cache that its environment names."""

    user: str
    ccache: str


Servers = Dict[Server, str]
"""Running servers, and whether each has the settings: one of the following."""
_PREPARED = "its environment has the settings"
_MISSED = "the settings came too late"
_UNSEEN = "on_spawn has not run"


class HubRenewer(threading.Thread):
    """Renews the tickets that a server cannot renew (central keytabs) or has not renewed.

    It covers all running servers, also those that started before the hub. ``loop`` is the hub's
    event loop. ``users`` is called there; it returns the hub's users, or None while the hub
    starts. The attempts run in ``HubTickets.requests``, so that a home directory that hangs
    delays no other user. Only this thread changes its tables of servers; requests pass their
    results on through ``_done``.
    """

    def __init__(
        self, tickets: HubTickets, users: Callable[[], Optional[List[Any]]], loop: Any
    ) -> None:
        super().__init__(name="jhpatch-kerberos", daemon=True)
        self._tickets = tickets
        self._users = users
        self._loop = loop
        self._due: Dict[Server, float] = {}
        self._pauses: Dict[Server, float] = {}  # of those that failed, the last one
        self._running: Set[Server] = set()
        self._done: Deque[Tuple[Server, Optional[float]]] = collections.deque()
        self._without_settings: FrozenSet[Server] = frozenset()
        self._has_looked = False
        self._look: Optional[Future[Optional[Servers]]] = None  # under way on the loop
        self._looked_at = 0  # users at that look
        self._unresponsive: FrozenSet[str] = frozenset()
        self._ahead = time.time() - time.monotonic()  # changes if the clock is stepped
        self._wake = threading.Event()

    def wake(self) -> None:
        """Start the next turn soon: there is a new server, or a new ticket."""
        self._wake.set()

    def run(self) -> None:
        """Make one turn after another; log an error, and continue."""
        while True:
            pause: float = schedule.TURN
            try:
                pause = self._turn()
            except Exception as error:
                message = "Kerberos: unexpected error; the hub's renewer continues: %s"
                self._tickets.log.once("renewer", "error", message, traced(error))
            rest = schedule.rest(self._looked_at)
            if self._wake.wait(min(max(pause, rest), schedule.TURN)):
                self._wake.clear()
                time.sleep(rest)  # many logins at once cause one turn

    def _turn(self) -> float:
        """Start what is due; return the seconds until the next turn."""
        self._collect_done()
        self._probe()
        servers = self._servers()
        if servers is None:
            return 1.0  # the hub is starting, or busy
        text = (
            "Running servers whose tickets the hub's renewal thread checks; servers of one user "
            "that share a cache count once"
        )
        metric("Gauge", "servers", text).set(len(servers))
        self._check_settings(servers)
        self._due = {server: self._due.get(server) or self._first(server) for server in servers}
        self._pauses = {one: n for one, n in self._pauses.items() if one in servers}
        self._has_looked = True
        now = time.time()
        ahead = now - time.monotonic()
        if abs(ahead - self._ahead) > schedule.MARGIN:
            self._ahead = ahead
            self._due = {
                one: min(due, now + random.uniform(0, 5)) for one, due in self._due.items()
            }
        idle = [server for server in self._due if server not in self._running]
        for server in sorted(idle, key=lambda one: self._due[one]):
            if self._due[server] <= now:
                self._start(server)
        waiting = (self._due[server] for server in idle if server not in self._running)
        soonest = min(waiting, default=float("inf")) - time.time()
        retry = self._tickets.settings.retry
        return min(soonest, retry if self._unresponsive else schedule.TURN)

    def _probe(self) -> None:
        """Probe unresponsive KDCs; if one answers again, retry the failed renewals soon."""
        breaker = self._tickets.breaker
        for principal in breaker.due():
            breaker.suspect(principal)
        before, self._unresponsive = self._unresponsive, breaker.unresponsive()
        if before - self._unresponsive:
            for server in self._pauses:
                soon = schedule.in_time(random.uniform(0, 5), self._end(server))
                self._due[server] = time.time() + soon
            self._pauses.clear()

    def _check_settings(self, servers: Servers) -> None:
        """Find the new servers that started without the settings of a renewal thread.

        Servers that were running before the hub started are not counted: their start is unknown.
        """
        found = set(self._without_settings.intersection(servers))
        for server, how in servers.items():
            if self._has_looked and server not in self._due and how != _PREPARED:
                found.add(server)
                if how == _UNSEEN:
                    self._tickets.log.once("settings", "error", _NO_SETTINGS)
        self._without_settings = frozenset(found)

    def _first(self, server: Server) -> float:
        """Return when to try a new server first: within 5 s if its ticket is not known."""
        seen = self._tickets.known.get(server)
        if seen is None:
            return time.time() + random.uniform(0, min(5.0, self._tickets.settings.retry))
        return schedule.spread(seen.ticket, self._part(server, seen.is_central))

    def _start(self, server: Server) -> None:
        """Start an attempt; its Future puts the time of the next one into ``_done``."""
        self._running.add(server)
        lane = "retry" if server in self._pauses else "renewal"
        future = self._tickets.requests.submit(
            server.user, (RENEWAL, server.ccache), functools.partial(self._renew, server), lane
        )
        future.add_done_callback(functools.partial(self._ended, server))

    def _ended(self, server: Server, future: "Future[Optional[float]]") -> None:
        """Pass the result of an attempt on; this runs in a thread of the requests."""
        due = None
        try:
            due = future.result()
        except Problem:
            pass  # the hub ends, or no thread can be started
        except Exception as error:
            self._tickets.log.error(server.user, RENEWAL, error)
        self._done.append((server, due))
        self._wake.set()

    def _collect_done(self) -> None:
        while self._done:
            server, due = self._done.popleft()
            self._running.discard(server)
            if due is None:
                last, retry = self._pauses.get(server, 0.0), self._tickets.settings.retry
                pause = schedule.pause_after(last, retry, self._end(server))
                self._pauses[server], due = pause, time.time() + pause
            else:
                self._pauses.pop(server, None)
            self._due[server] = due

    # In a thread of the requests.

    def _renew(self, server: Server) -> Optional[float]:
        """Renew the ticket if no other process has; return when to try next, None on error."""
        part = functools.partial(self._part, server)
        is_new = server not in self._tickets.known  # so its server may renew the ticket soon

        def latest(is_central: bool) -> float:
            return schedule.latest(part(is_central)) if is_new else part(is_central)

        problem = self._tickets.ensure(server.user, RENEWAL, None, server.ccache or None, latest)
        seen = self._tickets.known.get(server)
        if problem is not None or seen is None:
            return None
        return max(schedule.spread(seen.ticket, part(seen.is_central)), time.time() + 1)

    def _part(self, server: Server, is_central: bool) -> float:
        """Return the part of a ticket's life after which to renew it; later if the server does."""
        own = self._tickets.settings.refresh_at
        is_ours = is_central or server in self._without_settings
        return own if is_ours else schedule.later(own)

    def _end(self, server: Server) -> float:
        """Return when the ticket that was seen in a server's cache expires; 0 for none."""
        seen = self._tickets.known.get(server)
        return self._tickets.held.get(server) or (seen.ticket.end if seen else 0.0)

    # The hub's state, which only its loop may read.

    def _servers(self) -> Optional[Servers]:
        """Return the running servers on this host; None if the loop does not answer.

        Only one query is pending at a time, so that they do not pile up on a busy loop.
        """
        if self._look is None:
            self._look = Future()
            self._loop.add_callback(self._collect, None, {}, self._look)
        try:
            found = self._look.result(timeout=30)
        except FutureTimeout:
            return None
        except Exception:
            self._look = None
            raise
        self._look = None
        return found

    def _collect(self, rest: Optional[List[Any]], found: Servers, look: Any) -> None:
        """Read users for 1 ms at a time, and let the loop run other callbacks in between."""
        try:
            if rest is None:
                rest = self._users()
                self._looked_at = len(rest or ())
            if rest is None:
                look.set_result(None)
                return
            end = time.perf_counter() + 0.001
            while rest and time.perf_counter() < end:
                self._add(rest.pop(), found)
        except Exception as error:
            look.set_exception(error)
        else:
            if rest:
                self._loop.add_callback(self._collect, rest, found, look)
            else:
                look.set_result(found)

    def _add(self, user: Any, found: Servers) -> None:
        """Add the running servers of a user; log an error, which affects no other user."""
        try:
            for spawner in list(user.spawners.values()):
                if not spawner.active or getattr(spawner, "pending", None) == "spawn":
                    continue  # pre_spawn_start may still run
                if is_local(spawner):
                    found.update(self._server(user, spawner))
                else:
                    self._tickets.report_remote(spawner)
        except Exception as error:
            name = str(getattr(user, "name", "a user"))
            message = "Kerberos: cannot read the servers of %s: %s"
            self._tickets.log.once("servers " + name, "error", message, name, traced(error))

    def _server(self, user: Any, spawner: Any) -> Iterator[Tuple[Server, str]]:
        environment = spawner.environment or {}
        named = environment.get("KRB5CCNAME")
        if callable(named):
            if not hasattr(spawner, "_jhpatch_ccache"):  # the hub has restarted
                work = functools.partial(_learn_ccache, spawner)
                key = "ccache", id(spawner)
                self._tickets.requests.submit(user.name, key, work, "renewal")
                return
            named = spawner._jhpatch_ccache
        how = _MISSED if getattr(spawner, "_jhpatch_prepared", False) else _UNSEEN
        how = _PREPARED if VARIABLE in environment else how
        yield Server(user.name, named if isinstance(named, str) else ""), how


_NO_SETTINGS = (
    "Kerberos: servers start without the settings of their renewal thread, because this hub's "
    "authenticator does not call pre_spawn_start of PAMAuthenticator. The hub renews the tickets "
    "of such servers itself; a ccache that differs from libkrb5's default needs KRB5CCNAME in "
    "c.Spawner.environment"
)


def _learn_ccache(spawner: Any) -> None:
    try:
        spawner._jhpatch_ccache = named_ccache(spawner.environment or {}, spawner)
    except (Exception, SystemExit):  # of the administrator's callable; the hub logs it at a spawn
        spawner._jhpatch_ccache = None
