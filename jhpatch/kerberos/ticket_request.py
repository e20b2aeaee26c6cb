"""Request a ticket as the ticket service does, into a temporary cache of the same type."""

import contextlib
import logging
import os
import re
import secrets
import tempfile
import time
from typing import Callable, Iterator, List, Mapping, Optional, Set

from jhpatch.deployed.kerberos import process
from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.ccache import Cache, Ticket, UnsupportedCache
from jhpatch.deployed.kerberos.errors import Problem, Unresponsive, clock
from jhpatch.deployed.kerberos.hub_log import HubLog
from jhpatch.deployed.kerberos.kinit import Kinit
from jhpatch.deployed.kerberos.settings import Settings, TicketSpec
from jhpatch.deployed.kerberos.store import KinitFailed
from jhpatch.kerberos.kinit_messages import classify
from jhpatch.kerberos.programs import run_program
from jhpatch.namedtuple import NamedTuple

_NAME = re.compile(r"jhpatch-doctor-\w{10}")
_TRACE_CAP = 65536  # bytes
# What libkrb5 reports about a cache in which it cannot store a ticket (cc_kcm.c, cc_keyring.c).
_CACHE_FAILS = re.compile(
    r"KCM|[Kk]eyring|[Cc]redentials? cache|[Qq]uota exceeded|No space left|[Rr]equired key not"
)
# The functions that remove the directories of the requests that are under way: a check that is
# too slow is abandoned in its thread.
_removals: Set[Callable[[], None]] = set()


class Answer(NamedTuple):
    """The ticket that was obtained, or what the service would log."""

    ticket: Optional[Ticket]
    log_line: str = ""
    """The service's line in the hub's log; empty with a ticket."""
    code: str = ""
    """The code of the finding about it."""
    problem: str = ""
    """What went wrong, such as kinit's own message."""
    trace: str = ""
    """What kinit wrote to KRB5_TRACE, if the request was traced."""


def request_ticket(
    settings: Settings,
    account: Account,
    spec: TicketSpec,
    cache: Cache,
    environ: Mapping[str, str],
    is_traced: bool = False,
    top: str = "/tmp",
) -> Answer:
    """Obtain a ticket into a temporary cache, which is removed.

    ``cache`` is the one that the service would use. ``settings.timeout`` limits the
    request itself. ``is_traced``: run kinit with KRB5_TRACE. ``top`` is the directory for
    temporary files, which every user can write.
    """
    trace = None
    with contextlib.ExitStack() as stack:
        try:
            directory = stack.enter_context(_private_directory(account, environ, top))
            temporary = spec._replace(ccache=_temporary_name(cache, directory))
            if is_traced and spec.central:  # root's kinit writes in no user's directory
                own = stack.enter_context(tempfile.TemporaryDirectory(prefix="jhpatch-doctor-"))
                trace = _Trace(os.path.join(own, "trace"), environ, None)
            elif is_traced:
                trace = _Trace(os.path.join(directory, "trace"), environ, account)
            kinit = Kinit(settings, environ, more={"KRB5_TRACE": trace.path} if trace else {})
            if not cache.path:
                stack.callback(_destroy, kinit, account, temporary)
            ticket = kinit.ensure(account, temporary).ticket
            return Answer(ticket, trace=trace.read() if trace else "")
        except Problem as problem:
            line = _log_line(account, spec, problem)
            text = trace.read() if trace else ""
            return Answer(None, line, _code_of(problem), str(problem), text)


def _code_of(problem: Problem) -> str:
    """Return the code of the finding about a problem of the service."""
    if isinstance(problem, UnsupportedCache):
        return "ccache-fails"
    if not isinstance(problem, (KinitFailed, Unresponsive)):
        return "ticket-fails"
    return "ccache-fails" if _CACHE_FAILS.search(str(problem)) else classify(str(problem))


def _temporary_name(cache: Cache, directory: str) -> str:
    """Return the name of a cache of the same type that nothing else uses."""
    if cache.path:
        return cache.name.partition(":")[0] + ":" + os.path.join(directory, "cc")
    return cache.name.rpartition(":")[0] + ":jhpatch-doctor-" + secrets.token_hex(8)


@contextlib.contextmanager
def _private_directory(account: Account, environ: Mapping[str, str], top: str) -> Iterator[str]:
    """Have the user's child create a directory (mode 0700), then remove it. Raises Problem."""
    argv = ["mktemp", "-d", os.path.join(top, "jhpatch-doctor-XXXXXXXXXX")]
    done = run_program(argv, environ, 2, account)
    directory = done.stdout.strip()
    parent, name = os.path.split(directory)
    if done.exit_code != 0 or parent != top or not _NAME.fullmatch(name):
        raise Problem("cannot create a temporary directory in %s: %s" % (top, done.message))

    def remove() -> None:
        run_program(["rm", "-rf", "--", directory], environ, 2, account)

    _removals.add(remove)
    try:
        yield directory
    finally:
        remove()
        _removals.discard(remove)


def end_requests() -> None:
    """End the requests that are under way: kill what they run, and remove their directories.

    The threads that wait for them remove most directories; this function removes what is left
    after a second.
    """
    process.kill_all()
    end = time.monotonic() + 1
    while _removals and time.monotonic() < end:
        time.sleep(0.01)
    for remove in tuple(_removals):
        remove()
    process.kill_all()


class _Trace(NamedTuple):
    path: str
    environ: Mapping[str, str]
    account: Optional[Account]

    def read(self) -> str:
        argv = ["head", "-c", str(_TRACE_CAP), "--", self.path]
        return run_program(argv, self.environ, 1, self.account).stdout


def _destroy(kinit: Kinit, account: Account, spec: TicketSpec) -> None:
    with contextlib.suppress(Problem):  # kinit may have created no cache
        kinit.destroy(account, spec)


class _Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(record.getMessage())


def _log_line(account: Account, spec: TicketSpec, problem: Problem) -> str:
    """Return the line that the service logs about a problem at a login."""
    handler, log = _Lines(), logging.Logger("jhpatch")
    log.addHandler(handler)
    HubLog(log, "warn").failed(account.name, account, spec, "login", problem)
    return "".join(handler.lines)


def describe_life(ticket: Ticket) -> str:
    """Return as text when a ticket expires, and until when it can be renewed."""
    verb = "expires" if ticket.end > time.time() else "expired"
    text = "%s at %s, " % (verb, clock(ticket.end))
    if ticket.renew_till <= ticket.end:  # MIT's KDC returns 0, or the start
        return text + "not renewable"
    return text + "renewable until %s" % clock(ticket.renew_till)
