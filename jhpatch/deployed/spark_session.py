"""The one Spark session of a kernel: started at its first use or before it, stopped when idle.

Copied into a kernelspec's directory as ``jhpatch_spark_session.py``.
"""

import os
import sys
import threading
import time
from typing import Any, Callable, Dict, List, Optional

if __name__.startswith("jhpatch_"):  # in a kernel, whose Python need not have jhpatch
    import jhpatch_reasons as reasons  # type: ignore[import-not-found]
    import jhpatch_spark_jobs as spark_jobs  # type: ignore[import-not-found]
    import jhpatch_spark_start as spark_start  # type: ignore[import-not-found]
else:
    from jhpatch.deployed import reasons, spark_jobs, spark_start

_LOOK = 15.0  # seconds at most between two checks of a session that may be idle
_PATIENCE = 3.0  # seconds that a first cell waits for the checks before a JVM starts
_WARN = 0.75  # the part of the idle time after which the owner of cached data is warned
_LOCK = 2.0  # seconds
_PORT, _SECRET = "PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET"


class Session:
    """A Spark session and its context; it takes over a session that the user has built.

    ``say`` shows a line; its second argument is whether the next line may replace it. ``environ``
    is the kernel's environment. ``idle_stop`` is in seconds, 0 for never. ``clock`` returns
    seconds.
    """

    def __init__(
        self,
        environ: "os._Environ[str]",
        say: spark_start.Say,
        idle_stop: float = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._environ = environ
        self._say = say
        self._clock = clock
        self._lock = threading.RLock()
        self._start: Optional[spark_start.Start] = None
        self._jvm: Optional[spark_start.Jvm] = None
        self._cells = threading.Lock()  # a separate lock: a cell that needs no Spark must not wait
        self._busy = 0
        self._began = 0.0  # the last cell, in seconds since the epoch
        self._used = self._clock()
        self._seen = -1  # jobs at the last check
        self._warned = False
        self.idle_stop = idle_stop
        self.objects: Dict[str, Any] = {}
        """``spark``, ``sc``, ``sqlContext``; empty if none runs."""
        self.on_change: Callable[[], None] = lambda: None

    # Its start.

    def get(self, name: str) -> Any:
        """Return ``spark`` or ``sc``; start them if they do not run. Raises NotStarted."""
        # Before the lock: a thread that imports pyspark waits for the lock (spark_imports).
        _import_pyspark()
        with self._lock:
            self.notice()
            if not self.objects:
                self._connect()
            return self.objects[name]

    def in_background(self, ready: threading.Event) -> None:
        """Start Spark in the background; ``ready`` is set once the kernel answers."""
        self._start = spark_start.Start(self._environ, self._say, ready)

    def failure(self) -> Optional[spark_start.NotStarted]:
        """Return why the start in the background failed, as far as it is known without a JVM."""
        start = self._start
        if start is None:
            return None
        start.looked(_PATIENCE)  # "Run all" is faster than the checks of Java and the ticket
        return start.error

    def adopt(self) -> None:
        """Wait for a start in the background, if there is one.

        The user's code imports pyspark: it will find an active session, as in Spark's own shell.
        """
        start = self._start
        if start is None or self.objects or start.error is not None:
            return
        try:
            start.wait()
            self.get("sc")
        except spark_start.NotStarted:
            pass  # the next use of ``spark`` raises it

    def _connect(self) -> None:
        self._tear_down()  # the JVM of a session that the user has stopped
        start = self._start or spark_start.Start(self._environ, self._say)
        self._start = start
        try:
            self._jvm = start.wait()
            self.objects = _connected(self._environ, self._jvm)
        except BaseException as error:
            said = _words(error)  # while the JVM runs: py4j asks it for the message
            start.cancel()
            self._tear_down()
            if isinstance(error, (KeyboardInterrupt, GeneratorExit, spark_start.NotStarted)):
                raise
            raise spark_start.NotStarted(reasons.meaning(said), said) from None
        finally:
            self._start = None
        self._used = self._clock()
        words = (self._jvm.version, self._jvm.application, self._used - start.began)
        self._say("Spark %s is ready: %s, after %.0f s" % words, False)
        self.on_change()

    def notice(self) -> None:
        """Forget a session that was stopped or whose JVM ended; take over one of the user's."""
        # Do not wait forever: SparkContext.stop calls this, and its thread may hold a lock of
        # pyspark that the holder of this lock is waiting for.
        if not self._lock.acquire(timeout=_LOCK):
            return
        try:
            context, before = self.objects.get("sc"), self.objects
            if self._jvm is not None and self._jvm.ended.is_set():
                self._tear_down()
                self._say("Spark's JVM has ended; the next use of Spark starts another one", False)
            elif context is not None and context._jsc is None:
                self.objects = {}
            if not self.objects:
                self.objects = _running()
            if self.objects != before:
                self.on_change()
        finally:
            self._lock.release()

    def version(self) -> str:
        """Return the running Spark's release."""
        return str(self.objects["sc"].version)

    def application(self) -> str:
        """Return the running application's id."""
        return str(self.objects["sc"].applicationId)

    # Its end.

    def stop(self) -> None:
        """End the application and its JVM, and a start that is under way."""
        start = self._start
        if start is not None:
            start.cancel()
        with self._lock:
            self._start = None
            if self.objects:
                try:
                    self.objects["sc"].stop()
                except Exception:
                    pass  # the JVM is gone: so is the session
            self._tear_down()
            self.on_change()

    def _tear_down(self) -> None:
        """End and forget the JVM, which would keep a login that has failed or expired."""
        jvm, self._jvm, self.objects = self._jvm, None, {}
        context = getattr(sys.modules.get("pyspark"), "SparkContext", None)
        gateway = getattr(context, "_gateway", None)
        ends: List[Callable[[], Any]] = []
        if gateway is not None:
            ends = [gateway.shutdown, lambda: gateway.proc.stdin.close()]
            # Wait for its exit, so that it does not remain a zombie.
            ends.append(lambda: threading.Thread(target=gateway.proc.wait, daemon=True).start())
        if jvm is not None:
            ends.append(jvm.stdin.close)
        for end in ends:
            try:
                end()
            except Exception:
                pass  # Spark 1 and 2 keep no ``proc``: the JVM ends with the gateway
        if context is None or gateway is None:
            return
        context._gateway = context._jvm = context._active_spark_context = None
        sql = sys.modules.get("pyspark.sql")
        for name in ("_instantiatedSession", "_activeSession", "_instantiatedContext"):
            for kind in (getattr(sql, "SparkSession", None), getattr(sql, "SQLContext", None)):
                if hasattr(kind, name):
                    setattr(kind, name, None)

    # The cells.

    def before_cell(self) -> None:
        """Note that a cell begins."""
        with self._cells:
            self._busy += 1
            self._began = time.time()
            self._used = self._clock()
        if self.objects:
            self.notice()
        elif "pyspark" in sys.modules:  # imported by other code than a cell
            self.adopt()

    def after_cell(self, error: Optional[BaseException] = None) -> None:
        """Note that a cell has ended. If it was interrupted, cancel the jobs since its start."""
        with self._cells:
            self._busy = max(self._busy - 1, 0)
            self._used = self._clock()
        if "pyspark" in sys.modules and self._start is None:
            self.notice()
        context, interrupt = self.objects.get("sc"), spark_jobs.interrupt_of(error)
        if context is not None and interrupt is not None:
            spark_jobs.cancel_since(context, self._began, interrupt)

    # An idle session.

    def watch(self) -> None:
        """Start a thread that stops the session when it is idle."""

        def watch() -> None:
            while True:
                time.sleep(min(_LOOK, self.idle_stop / 8))
                self.look()

        if self.idle_stop:
            threading.Thread(target=watch, name="jhpatch-spark-idle", daemon=True).start()

    def look(self) -> None:
        """Stop a session in which nothing has happened for long enough.

        This compares the numbers of jobs, so that it misses none between two checks.
        """
        self.notice()
        used, context = self._used, self.objects.get("sc")
        activity = _activity_of(context) if context is not None else None
        with self._lock:
            works = activity is None or activity.works or activity.jobs != self._seen
            self._seen = activity.jobs if activity else -1
            if works or self._busy or activity is None:
                self._used, self._warned = max(used, self._clock()), False
                return
            idle = self._clock() - used
            if activity.cached and not self._warned and idle >= _WARN * self.idle_stop:
                self._warned = True
                self._warn(activity.cached, used)
            # A cell that begins now waits until Spark is stopped, and starts it again if needed.
            with self._cells:
                if idle < self.idle_stop or self._busy or self._used != used:
                    return
                if self.objects.get("sc") is not context:
                    return
                if _activity_of(context) == activity:
                    self.stop()
                    words = (
                        "Spark stopped after %.0f minutes without use; the next use restarts it"
                    )
                    self._say(words % (idle / 60), False)

    def _warn(self, cached: int, used: float) -> None:
        seconds = max(used + self.idle_stop - self._clock(), 0)
        words = "Spark stops in %.0f s and discards %d cached DataFrames or RDDs"
        self._say((words + ", unless you run a cell") % (seconds, cached), False)


def _activity_of(context: Any) -> Optional[spark_jobs.Activity]:
    try:
        return spark_jobs.activity_of(context)
    except Exception:
        return None


def _words(error: BaseException) -> str:
    """Return an error's type and message; a Java error's message may be gone with its JVM."""
    try:
        return "%s: %s" % (type(error).__name__, error)
    except Exception:
        return type(error).__name__


def _import_pyspark() -> Any:
    """Return pyspark.sql; None if it cannot be imported: the start reports why."""
    try:
        return __import__("pyspark.sql", fromlist=["sql"])
    except Exception:
        return None


def _connected(environ: "os._Environ[str]", jvm: spark_start.Jvm) -> Dict[str, Any]:
    """Return the session and the context of a JVM that has them, as pyspark's objects."""
    import pyspark  # type: ignore[import-not-found,unused-ignore]

    kind = pyspark.SparkContext
    try:
        environ.update({_PORT: str(jvm.port), _SECRET: jvm.secret})
        kind._ensure_initialized()
    finally:  # a program that a cell runs must start a JVM of its own
        environ.pop(_PORT, None)
        environ.pop(_SECRET, None)
    scala = kind._jvm.org.apache.spark.SparkContext.getOrCreate()
    java = kind._jvm.org.apache.spark.api.java.JavaSparkContext(scala)
    context = kind(conf=pyspark.SparkConf(_jconf=scala.getConf()), jsc=java)
    sql: Any = sys.modules["pyspark.sql"]
    if not hasattr(sql, "SparkSession"):  # Spark 1
        return {"sc": context, "sqlContext": sql.HiveContext(context)}
    return {"spark": sql.SparkSession.builder.getOrCreate(), "sc": context}


def _running() -> Dict[str, Any]:
    """Return the session and the context that the user's code has built; empty for none."""
    pyspark: Any = sys.modules.get("pyspark")
    sql: Any = sys.modules.get("pyspark.sql")
    context = getattr(getattr(pyspark, "SparkContext", None), "_active_spark_context", None)
    if getattr(context, "_jsc", None) is None:
        return {}
    if not hasattr(sql, "SparkSession"):  # Spark 1
        return {"sc": context}
    try:
        spark = sql.SparkSession._instantiatedSession or sql.SparkSession.builder.getOrCreate()
        return {"spark": spark, "sc": context}
    except Exception:
        return {}
