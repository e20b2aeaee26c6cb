"""``spark`` and ``sc`` in a notebook: available when they are used, or the reason why not.

Copied into a kernelspec's directory as ``jhpatch_pyspark.py``; the ``startup.py`` there, which
PYTHONSTARTUP names, calls ``begin``. This module and those beside it require only the standard
library and run on Python 3.6 and later. They import pyspark only when it is used or inspected.
"""

import atexit
import json
import os
import sys
import threading
from typing import Any, Callable, Dict, List, Optional

if __name__.startswith("jhpatch_"):  # in a kernel, whose Python need not have jhpatch
    import jhpatch_reasons as reasons  # type: ignore[import-not-found]
    import jhpatch_spark_imports as spark_imports  # type: ignore[import-not-found]
    import jhpatch_spark_names as spark_names  # type: ignore[import-not-found]
    import jhpatch_spark_session as spark_session  # type: ignore[import-not-found]
    import jhpatch_spark_start as spark_start  # type: ignore[import-not-found]
else:
    from jhpatch.deployed import (
        reasons,
        spark_imports,
        spark_names,
        spark_session,
        spark_start,
    )

VARIABLE = "JHPATCH_PYSPARK"
NotStarted = spark_start.NotStarted
Session = spark_session.Session
_CONNECT = ("SPARK_REMOTE", "SPARK_LOCAL_REMOTE", "SPARK_CONNECT_MODE_ENABLED")

SESSION: Optional[spark_session.Session] = None
"""The session of the kernel, once ``begin`` was called."""


def begin(shell: Any) -> None:
    """Define ``spark`` and ``sc`` in a kernel; start Spark unless the options defer that.

    startup.py calls this. ``shell`` is IPython's. The first cell that runs shows why the start
    failed.
    """
    global SESSION
    options = options_of(os.environ.get(VARIABLE, ""))
    _prepare(os.environ)
    SESSION = session = Session(os.environ, _show, 60 * options["idle_stop"])
    names = spark_names.Names(session, shell)
    names.put()
    _on_import(session)
    register = shell.events.register
    if not options["lazy"]:
        session.in_background(_running())
        register("pre_run_cell", _first_words(session))
    register("pre_run_cell", lambda *info: session.before_cell())
    register("pre_run_cell", lambda *info: names.show())
    register("post_run_cell", lambda *result: session.after_cell(_error_of(*result)))
    session.watch()
    atexit.register(session.stop)


def _prepare(environ: "os._Environ[str]") -> None:
    """Set what Spark's programs read from the environment."""
    # The JDK does not read KRB5_CONFIG: spark-class hands these options to the driver's JVM.
    path, old = environ.get("KRB5_CONFIG", ""), environ.get("SPARK_SUBMIT_OPTS", "")
    if path and ":" not in path and "java.security.krb5.conf" not in old:
        environ["SPARK_SUBMIT_OPTS"] = (old + " -Djava.security.krb5.conf=" + path).strip()
    # The kernel's session is a classic one, even if pip's pyspark-connect is installed.
    for name in _CONNECT:
        environ.pop(name, None)
    environ["SPARK_CONNECT_MODE"] = "0"
    environ["SPARK_API_MODE"] = "classic"


def _on_import(session: spark_session.Session) -> None:
    def after(pyspark: Any) -> None:
        spark_imports.teach(pyspark, session)
        if not spark_names.is_looking():
            session.adopt()

    if "pyspark" in sys.modules:
        spark_imports.teach(sys.modules["pyspark"], session)
    else:
        sys.meta_path.insert(0, spark_imports.Finder(after))


def _error_of(result: Any = None) -> Optional[BaseException]:
    error: Optional[BaseException] = getattr(result, "error_in_exec", None)
    return error


def _running() -> threading.Event:
    """Return an event that is set when the kernel's loop runs: IPython has started then."""
    ready = threading.Event()
    try:
        from tornado.ioloop import IOLoop

        IOLoop.current().add_callback(ready.set)
    except Exception:  # not a kernel of ipykernel
        ready.set()
    return ready


def options_of(text: str) -> Dict[str, Any]:
    """Return the variable's options: ``lazy``, and ``idle_stop`` in minutes; or the defaults."""
    found: Dict[str, Any] = {"lazy": False, "idle_stop": 0}
    try:
        found.update(json.loads(text or "{}"))
        found["idle_stop"] = max(float(found["idle_stop"]), 0.0)
    except (ValueError, TypeError):
        found = {"lazy": False, "idle_stop": 0}
    return found


def _show(text: str, passing: bool = False) -> None:
    """Show a line in the last cell; it replaces a ``passing`` line before it."""
    line = "\r%-60s%s" % (text, "" if passing else "\n")
    if threading.current_thread() is threading.main_thread():
        print(line, end="", file=sys.stderr, flush=True)
    else:
        spark_start.write(line.encode("utf-8", "replace"))


def _first_words(session: spark_session.Session) -> Callable[..., None]:
    shown: List[spark_start.NotStarted] = []

    def tell(*info: Any) -> None:
        error = session.failure()
        if error is not None and error not in shown:
            shown.append(error)
            _show(reasons.told(error.fault))

    return tell
