"""Processes that still run the code from before a change, from /proc (proc(5)).

Importing psutil would take longer than all the work of ``status``.
"""

import os
import re
import time
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

from jhpatch.namedtuple import NamedTuple
from jhpatch.system.timestamps import iso

_SERVER_NAMES = ("jupyter", "notebook", "ipython")
_VARIABLES = ("HOME", "PYTHONPATH", "PYTHONUSERBASE", "PYTHONNOUSERSITE")
_PLAIN_NAME = r"[A-Za-z0-9_.+][A-Za-z0-9_.+-]*"


class Process(NamedTuple):
    """A process that runs code from before the change."""

    pid: int
    command: str
    started: str
    user: Optional[str] = None
    """The account that owns the process."""


class ProcessInfo(NamedTuple):
    """A running process: its command line, and when it started (seconds since the epoch)."""

    pid: int
    argv: Tuple[str, ...]
    started: float


class Server(NamedTuple):
    """A running Jupyter process of an environment."""

    info: ProcessInfo
    path: str
    """Its directory in /proc."""

    @property
    def name(self) -> str:
        """The name of its program."""
        return _server_name(self.info.argv)


def servers_of(
    prefix: str, python: Optional[str], proc: str = "/proc"
) -> Optional[Tuple[Server, ...]]:
    """Return the Jupyter processes of an environment, in order of their pids.

    None if this user may not see the processes of others (hidepid), or the program that one of
    them runs.
    """
    if not _can_see(proc):
        return None
    servers: List[Server] = []
    for process in sorted(_running(proc)):
        path = "%s/%d" % (proc, process.pid)
        is_server = _is_server_of(process.argv, path + "/exe", prefix, python)
        # Linux reports EACCES also for a process that is just exiting.
        if is_server is None and os.path.exists(path):
            return None
        if is_server:
            servers.append(Server(process, path))
    return tuple(servers)


def older_than(when: float, servers: Iterable[Server]) -> Tuple[Process, ...]:
    """Return the servers that started before ``when``, in seconds since the epoch."""
    return tuple(
        Process(server.info.pid, server.name, iso(server.info.started), _user(server.path))
        for server in servers
        if server.info.started < when
    )


def variables_of(server: Server) -> Optional[Dict[str, str]]:
    """Return the variables that decide what a server's Python imports; None if it has -E or -I,
    or if this user may not read them (proc(5), environ).
    """
    flags = [part for part in server.info.argv[1:3] if re.match(r"-[A-Za-z]+$", part)]
    if any("I" in flag or "E" in flag for flag in flags):
        return None
    variables = _environ(server.path)
    if variables is None:
        return None
    if any("s" in flag for flag in flags):
        variables["PYTHONNOUSERSITE"] = "1"
    return {name: variables[name] for name in _VARIABLES if name in variables}


def uids_of(server: Server) -> Tuple[int, ...]:
    """Return the real and the effective uid of a server; empty if it has exited."""
    return _uids(server.path)


def home_of(server: Server) -> str:
    """Return the home directory of a server's user."""
    import pwd

    uids = _uids(server.path)
    try:
        return pwd.getpwuid(uids[0]).pw_dir if uids else "/"
    except KeyError:
        return "/"


def _can_see(proc: str) -> bool:
    return _argv(proc + "/1") is not None


def _running(proc: str) -> Iterator[ProcessInfo]:
    boot = time.time() - _uptime()
    ticks_per_second, own_pid = os.sysconf("SC_CLK_TCK"), str(os.getpid())
    servers = [server.encode("ascii") for server in _SERVER_NAMES]
    for name in os.listdir(proc):
        if not name.isdigit() or name == own_pid:
            continue
        process_path = "%s/%s" % (proc, name)
        line = _command_line(process_path) or b""
        if not any(server in line for server in servers):
            continue  # most processes: the host of a hub has thousands
        argv = _split_arguments(line)
        if not any(_is_server_name(part) for part in argv[:4]):
            continue
        ticks = start_ticks(int(name), proc)
        # The process may have exited meanwhile, and another one may have its pid.
        if ticks is not None and _argv(process_path) == argv:
            yield ProcessInfo(int(name), argv, boot + ticks / ticks_per_second)


def start_ticks(pid: int, proc: str = "/proc") -> Optional[int]:
    """Return a process's start in clock ticks since boot (stat, field 22); None if it exited."""
    try:
        with open("%s/%d/stat" % (proc, pid), "rb") as file:
            # The command can contain spaces and parentheses: count from the last one.
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def started(pid: int, uid: int, proc: str = "/proc") -> Optional[float]:
    """Return the start of a user's process, in seconds since the epoch; None if there is none."""
    process_path = "%s/%d" % (proc, pid)
    ticks = start_ticks(pid, proc)
    if ticks is None or uid not in _uids(process_path):
        return None
    return time.time() - _uptime() + ticks / os.sysconf("SC_CLK_TCK")


