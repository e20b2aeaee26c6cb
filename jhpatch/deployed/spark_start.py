"""Start Spark in child processes of a kernel: a JVM and its context, or why there is none.

Copied into a kernelspec's directory as ``jhpatch_spark_start.py``. Its thread imports nothing,
because an import in a thread can break the imports of a cell that runs at the same time.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import IO, Any, Callable, Dict, List, NamedTuple, Optional

if __name__.startswith("jhpatch_"):  # in a kernel, whose Python need not have jhpatch
    import jhpatch_reasons as reasons  # type: ignore[import-not-found]
else:
    from jhpatch.deployed import reasons

Say = Callable[[str, bool], None]
"""Shows a line; the second argument is whether the next line may replace it."""
_CHILD = os.path.join(
    os.path.dirname(os.path.abspath(__file__)),
    os.path.basename(__file__).replace("spark_start", "spark_child"),
)
_PROGRESS = 2.0  # seconds between two lines of progress
_TAIL = 65536  # bytes of the JVM's output that are kept
_READY = 10.0  # the most seconds that a start in the background waits for IPython to start
"".encode("idna")  # the thread resolves host names, and Python imports this codec at first use


class NotStarted(RuntimeError):
    """Spark did not start; ``fault`` is the reason. IPython shows it without a traceback."""

    def __init__(self, fault: reasons.Fault, said: str = "") -> None:
        super().__init__("%s [%s]" % (fault.message, fault.code))
        self.fault = fault
        self.said = said
        """The output of Spark and its JVM."""

    def _render_traceback_(self) -> List[str]:
        """Return what IPython shows in place of a traceback."""
        lines: List[str] = reasons.told(self.fault).splitlines()
        return lines


class Jvm(NamedTuple):
    """A running JVM, with the port and the secret of its gateway."""

    port: int
    secret: str
    version: str
    """Spark's release."""
    application: str
    stdin: IO[bytes]
    """The JVM exits when this pipe is closed."""
    ended: threading.Event


