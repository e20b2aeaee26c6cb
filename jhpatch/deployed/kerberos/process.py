"""A child process that has become a user: bounded in time and in output.

The child runs as the user, who can stop it, trace it and write into its pipes. jhpatch kills its
whole session, and reads its output only until the deadline.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Set,
    Tuple,
    TypeVar,
)

from .errors import Problem, Unresponsive
from .namedtuple import NamedTuple

OUTPUT_CAP = 2 * 1024 * 1024
"""Bytes that a child may write to both pipes together."""
_ERRORS_CAP = 65536  # bytes of an error message that are read
PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
_GRACE = 0.25  # seconds that a child has to remove its temporary files
_FREE_READS = 64  # reads without a pause; a child may write byte by byte
_PAUSE = 0.01  # seconds before each further read
_running: "Set[Child]" = set()


_Child = TypeVar("_Child", bound="Child")


class TooMuchOutput(Problem):
    """A child wrote more than ``OUTPUT_CAP`` bytes."""


class Done(NamedTuple):
    """How a program ended, and what it wrote."""

    code: int
    out: bytes
    err: str


def run(argv: List[str], environment: Dict[str, str], timeout: float, cwd: str = "/") -> Done:
    """Run a program with an empty standard input. ``timeout`` is in seconds.

    Raises Unresponsive after that time; Problem if the program cannot be started or writes
    too much.
    """
    with Child(argv, environment, time.monotonic() + timeout, cwd) as child:
        child.close_input()
        return child.finish()


class Child:
    """A running program, and lines to and from it. At the end of the context, it is killed."""

    has_files = False
    """Whether the child removes files of its own if it is sent SIGTERM."""

    def __init__(
        self, argv: List[str], environment: Mapping[str, str], end: float, cwd: str = "/"
    ) -> None:
        """``end`` is the deadline by the monotonic clock. Raises Problem."""
        self._began, self._end = time.monotonic(), end
        self._selector = selectors.PollSelector()  # no descriptor of its own
        ends: List[int] = []  # of pipes; if descriptors run out, Popen leaves its own pipes open
        try:
            for _ in range(3):
                ends += os.pipe()
            self._popen = self._start(argv, environment, cwd, [ends[0], ends[3], ends[5]])
        except Problem:
            _close(ends)
            raise
        except (OSError, ValueError) as error:  # ValueError: a NUL, a lone surrogate
            _close(ends)
            reason = getattr(error, "strerror", None) or error
            raise Problem("cannot run %s: %s" % (argv[0], reason))
        _close([ends[0], ends[3], ends[5]])
        self._input, self._outputs = [ends[1]], [ends[2], ends[4]]
        self._out, self._err = bytearray(), bytearray()
        for fd, buffer in zip(self._outputs, (self._out, self._err)):
            self._selector.register(fd, selectors.EVENT_READ, buffer)
        self._open = 2  # pipes to read
        self._is_writable = False
        self._slow: Optional[Callable[[], None]] = None
        self._slow_at = float("inf")
        self._size = self._reads = 0
        self._is_killed = False
        _running.add(self)

    def _start(
        self, argv: List[str], environment: Mapping[str, str], cwd: str, files: List[int]
    ) -> Any:
        """Return a process with these standard files, as subprocess.Popen does."""
        return subprocess.Popen(
            argv,
            stdin=files[0],
            stdout=files[1],
            stderr=files[2],
            cwd=cwd,
            env=dict(environment),
            start_new_session=True,
        )

    def __enter__(self: _Child) -> _Child:
        return self

    def __exit__(self, *error: Any) -> None:
        _running.discard(self)
        if self._popen.returncode is None:
            if self.has_files or not getattr(self._popen, "is_reaped_later", False):
                self.kill()
            else:
                self._is_killed = True
                self.signal(signal.SIGKILL)
        self._selector.close()
        self.close_input()
        _close(self._outputs)

    def watch(self, seconds: float, slow: Callable[[], None]) -> None:
        """Call ``slow`` once if the child is still busy after ``seconds``."""
        self._slow, self._slow_at = slow, time.monotonic() + seconds

    def line(self) -> Optional[bytes]:
        """Return the child's next line, without its end; None after the last one.

        Raises Unresponsive, TooMuchOutput.
        """
        found = self._pump(lambda: b"\n" in self._out)
        self._slow_at = float("inf")
        if not found:
            return None
        end = self._out.index(b"\n")
        line = bytes(self._out[:end])
        del self._out[: end + 1]
        return line

    def errors(self) -> str:
        """Return what the child has written to standard error since the last call."""
        self._pump(lambda: True, at_once=True)
        text = self._err[:_ERRORS_CAP].decode("utf-8", "replace").strip()
        del self._err[:]
        return text

    def send(self, data: bytes, close: bool = False) -> None:
        """Write to the child's standard input; what it does not read is dropped.

        Raises Unresponsive, Problem.
        """
        (pipe,), rest = self._input, memoryview(data)
        os.set_blocking(pipe, False)
        while rest:
            try:
                rest = rest[os.write(pipe, rest) :]
            except BlockingIOError:
                self._is_writable = False
                self._selector.register(pipe, selectors.EVENT_WRITE)
                try:
                    if not self._pump(lambda: self._is_writable):
                        break
                finally:
                    self._selector.unregister(pipe)
            except BrokenPipeError:
                break
        if close:
            self.close_input()

    def close_input(self) -> None:
        """Close the child's standard input."""
        _close(self._input)

    def finish(self) -> Done:
        """Return how the child ended, with what it wrote since the last line.

        Raises Unresponsive, Problem.
        """
        self._pump(lambda: False)
        while not self.wait(min(self._end, self._slow_at) - time.monotonic()):
            self._check_time()  # it has closed both pipes, but still runs
        return Done(self._popen.returncode, bytes(self._out), self.errors())

    def kill(self) -> None:
        """Kill the child's whole session."""
        self._is_killed = True
        _kill([self], self._drop)

    def _drop(self) -> None:
        """Discard the child's output: a full pipe must not keep it from cleaning up."""
        for key, _ in self._selector.select(0):
            if key.data is not None and not os.read(key.fd, 65536):
                self._selector.unregister(key.fileobj)

    def signal(self, number: int) -> None:
        """Send a signal to the child's whole session."""
        if self._popen.returncode is None:
            for kill in (os.killpg, os.kill):  # at first, it has no session of its own
                with contextlib.suppress(OSError):
                    return kill(self._popen.pid, number)

    def is_ending(self) -> bool:
        """Return whether the child was killed, and has not been reaped."""
        return self._is_killed and self._popen.returncode is None

    def is_stuck(self) -> bool:
        """Return whether a process of the killed session still runs.

        An unresponsive file server can keep it. A process that only was not reaped does not count.
        """
        if not self._is_killed:
            return False
        self._popen.poll()
        try:
            os.killpg(self._popen.pid, 0)
        except OSError:
            return False
        group = str(self._popen.pid)
        rows = _states(os.listdir("/proc"))
        return any(pgrp == group and state not in "ZX" for state, pgrp in rows)

    def is_over(self) -> bool:
        """Return whether the child has ended; its id is not reused before ``wait``."""
        if self._popen.returncode is not None:
            return True
        return next((state in "ZX" for state, _ in _states([str(self._popen.pid)])), True)

    def wait(self, seconds: float) -> bool:
        """Return whether the child ends within ``seconds``.

        This polls more often than Popen.wait, which sleeps for at least 0.5 ms.
        """
        end, pause = time.monotonic() + seconds, 0.00005
        while self._popen.poll() is None:
            if time.monotonic() >= end:
                return False
            time.sleep(pause)
            pause = min(2 * pause, 0.02)
        return True

    def _check_time(self) -> None:
        now = time.monotonic()
        if self._slow and now >= self._slow_at:
            self._slow_at = float("inf")
            self._slow()
        if now >= self._end:
            seconds = round(now - self._began, 1)
            raise Unresponsive("no answer within %g s; the KDC may be down" % seconds)

    def _pump(self, is_done: Callable[[], bool], at_once: bool = False) -> bool:
        """Read both pipes until ``is_done``; False if they end before that."""
        while not is_done() or at_once:
            if not self._open:
                return False
            self._check_time()
            wait = 0 if at_once else min(self._end, self._slow_at) - time.monotonic()
            ready = self._selector.select(max(wait, 0))
            if at_once and not ready:
                return True
            for key, _ in ready:
                if key.data is None:
                    self._is_writable = True
                    continue
                self._reads += 1
                if self._reads > _FREE_READS:
                    time.sleep(_PAUSE)
                block = os.read(key.fd, 65536)
                self._size += len(block)
                if self._size > OUTPUT_CAP:
                    raise TooMuchOutput("a child process wrote more than %d bytes" % OUTPUT_CAP)
                key.data.extend(block)
                if not block:
                    self._selector.unregister(key.fileobj)
                    self._open -= 1
        return True


