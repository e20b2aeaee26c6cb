"""Processes that still run the code from before a change, from /proc (proc(5)).

psutil would cost more to import than everything else that ``status`` does.
"""

import os
import re
import time
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from jhpatch.result import Process

_SERVERS = ("jupyter", "notebook", "ipython")


class Seen(NamedTuple):
    """A running process: its command line, and when it started (seconds since the epoch)."""

    pid: int
    argv: Tuple[str, ...]
    started: float


def older_than(when: float, prefix: str, python: Optional[str]) -> Optional[Tuple[Process, ...]]:
    """The Jupyter processes of an environment that started before ``when``.

    None where the right to see other users' processes is missing (hidepid).
    """
    if not _can_see():
        return None
    found = (one for one in _running() if one.started < when)
    return tuple(
        Process(one.pid, _short(one.argv), _iso(one.started))
        for one in sorted(found)
        if _is_server_of(one.argv, one.pid, prefix, python)
    )


def _can_see() -> bool:
    try:
        with open("/proc/1/cmdline", "rb"):
            return True
    except OSError:
        return False


def _running() -> Iterator[Seen]:
    boot = time.time() - _uptime()
    tick = os.sysconf("SC_CLK_TCK")
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open("/proc/%s/cmdline" % name, "rb") as file:
                argv = tuple(os.fsdecode(part) for part in file.read(65536).split(b"\0")[:-1])
            if not any(_names_a_server(part) for part in argv[:4]):
                continue
            with open("/proc/%s/stat" % name, "rb") as file:
                ticks = int(file.read().rpartition(b")")[2].split()[19])
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
        yield Seen(int(name), argv, boot + ticks / tick)


def _uptime() -> float:
    """Seconds since boot, suspended time included, as start times in /proc count."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", 7))


def _names_a_server(part: str) -> bool:
    return any(word in os.path.basename(part) for word in _SERVERS)


def _is_server_of(argv: Tuple[str, ...], pid: int, prefix: str, python: Optional[str]) -> bool:
    """Whether the process runs from the environment: by its arguments, or by its executable."""
    tops = {prefix.rstrip("/") + "/", os.path.realpath(prefix).rstrip("/") + "/"}
    absolute = [part for part in argv[:2] if part.startswith("/")]
    if absolute:
        return any(part.startswith(tuple(tops)) for part in absolute)
    try:
        executable = os.readlink("/proc/%d/exe" % pid)
    except OSError:
        return False
    return python is not None and executable == os.path.realpath(python)


def _short(argv: Tuple[str, ...]) -> str:
    """The server's name; arguments may hold a token and are not shown."""
    names = [os.path.basename(part) for part in argv[:4]]
    return next((name for name in names if _names_a_server(name)), names[0] if names else "?")


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def seconds_of(text: str) -> float:
    """Seconds since the epoch of a time that ``now`` wrote; 0 where it is none.

    By hand: time.strptime costs 8 ms to import.
    """
    match = re.match(r"^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?Z$", text)
    if not match:
        return 0.0
    year, month, day, hour, minute, second = (int(group) for group in match.groups()[:6])
    year -= month <= 2  # a year that begins in March has its leap day last
    days = year * 365 + year // 4 - year // 100 + year // 400
    days += (153 * ((month + 9) % 12) + 2) // 5 + day - 719469
    return days * 86400 + hour * 3600 + minute * 60 + second + float(match.group(7) or 0)


def now(seconds: float) -> str:
    """A time as the state keeps it: UTC, to the hundredth that /proc counts in."""
    return "%s.%02dZ" % (_iso(seconds)[:-1], int(seconds * 100) % 100)


def joined(several: List[Optional[Tuple[Process, ...]]]) -> Optional[Tuple[Process, ...]]:
    """The processes of several looks, each once; None where one could not see."""
    found: Dict[int, Process] = {}
    for one in several:
        if one is None:
            return None
        found.update((process.pid, process) for process in one)
    return tuple(found[pid] for pid in sorted(found))
