"""Obtain and renew tickets with kinit, as the user.

One child, which has become the user, accesses the user's paths: it reads the cache, and runs
kinit at the request of this process (store.py).
"""

import contextlib
import functools
import os
import time
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

from . import identity, process, schedule
from .account import Account, make_private_directory
from .canonical import CanonicalNames, check_principal, is_of
from .ccache import Cache, Ticket, UnsupportedCache, cache_of, read_klist, with_asked
from .errors import Problem, Unresponsive
from .namedtuple import NamedTuple
from .process import Child, Done
from .programs import Programs, is_no_answer, listed
from .settings import Settings, TicketSpec
from .store import Changed, KinitFailed, Store, read_own, usable
from .stuck import StuckChildren
from .temporary import root_directory


class NotRenewed(Problem):
    """Why a ticket that is still valid could not be renewed."""

    def __init__(self, text: str, ticket: Ticket) -> None:
        super().__init__(text)
        self.ticket = ticket


class _NoKeytab(Problem):
    """The keytab is central, and this process runs as the user, who cannot read it."""


class Outcome(NamedTuple):
    """A valid ticket of the user."""

    ticket: Ticket
    is_new: bool = False
    keytab_problem: str = ""
    """Why kinit obtained no ticket with the keytab, if ``kinit -R`` renewed the old one."""