def _close(descriptors: List[int]) -> None:
    """Close descriptors, and remove them from the list."""
    while descriptors:
        os.close(descriptors.pop())


def _states(names: List[str]) -> Iterator[Tuple[str, str]]:
    """Yield the state and the process group of each process (proc(5), stat)."""
    for name in names:
        if name.isdigit():
            with contextlib.suppress(OSError), open("/proc/%s/stat" % name, "rb") as file:
                words = file.read().rpartition(b")")[2].decode("ascii", "replace").split()
                yield words[0], words[2]


def kill_all() -> None:
    """Kill every running child, because this process ends."""
    _kill(list(_running), lambda: None)  # the threads that wait for the children read


def _kill(children: List[Child], drop: Callable[[], None]) -> None:
    """Send SIGTERM to those that have files to remove, and SIGKILL to all a little later."""
    with_files = [child for child in children if child.has_files]
    for child in with_files:
        child.signal(signal.SIGTERM)
    end = time.monotonic() + _GRACE
    while time.monotonic() < end and not all(child.is_over() for child in with_files):
        drop()
        time.sleep(0.001)
    for child in children:
        child.signal(signal.SIGKILL)
    end = time.monotonic() + 1
    for child in children:  # an unresponsive NFS server can keep one for longer
        child.wait(end - time.monotonic())