class Output:
    """Shows the output of the JVM in the cell that runs, and keeps its end."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        self._tail = b""
        self.ended = threading.Event()
        threading.Thread(target=self._relay, name="jhpatch-spark-output", daemon=True).start()

    def _relay(self) -> None:
        """Pass on output as it arrives: a progress bar has no line breaks."""
        chunk = os.read(self._pipe.fileno(), 8192)
        while chunk:
            self._tail = (self._tail + chunk)[-_TAIL:]
            write(chunk)
            chunk = os.read(self._pipe.fileno(), 8192)
        self._pipe.close()
        self.ended.set()

    def text(self) -> str:
        """Return the end of the output; wait up to 2 s for that of a JVM that has just ended."""
        self.ended.wait(2.0)
        return self._tail.decode("utf-8", "replace")


def write(chunk: bytes) -> None:
    """Write to standard error from any thread, so that it appears in the last cell.

    ipykernel shows what a thread prints in the cell that started the thread, if any. From release
    6 on, it also reads descriptor 2.
    """
    try:
        os.write(2, chunk)
        if not getattr(sys.stderr, "_should_watch", False):
            sys.stderr.write(chunk.decode("utf-8", "replace"))
            sys.stderr.flush()
    except (OSError, ValueError):
        pass  # the reader has closed the stream


class Start:
    """Starts Spark in a thread; ``wait`` returns the JVM.

    The thread waits for ``ready``, which is set once IPython has started: the JVM would slow that
    down.
    """

    def __init__(
        self, environ: "os._Environ[str]", say: Say, ready: Optional[threading.Event] = None
    ) -> None:
        self._environ = dict(environ)
        self._say = say
        self._lock = threading.Lock()
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._cancelled = False
        self._done = threading.Event()
        self._looked = threading.Event()
        self._notes: List[reasons.Fault] = []
        self._told = 0
        self._jvm: Optional[Jvm] = None
        self.error: Optional[NotStarted] = None
        """Why there is no JVM, once it is known."""
        self.began = time.monotonic()
        thread = threading.Thread(
            target=self._run, args=(ready,), name="jhpatch-spark", daemon=True
        )
        thread.start()

    def looked(self, seconds: float) -> None:
        """Wait until the checks without a JVM are done, for at most ``seconds``."""
        self._looked.wait(seconds)

    def wait(self) -> Jvm:
        """Return the JVM; show the progress meanwhile. Raises NotStarted."""
        settings = reasons.settings_of(self._environ)
        where = settings.get("spark.master", "local")
        queue = settings.get("spark.yarn.queue", "default")
        where += ", queue " + queue if where.startswith("yarn") else ""
        while not self._done.wait(_PROGRESS):
            self._tell()
            words = "Spark is starting (%s): %.0f s"
            self._say(words % (where, time.monotonic() - self.began), True)
        if self.error is not None:
            raise self.error
        self._tell()
        assert self._jvm is not None
        return self._jvm

    def _tell(self) -> None:
        """Show the warnings, once."""
        told, self._told = self._told, len(self._notes)
        for fault in self._notes[told:]:
            self._say("%s  [%s]" % (fault.message, fault.code), False)

    def cancel(self) -> None:
        """End the child processes."""
        with self._lock:
            self._cancelled = True
            process = self._process
        if process is not None and process.stdin is not None:
            if not self._done.is_set():
                try:
                    os.killpg(process.pid, signal.SIGTERM)  # the JVM too: it ends its application
                except OSError:
                    pass
            _close(process.stdin)

    def _run(self, ready: Optional[threading.Event]) -> None:
        try:
            if ready is not None:
                ready.wait(_READY)
            self._look()
            self._looked.set()
            self._jvm = self._launch()
        except NotStarted as error:
            self.error = error
        except Exception as error:  # a bug of jhpatch is reported too
            text = "%s: %s" % (type(error).__name__, error)
            self.error = NotStarted(reasons.meaning(text), text)
        finally:
            self._looked.set()
            self._done.set()

    def _look(self) -> None:
        for fault in reasons.look(self._environ):
            if reasons.CAUSES[fault.code].severity == "error":
                raise NotStarted(fault)
            self._notes.append(fault)

    def _launch(self) -> Jvm:
        with self._lock:
            if self._cancelled:
                raise NotStarted(reasons.Fault("spark-failed", "the start was interrupted"))
            self._process = process = subprocess.Popen(
                [sys.executable, _CHILD],
                env=self._environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # an interrupt of a cell does not reach it
            )
        assert process.stdin and process.stdout and process.stderr
        output = Output(process.stderr)
        with process.stdout:
            text = process.stdout.read().decode("utf-8", "replace")
        process.wait()
        answer = _parsed(text, process.returncode)
        if "port" in answer:
            names = (answer["version"], answer["application"])
            return Jvm(answer["port"], answer["secret"], *names, process.stdin, output.ended)
        _close(process.stdin)
        raise NotStarted(self._fault(answer, output), output.text())

    def _fault(self, answer: Dict[str, Any], output: Output) -> reasons.Fault:
        if "unusable" in answer:
            words = "Spark %s cannot send functions to workers with Python %d.%d (%s)"
            spark = reasons.spark_version(self._environ.get("SPARK_HOME", ""))
            known = (spark,) + sys.version_info[:2] + (answer["unusable"],)
            return reasons.Fault("spark-python-unusable", words % known)
        fault = reasons.meaning("%s\n%s" % (answer["error"], output.text()))
        if fault.code == "spark-failed" and self._notes:  # prefer a known cause
            note = self._notes[0]
            return note._replace(message="%s: %s" % (note.message, fault.message))
        return fault


def _parsed(text: str, code: int) -> Dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and answer:
        return answer
    return {"error": "the process that starts Spark ended with exit code %d" % code}


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:
        pass
