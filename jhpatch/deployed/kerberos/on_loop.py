"""Wait on the event loop for the result of a thread."""

from concurrent.futures import Future
from typing import Any

from tornado import concurrent, ioloop

_Future: Any = concurrent.Future
"""The class that tornado's coroutines wait for. It is bound at import, because
nest_asyncio.apply(), which jupyter_client calls later, replaces ``tornado.concurrent.Future``."""


class TooLate(Exception):
    """A thread has not finished in the time that the event loop may wait."""


def within(seconds: float, future: "Future[Any]") -> Any:
    """Return a Future of this event loop with the result of a thread's ``future``.

    After that time, its exception is TooLate; the thread continues, and others can still wait
    for it. This resolves the Future on the loop. ``gen.with_timeout`` of tornado 4.5 resolves it
    in the thread, and a coroutine that is about to wait can miss it.
    """
    loop = ioloop.IOLoop.current()
    result: Any = _Future()

    def copy() -> None:
        if result.done():
            return
        loop.remove_timeout(timer)
        error = TooLate() if future.cancelled() else future.exception()
        if error is None:
            result.set_result(future.result())
        else:
            result.set_exception(error)

    def give_up() -> None:
        if not result.done():
            result.set_exception(TooLate())

    timer = loop.call_later(seconds, give_up)
    future.add_done_callback(lambda _: loop.add_callback(copy))
    return result
