"""What the keepers of a user's servers have written down, and what state a ticket is in.

A keeper is the helper in a server. Its file lies where the user, and whatever runs as the
user, can write: it is read as if an enemy had made it.
"""

import errno
import os
import re
from typing import Any, List, Mapping, Optional, Tuple

from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import TicketReport
from jhpatch.system import processes, timestamps, untrusted_json
from jhpatch.system.files import read_file

SCHEMA = 1
_NAME = re.compile(r"^jhpatch-kerberos-([1-9][0-9]{0,9})\.json$")
_CAP = 64 * 1024  # bytes of a record
_MOST = 1000  # records
_PART, _SECONDS = 0.1, 300.0  # of its life, or left: what comes first is the end of a ticket
_END = 253402300800.0  # the year 10000
_STEP = 60.0  # seconds by which the clock may be set without a record looking older
_LATE = 120.0  # seconds after which a refresh that was planned does not come any more


class Record(NamedTuple):
    """What one keeper wrote; times in seconds since the epoch, None where it knew none."""

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


def runtime_folder(environ: Mapping[str, str], home: str) -> str:
    """Where Jupyter's servers of this user write (jupyter_core.paths.jupyter_runtime_dir)."""
    if environ.get("JUPYTER_RUNTIME_DIR"):
        return environ["JUPYTER_RUNTIME_DIR"]
    data = environ.get("JUPYTER_DATA_DIR")
    if not data:
        above = environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
        data = os.path.join(above, "jupyter")
    return os.path.join(data, "runtime")


def records_of(
    folder: str, uid: int, proc: str = "/proc"
) -> Tuple[Tuple[Record, ...], Tuple[str, ...]]:
    """The records of servers that run as ``uid``, by pid; and a line for each that is ignored."""
    found: List[Record] = []
    notes: List[str] = []
    try:
        names = sorted(name for name in os.listdir(folder) if _NAME.match(name))
    except OSError:
        return (), ()  # a user who never ran a server
    for name in names[:_MOST]:
        path = os.path.join(folder, name)
        try:
            record = parse(_read(path, uid))
            if "jhpatch-kerberos-%d.json" % record.pid != name:
                raise ValueError("the pid of another")
        except FileNotFoundError:
            continue  # its server ended
        except OSError as error:
            notes.append("ignored %s: %s" % (path, error.strerror))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            notes.append("ignored %s: no record of a keeper (%s)" % (path, error))
        else:
            if _runs(record, uid, proc):
                found.append(record)
            else:
                notes.append("ignored %s: its server has ended" % path)
    return tuple(sorted(found)), tuple(notes)


def _read(path: str, uid: int) -> bytes:
    """The bytes of a small regular file of that user. Raises OSError."""
    content = read_file(path, _CAP, follow=False)
    if content.stat.st_uid != uid:
        raise OSError(errno.EPERM, "belongs to uid %d" % content.stat.st_uid)
    return content.data


def parse(data: bytes) -> Record:
    """A record. Raises ValueError, KeyError, TypeError, RecursionError."""
    document = untrusted_json.load(data)
    schema, shown = untrusted_json.schema(document)
    if schema != SCHEMA:
        raise ValueError("schema %s, not %d" % (shown, SCHEMA))
    if type(document["central"]) is not bool:
        raise ValueError("central is no boolean")
    error = document["error"]
    return Record(
        pid=untrusted_json.number(document["pid"]),
        principal=untrusted_json.text(document["principal"]),
        ccache=untrusted_json.text(document["ccache"]),
        keytab=untrusted_json.text(document["keytab"]),
        central=document["central"],
        # A keeper that never saw a ticket has no times to write.
        start=_time(document.get("start")),
        end=_time(document.get("end")),
        renew_till=_time(document.get("renew_till")),
        next=_time(document.get("next")),
        error=None if error is None else untrusted_json.text(error),
        written=_time(document["written"]) or 0.0,
    )


def _time(value: Any) -> Optional[float]:
    """Seconds since the epoch, or None. Raises ValueError."""
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value < _END:  # NaN is not either
        raise ValueError("no time")
    return float(value)


def _runs(record: Record, uid: int, proc: str) -> bool:
    """Whether the process that wrote it runs: that user's, and not a later one of its number."""
    started = processes.started(record.pid, uid, proc)
    return started is not None and started <= record.written + _STEP


def judged(
    record: Optional[Record],
    cache: str,
    ticket: Optional[Tuple[str, float, float, float]],
    now: float,
    reason: Optional[str] = None,
) -> TicketReport:
    """Pure: a row of ``ticket``: ``(principal, start, end, renew_till)``, or None: there is none.

    ``expiring``: a tenth of its life, or five minutes, is left, and no refresh is planned, or
    the last one failed.
    """
    principal, start, end, renew_till = ticket or (record.principal if record else "", 0, 0, 0)
    planned = record.next if record and (record.next or 0) > now - _LATE else None
    failed = record is not None and record.error is not None
    state = "valid"
    if ticket is None:
        state = "absent"
    elif end <= now:
        state = "expired"
    elif end - now < min(_PART * (end - start), _SECONDS):
        state = "valid" if planned and planned < end and not failed else "expiring"
    return TicketReport(
        pid=record.pid if record else None,
        state=state,
        principal=principal or None,
        ccache=cache,
        keytab=(record.keytab or None) if record else None,
        central=record.central if record else None,
        start=_iso(start),
        end=_iso(end),
        # Not renewable: MIT's KDC gives none, or the start (max_renewable_life 0).
        renew_till=_iso(renew_till) if renew_till > end else None,
        next=_iso(planned),
        error=(record.error if record else None) or reason,
    )


def _iso(seconds: Optional[float]) -> Optional[str]:
    return timestamps.iso(seconds) if seconds else None
