"""Principals that the KDC returns under another name: aliases, ``canonicalize = true``."""

import re
from typing import Dict, Optional, Tuple

from .account import Account
from .ccache import Cache, Ticket
from .errors import Problem, clock
from .settings import TicketSpec

_NAME_CAP = 1000  # characters of a name; a cache may hold any


def realm_of(principal: str) -> str:
    """Return the realm in the name of a principal; empty if it has none.

    A backslash takes the meaning of the next character away (krb5_parse_name(3)).
    """
    match = re.match(r"(?:[^\\@]|\\.)*@(.*)", principal, re.S)
    return match.group(1) if match else ""


def is_of(ticket: Ticket, principal: str) -> bool:
    """Return whether a ticket is of a principal, which may leave the realm out."""
    names = (ticket.principal, ticket.principal.rpartition("@")[0], ticket.asked)
    return principal in names


def check_principal(ticket: Ticket, principal: str, cache: Cache) -> None:
    """Raise Problem if a valid ticket in a cache is another principal's: it is not replaced."""
    if is_of(ticket, principal):
        return
    import shlex  # rarely needed, and slow to import

    raise Problem(
        "%s holds a valid ticket of %s, which the ticket service does not replace before it "
        "expires at %s; to replace it now, have the owner of the cache run: kdestroy -c %s"
        % (
            cache.path or cache.name,
            ticket.principal,
            clock(ticket.end),
            shlex.quote(cache.name),
        )
    )


class CanonicalNames:
    """Remembers what the KDC returned for what was asked for, by uid.

    A cache of version 4 has what was asked for, until another program renews it: kinit -R drops
    the entry. Other caches cannot have it.
    """

    def __init__(self) -> None:
        self._names: Dict[Tuple[int, str], str] = {}

    def learn(self, account: Account, spec: TicketSpec, ticket: Ticket) -> None:
        """Remember a new ticket's name, if that is another one than was asked for."""
        if not is_of(ticket._replace(asked=""), spec.principal):
            self._names[account.uid, spec.principal] = ticket.principal[:_NAME_CAP]

    def known(
        self, account: Account, spec: TicketSpec, ticket: Optional[Ticket]
    ) -> Optional[Ticket]:
        """Return a ticket of a canonical name as one of the principal that was asked for."""
        if ticket and ticket.asked == spec.principal:
            self.learn(account, spec, ticket)
        elif ticket and ticket.principal == self._names.get((account.uid, spec.principal)):
            return ticket._replace(asked=spec.principal)
        return ticket
