"""The start of the ticket service in a hub: its settings, its checks, its renewer."""

import os
import sys
from typing import Any, List, Optional

from tornado import ioloop
from traitlets import TraitError

from . import identity, settings, traits
from .account import Account
from .errors import Problem, printable
from .hub import HubTickets
from .hub_log import traced
from .hub_renewer import HubRenewer
from .programs import Programs
from .settings import Settings
from .traits import KerberosTicket

_TICKETS = "_jhpatch_kerberos"
"""The attribute of an authenticator, and of its hub, that holds the HubTickets."""


def on_start(authenticator: Any) -> None:
    """Build and check the settings, and start the hub's renewal thread.

    A problem that disables the service is logged as one error, with its place in the
    configuration. The hub starts without the service.
    """
    tickets = path = None
    log = authenticator.log
    try:
        app = app_of(authenticator)
        path = getattr(app, "config_file", None)
        for text in traits.misspelt(authenticator.config):
            log.error("Kerberos: %s%s", traits.place_of(text, path), text)
        values = KerberosTicket(parent=authenticator).values()
        if values.enabled:
            tickets = _tickets(app, _checked(values, log), log)
    except (TraitError, Problem) as error:
        text = printable(" ".join(str(error).split()))
        log.error("Kerberos tickets are disabled: %s%s", traits.place_of(text, path), text)
    except Exception as error:
        log.error("Kerberos tickets are disabled: %s", traced(error))
    setattr(authenticator, _TICKETS, tickets)


def app_of(authenticator: Any) -> Any:
    """Return the JupyterHub of an authenticator, even if another authenticator wraps it."""
    candidate = authenticator
    for _ in range(5):
        candidate = getattr(candidate, "parent", None)
        if hasattr(type(candidate), "users"):
            return candidate
    kind = getattr(sys.modules.get("jupyterhub.app"), "JupyterHub", None)
    return kind.instance() if kind is not None and kind.initialized() else None


def _checked(values: Settings, log: Any) -> Settings:
    """Check the programs that the service needs; add the realm. Raises Problem if one fails."""
    programs = Programs(values, os.environ)
    kinit = programs.path("kinit")
    if not os.access(kinit, os.X_OK):
        raise Problem("KerberosTicket.kinit: %s is not an executable program" % kinit)
    if os.geteuid() == 0:
        identity.become(_ANYBODY, values.timeout)
        from . import forked_process

        forked_process.start_server()
    else:
        log.warning(
            "Kerberos: this hub does not run as root, so it obtains tickets only for its own user"
        )
    if settings.needs_realm(values):
        try:
            values = values._replace(realm=programs.default_realm())
        except Problem as problem:
            raise Problem(
                "KerberosTicket.realm is not set, a template has {realm}, and %s" % problem
            )
    if programs.is_heimdal():
        missing = [name for name in ("ccache", "keytab") if not getattr(values, name)]
        if missing:
            raise Problem(
                "%s is Heimdal's kinit: set c.KerberosTicket.%s"
                % (kinit, " and c.KerberosTicket.".join(missing))
            )
    return values


_ANYBODY = Account("nobody", 65534, 65534, "/")


def _tickets(app: Any, values: Settings, log: Any) -> HubTickets:
    """Return the tickets of a hub, whose first authenticator starts the renewal thread.

    A hub can have several PAMAuthenticators (MultiAuthenticator): those with the same settings
    share their requests too. Without a hub, there are no servers whose tickets to renew.
    """
    first: Optional[HubTickets] = getattr(app, _TICKETS, None)
    if first is not None and first.settings == values:
        return first
    tickets = HubTickets(values, log)
    if first is not None:
        log.warning(
            "Kerberos: two authenticators of this hub have different settings; the hub renews the "
            "tickets of running servers with those of the first"
        )
        tickets.renewer = first.renewer
    elif app is not None:
        tickets.renewer = HubRenewer(tickets, lambda: users_of(app), ioloop.IOLoop.current())
        tickets.renewer.start()
        setattr(app, _TICKETS, tickets)
    return tickets


def users_of(app: Any) -> Optional[List[Any]]:
    """Return the users that a hub has in memory; None while it starts."""
    try:
        return list(dict.values(app.users))
    except (AssertionError, TraitError, TypeError):
        return None
