"""``spark`` and ``sc`` in a notebook's namespace, also while no session runs.

Copied into a kernelspec's directory as ``jhpatch_spark_names.py``.
"""

import os
import sys
import threading
import types
from typing import Any, Dict, List, Optional

if __name__.startswith("jhpatch_"):  # in a kernel, whose Python need not have jhpatch
    import jhpatch_reasons as reasons  # type: ignore[import-not-found]
    import jhpatch_spark_session as spark_session  # type: ignore[import-not-found]
else:
    from jhpatch.deployed import reasons, spark_session

_KINDS = {"spark": "SparkSession", "sc": "SparkContext"}
_LOOKERS = ("jedi.", "IPython.core.completer", "IPython.core.oinspect", "_pydevd", "debugpy")
_FINDER = ("IPython.core.interactiveshell", "_ofind")  # of ``sc.stop?``
_PROBES = ("_ipython_", "_repr_", "__wrapped__", "_jhpatch")


class Lazy:
    """``spark`` or ``sc`` while no session runs; any use of it starts one.

    Inspection (completion, %who, a variable inspector) does not.
    """

    def __init__(self, session: spark_session.Session, name: str) -> None:
        object.__setattr__(self, "_jhpatch", (session, name))

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith(_PROBES):
            raise AttributeError(attribute)
        if _is_only_looked_at():
            return getattr(_kind(self), attribute)
        return getattr(_real(self), attribute)

    def __setattr__(self, attribute: str, value: Any) -> None:
        setattr(_real(self), attribute, value)

    def __enter__(self) -> Any:
        return _real(self).__enter__()

    def __exit__(self, *exception: Any) -> Any:
        return _real(self).__exit__(*exception)

    def __dir__(self) -> List[str]:
        return dir(_kind(self) or object)

    def _repr_mimebundle_(self, **choice: Any) -> Dict[str, str]:
        """Return only the text; IPython would use the formatters of the imitated class."""
        return {"text/plain": repr(self)}

    def __repr__(self) -> str:
        return "<%s: connects when it is used>" % _KINDS[self._jhpatch[1]]

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """The class that the object will have, for isinstance()."""
        return _kind(self) or Lazy


def _is_only_looked_at() -> bool:
    """Return whether completion, help or a debugger accesses the object, which is not a use."""
    frame: Optional[types.FrameType] = sys._getframe(2)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(_LOOKERS) or (module, frame.f_code.co_name) == _FINDER:
            return True
        frame = frame.f_back
    return False


def _real(lazy: Lazy) -> Any:
    session, name = lazy._jhpatch
    return session.get(name)


def _kind(lazy: Lazy) -> Any:
    """Return the class that the object will have. This imports pyspark, and starts no JVM."""
    _looking.now = True
    try:
        module = __import__("pyspark.sql", fromlist=["sql"])
    except Exception:
        return None
    finally:
        _looking.now = False
    name = _KINDS[lazy._jhpatch[1]]
    return getattr(module, name, None) or getattr(sys.modules.get("pyspark"), name, None)


_looking = threading.local()


def is_looking() -> bool:
    """Return whether this thread imports pyspark only to inspect one of its classes."""
    return bool(getattr(_looking, "now", False))


class Names:
    """``spark`` and ``sc`` in a user's namespace: lazy ones, or those of the running session."""

    def __init__(self, session: spark_session.Session, shell: Any) -> None:
        self._shell = shell
        self._namespace: Dict[str, Any] = shell.user_ns
        self._session = session
        self._ours: Dict[str, Any] = {}
        release = reasons.numbers(reasons.spark_version(os.environ.get("SPARK_HOME", "")))
        names = ("sc",) if release[:1] == (1,) else tuple(_KINDS)
        self._lazy = {name: Lazy(session, name) for name in names}
        session.on_change = self.put

    def put(self) -> None:
        """Define the names, unless the user has defined something else under them.

        Other names of the user for a session that was stopped become lazy too.
        """
        running, before = self._session.objects, self._ours
        self._ours = dict(self._lazy, **running)
        for name, value in self._ours.items():
            if name not in self._namespace or self._namespace[name] is before.get(name):
                self._namespace[name] = value
        for name, old in before.items():
            if not running and name in self._lazy and old is not self._lazy[name]:
                for other in [key for key, held in self._namespace.items() if held is old]:
                    self._namespace[other] = self._lazy[name]

    def show(self) -> None:
        """Show the names in %who, from which IPython hides names defined before the first cell."""
        for name in self._lazy:
            self._shell.user_ns_hidden.pop(name, None)
