"""The hub's log of tickets: a line for each change, not for each attempt."""

import collections
import os
import threading
from typing import Any, Optional, Tuple

from .account import Account
from .errors import Problem, clock, describe, printable
from .kinit import NotRenewed, Outcome
from .settings import TicketSpec

_LINE_CAP = 1000
_REMEMBERED = 10000
"""Users and kinds of lines whose last line is remembered, at most: memory stays bounded."""


class HubLog:
    """Logs what happens to the tickets of a hub's users; any thread can call it.

    ``policy`` is the setting. With "ignore", the reason for a missing ticket is logged only if it
    is an unexpected error.
    """

    def __init__(self, log: Any, policy: str) -> None:
        self.log = log
        self._is_quiet = policy == "ignore"
        self._lock = threading.Lock()
        self._last: collections.OrderedDict[Tuple[str, str], str] = collections.OrderedDict()

    def obtained(
        self,
        account: Account,
        spec: TicketSpec,
        outcome: Outcome,
        cause: str,
        asked_by: Optional[str],
    ) -> None:
        """Log a new ticket, and why kinit did not obtain it with the keytab."""
        self.well(account.name)
        if not outcome.is_new:
            return
        keytab = ("keytab " + spec.keytab) if spec.keytab else "the client keytab"
        ticket, problem = outcome.ticket, outcome.keytab_problem
        principal = ticket.principal
        if ticket.asked:
            principal = "%s (requested as %s)" % (printable(principal), printable(ticket.asked))
        text = line(
            "Kerberos ticket for %s (uid %d): %s from %s into %s until %s, at %s%s",
            account.name,
            account.uid,
            principal,
            "kinit -R" if problem else keytab,
            spec.ccache or "the default cache",
            clock(ticket.end),
            cause,
            ", requested by " + asked_by if asked_by else "",
        )
        self.log.info("%s", text)
        if not problem:
            self._forget(account.name, "keytab")
        elif not self._is_quiet and self._is_news(account.name, "keytab", problem):
            text = line(
                "Kerberos: kinit obtained no ticket with %s of %s, and kinit -R can renew the "
                "existing one only until %s: %s",
                keytab,
                account.name,
                clock(ticket.renew_till),
                problem,
            )
            self.log.warning("%s", text)

    def failed(
        self,
        name: str,
        account: Optional[Account],
        spec: Optional[TicketSpec],
        cause: str,
        problem: Problem,
    ) -> None:
        """Log why there is no ticket, or no new one."""
        valid = isinstance(problem, NotRenewed)
        what = "The Kerberos ticket is not renewed" if valid else "No Kerberos ticket"
        if self._is_quiet or not self._is_news(name, "problem", what + str(problem)):
            return
        text = line(
            what + " for %s%s%s%s at %s: %s",
            name,
            " (uid %d)" % account.uid if account else "",
            " (valid until %s)" % clock(problem.ticket.end)
            if isinstance(problem, NotRenewed)
            else "",
            " from keytab " + spec.keytab if spec and spec.keytab else "",
            cause,
            str(problem),
        )
        self.log.warning("%s", text)

    def late(self, name: str, cause: str, problem: str) -> None:
        """Log that a login or spawn stopped waiting."""
        if not self._is_quiet and self._is_news(name, "late", problem):
            self.log.warning(
                "%s", line("No Kerberos ticket for %s at %s: %s", name, cause, problem)
            )

    def error(self, name: str, cause: str, error: BaseException) -> None:
        """Log an exception that is not a Problem, such as one of a callable, or a bug."""
        if self._is_news(name, "error", describe(error)):
            self.log.error(
                "%s", line("Kerberos: no ticket for %s at %s: %s", name, cause, traced(error))
            )

    def well(self, name: str) -> None:
        """Forget a user's last problems, so that one that recurs is logged again."""
        for kind in ("problem", "error", "late"):
            self._forget(name, kind)

    def once(self, name: str, level: str, text: str, *values: Any) -> None:
        """Log a line, unless it equals the last one of this ``name``."""
        text = line(text, *values)
        if self._is_news(name, "once", text):
            getattr(self.log, level)("%s", text)

    def _is_news(self, name: str, kind: str, text: str) -> bool:
        """Return whether a text differs from the last one of this kind for a user."""
        with self._lock:
            is_news = self._last.pop((name, kind), None) != text
            self._last[name, kind] = text
            if len(self._last) > _REMEMBERED:
                self._last.popitem(last=False)
        return is_news

    def _forget(self, name: str, kind: str) -> None:
        with self._lock:
            self._last.pop((name, kind), None)


def line(text: str, *values: Any) -> str:
    """Return a printable line of at most 1,000 characters, whatever the values contain."""
    shown = text % tuple(printable(one) if isinstance(one, str) else one for one in values)
    return shown if len(shown) <= _LINE_CAP else shown[: _LINE_CAP - 3] + "..."


def traced(error: BaseException) -> str:
    """Return an exception with the last three places of its traceback, innermost first."""
    places, entry = [], error.__traceback__
    while entry is not None:
        name = os.path.basename(entry.tb_frame.f_code.co_filename)
        places.append("%s:%d" % (name, entry.tb_lineno))
        entry = entry.tb_next
    return printable("%s (%s)" % (describe(error)[:300], " < ".join(places[:-4:-1])))
