"""What becomes of one start."""

import json
import os

import pytest

from jhpatch.deployed import reasons, spark_start
from jhpatch.deployed.spark_start import NotStarted, Start
from testing.waiting import until


@pytest.fixture
def start(host, monkeypatch):
    """``start(code, faults)``: the code is the program that starts the JVM."""

    def begin(code, *faults):
        path = host / "child.py"
        path.write_text(code)
        monkeypatch.setattr(spark_start, "_CHILD", str(path))
        monkeypatch.setattr(reasons, "look", lambda environ: iter(faults))
        begin.said = []
        return Start(os.environ, lambda text, passing: begin.said.append(text))

    return begin


WARNING = reasons.Fault("spark-python-unfit", "this Python is too new")


def test_the_answer_of_the_program_is_the_jvm(start):
    """And a warning is shown once."""
    answer = {"port": 1, "secret": "s", "version": "3.5.1", "application": "a"}
    found = start("print(%r)" % json.dumps(answer), WARNING)
    found.wait()
    jvm = found.wait()
    assert (jvm.port, jvm.secret, jvm.version, jvm.application) == (1, "s", "3.5.1", "a")
    assert start.said == ["this Python is too new  [spark-python-unfit]"]
    jvm.stdin.close()


def test_what_is_known_before_the_start_is_the_cause_of_an_unknown_failure(start):
    """With the words of the failure."""
    with pytest.raises(NotStarted) as failed:
        start('print(\'{"error": "TypeError: an odd one"}\')', WARNING).wait()
    assert failed.value.fault.code == "spark-python-unfit"
    assert "too new: TypeError: an odd one" in failed.value.fault.message


def test_the_output_of_the_jvm_names_the_cause(start):
    """Of a program that has no answer."""
    code = "import sys; sys.exit('Permission denied: user=alice, access=WRITE, inode=\"/\"')"
    with pytest.raises(NotStarted) as failed:
        start(code).wait()
    assert failed.value.fault.code == "hdfs-permission"


def test_an_error_that_is_seen_before_starts_nothing(start, host):
    """The program is not run."""
    fault = reasons.Fault("spark-java-missing", "there is no Java")
    with pytest.raises(NotStarted) as failed:
        start("open(%r, 'w')" % str(host / "run"), fault).wait()
    assert failed.value.fault == fault and not (host / "run").exists()


def test_a_cancelled_start_ends_its_processes(start):
    """Also one that would go on for ever."""
    found = start("import time; time.sleep(1e6)")
    until(lambda: found._process is not None)
    found.cancel()
    with pytest.raises(NotStarted):
        found.wait()
    assert found._process.returncode is not None
