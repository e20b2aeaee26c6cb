"""The renewal thread of a user's server, which runs as the user, and its status file."""

import atexit
import concurrent.futures
import contextlib
import hashlib
import importlib
import json
import logging
import os
import threading
import time
from typing import Any, Dict, Optional, Tuple

from traitlets import TraitError

from . import schedule
from . import settings as rules
from .account import Account, own_account
from .ccache import Ticket
from .errors import HeldByAnother, Problem, describe, printable
from .identity import can_read
from .kinit import Kinit, NotRenewed
from .metrics import count, metric
from .programs import Programs
from .settings import Settings, TicketSpec
from .traits import KerberosTicket, misspelt

_HEAD = 4096  # bytes of a cache
_BUG = "Kerberos: unexpected error in the renewal thread, which continues"


class ServerRenewer(threading.Thread):
    """Keeps the ticket of this process's user fresh until the process ends."""

    def __init__(self, settings: Settings, spec: TicketSpec, account: Account, log: Any) -> None:
        super().__init__(name="jhpatch-kerberos", daemon=True)
        self.settings = settings
        self.ticket: Optional[Ticket] = None
        self._kinit = Kinit(settings)
        self._spec = spec
        self._account = account
        self._log = log
        self._turned: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._waited = self._failed = float("-inf")
        self._wake = threading.Event()
        self._pause = 0.0  # after the last attempt, if that failed
        self._due = 0.0  # when the next attempt is planned
        self._stamp: Optional[Tuple[int, bytes]] = None  # of the cache's file, after an attempt
        self._masked = ""  # why kinit -R renewed the ticket, and not kinit
        self._said: Dict[str, str] = {}
        self._cache_name = ""
        self._path = ""  # of the cache, if that is a file
        self._status_path = ""
        self._status: Dict[str, Any] = dict(spec._asdict(), schema=rules.SCHEMA)

    def is_fresh(self) -> bool:
        """Return whether the last ticket seen is still valid, and its file exists.

        This takes one lstat(2), so that the next open notices a kdestroy(1).
        """
        if not schedule.is_valid(self.ticket):
            return False
        return not self._path or os.path.lexists(self._path)

    def turn(self) -> "Optional[concurrent.futures.Future[None]]":
        """Request an attempt and return its Future; None within ``retry`` of the last one."""
        now = time.monotonic()
        if now - max(self._waited, self._failed) < self.settings.retry:
            return None
        self._waited = now
        turned = self._turned
        self._wake.set()
        return turned

    def run(self) -> None:
        """Check, renew and sleep; continue after an error, and after the ticket has expired."""
        self._find_cache()
        woken = False
        while True:
            try:
                due = self._turn(woken)
            except Exception:  # raised while an error was handled
                self._log.exception(_BUG)
                self._pause = schedule.pause_after(self._pause, self.settings.retry, 0.0)
                due = time.time() + self._pause
            self._due, self._stamp = due, self._cache_stamp()
            self._write_status(due)
            turned, self._turned = self._turned, concurrent.futures.Future()
            turned.set_result(None)
            woken = self._sleep_until(due)

    def _turn(self, woken: bool = False) -> float:
        """Make one attempt; return the time of the next, in seconds since the epoch.

        ``woken``: the attempt was not planned. If it fails, it does not postpone the planned one.
        """
        end = 0.0
        try:
            due = self._keep()
            self._pause = 0.0
            self._status["error"] = self._masked or None
            return due
        except Problem as problem:
            self._status["error"] = str(problem)
            what = "no ticket"
            if isinstance(problem, NotRenewed):
                what = "the ticket is not renewed"
                self._see(problem.ticket)
            if isinstance(problem, HeldByAnother):
                end = problem.until
            self._say("state", "%s: %s" % (what, problem), logging.WARNING)
        except Exception as error:
            self._status["error"] = describe(error)
            self._log.exception(_BUG)
        count("server", "failed")
        self._failed = time.monotonic()
        end = end or (self.ticket.end if self.ticket else 0.0)
        retry, now = self.settings.retry, time.time()
        if woken and self._pause:
            pause = schedule.in_time(self._pause, end)
            return min(now + pause, max(self._due, now + retry))
        self._pause = schedule.pause_after(self._pause, retry, end)
        return now + self._pause

    def _keep(self) -> float:
        # The hub renews the ticket of a central keytab; this server does while the hub is down.
        part = self.settings.refresh_at
        part = schedule.later(part) if self._spec.central else part
        outcome = self._kinit.ensure(self._account, self._spec, part)
        if not self._cache_name:
            self._find_cache()
        count("server", "got" if outcome.is_new else "there")
        self._see(outcome.ticket)
        if outcome.is_new:
            text = "this server renews the ticket of %s" % printable(outcome.ticket.principal)
            self._say("state", text, logging.INFO)
            self._say_keytab(outcome.keytab_problem)
        due = schedule.spread(outcome.ticket, part)
        return max(due, time.time() + (self.settings.retry if outcome.is_new else 1))

    def _see(self, ticket: Ticket) -> None:
        text = "When the ticket of this server expires, in seconds since the epoch"
        metric("Gauge", "ticket_end_timestamp_seconds", text).set(ticket.end)
        self._status.update(principal=ticket.principal, start=ticket.start, end=ticket.end)
        self._status.update(renew_till=ticket.renew_till)
        self.ticket = ticket

    def _say_keytab(self, problem: str) -> None:
        text = "kinit -R renewed the ticket, because kinit obtained none with the keytab: %s"
        self._masked = printable(text % problem) if problem else ""
        self._say("keytab", self._masked, logging.WARNING if problem else 0)

    def _say(self, kind: str, text: str, level: int) -> None:
        """Log one line for each change."""
        if text != self._said.get(kind):
            self._said[kind] = text
            if level:
                self._log.log(level, "Kerberos: %s", text)

    def _cache_stamp(self, size: int = _HEAD) -> Optional[Tuple[int, bytes]]:
        """Return the size and the hash of the beginning of the cache's file; None if it is none.

        The beginning has the principal and the ticket. Programs append service tickets.
        """
        try:
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO may be there
            with os.fdopen(os.open(self._path, flags), "rb") as file:
                data = file.read(size) or b""
        except OSError:
            return None
        return len(data), hashlib.sha256(data).digest()

    def _is_cache_changed(self) -> bool:
        """Return whether another program has replaced or removed the cache since the attempt."""
        size = self._stamp[0] if self._stamp else 0
        return bool(self._path) and self._cache_stamp(size or _HEAD) != self._stamp

    def _sleep_until(self, due: float) -> bool:
        """Sleep until a wall-clock time, read each minute: the host may step it, or suspend.

        Return True, earlier, if an attempt is requested, or if another program has changed the
        cache: a kdestroy, a kinit, or the hub.
        """
        ahead = time.time() - time.monotonic()
        while time.time() < due:
            if self._wake.wait(min(max(due - time.time(), 0.05), schedule.TURN)):
                self._wake.clear()
                return True
            if abs(time.time() - time.monotonic() - ahead) > schedule.MARGIN:
                break
            if self._is_cache_changed():
                return True
        return False

    # What ``jhpatch ticket`` shows.

    def _write_status(self, due: float) -> None:
        """Write the status file, which only the user can read."""
        self._status.update(pid=os.getpid(), next=due, written=time.time())
        try:
            directory = importlib.import_module("jupyter_core.paths").jupyter_runtime_dir()
            path = os.path.join(directory, "jhpatch-kerberos-%d.json" % os.getpid())
            _write(path, json.dumps(self._status))
        except Exception:
            return  # a full or missing home, a broken jupyter_core: only the ticket matters
        if not self._status_path:
            self._status_path = path
            atexit.register(_unlink, path, os.getpid())

    def _find_cache(self) -> None:
        """Find the name of the cache, and warn if a JVM cannot use it; keep none on an error."""
        try:
            cache = self._kinit.cache(self._account, self._spec)
        except Exception:
            return  # the attempt that follows reports it
        self._cache_name, self._path = cache.name, cache.path
        self._status.update(ccache=cache.name, start=None, end=None, renew_till=None)
        # A JVM reads only a FILE cache: the one that KRB5CCNAME names, or its default one.
        named = os.environ.get("KRB5CCNAME", "")
        is_jvms_default = cache.path == "/tmp/krb5cc_%d" % self._account.uid
        if cache.jvm_sees and (is_jvms_default or cache.path in (named, named[len("FILE:") :])):
            return
        self._log.warning(
            "Kerberos: Spark and Hadoop do not use the cache %s; set c.KerberosTicket.ccache = "
            "'/tmp/krb5cc_{uid}', or set KRB5CCNAME to a FILE cache",
            printable(cache.name),
        )


