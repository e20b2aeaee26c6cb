"""A circuit breaker: no login waits for a KDC that is known to be unresponsive."""

import itertools
import threading
import time
from typing import Any, Callable, Dict, FrozenSet, List, Set

from .canonical import realm_of
from .errors import Problem, Unresponsive, clock, describe, printable
from .metrics import metric


class CircuitBreaker:
    """Knows which KDCs are unresponsive, by realm.

    Only a probe opens or closes it, and no user takes part in a probe. ``ask`` returns whether
    the KDC of a principal answers, within one timeout. ``retry`` is in seconds.
    """

    def __init__(self, retry: float, log: Any, ask: Callable[[str], bool]) -> None:
        self._retry = retry
        self._log = log
        self._ask = ask
        self._problem = ""  # why the last probe failed, as logged
        self._lock = threading.Lock()
        self._unresponsive: Dict[str, float] = {}  # realm: since when
        self._asked: Dict[str, float] = {}  # realm: when last, by the monotonic clock
        self._asking: Set[str] = set()
        self._numbers = itertools.count()
        self._answered: Dict[str, int] = {}  # realm: the number of the probe that counts

    def check(self, principal: str) -> None:
        """Raise Unresponsive while the KDC of a principal is known not to answer."""
        realm = realm_of(principal)
        since = self._unresponsive.get(realm)
        if since is not None:
            # A request probes too: there may be no renewer.
            if time.monotonic() - self._asked.get(realm, float("-inf")) >= self._retry:
                self.suspect(principal)
            raise Unresponsive("the KDC has not answered since %s" % clock(since))

    def suspect(self, principal: str) -> None:
        """Probe the KDC of a principal in a thread, unless one did within the last second."""
        realm, now = realm_of(principal), time.monotonic()
        with self._lock:
            last = self._asked.get(realm, float("-inf"))
            if realm in self._asking or now - last < min(self._retry, 1.0):
                return
            self._asking.add(realm)
        try:
            threading.Thread(target=self._probe_alone, args=(principal,), daemon=True).start()
        except RuntimeError:  # no thread can be started: the next request probes
            with self._lock:
                self._asking.discard(realm)

    def _probe_alone(self, principal: str) -> None:
        """Probe in a separate thread; log an exception, which no caller receives."""
        try:
            self.probe(principal)
        except Exception as error:  # such as too many open files
            text = str(error) if isinstance(error, Problem) else describe(error)
            if text != self._problem:
                self._problem = text
                self._log.error("Kerberos: cannot probe the KDC: %s", text)

    def unresponsive(self) -> FrozenSet[str]:
        """Return the realms whose KDC is known to be unresponsive."""
        return frozenset(list(self._unresponsive))

    def due(self) -> List[str]:
        """Return the realms to probe again, each in the form ``@REALM``; empty for the default."""
        now = time.monotonic()
        return [
            "@" + realm if realm else ""
            for realm in list(self._unresponsive)
            if now - self._asked.get(realm, float("-inf")) >= self._retry
        ]

    def probe(self, principal: str) -> None:
        """Probe the KDC, and open or close the breaker; log each change.

        Two probes can overlap, because an unresponsive KDC takes a whole timeout. The result of
        the probe that began last counts.
        """
        realm, number = realm_of(principal), next(self._numbers)
        try:
            answers = self._ask(principal)
        finally:
            with self._lock:
                self._asking.discard(realm)
                self._asked[realm] = time.monotonic()
        with self._lock:
            if number < self._answered.get(realm, number):
                return
            self._answered[realm] = number
            was_open = realm in self._unresponsive
            if answers:
                self._unresponsive.pop(realm, None)
            else:
                self._unresponsive.setdefault(realm, time.time())
        text = "Realms whose KDC is unresponsive"
        metric("Gauge", "silent_kdcs", text).set(len(self._unresponsive))
        name = "the KDC of " + printable(realm) if realm else "the KDC"
        if was_open and answers:
            self._log.info("Kerberos: %s answers again", name)
        elif not was_open and not answers:
            self._log.error(
                "Kerberos: %s does not answer; the hub tries again after %g s, and no login waits "
                "for it",
                name,
                self._retry,
            )
