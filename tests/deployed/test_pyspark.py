"""A kernel as a notebook has it: ``spark`` and ``sc``, when Spark starts and when it stops."""

import pathlib
import re
import sys
import time

import pytest

from testing.kernels import RunningKernel, directory_of, record_imports, started
from testing.spark_homes import write
from testing.waiting import until


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
    assert "connects when it is used" in notebook.run("spark")
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
        ours = directory_of(host) / "jhpatch_spark_start.py"
        text = ours.read_text()
        assert text.count("_READY = 10.0") == 1
        ours.write_text(text.replace("_READY = 10.0", "_READY = 1e6"))

    assert "5" in kernel(between=without_end).run("print(spark.range(5).count())")


@pytest.mark.slow
def test_no_thread_of_ours_imports_anything(kernel, host):
    """Python breaks a deadlock of two threads' imports with a module that is half there."""
    record_imports(str(host / "home" / ".ipython"))
    notebook = kernel()
    assert "5" in notebook.run("print(spark.range(5).count())")
    threads = notebook.run("print({name for name, module in Recorder.imports})")
    assert "MainThread" in threads and "jhpatch" not in threads


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--lazy"]], ids=["at once", "lazy"])
def test_code_that_asks_pyspark_for_the_session_meets_it(kernel, host, options):
    """In the first cell, as libraries do."""
    notebook = kernel(*options)
    code = "from pyspark.sql import SparkSession as S; S.getActiveSession() is spark"
    assert notebook.run(code).strip().endswith("True")
    assert "True" in notebook.run("S.builder.getOrCreate() is spark and sc is spark.sparkContext")
    assert len(started(host)) == 1


@pytest.mark.slow
def test_a_session_that_the_user_builds_is_the_kernels(kernel, host):
    """``sc`` is its context; it is stopped when idle, and the user's name starts another."""
    notebook = kernel("--lazy", "--idle-stop", "0.02")
    code = "from pyspark.sql import SparkSession as S; mine = S.builder.getOrCreate()\n"
    assert "True" in notebook.run(
        code + "print(sc.applicationId, mine.sparkContext._jsc is sc._jsc)"
    )
    until(lambda: "stopped" in started(host))
    until(lambda: "connects when it is used" in notebook.run("mine"))
    assert "4" in notebook.run("print(mine.range(4).count())")


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--lazy"]], ids=["at once", "lazy"])
def test_what_the_user_stops_starts_again(kernel, host, options):
    """``spark.stop()``, and the next use has a new session, in the same cell and in the next."""
    notebook = kernel(*options)
    assert "3" in notebook.run("old = spark.range(2); spark.stop(); print(spark.range(3).count())")
    notebook.run("spark.stop()")
    assert "connects when it is used" in notebook.run("sc")
    assert "4" in notebook.run("print(spark.range(4).count())")
    assert len([line for line in started(host) if line.startswith("started")]) == 3
    until(lambda: started(host).count("JVM ended") == 2)


@pytest.mark.slow
def test_a_jvm_that_ends_is_noticed(kernel, host):
    """By that cell, or by one of the next; the use of ``spark`` starts another."""
    notebook = kernel("--lazy")
    notebook.run("spark.range(1)")
    texts = [notebook.run("import sys; sys.modules['jhpatch_pyspark'].SESSION._jvm.stdin.close()")]
    until(lambda: "JVM has ended" in texts[-1] or texts.append(notebook.run("1")))
    assert "4" in notebook.run("print(spark.range(4).count())")


@pytest.mark.slow
def test_an_interrupt_cancels_the_jobs_that_began_with_the_cell(kernel, host):
    """Not those before it, and not those of a stream."""
    notebook = kernel("--lazy")
    notebook.run("spark.range(1).count()")
    (host / "log.threads").write_text("[Thread[stream execution thread for m [runId = a run id]]]")
    (host / "log.jobs").write_text("a job\n" * 11)
    assert "KeyboardInterrupt" in notebook.run("raise KeyboardInterrupt")
    lines = {line for line in started(host) if "cancelled" in line}
    assert lines == {"cancelled %d" % job for job in range(5, 10)}


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--lazy"]], ids=["at once", "lazy"])
def test_a_python_that_pyspark_cannot_use_is_named_before_a_jvm_is_started(kernel, host, options):
    """It pickles no function on a Python that is too new."""
    (host / "log.unusable").write_text("")
    notebook = kernel(*options)
    text = notebook.run("spark.range(1)")
    assert "[spark-python-unusable]" in text and "tuple index out of range" in text
    assert started(host) == []


_APPS = ("InteractiveShellApp", "IPKernelApp")


@pytest.mark.slow
def test_settings_of_the_users_ipython_do_not_take_spark_away(kernel, host):
    """``exec_PYTHONSTARTUP = False`` in a profile; Spark Connect in the environment."""
    folder = host / "home" / ".ipython" / "profile_default"
    lines = ["c.%s.exec_PYTHONSTARTUP = False\n" % name for name in _APPS]
    write(str(folder / "ipython_kernel_config.py"), "".join(lines))
    notebook = kernel("--lazy", "--env", "SPARK_REMOTE=sc://nowhere")
    assert "4" in notebook.run("print(spark.range(4).count())")
    assert "True" in notebook.run("import os; print('SPARK_REMOTE' not in os.environ)")


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
    (host / "log.busy").write_text("0")
    notebook.run("import time; spark.range(1).count(); time.sleep(2.5)")
    time.sleep(2.5)
    assert "stopped" not in started(host)
    (host / "log.busy").unlink()
    until(lambda: "stopped" in started(host))
    until(lambda: "JVM ended" in started(host))
    assert "connects when it is used" in notebook.run("spark")
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
    notebook.shut_down()
    until(lambda: "stopped" in started(host))
