"""A real kernel with the deployed code: its session, lazy or not, its errors, its end."""

import pathlib
import re
import sys
import time

import pytest

from testing.kernels import directory_of, spark_log
from testing.spark_homes import write
from testing.waiting import until


def test_spark_and_sc_are_there(kernel, host):
    """Both start with the notebook, and nothing else of ours is in the namespace."""
    one = kernel()
    assert "5" in one.run("spark.range(5).count()")
    assert "application_1_0001" in one.run("sc.applicationId")
    assert re.sub(r"\s+", " ", one.run("%who").strip()) == "sc spark"
    assert "jhpatch" not in one.run("print([n for n in dir() if 'jhpatch' in n])")
    assert len([line for line in spark_log(host) if line.startswith("started")]) == 1


def test_a_lazy_session_starts_when_it_is_used(kernel, host):
    """Not by %who, %whos, Tab, repr or isinstance; by the first use."""
    one = kernel("--lazy")
    assert one.run("%who").split() == ["sc", "spark"]
    assert "Lazy" in one.run("%whos")
    assert "starts when it is used" in one.run("spark")
    assert any("applicationId" in match for match in one.complete("sc.appl"))
    assert any("range" in match for match in one.complete("spark.ra"))
    assert one.run("sc?") + one.run("sc.stop??") == ""  # they come in a pager
    code = "from pyspark import SparkContext; print(isinstance(sc, SparkContext))"
    assert one.run(code).strip().endswith("True")
    assert spark_log(host) == []
    assert "7" in one.run("spark.range(7).count()")
    assert len(spark_log(host)) == 1
    assert "SparkContext" in one.run("print(type(sc).__name__)")
    assert "True" in one.run("print(spark.sparkContext is sc)")


@pytest.mark.parametrize(
    "options",
    [pytest.param([], marks=pytest.mark.slow, id="at once"), pytest.param(["--lazy"], id="lazy")],
)
def test_a_start_that_fails_says_why(kernel, host, options):
    """The cause and the next step, not a NameError; once it is mended the next use starts."""
    fault = host / "log.fault"
    fault.write_text("Exception: Application a_1 submitted by user u to unknown queue: nosuch\n")
    one = kernel(*options)
    code, texts = "1 + 1" if not options else "spark.range(1)", []
    until(lambda: texts.append(one.run(code)) or "[yarn-queue]" in texts[-1])
    text = texts[-1]
    assert "unknown queue: nosuch" in text and "[yarn-queue]" in text
    assert "spark.yarn.queue=QUEUE" in text and "Traceback" not in text
    fault.unlink()
    if not options:
        assert "[yarn-queue]" in one.run("spark.range(1)")
    assert "3" in one.run("print(spark.range(3).count())")


@pytest.mark.slow
def test_the_host_is_checked_before_a_jvm_is_started(kernel, host):
    """A Java that is gone is reported at once, and nothing is started."""
    one = kernel("--lazy")
    (host / "java" / "bin" / "java").unlink()
    text = one.run("sc.parallelize([1])")
    assert "[spark-java-missing]" in text and spark_log(host) == []


@pytest.mark.slow
def test_the_first_cell_waits_for_the_check_of_the_host(kernel, host, script):
    """The very first cell waits for the check of the host, and reports what it finds."""
    python = script("echo %d.%d\n" % sys.version_info[:2])
    slow = "#!/bin/sh\nsleep 1\necho 3.2\n"
    one = kernel("--worker-python", python, between=lambda: pathlib.Path(python).write_text(slow))
    assert "[spark-python-mismatch]" in one.run("print('first')")
    assert spark_log(host) == []


_SLOW_DIRECTORY = """
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
def test_ipython_changes_the_path_while_it_starts(kernel, host):
    """IPython has the directory of a start-up file first in sys.path, and removes it again.

    A search that is in that directory then, as it is slow, skips the entry after it: Spark's.
    """
    directory = host / "home" / ".ipython" / "profile_default" / "startup"
    write(str(directory / "slow.py"), _SLOW_DIRECTORY)
    assert "5" in kernel().run("print(spark.range(5).count())")


@pytest.mark.slow
def test_the_session_starts_once_ipython_has_started(kernel, host):
    """The kernel's own loop starts the session, not the end of a wait."""

    def without_end():
        ours = directory_of(host) / "jhpatch_pyspark.py"
        text = ours.read_text()
        assert text.count("_READY = 10.0") == 1
        ours.write_text(text.replace("_READY = 10.0", "_READY = 1e6"))

    assert "5" in kernel(between=without_end).run("print(spark.range(5).count())")


@pytest.mark.slow
def test_krb5_config_reaches_the_jvm(kernel, host, monkeypatch):
    """The JDK does not read KRB5_CONFIG: spark-class gets it as an option."""
    monkeypatch.setenv("KRB5_CONFIG", "/etc/other.conf")
    kernel("--lazy").run("spark.range(1)")
    assert "-Djava.security.krb5.conf=/etc/other.conf" in spark_log(host)[0]


@pytest.mark.slow
def test_an_idle_session_stops_and_comes_back(kernel, host):
    """Not while a cell or a job runs; afterwards both names are lazy again."""
    one = kernel("--lazy", "--idle-stop", "0.02")
    (host / "log.busy").write_text("")
    one.run("import time; spark.range(1).count(); time.sleep(2.5)")
    time.sleep(2.5)
    assert "stopped" not in spark_log(host)
    (host / "log.busy").unlink()
    until(lambda: "stopped" in spark_log(host))
    until(lambda: "gateway shut down" in spark_log(host))
    assert "starts when it is used" in one.run("spark")
    assert "4" in one.run("print(spark.range(4).count())")
    assert len([line for line in spark_log(host) if line.startswith("started")]) == 2


@pytest.mark.slow
def test_a_name_that_the_user_has_set_stays(kernel, host):
    """``sc = 5`` is the user's own."""
    one = kernel("--lazy")
    one.run("sc = 5")
    assert "1" in one.run("print(spark.range(1).count())")
    assert one.run("print(sc)").strip() == "5"


@pytest.mark.slow
def test_the_application_ends_with_the_kernel(kernel, host):
    """The shutdown of the kernel stops the session."""
    one = kernel("--lazy")
    one.run("spark.range(1)")
    one._client.shutdown()
    until(lambda: "stopped" in spark_log(host))
