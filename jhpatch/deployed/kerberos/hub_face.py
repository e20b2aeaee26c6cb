"""Kerberos tickets for JupyterHub's users: the functions that the patch of JupyterHub imports.

==============  =========================================================================
``on_start``    end of ``PAMAuthenticator.__init__``: checks the settings, starts the renewer
``on_login``    above ``authenticate``: obtains a ticket as soon as PAM accepts the user
``on_spawn``    above ``pre_spawn_start``: refreshes it, and sends the settings to the server
``on_stop``     above ``post_spawn_stop``: destroys the cache, if so configured
==============  =========================================================================

The functions raise nothing themselves but the refusal of ``policy = "require"``. The wrappers
use ``gen.coroutine``, because ``gen.maybe_future`` of hub 0.8 does not await a native coroutine.
They pass on unknown arguments, which a later hub may add.
"""

import functools
import inspect
from typing import Any, Callable, Generator, Optional

from tornado import concurrent, gen, web

from .errors import Problem, describe
from .hub import HubTickets
from .hub_log import line, traced
from .on_loop import TooLate, within
from .spawners import is_local, may_refuse_a_spawn
from .startup import on_start

__all__ = ["on_login", "on_spawn", "on_start", "on_stop"]

Method = Callable[..., Any]
Waiting = Generator[Any, Any, Any]


def tickets_of(authenticator: Any) -> Optional[HubTickets]:
    """Return the ticket service of an authenticator; None if it is disabled."""
    return getattr(authenticator, "_jhpatch_kerberos", None)


def on_login(method: Method) -> Method:
    """Decorate ``PAMAuthenticator.authenticate``: obtain a ticket once PAM accepts the user."""

    @functools.wraps(method)
    @gen.coroutine
    def authenticate(self: Any, handler: Any, *args: Any, **kwargs: Any) -> Waiting:
        result = method(self, handler, *args, **kwargs)
        if is_awaitable(result):
            result = yield result
        tickets = tickets_of(self)
        if tickets and result:
            problem = yield _logging_in(self, tickets, handler, result)
            if problem and tickets.settings.policy == "require":
                raise _refusal(503, problem)
        raise gen.Return(result)

    return authenticate


@gen.coroutine
def _logging_in(authenticator: Any, tickets: HubTickets, handler: Any, result: Any) -> Waiting:
    try:
        name = result["name"] if isinstance(result, dict) else result
        name = authenticator.normalize_username(name)
        asked_by = getattr(getattr(handler, "request", None), "remote_ip", None)
        # The hub creates a new user after this method, and requests the ticket at the spawn.
        new_user = bool(getattr(authenticator, "create_system_users", False))
        future = tickets.request(name, "login", asked_by, new_user)
        problem = yield _in_time(tickets, future)
    except (TooLate, Problem) as error:
        problem = _late(tickets, name, "login", error)
    except Exception as error:
        problem = _bug(authenticator, "login", error)
    raise gen.Return(problem)


def _in_time(tickets: HubTickets, future: Any) -> Any:
    """Wait for a request, including its time in the queue and a slow directory service."""
    return within(tickets.settings.timeout + 1, future)


def _late(tickets: HubTickets, name: str, cause: str, error: Exception) -> str:
    """Log that a request was not started or not finished in time; return why."""
    problem = str(error) or "no ticket within %g s" % (tickets.settings.timeout + 1)
    if not tickets.requests.is_closed():
        tickets.log.late(name, cause, problem)
    return problem


def _bug(authenticator: Any, cause: str, error: Exception) -> str:
    """Log an unexpected exception; return its text."""
    authenticator.log.error(
        "%s", line("Kerberos: unexpected error at %s: %s", cause, traced(error))
    )
    return describe(error)


_EXITS = (
    "Kerberos: JupyterHub before 6.0 can exit after refused spawns "
    "(c.Spawner.consecutive_failure_limit), so the server starts without a ticket"
)


def _refusal(code: int, problem: str) -> web.HTTPError:
    # tornado doubles each % of a message without arguments.
    return web.HTTPError(code, "No Kerberos ticket: " + problem)


def on_spawn(method: Method) -> Method:
    """Decorate ``PAMAuthenticator.pre_spawn_start``: a fresh ticket, and the server's settings."""

    @functools.wraps(method)
    @gen.coroutine
    def pre_spawn_start(self: Any, user: Any, spawner: Any, *args: Any, **kwargs: Any) -> Waiting:
        tickets = tickets_of(self)
        early = tickets and tickets.settings.when == "before"
        problem = (yield _spawning(self, tickets, user, spawner)) if early else None
        result = method(self, user, spawner, *args, **kwargs)
        if is_awaitable(result):
            result = yield result
        if tickets and not early:
            problem = yield _spawning(self, tickets, user, spawner)
        if tickets and problem and tickets.settings.policy == "require":
            if may_refuse_a_spawn():
                raise _refusal(403, problem)
            self.log.error("%s", _EXITS)
        raise gen.Return(result)

    return pre_spawn_start


@gen.coroutine
def _spawning(authenticator: Any, tickets: HubTickets, user: Any, spawner: Any) -> Waiting:
    problem = None
    try:
        if is_local(spawner):
            spawner._jhpatch_prepared = True
            environment = dict(spawner.environment or {})
            asked_by = _asked_by(user, spawner)
            future = tickets.prepare_spawn(user.name, asked_by, environment, spawner)
            problem, spawner.environment = yield _in_time(tickets, future)
            if tickets.renewer:
                tickets.renewer.wake()
        else:
            tickets.report_remote(spawner)
    except (TooLate, Problem) as error:
        problem = _late(tickets, user.name, "spawn (the server receives no settings)", error)
    except Exception as error:
        problem = _bug(authenticator, "spawn", error)
    raise gen.Return(problem)


def _asked_by(user: Any, spawner: Any) -> Optional[str]:
    """Return who requested the server, and from where, if the hub reports that."""
    handler = getattr(spawner, "handler", None)
    who = getattr(getattr(handler, "current_user", None), "name", None)
    where = getattr(getattr(handler, "request", None), "remote_ip", None)
    words = [who if who and who != user.name else "", "from " + where if where else ""]
    return " ".join(word for word in words if word) or None


def on_stop(method: Method) -> Method:
    """Decorate ``PAMAuthenticator.post_spawn_stop``: destroy the cache with the last server."""

    @functools.wraps(method)
    @gen.coroutine
    def post_spawn_stop(self: Any, user: Any, spawner: Any, *args: Any, **kwargs: Any) -> Waiting:
        result = method(self, user, spawner, *args, **kwargs)
        if is_awaitable(result):
            result = yield result
        try:
            tickets = tickets_of(self)
            is_last = not any(one.active for one in user.spawners.values() if one is not spawner)
            if tickets and tickets.settings.destroy == "last-server" and is_last:
                yield _in_time(tickets, tickets.forget(user.name, spawner))
        except TooLate:
            self.log.warning(
                "%s",
                line(
                    "Kerberos: the cache of %s was not destroyed in time; the hub continues in "
                    "the background",
                    user.name,
                ),
            )
        except Exception as error:
            _bug(self, "stop", error)
        raise gen.Return(result)

    return post_spawn_stop


def is_awaitable(value: Any) -> bool:
    """Return whether upstream's method has returned something to wait for."""
    return concurrent.is_future(value) or inspect.isawaitable(value)