def interpreters(proc: str = "/proc") -> Iterator[Tuple[str, int]]:
    """Return the Pythons that run a hub or a server, each with the uid of its process.

    They are taken from the arguments: in a virtual environment, the executable is the base
    Python.
    """
    seen = set()
    for process in sorted(_running(proc)):
        if not _is_server_or_python(process.argv[0]):
            continue
        path = "%s/%d" % (proc, process.pid)
        paths = [part for part in process.argv[:2] if part.startswith("/")]
        program = paths[0] if paths else _program_path(process.argv[0], path)
        is_python = os.path.basename(program).startswith("python")
        python = program if is_python else os.path.join(os.path.dirname(program), "python")
        for uid in _uids(path)[:1]:
            if (python, uid) not in seen:
                seen.add((python, uid))
                yield python, uid


def _program_path(name: str, process_path: str) -> str:
    """Return the path of a program that a process was started as, by a relative name.

    As the shell finds it: below the working directory, or in PATH. A path that does not exist,
    such as after chdir(2), is returned as well: the environment is then reported as missing.
    """
    if "/" in name:
        try:
            return os.path.join(os.readlink(process_path + "/cwd"), name)
        except OSError:
            return name
    search = (_environ(process_path) or {}).get("PATH")
    if search is None:
        return name
    import shutil  # loads compression libraries

    return shutil.which(name, path=search) or name


def _environ(process_path: str) -> Optional[Dict[str, str]]:
    """Return the variables with which a process was started; None if they cannot be read."""
    try:
        with open(process_path + "/environ", "rb") as file:
            pairs = [os.fsdecode(row).partition("=") for row in file.read(1 << 20).split(b"\0")]
    except OSError:
        return None
    return {name: value for name, _, value in pairs}


def _uids(process_path: str) -> Tuple[int, ...]:
    """Return the real and the effective uid of a process; empty if it has exited."""
    try:
        with open(process_path + "/status", "rb") as file:
            match = re.search(rb"^Uid:\s+(\d+)\s+(\d+)", file.read(), re.M)
    except OSError:
        return ()
    return (int(match.group(1)), int(match.group(2))) if match else ()


def _user(process_path: str) -> Optional[str]:
    """Return the name of a process's user, or the uid if the user has no name."""
    import pwd

    uids = _uids(process_path)
    try:
        return pwd.getpwuid(uids[0]).pw_name if uids else None
    except KeyError:
        return str(uids[0])


def program_of(pid: int, proc: str = "/proc") -> Optional[str]:
    """Return the first argument of a process if it is an absolute path, else None."""
    argv = _argv("%s/%d" % (proc, pid)) or ("",)
    return argv[0] if argv[0].startswith("/") else None


def described(pid: int, proc: str = "/proc") -> str:
    """Return the pid of a process and the beginning of its command line, if that can be read."""
    command = " ".join(_argv("%s/%d" % (proc, pid)) or ())
    return "pid %d%s" % (pid, ": " + command[:200] if command else "")


def _argv(process_path: str) -> Optional[Tuple[str, ...]]:
    line = _command_line(process_path)
    return None if line is None else _split_arguments(line)


def _command_line(process_path: str) -> Optional[bytes]:
    try:
        with open(process_path + "/cmdline", "rb", buffering=0) as file:
            return file.read(65536)
    except OSError:
        return None


def _split_arguments(line: bytes) -> Tuple[str, ...]:
    return tuple(os.fsdecode(part) for part in line.split(b"\0")[:-1])


def _uptime() -> float:
    """Return the seconds since boot, with suspended time, as /proc counts start times."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", 7))


def _is_server_name(part: str) -> bool:
    """Return whether an argument is the name of a server's program, not an option or a script."""
    name = os.path.basename(part)
    return any(server in name for server in _SERVER_NAMES) and bool(
        re.fullmatch(_PLAIN_NAME, name)
    )


def _is_server_or_python(program: str) -> bool:
    """Return whether a program may be a server: not an editor or a shell with its name."""
    return _is_server_name(program) or "python" in os.path.basename(program)


def _is_server_of(
    argv: Tuple[str, ...], executable: str, prefix: str, python: Optional[str]
) -> Optional[bool]:
    """Return whether a process runs from the environment, by its arguments or its executable.

    None if the arguments are ambiguous and the executable may not be read (proc(5)).
    """
    if not _is_server_or_python(argv[0]):
        return False
    prefixes = (prefix.rstrip("/") + "/", os.path.realpath(prefix).rstrip("/") + "/")
    absolute = [part for part in argv[:2] if part.startswith("/")]
    if absolute:
        # Resolve the directory, not the file: a venv's python is a symlink to the base Python.
        directories = [os.path.realpath(os.path.dirname(part)) + "/" for part in absolute]
        return any(part.startswith(prefixes) for part in absolute + directories)
    try:
        return python is not None and os.readlink(executable) == os.path.realpath(python)
    except FileNotFoundError:
        return False  # a zombie
    except OSError:
        return None


def _server_name(argv: Tuple[str, ...]) -> str:
    """Return the server's name; arguments can contain a token and are not shown."""
    return next(os.path.basename(part) for part in argv[:4] if _is_server_name(part))
