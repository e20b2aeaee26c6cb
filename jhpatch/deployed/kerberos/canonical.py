"""Principals that the KDC returns under another name: aliases, ``canonicalize = true``."""

import re
from typing import Dict, Optional, Tuple

from .account import Account
from .ccache import Cache, Ticket
from .errors import HeldByAnother, clock
from .settings import TicketSpec

_NAME_CAP = 1000  # characters of a name that are kept; a cache may contain more


def realm_of(principal: str) -> str:
    """Return the realm in the name of a principal; empty if it has none.

    A backslash quotes the next character (krb5_parse_name(3)).
    """
    match = re.match(r"(?:[^\\@]|\\.)*@(.*)", principal, re.S)
    return match.group(1) if match else ""


def is_of(ticket: Ticket, principal: str) -> bool:
    """Return whether a ticket is that of a principal, whose realm may be omitted."""
    names = (ticket.principal, ticket.principal.rpartition("@")[0], ticket.asked)
    return principal in names


def check_principal(ticket: Ticket, principal: str, cache: Cache) -> None:
    """Raise HeldByAnother for a valid ticket of another principal: jhpatch does not replace it."""
    if is_of(ticket, principal):
        return
    import shlex  # rarely needed, and slow to import

    raise HeldByAnother(
        "%s holds a valid ticket of %s, which the ticket service does not replace before it "
        "expires at %s; to replace it now, have the owner of the cache run: kdestroy -c %s"
        % (
            cache.path or cache.name,
            ticket.principal,
            clock(ticket.end),
            shlex.quote(cache.name),
        ),
        ticket.end,
    )


class CanonicalNames:
    """Remembers by uid which principal the KDC returned for a requested one.

    A cache of version 4 contains the requested principal until another program renews the
    ticket: kinit -R drops the entry. Other caches cannot contain it.
    """

    def __init__(self) -> None:
        self._names: Dict[Tuple[int, str], str] = {}

    def learn(self, account: Account, spec: TicketSpec, ticket: Ticket) -> None:
        """Remember a new ticket's principal if it differs from the requested one."""
        if not is_of(ticket._replace(asked=""), spec.principal):
            self._names[account.uid, spec.principal] = ticket.principal[:_NAME_CAP]

    def known(
        self, account: Account, spec: TicketSpec, ticket: Optional[Ticket]
    ) -> Optional[Ticket]:
        """Return the ticket; if its name is canonical, with the requested principal."""
        if ticket and ticket.asked == spec.principal:
            self.learn(account, spec, ticket)
        elif ticket and ticket.principal == self._names.get((account.uid, spec.principal)):
            return ticket._replace(asked=spec.principal)
        return ticket
