"""What goes wrong on a gateway: what an event does, whom it may touch, and for how long.

``excuse`` is the rule of the verdict: the users who may be without a valid ticket because of
the event, and when. None: nobody may be, not for a second. Events of ``host_events.py`` touch
the whole host; those of ``user_events.py`` are the acts of one user.
"""

import time
from typing import Any, NamedTuple, Optional, Tuple

from integration.soak.gateway import LIFE, ONE_RETRY, Gateway


class Excuse(NamedTuple):
    """Users (empty: all) who may be without a ticket from one time to another (monotonic)."""

    kind: str
    users: Tuple[str, ...]
    since: float
    until: float

    def covers(self, name: str, at: float) -> bool:
        """Return whether a user may be without a ticket at that time."""
        return self.since <= at <= self.until and (not self.users or name in self.users)


class Event:
    """Something that happens; ``seconds`` is how long, as planned."""

    days = 0
    """How many days a week must have at least for it to be in it."""
    needs_a_ticket = False
    """Whether the users keep a ticket only because the one that they have can be renewed."""
    stops_pages = False
    """Whether pages of the hub and of users' servers may fail or wait meanwhile."""

    def __init__(self, *users: str, seconds: float = 0.0) -> None:
        self.users = users
        self.seconds = seconds
        self.began = self.ended = float("inf")
        self.error = ""

    @property
    def kind(self) -> str:
        """The name of the event."""
        return type(self).__name__

    def __str__(self) -> str:
        length = " %g s" % self.seconds if self.seconds else ""
        return " ".join((self.kind,) + self.users) + length

    def happen(self, gateway: Gateway) -> None:
        """Do it; return when it is over."""
        raise NotImplementedError

    def excuse(self, gateway: Gateway) -> Optional[Excuse]:
        """Return who may be without a ticket, and when; by default nobody."""
        return None

    def play(self, gateway: Gateway) -> None:
        """Let it happen, and remember when it did."""
        self.began = time.monotonic()
        try:
            self.happen(gateway)
        except Exception as error:
            self.error = "%s: %s" % (type(error).__name__, error)
        self.ended = time.monotonic()

    def lasts(self, at: float) -> bool:
        """Return whether its traces may be in the log at a time: a life and a retry after it."""
        return self.began - 1 <= at <= self.ended + LIFE + ONE_RETRY + (self.ended - self.began)

    def excuse_without_ticket(self) -> Excuse:
        """Return the excuse if a user had no ticket when the keytab went.

        After it, the next attempt comes at most as late as the attempts failed.
        """
        return self._excused(self.ended - self.began + ONE_RETRY)

    def _excused(self, after: float, *users: Any) -> Excuse:
        """Return the excuse from the begin of the event to some seconds after its end."""
        return Excuse(self.kind, users or self.users, self.began, self.ended + after)


class SetUp(Event):
    """The gateway is set up: its hub starts, and the lines of that are in the log."""
