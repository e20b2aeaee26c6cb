"""Threads for requests that may hang, shared fairly among users.

They are not PAM's threads: up to JupyterHub 5.1, one thread serves all logins. They are not those
of a ThreadPoolExecutor: these would keep the hub from exiting, and one user could occupy all.
"""

import atexit
import collections
import os
import threading
import time
from concurrent.futures import Future
from typing import Any, Callable, Deque, Dict, Hashable, List, Optional, Set, Tuple

from . import process
from .errors import Problem, describe
from .namedtuple import NamedTuple

THREADS = {"login": 24, "renewal": 12, "retry": 4}
"""How many requests run at once, at most: logins and spawns; renewals; and renewals of users whose
last one failed, which must not delay the others."""
_GRACE = 2.0  # seconds to wait, at the end of the process, for threads whose children are killed


class ShuttingDown(Problem):
    """The process ends: it starts no further request, and logs no failure."""

    def __init__(self) -> None:
        super().__init__("the hub is shutting down")


class _Item(NamedTuple):
    user: str
    key: Tuple[str, Hashable]
    future: "Future[Any]"
    work: Callable[[], Any]
    deadline: float


class Requests:
    """Runs requests: one at a time for each user, the users in turn.

    A thread runs as long as there are requests for it. ``timeout`` is the time in seconds that a
    login may wait for a thread. A renewal may wait longer, because it starts well before the
    ticket expires.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._lock = threading.Lock()
        self._pending: Dict[Hashable, Future[Any]] = {}
        self._waiting: Dict[str, collections.OrderedDict[str, Deque[_Item]]] = {
            lane: collections.OrderedDict() for lane in THREADS
        }
        self._busy: Set[str] = set()
        self._threads: Dict[str, Set[threading.Thread]] = {lane: set() for lane in THREADS}
        self._closed = False
        self._process = os.getpid()
        atexit.register(self.close)

    def submit(
        self, user: str, what: Hashable, work: Callable[[], Any], lane: str = "login"
    ) -> "Future[Any]":
        """Return the Future of ``work``, or that of the same request if one is pending.

        ``what`` identifies a request of ``user``. An exception of ``work`` is the Future's;
        Problem if it did not start in time.
        """
        key = (user, what)
        with self._lock:
            future = self._pending.get(key)
            if future is not None:
                return future
            future = Future()
            if self._closed:
                future.set_exception(ShuttingDown())
                return future
            self._pending[key] = future
            end = time.monotonic() + self._timeout if lane == "login" else float("inf")
            queue = self._waiting[lane].setdefault(user, collections.deque())
            queue.append(_Item(user, key, future, work, end))
        self._dispatch(lane)
        return future

    def is_closed(self) -> bool:
        """Return whether the process ends."""
        return self._closed

    def _dispatch(self, lane: str) -> None:
        """Start a thread for each request that can run now."""
        threads = self._threads[lane]
        while True:
            with self._lock:
                item = self._next(lane) if len(threads) < THREADS[lane] else None
                if item is None:
                    return
                thread = threading.Thread(target=self._run, args=(lane, item), daemon=True)
                threads.add(thread)
            try:
                thread.start()
            except RuntimeError:  # the host has no thread left, or the interpreter ends
                with self._lock:
                    threads.discard(thread)
                    self._release(item)
                    if threads:  # one of them will run the request
                        self._put_back(lane, item)
                        return
                _resolve(item.future, error=Problem("no thread can be started on this host"))

    def _run(self, lane: str, first: _Item) -> None:
        """Work until no request of this lane can run."""
        item: Optional[_Item] = first
        while item:
            result, error = self._done(item)
            with self._lock:
                self._release(item)
                following = self._next(lane)
                if following is None:
                    self._threads[lane].discard(threading.current_thread())
            _resolve(item.future, result, error)
            for name in THREADS:  # where another request of this user may have waited
                self._dispatch(name)
            item = following

    def _done(self, item: _Item) -> "Tuple[Any, Optional[Exception]]":
        """Return what a request returns, or the exception that it raises."""
        try:
            if not item.future.set_running_or_notify_cancel():
                return None, None
            if time.monotonic() > item.deadline:
                message = "the hub is busy: this request did not start within %g s"
                raise Problem(message % self._timeout)
            return item.work(), None
        except Exception as error:
            return None, error
        except BaseException as error:  # SystemExit of a callable would end the event loop
            return None, RuntimeError(describe(error))

    # With the lock held.

    def _next(self, lane: str) -> "Optional[_Item]":
        """Take a request of a user without a running one; return None if there is none."""
        queues = self._waiting[lane]
        user = next((name for name in queues if name not in self._busy), None)
        if user is None:
            return None
        item = queues[user].popleft()
        if queues[user]:
            queues.move_to_end(user)
        else:
            del queues[user]
        self._busy.add(user)
        return item

    def _release(self, item: _Item) -> None:
        self._busy.discard(item.user)
        if self._pending.get(item.key) is item.future:
            del self._pending[item.key]

    def _put_back(self, lane: str, item: _Item) -> None:
        self._pending[item.key] = item.future
        self._waiting[lane].setdefault(item.user, collections.deque()).appendleft(item)

    def close(self) -> None:
        """Cancel waiting requests and kill the children of running ones: the process ends.

        Wait a short time for the threads, so that none is stopped while it holds a lock of the
        log, which the interpreter needs. A thread that still runs is waiting for a directory
        service or for an administrator's callable, and ends with the process.
        """
        if os.getpid() != self._process:
            return  # a fork, whose end does not concern its parent
        with self._lock:
            self._closed = True
            lanes = self._waiting.values()
            waiting = [item for lane in lanes for queue in lane.values() for item in queue]
            for lane in lanes:
                lane.clear()
            for item in waiting:
                self._pending.pop(item.key, None)
        for item in waiting:
            _resolve(item.future, error=ShuttingDown())
        end = time.monotonic() + _GRACE
        while True:
            process.kill_all()  # again: a request may just have started another one
            running = self._running()
            if not running or time.monotonic() >= end:
                return
            running[0].join(0.02)

    def _running(self) -> List[threading.Thread]:
        with self._lock:
            found = [thread for threads in self._threads.values() for thread in threads]
        return [thread for thread in found if thread is not threading.current_thread()]


def _resolve(future: "Future[Any]", result: Any = None, error: Any = None) -> None:
    """Resolve a Future; an error of a callback does not end this thread."""
    try:
        if future.cancelled():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
    except BaseException:  # InvalidStateError: cancelled just now; SystemExit: a callback's
        pass