class Kinit:
    """Obtains tickets in child processes that run as the user.

    ``breaker`` (see breaker.py) knows which KDCs are unresponsive. ``more`` is added to the
    environment of every child, such as KRB5_TRACE.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Optional[Mapping[str, str]] = None,
        breaker: Any = None,
        more: Mapping[str, str] = {},
    ) -> None:
        self._settings = settings
        self._environ = os.environ if environ is None else environ
        self.programs = Programs(settings, self._environ)
        self._breaker, self._more = breaker, more
        self._canonical = CanonicalNames()
        self._stuck = StuckChildren()
        self._cleaned: Set[Tuple[int, str]] = set()  # uids and caches without stale directories

    def ensure(self, account: Account, spec: TicketSpec, part: Optional[float] = None) -> Outcome:
        """Return a valid ticket of the user, a new one if ``part`` of its life has passed.

        ``part`` defaults to ``refresh_at``. Make one call at a time for each user (requests.py).
        A call takes about ``timeout`` at most. Raises Problem; NotRenewed if the old ticket is
        still valid.
        """
        end = time.monotonic() + self._settings.timeout
        part = self._settings.refresh_at if part is None else part
        self._stuck.refuse(account)
        cache = self._known_cache(account, spec)
        if cache and not cache.path:
            return self._ensure_named(account, spec, cache, part, end)
        if cache and os.geteuid() == account.uid:
            ticket = self._canonical.known(
                account, spec, usable(read_own(cache.path, account.uid))
            )
            if ticket and self._is_fresh(ticket, spec, cache, part):
                return Outcome(ticket)
        for _ in range(3):
            with contextlib.suppress(Changed):
                return self._ensure_file(account, spec, cache, part, end)
        raise Problem("other programs keep changing the cache of %s" % account.name)

    def _is_fresh(self, ticket: Ticket, spec: TicketSpec, cache: Cache, part: float) -> bool:
        """Return whether a ticket stays as it is. Raises Problem for another principal's."""
        if not schedule.is_valid(ticket):
            return False
        check_principal(ticket, spec.principal, cache)
        return time.time() < schedule.due(ticket, part)

    # Files.

    def _ensure_file(
        self,
        account: Account,
        spec: TicketSpec,
        cache: Optional[Cache],
        part: float,
        end: float,
    ) -> Outcome:
        if cache:
            self._make_directory(cache, account, spec)
        key = account.uid, cache.path if cache else ""
        store = Store(
            account,
            cache.path if cache else "",
            self.programs.path("klist") if cache is None else "",
            self._kinit_argv(spec),
            self._environment(account),
            end,
            key not in self._cleaned,
        )
        with self._stuck.watched(account, store):
            if cache is None:
                cache = self.programs.parsed(account, store.klist())
                if not cache.path:
                    return self._ensure_named(account, spec, cache, part, end)
                self._make_directory(cache, account, spec)
                store.choose(cache.path)
            old = self._canonical.known(account, spec, usable(store.cache()))
            if old and self._is_fresh(old, spec, cache, part):
                return Outcome(old)
            self._cleaned.discard(key)  # a child that is killed may leave a directory
            try:
                outcome = self._replace(store, account, spec, old, end)
                self._cleaned.add(key)
                self._canonical.learn(account, spec, outcome.ticket)
                return outcome
            except Problem as problem:
                if old is None or not schedule.is_valid(old):
                    raise
                raise NotRenewed(str(problem), old)

    def _make_directory(self, cache: Cache, account: Account, spec: TicketSpec) -> None:
        """Create the private directory of a cache.

        The user's child names the default cache, and may lie. So the directory of a default
        cache is created only if its name is the user's uid.
        """
        own = os.path.basename(os.path.dirname(cache.path)) == str(account.uid)
        if spec.ccache or own:
            make_private_directory(cache.path, account)

    def _replace(
        self, store: Store, account: Account, spec: TicketSpec, old: Optional[Ticket], end: float
    ) -> Outcome:
        """Store a new ticket: obtained with the keytab, else renewed with ``kinit -R``."""
        if self._breaker:
            self._breaker.check(spec.principal)
        try:
            if not spec.central:
                data = self._run_kinit(store, "kinit", spec)
            elif os.geteuid() != account.uid:
                store.prepare()
                data = self._with_central_keytab(spec, end)
            else:
                raise _NoKeytab(
                    "only the hub can read this keytab, and no existing ticket could be renewed"
                )
            return Outcome(self._keep(store, data, spec, spec.central), is_new=True)
        except Unresponsive:
            raise
        except Problem as error:
            problem = error
        if not schedule.is_renewable(old) or not isinstance(problem, (KinitFailed, _NoKeytab)):
            raise problem
        try:
            data = self._run_kinit(store, "renew", spec)
        except KinitFailed as error:
            raise Problem("%s; kinit -R: %s" % (problem, error))
        asked = old.asked if old else ""
        ticket = self._keep(store, data, spec._replace(principal=asked or spec.principal))
        return Outcome(ticket, True, "" if isinstance(problem, _NoKeytab) else str(problem))

    def _run_kinit(self, store: Store, order: str, spec: TicketSpec) -> bytes:
        """Have the child run kinit, and probe the KDC if kinit is slow or finds none."""
        suspect = self._suspect(spec)
        store.watch(self._settings.timeout / 5, suspect)
        try:
            return store.kinit(order)
        except KinitFailed as error:
            if not is_no_answer(str(error)):
                raise
            suspect()
            raise Unresponsive(str(error))
        except Unresponsive:
            suspect()
            raise

    def _keep(self, store: Store, data: bytes, spec: TicketSpec, is_given: bool = False) -> Ticket:
        """Store the new cache if it contains a valid ticket; return the ticket. Raises Problem."""
        ticket = usable(data)
        if ticket is None or not schedule.is_valid(ticket):
            raise Problem("kinit created no cache with a valid ticket")
        if not is_of(ticket, spec.principal):
            # The KDC's canonical name of the principal (kinit -C, canonicalize = true).
            ticket = ticket._replace(asked=spec.principal)
            data, is_given = with_asked(data, spec.principal), True
        if is_given:
            store.give(data)
        else:
            store.keep()
        return ticket

    def _kinit_argv(self, spec: TicketSpec) -> List[str]:
        """Return kinit and its options, relative to the child's private directory."""
        keytab = ["-t", spec.keytab] if spec.keytab else ["-i"]
        return [self.programs.path("kinit"), "-c", "FILE:cc", "-k", *keytab, *self._options(spec)]

    def _options(self, spec: TicketSpec) -> List[str]:
        words = ["-l", self._settings.lifetime] if self._settings.lifetime else []
        words += ["-r", self._settings.renewable] if self._settings.renewable else []
        return words + ["--", spec.principal]

    def _with_central_keytab(self, spec: TicketSpec, end: float) -> bytes:
        """Return a cache that root obtains with a keytab only it can read. Raises Problem."""
        with root_directory(self._settings.timeout) as directory:
            self._ask(None, self._kinit_argv(spec), spec, end, directory)
            return read_own(os.path.join(directory, "cc"), os.geteuid())

    # Caches that are not files: kinit itself replaces their content.

    def _ensure_named(
        self, account: Account, spec: TicketSpec, cache: Cache, part: float, end: float
    ) -> Outcome:
        old = self._canonical.known(account, spec, self.look(account, cache, end))
        if old and self._is_fresh(old, spec, cache, part):
            return Outcome(old)
        try:
            if self._breaker:
                self._breaker.check(spec.principal)
            if spec.central:
                kind = cache.name.partition(":")[0]
                raise UnsupportedCache("a central keytab needs a FILE or DIR cache, not %s" % kind)
            kinit = [self.programs.path("kinit"), "-c", cache.name]
            keytab = ["-t", spec.keytab] if spec.keytab else ["-i"]
            problem = ""
            try:
                self._ask(account, kinit + ["-k"] + keytab + self._options(spec), spec, end)
            except Unresponsive:
                raise
            except Problem as error:
                if not schedule.is_renewable(old):
                    raise
                problem = str(error)
                self._ask(account, kinit + ["-R"], spec, end)
            ticket = self.look(account, cache, end)
            if ticket is None:
                raise Problem("%s has no ticket-granting ticket" % cache.name)
        except Problem as error:
            if old is None or not schedule.is_valid(old):
                raise
            raise NotRenewed(str(error), old)
        self._canonical.learn(account, spec, ticket)
        return Outcome(ticket, True, problem)

    def look(
        self, account: Account, cache: Cache, end: Optional[float] = None
    ) -> Optional[Ticket]:
        """Return the ticket in a cache; None if there is no usable one. Raises Problem.

        ``end`` is the deadline, by the monotonic clock; default: after ``timeout``.
        """
        end = time.monotonic() + self._settings.timeout if end is None else end
        environment = self._environment(account)
        if not cache.path:
            argv = identity.become(account, self._settings.timeout)
            argv += [self.programs.path("klist"), "-c", cache.name]
            return read_klist(listed(argv, dict(environment, TZ="UTC"), end))
        if not identity.is_other(account):
            return usable(read_own(cache.path, account.uid))
        with Store(account, cache.path, "", ["false"], environment, end) as store:
            return usable(store.cache())

    def destroy(self, account: Account, spec: TicketSpec) -> None:
        """Run kdestroy as the user. Raises Problem."""
        cache = self.cache(account, spec)
        timeout = self._settings.timeout
        kdestroy = [self.programs.path("kdestroy"), "-q", "-c", cache.name]
        argv = identity.become(account, timeout) + kdestroy
        try:
            done = process.run(argv, self._environment(account), timeout)
        except Unresponsive:  # of kdestroy, not of a KDC
            raise Problem("kdestroy did not finish in time")
        if done.code:
            raise Problem(
                " ".join(done.err.split()) or "kdestroy ended with exit code %d" % done.code
            )

    def cache(self, account: Account, spec: TicketSpec) -> Cache:
        """Return the specified cache, or libkrb5's default. Raises Problem."""
        return self._known_cache(account, spec) or self.programs.default_cache(account)

    def _known_cache(self, account: Account, spec: TicketSpec) -> Optional[Cache]:
        """Return the specified cache, or the known default; None if only klist can name it."""
        if spec.ccache:
            return cache_of(spec.ccache, account.uid)
        return self.programs.known_default(account)

    def _ask(
        self,
        account: Optional[Account],
        argv: List[str],
        spec: TicketSpec,
        end: float,
        cwd: str = "/",
    ) -> Done:
        """Run a program that contacts the KDC. Raises KinitFailed, Unresponsive."""
        become = identity.become(account, self._settings.timeout) if account else []
        environment = self._environment(account)
        suspect = self._suspect(spec)
        try:
            with Child(become + argv, environment, end, cwd) as child:
                child.watch(self._settings.timeout / 5, suspect)
                child.close_input()
                done = child.finish()
            errors = " ".join(done.err.split())
            if done.code and is_no_answer(errors):
                raise Unresponsive(errors)
            if done.code:
                raise KinitFailed(errors or "kinit ended with exit code %d" % done.code)
        except Unresponsive:
            suspect()
            raise
        return done

    def _environment(self, account: Optional[Account]) -> Dict[str, str]:
        return identity.environment_of(account, self._environ, **self._more)

    def _suspect(self, spec: TicketSpec) -> Any:
        if self._breaker is None:
            return lambda: None
        return functools.partial(self._breaker.suspect, spec.principal)
