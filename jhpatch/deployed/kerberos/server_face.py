"""Kerberos tickets while a user's server runs: the decorators of notebook and jupyter_server.

===========  ======================================================================
``on_open``  above the ``get`` of pages and contents: starts the server's renewer
``on_save``  above ``_save``: starts it too, and does not wait
===========  ======================================================================
"""

import functools
import inspect
import sys
from typing import Any, Callable, Dict, Generator, Optional

from tornado import concurrent, gen

from .on_loop import TooLate, within
from .server_renewer import ServerRenewer, new_renewer

__all__ = ["on_open", "on_save"]

_KEY = "_jhpatch_kerberos.keeper"  # in sys.modules: one renewer for all copies in a process
_BUG = "Kerberos: unexpected error while a notebook opens; the notebook still opens"
Method = Callable[..., Any]
Waiting = Generator[Any, Any, Any]


def on_open(method: Method) -> Method:
    """Decorate ``get`` of a page or of contents: start the renewer; wait if there is no ticket."""

    @functools.wraps(method)
    def get(self: Any, *args: Any, **kwargs: Any) -> Any:
        waiting, seconds = None, 0.0
        try:
            renewer = renewer_of(self)
            if renewer is not None and not renewer.is_fresh() and _wants_content(self):
                waiting, seconds = renewer.turn(), renewer.settings.open_wait
        except Exception:
            self.log.exception(_BUG)
        if waiting is None:
            return method(self, *args, **kwargs)
        waited = _after(waiting, seconds, method, self, args, kwargs)
        # jupyter_server's @authorized awaits only a native coroutine, and notebook 5 only a
        # Future: the result is of the kind that the original method returns.
        return _awaited(waited) if inspect.iscoroutinefunction(method) else waited

    return get


def on_save(method: Method) -> Method:
    """Decorate ``_save``: start the renewer without waiting; log an error of the renewer."""

    @functools.wraps(method)
    def _save(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            renewer_of(self)
        except Exception:
            self.log.exception("Kerberos: unexpected error during a save; the save continues")
        return method(self, *args, **kwargs)

    return _save


def renewer_of(handler: Any) -> Optional[ServerRenewer]:
    """Return the renewal thread of this process, which the first request starts."""
    process: Dict[str, Any] = sys.modules
    if _KEY not in process:
        process[_KEY] = None  # if the next lines raise, the error is logged once
        renewer = new_renewer(handler)
        if renewer is not None:
            renewer.start()
        process[_KEY] = renewer
    found: Optional[ServerRenewer] = process[_KEY]
    return found


def _wants_content(handler: Any) -> bool:
    return bool(handler.get_query_argument("content", default="1") != "0")


async def _awaited(future: Any) -> Any:
    return await future


@gen.coroutine
def _after(
    waiting: Any, seconds: float, method: Method, handler: Any, args: Any, kwargs: Any
) -> Waiting:
    try:
        yield within(seconds, waiting)
    except TooLate:
        pass
    except Exception:
        handler.log.exception(_BUG)
    result = method(handler, *args, **kwargs)
    if concurrent.is_future(result) or inspect.isawaitable(result):
        result = yield result
    raise gen.Return(result)
