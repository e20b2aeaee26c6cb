"""``spark`` and ``sc`` in a notebook: there when they are used, or the reason why not.

Copied into a kernelspec's folder as ``jhpatch_pyspark.py``; the ``startup.py`` there, which
PYTHONSTARTUP names, calls ``begin``. It uses the standard library alone, runs on Python 3.6
and later, and imports pyspark only to start a session.
"""

import atexit
import json
import os
import sys
import threading
import time
import types
from typing import Any, Callable, Dict, List, Optional

if __name__ == "jhpatch_pyspark":  # in a kernel, where no jhpatch need be
    import jhpatch_reasons as reasons  # type: ignore[import-not-found]
else:
    from jhpatch.deployed import reasons

VARIABLE = "JHPATCH_PYSPARK"
CHECKED = "jhpatch_pyspark.check"
"""What the line of ``check`` begins with."""
_PROGRESS = 2.0  # seconds between two words on how far it is
_LINES = 400  # lines of what the JVM says that are kept
_LOOK = 15.0  # seconds between two looks at an idle session
_READY = 10.0  # seconds that a start in the background leaves IPython to start itself
_PATIENCE = 3.0  # seconds that a first cell waits for what is known before any JVM starts


# The session.


class NotStarted(RuntimeError):
    """Spark did not start; ``fault`` says why. Shown without a traceback."""

    def __init__(self, fault: reasons.Fault, said: str = "") -> None:
        super().__init__("%s [%s]" % (fault.message, fault.code))
        self.fault = fault
        self.said = said
        """What Spark and its JVM said, for who wants to read it."""

    def _render_traceback_(self) -> List[str]:
        """What IPython shows in place of a traceback."""
        lines: List[str] = reasons.told(self.fault).splitlines()
        return lines


class _Listener:
    """File descriptor 2 while a JVM starts: what that says is kept, and passed on.

    The JVM keeps its end for as long as it lives, and so does the thread.
    """

    def __init__(self) -> None:
        self.lines: List[str] = []
        self._old = os.dup(2)
        reader, writer = os.pipe()
        os.dup2(writer, 2)
        os.close(writer)
        self._thread = threading.Thread(target=self._listen, args=(reader,), daemon=True)
        self._thread.start()

    def _listen(self, reader: int) -> None:
        with os.fdopen(reader, "rb") as pipe:
            for line in iter(pipe.readline, b""):
                self.lines = self.lines[-_LINES:] + [line.decode("utf-8", "replace")]
                try:
                    os.write(self._old, line)
                except OSError:
                    pass
        os.close(self._old)

    def stop(self) -> None:
        """Descriptor 2 is as it was, for all but the JVM."""
        os.dup2(self._old, 2)

    def last_words(self) -> str:
        """What was said; of a JVM that has just ended, to its end."""
        self._thread.join(2.0)
        return "".join(self.lines)


