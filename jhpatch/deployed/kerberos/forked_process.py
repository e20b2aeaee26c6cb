"""Start processes that become a user, through the hub's fork server (fork_server.py)."""

import array
import json
import os
import socket
import subprocess
import sys
import threading
from typing import Any, Dict, List, Mapping, Optional, Sequence

from . import identity, process
from .account import Account
from .errors import Problem

_ANSWER = 5.0  # seconds to wait; an answer normally takes 1 ms
_MESSAGE_CAP = 65536  # bytes
_LOST = -9  # the exit code of a child whose fork server was killed
_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fork_server.py")


class ForkedProcess:
    """A child of the fork server, with what ``process.Child`` uses of subprocess.Popen."""

    is_reaped_later = True
    """No caller has to wait for its end: the fork server reaps it (``abandoned``)."""

    _code: Optional[int] = _LOST  # __del__ runs even if __init__ has raised

    def __init__(self, server: "_Running", pid: int) -> None:
        self.pid = pid
        self._server = server
        self._lock = threading.Lock()  # a child is reaped once
        self._code = None

    def __del__(self) -> None:
        if self._code is None:
            self._server.abandoned.append(self.pid)

    @property
    def returncode(self) -> Optional[int]:
        """The exit code; None while the process may run, so that its id is not reused."""
        if self._code is None and self._server.is_over():
            self._code = _LOST
        return self._code

    def poll(self) -> Optional[int]:
        """Return the exit code; None if the process is still running."""
        with self._lock:
            if self.returncode is None:
                self._code = self._server.exit_code(self.pid)
        return self._code


class _Running:
    """A fork server, and the socket to it. Its methods raise OSError, ValueError."""

    def __init__(self) -> None:
        """Start it. Raises Problem."""
        self.owner = os.getpid()
        self.abandoned: List[int] = []
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(_ANSWER)
        setpriv = [identity.setpriv_path(), "--inh-caps=-all", "--no-new-privs", "--"]
        try:
            with theirs:
                self._popen = subprocess.Popen(
                    [*setpriv, sys.executable, "-I", "-S", _PROGRAM],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    cwd="/",
                    env={"PATH": process.PATH, "LC_ALL": "C"},
                    start_new_session=True,
                )
        except OSError as error:
            raise Problem("cannot start %s as root: %s" % (sys.executable, error.strerror))

    def is_over(self) -> bool:
        """Return whether it has ended, or belongs to the parent, which forked this process."""
        return self.owner != os.getpid() or self._popen.poll() is not None

    def start(self, request: Dict[str, Any], descriptors: Sequence[int]) -> ForkedProcess:
        """Return a new process, with these descriptors as its standard files."""
        while self.abandoned:
            pid = self.abandoned.pop()
            if self.exit_code(pid) is None:
                self.abandoned.insert(0, pid)
                break
        answer = self._ask(request, descriptors)
        if "pid" not in answer:
            raise OSError(0, answer["error"])
        return ForkedProcess(self, answer["pid"])

    def exit_code(self, pid: int) -> Optional[int]:
        """Return the exit code of a child; None if it is still running."""
        try:
            code: Optional[int] = self._ask({"wait": pid}).get("code", _LOST)
        except (OSError, ValueError):
            return _LOST
        return code

    def _ask(self, request: Dict[str, Any], descriptors: Sequence[int] = ()) -> Dict[str, Any]:
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        with self._lock:
            try:
                self._socket.sendmsg(
                    [json.dumps(request).encode()], control if descriptors else []
                )
                answer: Dict[str, Any] = json.loads(self._socket.recv(_MESSAGE_CAP).decode())
            except (OSError, ValueError):
                self._popen.kill()  # its next answer may be that of an earlier request
                self._popen.wait()
                self._socket.close()
                raise
        return answer


_lock = threading.Lock()
_running: Optional[_Running] = None


def start_server() -> "_Running":
    """Return the fork server of this process; start it if there is none. Raises Problem."""
    global _running
    with _lock:
        if _running is None or _running.is_over():
            _running = _Running()
        return _running


def start(
    account: Account,
    options: str,
    environment: Mapping[str, str],
    descriptors: Sequence[int],
) -> ForkedProcess:
    """Return a process that has become a user and runs cache_child.py. Raises Problem."""
    request = {
        "user": identity.latin(account.name),
        "uid": account.uid,
        "gid": account.gid,
        "environment": {
            identity.latin(name): identity.latin(value) for name, value in environment.items()
        },
        "options": options,
    }
    problem = ""
    for _ in range(2):  # a server that was killed is replaced
        try:
            return start_server().start(request, descriptors)
        except (OSError, ValueError) as error:
            problem = getattr(error, "strerror", None) or str(error)
    raise Problem("cannot start a process for %s: %s" % (account.name, problem))
