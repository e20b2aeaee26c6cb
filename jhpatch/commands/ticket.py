"""``jhpatch ticket``: show the calling user's Kerberos tickets; read-only."""

import argparse
import contextlib
import os
import time
from typing import TYPE_CHECKING, Mapping, Optional, Tuple

from jhpatch.commands.arguments import add_output_options, number
from jhpatch.errors import Failed
from jhpatch.kerberos import ticket_status
from jhpatch.kerberos.ticket_status import Record
from jhpatch.report.result import OtherTicket, Result, TicketReport, Tickets
from jhpatch.system import timestamps

if TYPE_CHECKING:
    from jhpatch.deployed.kerberos.account import Account


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``ticket``."""
    parser.add_argument(
        "--watch",
        nargs="?",
        type=number(0.2, 86400, "seconds"),
        const=5.0,
        metavar="SECONDS",
        help="Show the tickets again every SECONDS until Ctrl-C (default without a value: 5)",
    )
    add_output_options(parser)


def run(arguments: argparse.Namespace) -> Result:
    """Return the state of each ticket; exit code 3 unless all are valid."""
    import pwd

    environ, uid = arguments.environ, os.geteuid()
    try:
        home = pwd.getpwuid(uid).pw_dir
    except KeyError:
        raise Failed("the password database has no uid %d" % uid, next="getent passwd")
    directory = ticket_status.runtime_directory(environ, environ.get("HOME") or home)
    records, notes = ticket_status.read_records(directory, uid)
    rows = tuple(_report(record, environ) for record in records or (None,))
    has_problem = any(row.state != "valid" for row in rows)
    return Result("ticket", Tickets(rows), notes=notes, own_exit_code=3 if has_problem else 0)


def _report(record: Optional[Record], environ: Mapping[str, str]) -> TicketReport:
    """Return the row of one server, or of the user's own cache if ``record`` is None."""
    from jhpatch.deployed.kerberos.account import own_account
    from jhpatch.deployed.kerberos.errors import Problem
    from jhpatch.kerberos import cache_state

    name = record.ccache if record else environ.get("KRB5CCNAME", "")
    path, ticket, reason = "", None, None
    try:
        name, path, ticket = _read_ticket(record.ccache if record else "", environ)
        if ticket is None:
            reason = (
                cache_state.why_absent(path, os.geteuid()) if path else "the cache has no ticket"
            )
    except Problem as problem:
        reason = str(problem)
    now = time.time()
    others: Tuple[OtherTicket, ...] = ()
    if ticket is None or ticket[2] <= now:
        others = tuple(
            OtherTicket(other, found.principal, timestamps.iso(found.end))
            for other, found in cache_state.valid_caches(os.geteuid(), path)
        )
    has_keytab = _has_keytab(record, own_account(), environ)
    return ticket_status.assess_ticket(
        record, name, ticket, now, reason, has_keytab, others, not cache_state.is_foreign(path)
    )


def _read_ticket(
    name: str, environ: Mapping[str, str]
) -> Tuple[str, str, Optional[ticket_status.Ticket]]:
    """Return the name of a cache, its path or "", and its ticket.

    An empty ``name`` stands for libkrb5's default cache. Raises Problem, like the functions of
    the ticket service that read it.
    """
    from jhpatch.deployed.kerberos import ccache
    from jhpatch.deployed.kerberos.account import own_account
    from jhpatch.deployed.kerberos.kinit import Kinit
    from jhpatch.deployed.kerberos.settings import Settings
    from jhpatch.kerberos import libkrb5

    account, kinit = own_account(), Kinit(Settings(), environ)
    default = environ.get("KRB5CCNAME", "")
    if not name and not default:
        with contextlib.suppress(libkrb5.Unavailable):
            default = libkrb5.default_cache_name()
    primary = default[4:] + "/primary" if default.startswith("DIR:/") else ""
    if not name and primary and not os.path.isfile(primary):
        return default, primary, None  # klist would create the collection (dircc)
    if not name and default.startswith(("/", "FILE:/", "DIR::/")):
        name = default  # klist would block if a FIFO is there
    if name:
        cache = ccache.cache_of(name, account.uid)
    else:
        cache = kinit.programs.default_cache(account)
    ticket = kinit.look(account, cache)
    return cache.name, cache.path, ticket and ticket[:4]


def _has_keytab(record: Optional[Record], account: "Account", environ: Mapping[str, str]) -> bool:
    """Return whether this user can read the keytab of a renewer; by default krb5.conf's.

    True if the keytab is unknown.
    """
    from jhpatch.kerberos.keytab import parse_keytab_name
    from jhpatch.kerberos.programs import run_program

    path = record.keytab if record else ""
    if not path:
        listing = run_program(["klist", "-k", "-i"], environ, 2, account).stdout
        path = parse_keytab_name(listing) or ""
    return not path or os.access(path.replace("FILE:", "", 1), os.R_OK)
