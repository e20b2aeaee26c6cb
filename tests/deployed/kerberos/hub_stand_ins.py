"""A hub whose KDC is a table, and its renewer, turned by hand."""

import collections
import time

from jhpatch.deployed.kerberos import schedule
from jhpatch.deployed.kerberos.breaker import CircuitBreaker
from jhpatch.deployed.kerberos.ccache import Ticket
from jhpatch.deployed.kerberos.hub import Seen
from jhpatch.deployed.kerberos.hub_log import HubLog
from jhpatch.deployed.kerberos.hub_renewer import HubRenewer
from jhpatch.deployed.kerberos.requests import Requests
from jhpatch.deployed.kerberos.settings import Settings
from testing.waiting import LIMIT, until


class TableOfTickets:
    """Tickets of a hub by a table: who is refreshed when, and how often."""

    def __init__(self, log, life=36000.0, central=False, **settings):
        self.settings = Settings(**settings)
        self.log = HubLog(log, "warn")
        self.known = {}
        self.held = {}
        self.unseen = {}
        """Tickets that this hub has not seen since its start, by user."""
        self.asked = collections.Counter()
        self.breaker = CircuitBreaker(self.settings.retry, log, lambda principal: True)
        self.requests = Requests(LIMIT)
        self.life = life
        self.central = central
        self.fails = set()
        self.remote = collections.Counter()

    def ensure(self, name, cause, asked_by, ccache, part):
        """Return why there is no ticket, as HubTickets does."""
        if name in self.fails:
            return "no keytab"
        seen = self.known.get((name, ccache or ""), self.unseen.pop(name, None))
        if seen is None or time.time() >= schedule.due(seen.ticket, part(self.central)):
            self.asked[name] += 1
            now = time.time()
            self.knows(name, now, now + self.life, ccache)
        else:
            self.known[name, ccache or ""] = seen
        return None

    def knows(self, name, start, end, ccache=None):
        """Set the ticket of a user."""
        self.known[name, ccache or ""] = self.seen(name, start, end)

    def seen(self, name, start, end):
        """Return a ticket as the hub remembers it."""
        return Seen(Ticket(name, start, end, end), self.central)

    def report_remote(self, spawner):
        """Count the report."""
        self.remote[type(spawner).__name__] += 1


def renewer_of(tickets, users, loop):
    """Return a renewer that is turned by hand."""
    return HubRenewer(tickets, lambda: list(users), loop)


def turn(renewer):
    """Make a turn, with the end of each attempt that it starts; return its pause."""
    pause = renewer._turn()
    until(lambda: len(renewer._done) == len(renewer._running))
    renewer._collect_done()
    return pause
