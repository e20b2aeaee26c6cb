"""Processes that still run the code from before a change, from /proc (proc(5)).

psutil would cost more to import than everything else that ``status`` does.
"""

import os
import re
import time
from typing import Iterator, List, Optional, Tuple

from jhpatch.namedtuple import NamedTuple
from jhpatch.system.timestamps import iso

_SERVERS = ("jupyter", "notebook", "ipython")
_PLAIN_NAME = r"[A-Za-z0-9_.+][A-Za-z0-9_.+-]*"


class Process(NamedTuple):
    """A process that runs code from before the change."""

    pid: int
    command: str
    started: str
    user: Optional[str] = None
    """Whose: of a server, the user's who works in it."""


class ProcessInfo(NamedTuple):
    """A running process: its command line, and when it started (seconds since the epoch)."""

    pid: int
    argv: Tuple[str, ...]
    started: float


def older_than(
    when: float, prefix: str, python: Optional[str], proc: str = "/proc"
) -> Optional[Tuple[Process, ...]]:
    """The Jupyter processes of an environment that started before ``when``.

    ``when`` is in seconds since the epoch. None where the right to see other users'
    processes is missing (hidepid), or to see which program one of them runs.
    """
    if not _can_see(proc):
        return None
    old: List[Process] = []
    for one in sorted(one for one in _running(proc) if one.started < when):
        ours = _is_server_of(one.argv, "%s/%d/exe" % (proc, one.pid), prefix, python)
        # Of one that ends at this moment Linux says EACCES, as of another user's.
        if ours is None and os.path.exists("%s/%d" % (proc, one.pid)):
            return None
        if ours:
            user = _user("%s/%d" % (proc, one.pid))
            old.append(Process(one.pid, _short(one.argv), iso(one.started), user))
    return tuple(old)


def _can_see(proc: str) -> bool:
    return _argv(proc + "/1") is not None


def _running(proc: str) -> Iterator[ProcessInfo]:
    boot = time.time() - _uptime()
    tick, own = os.sysconf("SC_CLK_TCK"), str(os.getpid())
    words = [word.encode("ascii") for word in _SERVERS]
    for name in os.listdir(proc):
        if not name.isdigit() or name == own:
            continue
        here = "%s/%s" % (proc, name)
        line = _command_line(here) or b""
        if not any(word in line for word in words):
            continue  # most of them: a hub's host has thousands
        argv = _parts(line)
        if not any(_names_a_server(part) for part in argv[:4]):
            continue
        ticks = start_ticks(int(name), proc)
        # Without ticks it ended meanwhile; else its number may be another process's by now.
        if ticks is not None and _argv(here) == argv:
            yield ProcessInfo(int(name), argv, boot + ticks / tick)


def start_ticks(pid: int, proc: str = "/proc") -> Optional[int]:
    """When a process started, in clock ticks since boot (stat's field 22); None for none."""
    try:
        with open("%s/%d/stat" % (proc, pid), "rb") as file:
            # The command may hold spaces and parentheses: count from the last one.
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def started(pid: int, uid: int, proc: str = "/proc") -> Optional[float]:
    """When a process of that user started (seconds since the epoch); None where there is none."""
    here = "%s/%d" % (proc, pid)
    ticks = start_ticks(pid, proc)
    if ticks is None or uid not in _uids(here):
        return None
    return time.time() - _uptime() + ticks / os.sysconf("SC_CLK_TCK")


def interpreters(proc: str = "/proc") -> Iterator[Tuple[str, int]]:
    """The Pythons that run a hub or a server, each with the uid of its process.

    By their arguments: the executable of a virtual environment's Python is that of another.
    """
    seen = set()
    for one in sorted(_running(proc)):
        for part in one.argv[:2]:
            if part.startswith("/"):
                is_python = os.path.basename(part).startswith("python")
                python = part if is_python else os.path.join(os.path.dirname(part), "python")
                for uid in _uids("%s/%d" % (proc, one.pid))[:1]:
                    if (python, uid) not in seen:
                        seen.add((python, uid))
                        yield python, uid
                break


def _uids(here: str) -> Tuple[int, ...]:
    """The real and the effective uid of a process; empty where it has ended."""
    try:
        with open(here + "/status", "rb") as file:
            found = re.search(rb"^Uid:\s+(\d+)\s+(\d+)", file.read(), re.M)
    except OSError:
        return ()
    return (int(found.group(1)), int(found.group(2))) if found else ()


def _user(here: str) -> Optional[str]:
    """The name of a process's user, or their uid where it has none."""
    import pwd

    uids = _uids(here)
    try:
        return pwd.getpwuid(uids[0]).pw_name if uids else None
    except KeyError:
        return str(uids[0])


def program_of(pid: int, proc: str = "/proc") -> Optional[str]:
    """The program that a process was started as, where that is a path."""
    argv = _argv("%s/%d" % (proc, pid)) or ("",)
    return argv[0] if argv[0].startswith("/") else None


def _argv(here: str) -> Optional[Tuple[str, ...]]:
    line = _command_line(here)
    return None if line is None else _parts(line)


def _command_line(here: str) -> Optional[bytes]:
    try:
        with open(here + "/cmdline", "rb", buffering=0) as file:
            return file.read(65536)
    except OSError:
        return None


def _parts(line: bytes) -> Tuple[str, ...]:
    return tuple(os.fsdecode(part) for part in line.split(b"\0")[:-1])


def _uptime() -> float:
    """Seconds since boot, suspended time included, as start times in /proc count."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", 7))


def _names_a_server(part: str) -> bool:
    """Whether an argument is the name of a server's program, and not an option or a script."""
    name = os.path.basename(part)
    return any(word in name for word in _SERVERS) and bool(re.fullmatch(_PLAIN_NAME, name))


def _is_server_of(
    argv: Tuple[str, ...], executable: str, prefix: str, python: Optional[str]
) -> Optional[bool]:
    """Whether the process runs from the environment: by its arguments, or by its executable.

    None where its arguments do not tell, and its executable may not be seen (proc(5)).
    """
    if not (_names_a_server(argv[0]) or "python" in os.path.basename(argv[0])):
        return False  # an editor of a server's file, say
    tops = (prefix.rstrip("/") + "/", os.path.realpath(prefix).rstrip("/") + "/")
    absolute = [part for part in argv[:2] if part.startswith("/")]
    if absolute:
        # Its folder is resolved, not the file: a venv's python is a link out of it.
        folders = [os.path.realpath(os.path.dirname(part)) + "/" for part in absolute]
        return any(part.startswith(tops) for part in absolute + folders)
    try:
        return python is not None and os.readlink(executable) == os.path.realpath(python)
    except FileNotFoundError:
        return False  # a zombie: it has ended
    except OSError:
        return None


def _short(argv: Tuple[str, ...]) -> str:
    """The server's name; arguments may hold a token and are not shown."""
    return next(os.path.basename(part) for part in argv[:4] if _names_a_server(part))