class Session:
    """The one Spark session of a kernel, started at its first use.

    ``say`` shows a line, and whether the next one may take its place; ``environ`` is the
    kernel's.
    """

    def __init__(
        self, environ: "os._Environ[str]", say: Callable[[str, bool], None], idle_stop: float = 0
    ) -> None:
        self._environ = environ
        self._say = say
        self._lock = threading.RLock()
        self._error: Optional[NotStarted] = None
        self._looked = threading.Event()
        self._used = time.monotonic()
        self._cells = threading.Lock()  # not the other: a cell that needs no Spark runs on
        self._busy = 0
        self.idle_stop = idle_stop
        """Seconds; 0: never."""
        self.objects: Dict[str, Any] = {}
        """``spark``, ``sc``, ``sqlContext``; empty where none runs."""
        self.on_change: Callable[[], None] = lambda: None

    def get(self, name: str) -> Any:
        """``spark`` or ``sc``. Raises NotStarted."""
        with self._lock:
            error, self._error = self._error, None
            if error is not None and not self.objects:
                raise error
            if not self.objects:
                self._start()
            return self.objects[name]

    def in_background(self, ready: threading.Event) -> None:
        """Starts it while the kernel already answers; the next ``get`` says what came of it.

        ``ready``: set once the kernel runs, which is waited for, but not for ever.
        """

        def start() -> None:
            with self._lock:
                begun.set()
                ready.wait(_READY)
                try:
                    if not self.objects:
                        self._start()
                except NotStarted as error:
                    self._error = error
                except Exception as error:  # a mistake of ours is no silence either
                    words = _words(error)
                    self._error = NotStarted(reasons.meaning(words), words)
                finally:
                    self._looked.set()

        begun = threading.Event()
        threading.Thread(target=start, name="jhpatch-pyspark", daemon=True).start()
        begun.wait(5)  # whoever asks now waits for it, and starts no other

    def failure(self) -> Optional[NotStarted]:
        """Why the start in the background failed, as far as it is known without a JVM."""
        self._looked.wait(_PATIENCE)  # "Run all" is quicker than a look at Java and the ticket
        return self._error

    def _start(self) -> None:
        for fault in reasons.look(self._environ):
            if reasons.CAUSES[fault.code].severity == "error":
                raise NotStarted(fault)
            self._say(reasons.told(fault), False)
        self._looked.set()
        began, over = time.monotonic(), threading.Event()
        settings = reasons.settings_of(self._environ)
        where = settings.get("spark.master", "local")
        queue = settings.get("spark.yarn.queue", "default")
        where += ", queue " + queue if where.startswith("yarn") else ""
        threading.Thread(target=self._progress, args=(where, over), daemon=True).start()
        listener = _Listener()
        try:
            self.objects = _created(self._environ)
        except BaseException as error:
            listener.stop()
            over.set()
            last = _words(error)  # py4j asks the JVM for them
            self._tear_down()
            if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
                raise
            said = "%s\n%s" % (last, listener.last_words())
            raise NotStarted(reasons.meaning(said), said) from None
        listener.stop()
        over.set()
        self._used = time.monotonic()
        words = (self.version(), self.application(), self._used - began)
        self._say("Spark %s is there: %s, after %.0f s" % words, False)
        self.on_change()
        if self.idle_stop:
            threading.Thread(target=self._watch, daemon=True).start()

    def _progress(self, where: str, over: threading.Event) -> None:
        began = time.monotonic()
        while not over.wait(_PROGRESS):
            self._say("Spark is starting (%s): %.0f s" % (where, time.monotonic() - began), True)

    def version(self) -> str:
        """The running Spark's release."""
        return str(self.objects["sc"].version)

    def application(self) -> str:
        """The running application's id."""
        return str(self.objects["sc"].applicationId)

    def stop(self) -> None:
        """Ends the application and its JVM."""
        with self._lock:
            if self.objects:
                try:
                    self.objects["sc"].stop()
                except Exception:
                    pass  # the JVM is gone: so is the session
                self._tear_down()
                self.on_change()

    def _tear_down(self) -> None:
        """Forgets a JVM, which ends: it would keep a login that has failed or expired."""
        self.objects = {}
        context = getattr(sys.modules.get("pyspark"), "SparkContext", None)
        gateway = getattr(context, "_gateway", None)
        if gateway is None or context is None:
            return
        ends: List[Callable[[], Any]] = [gateway.shutdown, lambda: gateway.proc.stdin.close()]
        for end in ends:
            try:
                end()
            except Exception:
                pass  # Spark 1 and 2 keep no ``proc``: the JVM ends with the gateway
        context._gateway = context._jvm = context._active_spark_context = None
        sql = sys.modules.get("pyspark.sql")
        for name in ("_instantiatedSession", "_instantiatedContext"):
            for kind in (getattr(sql, "SparkSession", None), getattr(sql, "SQLContext", None)):
                if hasattr(kind, name):
                    setattr(kind, name, None)

    # An idle session.

    def busy(self, change: int) -> None:
        """A cell begins (1) or has ended (-1)."""
        with self._cells:
            self._busy = max(self._busy + change, 0)
            self._used = time.monotonic()

    def _watch(self) -> None:
        """A cell that begins while the session is being stopped waits for that, and starts it."""
        while self.objects:
            time.sleep(min(_LOOK, self.idle_stop / 4))
            with self._lock, self._cells:
                idle = time.monotonic() - self._used
                if self.objects and self.objects["sc"]._jsc is None:
                    self.objects = {}  # by the user, who may have made another
                    self.on_change()
                elif not self.objects or self._busy or self._works():
                    self._used = time.monotonic()
                elif idle >= self.idle_stop:
                    self.stop()
                    self._say("Spark was stopped after %.0f idle minutes" % (idle / 60), False)

    def _works(self) -> bool:
        """Whether a job runs that no cell waits for, or a stream."""
        try:
            if self.objects["sc"].statusTracker().getActiveJobsIds():
                return True
            return bool(self.objects["spark"].streams.active)
        except Exception:
            return False


