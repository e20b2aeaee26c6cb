"""``jhpatch ticket``: the calling user's Kerberos ticket; only reads."""

import argparse
import os
import time
from typing import Any, Mapping, Optional, Tuple

from jhpatch.commands.arguments import add_talk, number
from jhpatch.errors import Failed, shell_command
from jhpatch.kerberos import ticket_status
from jhpatch.kerberos.ticket_status import Record
from jhpatch.report.result import Result, TicketReport, Tickets
from jhpatch.system import processes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ticket``."""
    parser.add_argument(
        "--watch",
        nargs="?",
        type=number(0.2, 86400, "seconds"),
        const=5.0,
        metavar="SECONDS",
        help="look again every 5 (or SECONDS) seconds, until Ctrl-C",
    )
    add_talk(parser)


def run(arguments: argparse.Namespace) -> Result:
    """0: valid; 3: a ticket is expiring, expired, or absent."""
    import pwd

    uid = os.geteuid()
    try:
        home = pwd.getpwuid(uid).pw_dir
    except KeyError:
        raise Failed("the password database does not know uid %d" % uid, next="getent passwd")
    folder = ticket_status.runtime_folder(arguments.environ, arguments.environ.get("HOME") or home)
    records, notes = ticket_status.records_of(folder, uid)
    helper = _helper(records)
    rows = tuple(_row(helper, record, arguments.environ) for record in records or (None,))
    bad = any(row.state != "valid" for row in rows)
    return Result("ticket", Tickets(rows), notes=notes, own_exit_code=3 if bad else 0)


def _helper(records: Tuple[Record, ...]) -> Any:
    """The module that reads caches. Raises Failed where this Python lacks what it imports."""
    try:
        from jhpatch.deployed import kerberos
    except ImportError as error:
        paths = (processes.program_of(record.pid) for record in records)
        python = next((path for path in paths if path and "python" in path), None)
        raise Failed(
            "this Python cannot read tickets: %s" % error,
            expected="the Python of the user's server, which has tornado and traitlets",
            next=shell_command(python, "-m", "jhpatch", "ticket")
            if python
            else "/path/to/the/server's/bin/python -m jhpatch ticket",
        )
    return kerberos


def _row(helper: Any, record: Optional[Record], environ: Mapping[str, str]) -> TicketReport:
    try:
        cache, ticket = _look(helper, record.ccache if record else "", environ)
    except helper.Problem as problem:
        cache = record.ccache if record else environ.get("KRB5CCNAME", "")
        return ticket_status.judged(record, cache, None, time.time(), str(problem))
    return ticket_status.judged(record, cache, ticket, time.time())


def _look(
    helper: Any, named: str, environ: Mapping[str, str]
) -> Tuple[str, Optional[Tuple[str, float, float, float]]]:
    """``(the cache's name, its ticket)``: the cache of that name, or libkrb5's default.

    All that is asked of the helper. Raises its Problem.
    """
    import pwd

    entry = pwd.getpwuid(os.geteuid())
    account = helper.Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)
    getter = helper.Getter(helper.KerberosTicket(), environ)
    own = environ.get("KRB5CCNAME", "")
    if not named and own.startswith("DIR:/") and not os.path.exists(own[4:] + "/primary"):
        return own, None  # klist would make the collection (dircc)
    if named:
        cache = helper.cache_of(named, entry.pw_uid)
    else:
        cache = getter.default_cache(account)
    ticket = getter.look(account, cache)
    return cache.name, ticket and tuple(ticket)
