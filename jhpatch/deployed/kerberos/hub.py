"""The tickets of a hub's users: at login, at spawn, and for the hub's renewer."""

import functools
import threading
import time
from concurrent.futures import Future
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from . import settings as rules
from .account import Account, NoAccount, account_of
from .breaker import CircuitBreaker
from .ccache import Ticket, cache_of
from .errors import HeldByAnother, Problem, describe
from .hub_log import HubLog
from .identity import can_read
from .kinit import Kinit, NotRenewed
from .metrics import count, metric
from .namedtuple import NamedTuple
from .principal_map import PrincipalMap
from .requests import Requests, ShuttingDown
from .settings import Settings, TicketSpec
from .spawners import named_ccache

RENEWAL = "renewal"
"""The cause of the renewer's requests in the log; others: login, spawn."""
_KNOWN = 1000  # tickets that are remembered before the expired ones are forgotten


class Seen(NamedTuple):
    """The last ticket seen of a user."""

    ticket: Ticket
    is_central: bool
    """Whether the hub alone has the keytab."""


class HubTickets:
    """The ticket service of one authenticator.

    ``request``, ``prepare_spawn``, ``forget`` and ``report_remote`` run on the event loop. The
    others run in threads, because they may wait for a directory service, for a callable of the
    administrator or for a user's home directory.
    """

    def __init__(self, settings: Settings, log: Any) -> None:
        self.settings = settings
        self.log = HubLog(log, settings.policy)
        self.breaker = CircuitBreaker(
            settings.retry, log, lambda name: self.kinit.programs.answers(name)
        )
        self.kinit = Kinit(settings, breaker=self.breaker)
        self.requests = Requests(settings.timeout)
        self.known: Dict[Tuple[str, str], Seen] = {}
        """By user and by the name of the cache (empty: the default one)."""
        self.held: Dict[Tuple[str, str], float] = {}
        """When the ticket of another principal in a user's cache expires (epoch seconds)."""
        self.renewer: Any = None
        """The hub's renewal thread (hub_renewer.py), if there is one."""
        self._known_limit = _KNOWN
        self._map = PrincipalMap(settings.principal_map, self._warn_of_map)
        self._map_lock = threading.Lock()

    # Requests of the event loop, which must not wait.

    def request(
        self, name: str, cause: str, asked_by: Optional[str] = None, new_user: bool = False
    ) -> "Future[Optional[str]]":
        """Return a Future: None if the user has a ticket, else why not, in one line.

        ``new_user``: whether the hub creates users that this host lacks; the result is then None.
        """

        def work() -> Optional[str]:
            return self.ensure(name, cause, asked_by, new_user=new_user)

        return self.requests.submit(name, (cause, ""), work)

    def prepare_spawn(
        self, name: str, asked_by: Optional[str], environment: Mapping[str, Any], spawner: Any
    ) -> "Future[Tuple[Optional[str], Dict[str, Any]]]":
        """Return a Future: what ``request`` returns, and the environment of the new server."""

        def work() -> Tuple[Optional[str], Dict[str, Any]]:
            problem = None
            try:
                ccache = spawner._jhpatch_ccache = named_ccache(environment, spawner)
                problem = self.ensure(name, "spawn", asked_by, ccache)
                return problem, self.environment(name, environment, ccache)
            except Exception as error:
                reason = str(error) if isinstance(error, Problem) else describe(error)
                if problem is None or not isinstance(error, Problem):  # else it is already logged
                    self.log.error(name, "spawn", error)
                return problem or reason, dict(environment)

        return self.requests.submit(name, ("spawn", id(spawner)), work)

    def forget(self, name: str, spawner: Any) -> "Future[None]":
        """Destroy the cache of the user's server, and log a failure; return a Future."""

        def work() -> None:
            if hasattr(spawner, "_jhpatch_ccache"):
                ccache = spawner._jhpatch_ccache
            else:  # the hub has restarted
                ccache = named_ccache(spawner.environment or {}, spawner)
            self._destroy(name, ccache)

        return self.requests.submit(name, ("destroy", id(spawner)), work)

    def report_remote(self, spawner: Any) -> None:
        """Log once that the hub obtains no ticket for servers of this kind."""
        kind = type(spawner).__name__
        message = (
            "Kerberos: the hub obtains no ticket for servers of %s, because they may not run as "
            "their user, on this host and with this host's /tmp (docs/settings.md, Spawners)"
        )
        self.log.once("spawner " + kind, "warning", message, kind)

    # In threads.

    def ensure(
        self,
        name: str,
        cause: str,
        asked_by: Optional[str] = None,
        ccache: Optional[str] = None,
        part: Optional[Callable[[bool], float]] = None,
        new_user: bool = False,
    ) -> Optional[str]:
        """Return None if the user has a valid ticket, else why not, in one line.

        ``ccache`` is the KRB5CCNAME of the user's server. ``part(is_central)`` returns the part
        of a ticket's life after which to refresh it; by default, ``refresh_at``. For the renewer,
        a failure to refresh a ticket is a problem even while the ticket is valid.
        """
        account = spec = None
        began = time.monotonic()
        try:
            account = account_of(name, self.settings.min_uid)
            spec = self.spec(account, ccache)
            outcome = self.kinit.ensure(account, spec, part and part(spec.central))
        except NoAccount as problem:
            return None if new_user else self._failed(name, None, None, cause, problem)
        except NotRenewed as problem:
            assert spec
            self._remember(name, ccache, spec, problem.ticket)
            reason = self._failed(name, account, spec, cause, problem)
            return reason if cause == RENEWAL else None
        except Problem as problem:
            if isinstance(problem, HeldByAnother):
                self._remember_held(name, ccache, problem.until)
            return self._failed(name, account, spec, cause, problem)
        except Exception as error:  # of an administrator's callable, of a full /run, a bug
            if not self.requests.is_closed():
                count(cause, "failed")
                self.log.error(name, cause, error)
            return describe(error)
        self._remember(name, ccache, spec, outcome.ticket)
        count(cause, "got" if outcome.is_new else "there")
        if outcome.is_new:
            text = "Time to obtain a new ticket, in seconds"
            metric("Histogram", "seconds", text).observe(time.monotonic() - began)
        self.log.obtained(account, spec, outcome, cause, asked_by)
        return None

    def spec(self, account: Account, ccache: Optional[str] = None) -> TicketSpec:
        """Return the specification of a user's ticket; ``ccache`` overrides the setting.

        Raises Problem, RuntimeError in place of SystemExit, and any other exception of an
        administrator's callable.
        """
        with self._map_lock:
            principals = self._map.read()
        try:
            can = functools.partial(can_read, timeout=self.settings.timeout)
            spec = rules.spec_of(self.settings, account, can, principals)
        except SystemExit as error:
            raise RuntimeError(describe(error)).with_traceback(error.__traceback__)
        return spec._replace(ccache=cache_of(ccache, account.uid).name) if ccache else spec

    def environment(
        self, name: str, old: Mapping[str, Any], ccache: Optional[str]
    ) -> Dict[str, Any]:
        """Return a server's environment: ``old``, and the settings of the server's renewer."""
        account = account_of(name, self.settings.min_uid)
        spec = self.spec(account, ccache)
        new = dict(old)
        new[rules.VARIABLE] = rules.dump(self.settings, spec)
        if spec.ccache and not ccache:
            new["KRB5CCNAME"] = spec.ccache
        return new

    def _failed(
        self,
        name: str,
        account: Optional[Account],
        spec: Optional[TicketSpec],
        cause: str,
        problem: Problem,
    ) -> str:
        """Count and log a problem; return its text."""
        if self.requests.is_closed():  # its child was killed
            return str(ShuttingDown())
        count(cause, "failed")
        self.log.failed(name, account, spec, cause, problem)
        return str(problem)

    def _remember(
        self, name: str, ccache: Optional[str], spec: TicketSpec, ticket: Ticket
    ) -> None:
        # A spawn puts the cache's name into the server's environment; the renewer looks it up.
        seen = Seen(ticket, spec.central)
        self.held.pop((name, ccache or ""), None)
        self.known[name, ccache or ""] = self.known[name, spec.ccache] = seen
        if len(self.known) > self._known_limit:
            now = time.time()
            for key, other in list(self.known.items()):
                if other.ticket.end < now:
                    self.known.pop(key, None)
            self._known_limit = max(_KNOWN, 2 * len(self.known))

    def _remember_held(self, name: str, ccache: Optional[str], until: float) -> None:
        now = time.time()
        for key, end in list(self.held.items()):
            if end < now:
                self.held.pop(key, None)
        self.held[name, ccache or ""] = until

    def _destroy(self, name: str, ccache: Optional[str]) -> None:
        for key in list(self.known):
            if key[0] == name:
                self.known.pop(key, None)
        try:
            account = account_of(name, self.settings.min_uid)
            self.kinit.destroy(account, self.spec(account, ccache))
        except Problem as problem:
            text = "Kerberos: the cache of %s was not destroyed: %s"
            self.log.once("destroy " + name, "warning", text, name, str(problem))

    def _warn_of_map(self, text: str) -> None:
        self.log.once("map", "error", "Kerberos: %s", text)