def _words(error: BaseException) -> str:
    """What an error says, with its type: one of Java's may be gone with its JVM."""
    try:
        return "%s: %s" % (type(error).__name__, error)
    except Exception:
        return type(error).__name__


def _created(environ: "os._Environ[str]") -> Dict[str, Any]:
    """A session as Spark's own shell.py makes it, and its context."""
    _pass_on_krb5_conf(environ)
    import pyspark  # type: ignore[import-not-found,unused-ignore]

    sql = __import__("pyspark.sql", fromlist=["sql"])
    pyspark.SparkContext._ensure_initialized()
    conf = pyspark.SparkConf()
    # As _create_shell_session does, which would submit a second time where the first fails.
    if _has_hive(pyspark.SparkContext._jvm) and not conf.get(_CATALOG, None):
        conf.set(_CATALOG, "hive")
    context = pyspark.SparkContext.getOrCreate(conf)
    if not hasattr(sql, "SparkSession"):  # Spark 1
        return {"sc": context, "sqlContext": sql.HiveContext(context)}
    return {"spark": sql.SparkSession.builder.getOrCreate(), "sc": context}


_CATALOG = "spark.sql.catalogImplementation"


def _has_hive(jvm: Any) -> bool:
    """Whether this Spark was built with Hive."""
    try:
        jvm.org.apache.hadoop.hive.conf.HiveConf()
    except Exception:  # it is a package then, which cannot be called; or it is broken
        return False
    return True


def _pass_on_krb5_conf(environ: "os._Environ[str]") -> None:
    """The JDK does not read KRB5_CONFIG: spark-class hands these options to the driver's JVM."""
    path, old = environ.get("KRB5_CONFIG", ""), environ.get("SPARK_SUBMIT_OPTS", "")
    if path and ":" not in path and "java.security.krb5.conf" not in old:
        environ["SPARK_SUBMIT_OPTS"] = (old + " -Djava.security.krb5.conf=" + path).strip()


# The names in the notebook.

_KINDS = {"spark": "SparkSession", "sc": "SparkContext"}
_LOOKERS = ("jedi.", "IPython.core.completer", "IPython.core.oinspect", "_pydevd", "debugpy")
_FINDER = ("IPython.core.interactiveshell", "_ofind")  # of ``sc.stop?``
_PROBES = ("_ipython_", "_repr_", "__wrapped__", "_jhpatch")


class Lazy:
    """``spark`` or ``sc`` of a session that does not run: any use of it starts that.

    What only looks (completion, %who, a variable inspector) does not.
    """

    def __init__(self, session: Session, name: str) -> None:
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
        """IPython would take the class that it will be of at its word."""
        return {"text/plain": repr(self)}

    def __repr__(self) -> str:
        return "<%s: starts when it is used>" % _KINDS[self._jhpatch[1]]

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """So that isinstance() holds, as it will."""
        return _kind(self) or Lazy


def _is_only_looked_at() -> bool:
    """Whether completion, help or a debugger asks, which does not mean to use it."""
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
    """The class that it will be of: pyspark is imported for it, no JVM started."""
    try:
        module = __import__("pyspark.sql", fromlist=["sql"])
    except Exception:
        return None
    name = _KINDS[lazy._jhpatch[1]]
    return getattr(module, name, None) or getattr(sys.modules.get("pyspark"), name, None)


