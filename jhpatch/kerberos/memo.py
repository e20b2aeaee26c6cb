"""Values that are computed at most once, also for several threads."""

import threading
from concurrent.futures import Future
from typing import Any, Callable, Dict, Hashable, TypeVar

Value = TypeVar("Value")


class Memo:
    """Values by key.

    The first thread that needs a value computes it; other threads that need it meanwhile wait.
    An exception is kept like a value.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._futures: Dict[Hashable, Future[Any]] = {}

    def get(
        self,
        key: Hashable,
        compute: Callable[[], Value],
        keeps: Callable[[Value], bool] = lambda value: True,
    ) -> Value:
        """Return the value of a key; ``keeps`` returns whether to keep a computed value."""
        own: Future[Value] = Future()
        with self._lock:
            future: Future[Value] = self._futures.setdefault(key, own)
        if future is own:
            try:
                value = compute()
                if not keeps(value):
                    with self._lock:
                        del self._futures[key]
                own.set_result(value)
            except BaseException as error:
                own.set_exception(error)
        return future.result()
