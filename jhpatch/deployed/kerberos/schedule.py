"""When a ticket counts as valid, when it is renewed, and the pauses between attempts."""

import random
import time
from typing import Optional

from .ccache import Ticket

MARGIN = 5
"""Seconds before its end time from which a ticket no longer counts as valid."""
TURN = 60
"""Seconds between two readings of the clock, which may be stepped."""
BACKOFF_CAP = 600
"""Seconds between two attempts, at most."""
_SKEW = 300  # seconds that a ticket may start in the future (krb5.conf(5), clockskew)
_SPREAD = 0.1  # the part of its life over which the renewals of many tickets are spread
_LOOKED_AT = 1000  # users read per second; at 20 us each, 2 % of the time of the hub's loop
_WATCHED = 2 / 3  # the part of its life after which another process refreshes a ticket


def is_valid(ticket: Optional[Ticket]) -> bool:
    """Return whether a ticket can be used now, and for a few seconds more."""
    now = time.time()
    return ticket is not None and ticket.start - _SKEW < now < ticket.end - MARGIN


def is_renewable(ticket: Optional[Ticket]) -> bool:
    """Return whether ``kinit -R`` can renew a ticket now."""
    return ticket is not None and time.time() < ticket.end < ticket.renew_till - MARGIN


def due(ticket: Ticket, part: float) -> float:
    """Return when ``part`` of a ticket's life has passed, in seconds since the epoch.

    The life begins at the start time: after ``kinit -R``, the time of authentication is still
    that of the first ticket.
    """
    return ticket.start + part * (ticket.end - ticket.start)


def latest(part: float) -> float:
    """Return the end of the part of a life over which renewals after ``part`` are spread."""
    return part + min(_SPREAD, (1 - part) / 3)


def spread(ticket: Ticket, part: float) -> float:
    """Return a random time to renew a ticket, from ``part`` to ``latest(part)`` of its life.

    So tickets that were obtained together are renewed at different times. If some of that time
    has passed, the result is in the rest: a hub that restarts meanwhile spreads the renewals too.
    """
    end = due(ticket, latest(part))
    return random.uniform(min(max(due(ticket, part), time.time()), end), end)


def rest(users: int) -> float:
    """Return the least pause between two turns of a renewer that reads so many users.

    In seconds. It depends on the number of users, not on the time that reading took: a busy host
    is no reason to wait. Each login requests a turn.
    """
    return min(max(0.5, users / _LOOKED_AT), TURN)


def later(part: float) -> float:
    """Return the part of a life after which to renew a ticket that another process renews."""
    return max(_WATCHED, part + (1 - part) / 3)


def pause_after(last: float, retry: float, end: float) -> float:
    """Return the seconds between a failure and the next attempt.

    ``last`` is the pause before this one (0: none). ``retry``, doubled each time up to a cap;
    shorter in the last minutes of a ticket that expires at ``end``, after which the doubling
    starts again.
    """
    return in_time(min(max(2 * last, retry), BACKOFF_CAP), end)


def in_time(pause: float, end: float) -> float:
    """Return a pause in seconds, at most half of the time until a ticket expires, or 1 s.

    So a KDC that answers again before the ticket expires is usually found in time.
    """
    left = end - time.time()
    return min(pause, max(left / 2, 1.0)) if left > 0 else pause