class Names:
    """``spark`` and ``sc`` in a user's namespace: lazy ones, or those of the running session."""

    def __init__(self, session: Session, shell: Any) -> None:
        self._shell = shell
        self._namespace: Dict[str, Any] = shell.user_ns
        self._session = session
        self._ours: Dict[str, Any] = {}
        release = reasons.numbers(reasons.spark_version(os.environ.get("SPARK_HOME", "")))
        names = ("sc",) if release[:1] == (1,) else tuple(_KINDS)
        self._lazy = {name: Lazy(session, name) for name in names}
        session.on_change = self.put

    def put(self) -> None:
        """Puts them there, where the user has nothing else of the name."""
        for name, lazy in dict(self._lazy, **self._session.objects).items():
            mine = self._ours.get(name)
            if name not in self._namespace or self._namespace[name] is mine:
                self._namespace[name] = self._ours[name] = lazy

    def show(self) -> None:
        """IPython hides what was there before the first cell from %who: not these."""
        for name in self._lazy:
            self._shell.user_ns_hidden.pop(name, None)


def _show(text: str, passing: bool = False) -> None:
    """A line in the cell that runs, in place of a passing one before it."""
    print("\r%-60s" % text, end="" if passing else "\n", file=sys.stderr, flush=True)


SESSION: Optional[Session] = None
"""The kernel's own, once ``begin`` was called."""


def begin(shell: Any) -> None:
    """Called by startup.py in a kernel: puts ``spark`` and ``sc`` there, and starts them or not.

    ``shell``: IPython's. Its user sees, in the first cell that is run, why the start failed.
    """
    global SESSION
    options = options_of(os.environ.get(VARIABLE, ""))
    SESSION = session = Session(os.environ, _show, 60 * options["idle_stop"])
    names = Names(session, shell)
    names.put()
    register = shell.events.register
    register("pre_run_cell", lambda *info: session.busy(1))
    register("pre_run_cell", lambda *info: names.show())
    register("post_run_cell", lambda *result: session.busy(-1))
    atexit.register(session.stop)
    if not options["lazy"]:
        session.in_background(_running())
        register("pre_run_cell", _first_words(session))


def _running() -> threading.Event:
    """Set when the kernel's loop runs: IPython has run all its start-up files then.

    It takes the folder of each out of ``sys.path`` (``prepended_to_syspath``), and an import
    in another thread, which goes through that list, would skip an entry.
    """
    ready = threading.Event()
    try:
        from tornado.ioloop import IOLoop

        IOLoop.current().add_callback(ready.set)
    except Exception:  # no kernel of ipykernel's
        ready.set()
    return ready


def options_of(text: str) -> Dict[str, Any]:
    """What the variable says: ``lazy``, and ``idle_stop`` in minutes; else the defaults."""
    found: Dict[str, Any] = {"lazy": False, "idle_stop": 0}
    try:
        found.update(json.loads(text or "{}"))
        found["idle_stop"] = max(float(found["idle_stop"]), 0.0)
    except (ValueError, TypeError):
        found = {"lazy": False, "idle_stop": 0}
    return found


def _first_words(session: Session) -> Callable[..., None]:
    shown: List[NotStarted] = []

    def tell(*info: Any) -> None:
        error = session.failure()
        if error is not None and error not in shown:
            shown.append(error)
            _show(reasons.told(error.fault))

    return tell


def check() -> None:
    """Prints one line of JSON: what came of a first job. ``jhpatch kernelspec check`` runs it."""
    session, began = SESSION, time.monotonic()
    assert session is not None
    found: Dict[str, Any] = {"python": list(sys.version_info[:3])}
    try:
        session.get("sc")
        context, spark = session.objects["sc"], session.objects.get("spark")
        rows = spark.range(1000).rdd if spark else context.parallelize(range(1000))
        # By a function, which a worker's Python must run: count() alone stays in the JVM.
        found.update(count=rows.map(lambda row: row).count(), spark=session.version())
        found.update(application=session.application(), master=str(context.master))
    except NotStarted as error:
        found["fault"] = reasons.packed(error.fault)
    except Exception as error:
        found["fault"] = reasons.packed(reasons.meaning(str(error)))
    found["seconds"] = round(time.monotonic() - began, 1)
    print("%s %s" % (CHECKED, json.dumps(found)))
