"""A kernel as a notebook has it: ``spark`` and ``sc``, when Spark starts and when it stops."""

import os
import pathlib
import re
import shutil
import sys
import tempfile
import time

import pytest

from testing.kernels import directory_of, started
from testing.spark_homes import write


class RunningKernel:
    """A kernel as a notebook has it."""

    def __init__(self, name):
        from jupyter_client.manager import KernelManager

        # By sockets in a folder: a TCP port that was free may be another's when the kernel asks.
        self._folder = tempfile.mkdtemp()
        ip = os.path.join(self._folder, "kernel")
        self._manager = KernelManager(kernel_name=name, transport="ipc", ip=ip)
        self._manager.start_kernel()
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)

    def run(self, code):
        """All that a cell shows."""
        message_id, text = self._client.execute(code), ""
        while True:
            message = self._client.get_iopub_msg(timeout=60)
            content = message["content"]
            if message["parent_header"].get("msg_id") != message_id:
                continue
            if message["msg_type"] == "stream":
                text += content["text"]
            elif message["msg_type"] == "execute_result":
                text += content["data"]["text/plain"]
            elif message["msg_type"] == "display_data":
                text += content["data"].get("text/plain", "")
            elif message["msg_type"] == "error":
                text += "\n".join(content["traceback"])
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return text

    def complete(self, code):
        """What Tab offers behind ``code``."""
        message_id = self._client.complete(code, len(code))
        while True:
            reply = self._client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == message_id:
                return reply["content"]["matches"]

    def stop(self):
        """As a server stops it."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        shutil.rmtree(self._folder)


@pytest.fixture
def kernel(install):
    """``kernel("--lazy")``: installed with these options, and started."""
    running = []

    def start(*options, between=lambda: None):
        assert install(*options).code == 0
        between()
        running.append(RunningKernel("pyspark"))
        return running[-1]

    yield start
    for kernel in running:
        kernel.stop()


def until(holds, seconds=20):
    """Waits for something that comes by itself."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_spark_and_sc_are_there(kernel, host):
    """Started with the notebook; nothing else of ours is in the namespace."""
    notebook = kernel()
    assert "5" in notebook.run("spark.range(5).count()")
    assert "application_1_0001" in notebook.run("sc.applicationId")
    assert re.sub(r"\s+", " ", notebook.run("%who").strip()) == "sc spark"
    assert "jhpatch" not in notebook.run("print([n for n in dir() if 'jhpatch' in n])")
    assert len([line for line in started(host) if line.startswith("started")]) == 1


@pytest.mark.slow
def test_a_lazy_session_starts_when_it_is_used(kernel, host):
    """Not by looking at it: %who, %whos, Tab, its repr, isinstance; then by its first use."""
    notebook = kernel("--lazy")
    assert notebook.run("%who").split() == ["sc", "spark"]
    assert "Lazy" in notebook.run("%whos")
    assert "starts when it is used" in notebook.run("spark")
    assert any("applicationId" in match for match in notebook.complete("sc.appl"))
    assert any("range" in match for match in notebook.complete("spark.ra"))
    assert notebook.run("sc?") + notebook.run("sc.stop??") == ""  # they come in a pager
    code = "from pyspark import SparkContext; print(isinstance(sc, SparkContext))"
    assert notebook.run(code).strip().endswith("True")
    assert started(host) == []
    assert "7" in notebook.run("spark.range(7).count()")
    assert len(started(host)) == 1
    assert "SparkContext" in notebook.run("print(type(sc).__name__)")
    assert "True" in notebook.run("print(spark.sparkContext is sc)")


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--lazy"]], ids=["at once", "lazy"])
def test_a_start_that_fails_says_why(kernel, host, options):
    """The cause and the next step, not a NameError; and when it is mended the next use starts."""
    fault = host / "log.fault"
    fault.write_text("Exception: Application a_1 submitted by user u to unknown queue: nosuch\n")
    notebook = kernel(*options)
    code, texts = "1 + 1" if not options else "spark.range(1)", []
    until(lambda: texts.append(notebook.run(code)) or "[yarn-queue]" in texts[-1])
    text = texts[-1]
    assert "unknown queue: nosuch" in text and "[yarn-queue]" in text
    assert "spark.yarn.queue=QUEUE" in text and "Traceback" not in text
    fault.unlink()
    if not options:
        assert "[yarn-queue]" in notebook.run("spark.range(1)")
    assert "3" in notebook.run("print(spark.range(3).count())")


