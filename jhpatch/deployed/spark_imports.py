"""Connect pyspark's classes with the kernel's session once pyspark is imported.

Copied into a kernelspec's directory as ``jhpatch_spark_imports.py``. Code that asks pyspark for
the active session, instead of using the notebook's ``spark``, then finds it too.
"""

import functools
import sys
from typing import Any, Callable, Optional

_HOOKED = "pyspark"


class Finder:
    """A finder of sys.meta_path that calls a function once pyspark is imported."""

    def __init__(self, after: Callable[[Any], None]) -> None:
        self._after = after

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Return the spec of the other finders, with the loader that calls the function."""
        if name != _HOOKED:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = None if finder is self or find is None else find(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    kind = _Loader if hasattr(spec.loader, "exec_module") else _OldLoader
                    spec.loader = kind(spec.loader, self._after)
                return spec
        return None


class _Loader:
    """A module's loader that calls a function after the module is loaded."""

    def __init__(self, loader: Any, after: Callable[[Any], None]) -> None:
        self._loader = loader
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._after(module)


class _OldLoader:
    """The same for the loader of zip files, which has no exec_module before Python 3.10."""

    def __init__(self, loader: Any, after: Callable[[Any], None]) -> None:
        self._loader = loader
        self._after = after

    def __getattr__(self, name: str) -> Any:
        if name in ("create_module", "exec_module"):
            raise AttributeError(name)
        return getattr(self._loader, name)

    def load_module(self, name: str) -> Any:
        module = self._loader.load_module(name)
        self._after(module)
        return module


def teach(pyspark: Any, session: Any) -> None:
    """Make pyspark's classes notify the session of a stop, and ask it for the active session."""
    kind = getattr(pyspark, "SparkContext", None)
    if kind is not None:
        kind.stop = _then(kind.stop, session.notice)
    sql = sys.modules.get("pyspark.sql")
    for name in ("getActiveSession", "active"):
        original = getattr(getattr(sql, "SparkSession", None), name, None)
        if original is not None:
            setattr(sql.SparkSession, name, _or_else(original, session))  # type: ignore[union-attr]


def _then(original: Callable[..., Any], also: Callable[[], None]) -> Callable[..., Any]:
    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        also()
        return result

    return method


def _or_else(original: Callable[[], Any], session: Any) -> Any:
    """Return a class method that starts the session if none is active."""

    @functools.wraps(original)
    def method(kind: Any) -> Any:
        found: Optional[Any] = None
        if session.objects:
            try:
                found = original()
            except Exception:  # ``active`` raises if there is none
                pass
        return session.get("spark") if found is None else found

    return classmethod(method)
