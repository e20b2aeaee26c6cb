"""Wait on the event loop for what a thread does."""

from concurrent.futures import Future
from typing import Any

from tornado import concurrent, ioloop

_Future: Any = concurrent.Future
"""What tornado's coroutines wait for. Bound here: nest_asyncio.apply(), which jupyter_client calls
later, puts asyncio's in its place, and tornado 4.5 has another one."""


class TooLate(Exception):
    """A thread has not finished in the time that the event loop may wait."""


def within(seconds: float, future: "Future[Any]") -> Any:
    """Return a Future of this event loop with the result of a thread's ``future``.

    Its exception is TooLate after some seconds; the thread goes on, and so do all others
    that wait for it. Unlike ``gen.with_timeout`` of tornado 4.5, this resolves the Future on the
    loop: there, a thread does, and the coroutine that is about to wait can miss it.
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
