"""What the renewers of a user's servers have recorded, and the state of a ticket.

A server's renewer is the deployed code in that server. Any process of the user can write its
file: it is read as if an attacker had written it.
"""

import errno
import os
import re
from typing import Any, List, Mapping, Optional, Tuple

from jhpatch.deployed.kerberos.errors import clock
from jhpatch.deployed.kerberos.settings import is_line
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import OtherTicket, TicketReport
from jhpatch.system import processes, timestamps, untrusted_json
from jhpatch.system.files import read_file

SCHEMA = 1
_FILE_NAME = re.compile(r"^jhpatch-kerberos-([1-9][0-9]{0,9})\.json$")
_MAX_SIZE = 64 * 1024  # bytes of a record
_MAX_RECORDS = 1000
# A ticket is expiring when a tenth of its life or five minutes are left, whichever is less.
_EXPIRING_PART, _EXPIRING_SECONDS = 0.1, 300.0
_MAX_TIME = 253402300800.0  # the year 10000
_CLOCK_STEP = 60.0  # seconds by which a stepped clock can make a record seem older
_OVERDUE = 120.0  # seconds after its time when a planned refresh no longer counts

Ticket = Tuple[str, float, float, float]
"""The principal, and the start, end and renew_till of a ticket, in seconds since the epoch."""


class Record(NamedTuple):
    """What one renewer wrote; times are in seconds since the epoch, or None if unknown."""

    pid: int
    principal: str
    ccache: str
    keytab: str
    central: bool
    start: Optional[float]
    end: Optional[float]
    renew_till: Optional[float]
    next: Optional[float]
    error: Optional[str]
    written: float


def runtime_directory(environ: Mapping[str, str], home: str) -> str:
    """Return where the user's Jupyter servers write (jupyter_core.paths.jupyter_runtime_dir)."""
    if environ.get("JUPYTER_RUNTIME_DIR"):
        return environ["JUPYTER_RUNTIME_DIR"]
    data = environ.get("JUPYTER_DATA_DIR")
    if not data:
        data_home = environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
        data = os.path.join(data_home, "jupyter")
    return os.path.join(data, "runtime")


def read_records(
    directory: str, uid: int, proc: str = "/proc"
) -> Tuple[Tuple[Record, ...], Tuple[str, ...]]:
    """Return the records of servers that run as ``uid``, by pid, and a note for each other file.

    There is no note for a file that vanishes meanwhile.
    """
    records: List[Record] = []
    notes: List[str] = []
    try:
        names = sorted(name for name in os.listdir(directory) if _FILE_NAME.match(name))
    except OSError:
        return (), ()  # a user who never ran a server
    for name in names[:_MAX_RECORDS]:
        path = os.path.join(directory, name)
        try:
            record = parse_record(_read_own_file(path, uid))
            if "jhpatch-kerberos-%d.json" % record.pid != name:
                raise ValueError("its pid differs from that in its name")
        except FileNotFoundError:
            continue  # its server ended
        except OSError as error:
            notes.append("ignored %s: %s" % (path, error.strerror))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            notes.append("ignored %s: not a record of a renewal thread (%s)" % (path, error))
        else:
            if _is_running(record, uid, proc):
                records.append(record)
            else:
                notes.append("ignored %s: its server has ended" % path)
    return tuple(sorted(records)), tuple(notes)


def _read_own_file(path: str, uid: int) -> bytes:
    """Return the bytes of a small regular file that belongs to the user. Raises OSError."""
    content = read_file(path, _MAX_SIZE, follow=False)
    if content.stat.st_uid != uid:
        raise OSError(errno.EPERM, "it belongs to uid %d" % content.stat.st_uid)
    return content.data


def parse_record(data: bytes) -> Record:
    """Return a record. Raises ValueError, KeyError, TypeError, RecursionError."""
    document = untrusted_json.load(data)
    schema, shown = untrusted_json.schema(document)
    if schema != SCHEMA:
        raise ValueError("the schema is %s, not %d" % (shown, SCHEMA))
    if type(document["central"]) is not bool:
        raise ValueError("central is not a boolean")
    error = document["error"]
    return Record(
        pid=untrusted_json.number(document["pid"]),
        principal=_line(document["principal"]),
        ccache=_line(document["ccache"]),
        keytab=_line(document["keytab"]),
        central=document["central"],
        # A renewer that has never seen a ticket writes no times.
        start=_parse_time(document.get("start")),
        end=_parse_time(document.get("end")),
        renew_till=_parse_time(document.get("renew_till")),
        next=_parse_time(document.get("next")),
        error=None if error is None else untrusted_json.text(error),
        written=_parse_time(document["written"]) or 0.0,
    )


