"""The first job: what it uses of a notebook, and what it returns if it fails."""

import ast
import json
import os
import subprocess
import sys
import types

import pytest

from jhpatch.deployed import first_job
from jhpatch.deployed.causes import Fault
from testing import pythons
from testing.spark_homes import make_spark


class Context:
    """A SparkContext, as far as the job uses it."""

    applicationId, master, version = "app-1", "local[1]", "1.6.3"

    def parallelize(self, rows):
        self.rows = list(rows)
        return self

    def map(self, function):
        self.rows = [function(row) for row in self.rows]
        return self

    def count(self):
        return len(self.rows)


class Session:
    """A SparkSession, as far as the job uses it."""

    version = "3.5.1"

    def __init__(self):
        self.sparkContext = self._sc = Context()

    def range(self, count):
        """What a DataFrame begins with."""


@pytest.mark.parametrize(
    "names, spark",
    [
        ({"spark": Session()}, "3.5.1"),
        ({"sc": Context()}, "1.6.3"),
        ({"spark": "a string of the user's", "sc": Context()}, "1.6.3"),
        ({"spark": Session(), "sc": None}, "3.5.1"),
    ],
    ids=["spark", "sc alone", "another spark", "no sc"],
)
def test_the_kernels_own_session(names, spark):
    """As spark or as sc; a function runs over each row."""
    result = first_job.run(names)
    assert (result["count"], result["session"], result["spark"]) == (1000, "the kernel's", spark)
    assert (result["application"], result["master"]) == ("app-1", "local[1]")


def test_jhpatchs_own_session_and_its_fault(monkeypatch):
    """The fault of NotStarted is handed on as it is."""

    class NotStarted(RuntimeError):
        fault = Fault("spark-no-ticket", "no ticket", "/x", {"a": "b"})

    def get(name):
        raise NotStarted()

    session = types.SimpleNamespace(get=get, objects={})
    monkeypatch.setitem(sys.modules, "jhpatch_pyspark", types.SimpleNamespace(SESSION=session))
    result = first_job.run({})
    assert result["fault"] == dict(NotStarted.fault._asdict(), fill={"a": "b"})
    session.get = lambda name: Context()
    session.objects["spark"] = Session()
    assert first_job.run({})["session"] == "jhpatch's"


def test_an_error_is_its_whole_text():
    """Its traceback, at most 16,000 characters with beginning and end; SystemExit too."""
    for error in (SystemExit(1), ValueError("x" * 50000 + "end")):
        names = {"sc": types.SimpleNamespace(parallelize=lambda rows, one=error: _raise(one))}
        text = first_job.run(names)["error"]
        assert type(error).__name__ in text and len(text) <= 16001
    assert text.endswith("end\n")


def _raise(error):
    raise error


def executed(python, home):
    """The result of the job in a Python, as ``check`` sends it."""
    path = first_job.__file__
    code = "exec(compile(open(%r).read(), 'f', 'exec'), {'__name__': '__main__'})" % path
    environ = dict(os.environ, PYTHONPATH=home + "/python", FAKE_SPARK_LOG=home + "/log")
    argv = [python, "-c", code]
    done = subprocess.run(argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    _, mark, rest = done.stdout.decode().partition(first_job.CHECKED + " ")
    assert mark, done.stdout
    return json.loads(rest)


@pytest.mark.slow
def test_a_session_of_the_jobs_own(tmp_path):
    """Built as a first cell would; the line with the result is JSON."""
    result = executed(sys.executable, make_spark(str(tmp_path / "spark")))
    assert result.get("count") == 1000 and result["session"] == "the job's", result
    assert "No module named" in executed(sys.executable, "/nowhere")["error"]


@pytest.mark.slow
@pytest.mark.skipif(not pythons.interpreter("2.7"), reason="takes a Python 2.7")
def test_an_old_kernel_runs_it_too():
    """A Spark 1.6 or 2.4 may have a Python 2.7: it says that there is no pyspark."""
    assert "No module named" in executed(pythons.interpreter("2.7"), "/nowhere")["error"]


def test_it_imports_nothing_of_jhpatchs():
    """The kernel need not have it."""
    with open(first_job.__file__, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    assert {name for name in names if "jhpatch" in name} == set()