def _write(path: str, text: str) -> None:
    """Replace a file, with mode 0600; after an error, no temporary file remains."""
    temporary = "%s.%s" % (path, os.urandom(4).hex())
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "w") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _unlink(path: str, process: int) -> None:
    if os.getpid() == process:  # not a fork of it
        with contextlib.suppress(OSError):
            os.unlink(path)


def new_renewer(handler: Any) -> Optional[ServerRenewer]:
    """Return the renewal thread of this server, not started; None if the service is disabled."""
    log = handler.log
    try:
        settings, spec = _settings(handler)
        if not settings.enabled or os.getuid() == 0:
            return None
        account = own_account()
        if spec is None:
            if rules.needs_realm(settings):
                settings = settings._replace(realm=Programs(settings, os.environ).default_realm())
            spec = rules.spec_of(settings, account, can_read)
        return ServerRenewer(settings, spec, account, log)
    except (Exception, SystemExit) as error:  # a Problem, a TraitError, a callable's error
        is_ours = isinstance(error, (Problem, TraitError))
        text = " ".join(str(error).split()) if is_ours else describe(error)
        log.error("Kerberos tickets are disabled: %s", printable(text))
        return None


def _settings(handler: Any) -> Tuple[Settings, Optional[TicketSpec]]:
    """Return what the hub has sent to this server; without a hub, the server's own settings."""
    text = os.environ.get(rules.VARIABLE)
    if text:
        try:
            return rules.load(text)
        except Problem as problem:
            message = "Kerberos: this server ignores the hub's settings, and uses its own: %s"
            handler.log.warning(message, problem)
    for line in misspelt(handler.config):
        handler.log.error("Kerberos: %s", line)
    return KerberosTicket(config=handler.config, log=handler.log).values(), None