def _line(value: Any) -> str:
    """Return a text that can be a path or an argument of a program. Raises ValueError."""
    text = untrusted_json.text(value)
    if not is_line(text):
        raise ValueError("expected one line of text")
    return text


def _parse_time(value: Any) -> Optional[float]:
    """Return seconds since the epoch, or None for None. Raises ValueError."""
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value < _MAX_TIME:  # refuses NaN as well
        raise ValueError("a time is invalid")
    return float(value)


def _is_running(record: Record, uid: int, proc: str) -> bool:
    """Return whether the process that wrote a record runs.

    The process must be the user's, and not a later one that has the same pid.
    """
    started = processes.started(record.pid, uid, proc)
    return started is not None and started <= record.written + _CLOCK_STEP


def assess_ticket(
    record: Optional[Record],
    cache: str,
    ticket: Optional[Ticket],
    now: float,
    reason: Optional[str] = None,
    has_keytab: bool = True,
    others: Tuple[OtherTicket, ...] = (),
    is_replaceable: bool = True,
) -> TicketReport:
    """Return a row of ``ticket``: the state of the ticket in a cache.

    A ticket is ``expiring`` near its end if no refresh is planned before it expires, or if the
    last refresh failed. ``reason`` is why the ticket is None; an error in the record takes
    precedence. ``has_keytab``: whether the user can read the keytab that a renewer would use.
    ``others`` are tickets in other caches of the user. ``is_replaceable``: whether no other user
    owns the cache.
    """
    principal, start, end, renew_till = ticket or (record.principal if record else "", 0, 0, 0)
    planned = record.next if record and (record.next or 0) > now - _OVERDUE else None
    is_central = record is not None and record.central
    if ticket and not has_keytab and not is_central and renew_till <= end:
        planned = None  # it will fail
    is_of_another = ticket is not None and end > now and _is_of_another(record, principal)
    if is_of_another:
        planned = None  # the ticket service does not replace it
    is_of_another = is_of_another and (has_keytab or is_central)  # otherwise it has no other one
    has_failed = record is not None and record.error is not None
    state = "valid"
    if ticket is None:
        state = "absent"
    elif end <= now:
        state = "expired"
    elif end - now < min(_EXPIRING_PART * (end - start), _EXPIRING_SECONDS):
        state = "valid" if planned and planned < end and not has_failed else "expiring"
    return TicketReport(
        pid=record.pid if record else None,
        state=state,
        principal=principal or None,
        ccache=cache,
        keytab=(record.keytab or None) if record else None,
        central=record.central if record else None,
        start=_iso(start),
        end=_iso(end),
        # MIT's KDC gives a ticket that is not renewable no renew_till, or its start.
        renew_till=_iso(renew_till) if renew_till > end else None,
        next=_iso(planned),
        error=(record.error if record else None) or reason,
        advice="kinit cannot replace this cache: set KRB5CCNAME to another path, and run kinit"
        if not is_replaceable
        else _replace_advice(record, cache)
        if record and is_of_another
        else _advise(record, state, end, renew_till, has_keytab, others),
        others=others,
    )


def _is_of_another(record: Optional[Record], principal: str) -> bool:
    """Return whether a ticket is not of the principal whose ticket the renewer last saw."""
    return record is not None and record.start is not None and record.principal != principal


def _replace_advice(record: Record, cache: str) -> str:
    import shlex  # rarely needed, and slow to import

    words = (
        "the server does not refresh this ticket, but those of %s: run kdestroy -c %s, then open "
        "a notebook"
    )
    return words % (record.principal, shlex.quote(cache))


def _advise(
    record: Optional[Record],
    state: str,
    end: float,
    renew_till: float,
    has_keytab: bool,
    others: Tuple[OtherTicket, ...],
) -> Optional[str]:
    """Return what the user has to do for a ticket; None if a renewer does it."""
    if others:
        return "to use the other cache, set KRB5CCNAME=%s" % others[0].ccache
    if record and (record.central or has_keytab):
        return None
    if state in ("absent", "expired"):
        return "no keytab: run kinit" if record else "log in to JupyterHub, or run kinit"
    why = (
        "no keytab" if record or not has_keytab else "no server reports that it renews the ticket"
    )
    if renew_till <= end:
        return "expires at %s; %s: run kinit again before then" % (clock(end), why)
    if record:
        return "renewable until %s; no keytab: run kinit again before then" % clock(renew_till)
    words = (
        "expires at %s; no server reports that it renews the ticket, but the hub may do so; to "
        "renew it now, run kinit -R"
    )
    return words % clock(end)


def _iso(seconds: Optional[float]) -> Optional[str]:
    return timestamps.iso(seconds) if seconds else None
