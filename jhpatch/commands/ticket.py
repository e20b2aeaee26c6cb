"""``jhpatch ticket``: show the calling user's Kerberos tickets; only reads."""

import argparse
import os
import time
from typing import Any, Mapping, Optional, Tuple

from jhpatch.commands.arguments import add_output_options, number
from jhpatch.errors import Failed, shell_command
from jhpatch.kerberos import ticket_status
from jhpatch.kerberos.ticket_status import Record, Ticket
from jhpatch.report.result import Result, TicketReport, Tickets
from jhpatch.system import processes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``ticket``."""
    parser.add_argument(
        "--watch",
        nargs="?",
        type=number(0.2, 86400, "seconds"),
        const=5.0,
        metavar="SECONDS",
        help="look again every 5 (or SECONDS) seconds, until Ctrl-C",
    )
    add_output_options(parser)


def run(arguments: argparse.Namespace) -> Result:
    """Return the state of each ticket; exit code 3 unless all are valid."""
    import pwd

    environ, uid = arguments.environ, os.geteuid()
    try:
        home = pwd.getpwuid(uid).pw_dir
    except KeyError:
        raise Failed("the password database does not know uid %d" % uid, next="getent passwd")
    directory = ticket_status.runtime_directory(environ, environ.get("HOME") or home)
    records, notes = ticket_status.read_records(directory, uid)
    deployed = _import_deployed(records)
    rows = tuple(_report(deployed, record, environ) for record in records or (None,))
    has_problem = any(row.state != "valid" for row in rows)
    return Result("ticket", Tickets(rows), notes=notes, own_exit_code=3 if has_problem else 0)


def _import_deployed(records: Tuple[Record, ...]) -> Any:
    """Return the module that reads caches. Raises Failed if this Python lacks what it imports."""
    try:
        from jhpatch.deployed import kerberos
    except ImportError as error:
        programs = (processes.program_of(record.pid) for record in records)
        python = next((path for path in programs if path and "python" in path), None)
        raise Failed(
            "this Python cannot read tickets: %s" % error,
            expected="the Python of the user's server, which has tornado and traitlets",
            next=shell_command(python, "-m", "jhpatch", "ticket")
            if python
            else "/path/to/the/server's/bin/python -m jhpatch ticket",
        )
    return kerberos


def _report(deployed: Any, record: Optional[Record], environ: Mapping[str, str]) -> TicketReport:
    """Return the row of one server, or of the user's own cache if ``record`` is None."""
    try:
        cache, ticket = _read_ticket(deployed, record.ccache if record else "", environ)
    except deployed.Problem as problem:
        cache = record.ccache if record else environ.get("KRB5CCNAME", "")
        return ticket_status.assess_ticket(record, cache, None, time.time(), str(problem))
    return ticket_status.assess_ticket(record, cache, ticket, time.time())


def _read_ticket(
    deployed: Any, name: str, environ: Mapping[str, str]
) -> Tuple[str, Optional[Ticket]]:
    """Return the name of a cache and its ticket; libkrb5's default cache if ``name`` is empty.

    This is all that is asked of the deployed code. Raises its Problem.
    """
    import pwd

    entry = pwd.getpwuid(os.geteuid())
    account = deployed.Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)
    getter = deployed.Getter(deployed.KerberosTicket(), environ)
    default = environ.get("KRB5CCNAME", "")
    if not name and default.startswith("DIR:/") and not os.path.exists(default[4:] + "/primary"):
        return default, None  # klist would create the collection (dircc)
    cache = deployed.cache_of(name, entry.pw_uid) if name else getter.default_cache(account)
    ticket = getter.look(account, cache)
    return cache.name, ticket and tuple(ticket)