@pytest.mark.slow
def test_what_lies_on_the_host_is_looked_at_before_a_jvm_is_started(kernel, host):
    """A Java that is gone: said at once, nothing started."""
    notebook = kernel("--lazy")
    (host / "java" / "bin" / "java").unlink()
    text = notebook.run("sc.parallelize([1])")
    assert "[spark-java-missing]" in text and started(host) == []


@pytest.mark.slow
def test_run_all_does_not_outrun_the_look_at_the_host(kernel, host, script):
    """The very first cell says why, also where it took the look a second to see it."""
    python = script("echo %d.%d\n" % sys.version_info[:2])
    slow = "#!/bin/sh\nsleep 1\necho 3.2\n"
    notebook = kernel(
        "--worker-python", python, between=lambda: pathlib.Path(python).write_text(slow)
    )
    assert "[spark-python-mismatch]" in notebook.run("print('first')")
    assert started(host) == []


_SLOW_FOLDER = """
import os, sys, threading, time

class Slow:
    asked = threading.Event()

    def find_spec(self, name, target=None):
        if name == "pyspark":
            self.asked.set()
            time.sleep(1)

sys.path_importer_cache[os.path.dirname(__file__)] = Slow()
Slow.asked.wait(1)
"""


@pytest.mark.slow
def test_what_ipython_does_to_the_path_as_it_starts_hides_nothing(kernel, host):
    """It has the folder of a start-up file first in sys.path, and takes it out again.

    A search that is in that folder then, as it is slow, skips the entry behind it: Spark's.
    """
    folder = host / "home" / ".ipython" / "profile_default" / "startup"
    write(str(folder / "slow.py"), _SLOW_FOLDER)
    assert "5" in kernel().run("print(spark.range(5).count())")


@pytest.mark.slow
def test_the_start_waits_for_ipython_and_no_longer(kernel, host):
    """The kernel's loop, whichever it is, says that it runs; not the end of our patience."""

    def without_end():
        ours = directory_of(host) / "jhpatch_pyspark.py"
        text = ours.read_text()
        assert text.count("_READY = 10.0") == 1
        ours.write_text(text.replace("_READY = 10.0", "_READY = 1e6"))

    assert "5" in kernel(between=without_end).run("print(spark.range(5).count())")


@pytest.mark.slow
def test_krb5_config_reaches_the_jvm(kernel, host, monkeypatch):
    """The JDK does not read it: spark-class gives it as an option."""
    monkeypatch.setenv("KRB5_CONFIG", "/etc/other.conf")
    kernel("--lazy").run("spark.range(1)")
    assert "-Djava.security.krb5.conf=/etc/other.conf" in started(host)[0]


@pytest.mark.slow
def test_an_idle_session_stops_and_comes_back(kernel, host):
    """Not while a cell runs, nor while a job does; its names are lazy again."""
    notebook = kernel("--lazy", "--idle-stop", "0.02")
    (host / "log.busy").write_text("")
    notebook.run("import time; spark.range(1).count(); time.sleep(2.5)")
    time.sleep(2.5)
    assert "stopped" not in started(host)
    (host / "log.busy").unlink()
    until(lambda: "stopped" in started(host))
    until(lambda: "gateway shut down" in started(host))
    assert "starts when it is used" in notebook.run("spark")
    assert "4" in notebook.run("print(spark.range(4).count())")
    assert len([line for line in started(host) if line.startswith("started")]) == 2


@pytest.mark.slow
def test_what_the_user_has_put_in_their_place_stays(kernel, host):
    """``sc = 5`` is the user's own."""
    notebook = kernel("--lazy")
    notebook.run("sc = 5")
    assert "1" in notebook.run("print(spark.range(1).count())")
    assert notebook.run("print(sc)").strip() == "5"


@pytest.mark.slow
def test_the_application_ends_with_the_kernel(kernel, host):
    """Its shutdown stops the session."""
    notebook = kernel("--lazy")
    notebook.run("spark.range(1)")
    notebook._client.shutdown()
    until(lambda: "stopped" in started(host))
