"""A kernel on each Spark, with the oldest and with the newest Python that it supports."""

import json
import os
import subprocess
from typing import Any, Callable, Dict, List, Tuple

import pytest

from integration.spark import parts
from integration.spark.cells import LIMIT, printed
from testing.kernels import RunningKernel
from testing.waiting import until

Start = Callable[..., RunningKernel]

ACTIVITY = "import sys; print(sys.modules['jhpatch_spark_jobs'].activity_of(sc))"
STREAM = """
stream = spark.newSession().readStream.format("rate").load().writeStream.format("memory")
stream = stream.trigger(processingTime="1 hour").queryName("m").start()
"""
SLOW = "import time; sc.parallelize(range(2), 2).map(lambda x: (time.sleep(900), x)[1]).collect()"


@pytest.mark.parametrize(
    ("spark", "minor"),
    parts.matrix(),
    ids=lambda value: getattr(value, "release", value),
)
def test_the_everyday_acts_of_a_notebook(start: Start, spark: Any, minor: str) -> None:
    """Import pyspark, find the session, run functions, interrupt a job, stop Spark and go on."""
    if not spark.java_home:
        pytest.skip("JAVA8_HOME names no JDK 8")
    notebook = start(spark, minor)

    def run(code: str) -> str:
        return printed(notebook, code)

    # The first cell runs while Spark starts.
    code = (
        "from pyspark.sql import SparkSession\nprint(SparkSession.builder.getOrCreate() is spark)"
    )
    assert run(code) == "True"
    if not spark.release.startswith("2."):
        assert run("print(SparkSession.getActiveSession() is spark)") == "True"
    assert run("print(sc.parallelize([1, 2]).map(lambda x: x + 1).collect())") == "[2, 3]"

    def comes_to(code: str, answer: str) -> None:
        """Spark lists a job as active for a moment after its end."""
        until(lambda: run(code) == answer, LIMIT)

    comes_to(ACTIVITY, "Activity(jobs=1, works=False, cached=0)")
    assert run("rdd = sc.parallelize([1]).cache(); print(rdd.count())") == "1"
    comes_to(ACTIVITY, "Activity(jobs=2, works=False, cached=1)")
    assert "works=True" in run("rdd.unpersist()\n" + STREAM + ACTIVITY)

    # An import in a thread of ours could break one of the user's.
    imports = "{name for name, module in Recorder.imports if 'jhpatch' in name}"
    assert run("print(%s or 'none')" % imports) == "none"

    # Spark's bar shows while the job runs, also in the cell.
    assert "KeyboardInterrupt" in notebook.run(SLOW, LIMIT, interrupt_after="/ 2]")
    assert run("print(sc.parallelize([4]).count(), stream.isActive)") == "1 True"
    comes_to("print(sc.statusTracker().getActiveJobsIds())", "[]")
    assert run("stream.stop(); print(stream.isActive)") == "False"

    assert run("old = sc.applicationId; spark.stop(); print(spark.range(3).count())") == "3"
    assert run("print(sc.applicationId != old, sc is spark.sparkContext)") == "True True"


def test_a_python_that_a_spark_cannot_use_is_named(start: Start) -> None:
    """pyspark 3.1 pickles no function on Python 3.11: no JVM is started for it."""
    text = start(parts.SPARKS[0], "3.11", "--lazy").run("spark.range(1).count()", LIMIT)
    assert "[spark-python-unusable]" in text and "log4j" not in text


@pytest.mark.parametrize("options", [(), ("--lazy",)], ids=["", "lazy"])
@pytest.mark.parametrize("runner", ["nbconvert", "papermill"])
def test_a_notebook_runs_without_a_server(
    install: Callable[..., None], tmp_path: Any, runner: str, options: Tuple[str, ...]
) -> None:
    """Its first cell comes as soon as the kernel answers, while Spark starts."""
    install(parts.NEWEST, "3.13", *options)
    cells = ["from pyspark.sql import SparkSession, functions as F", "n = 2"]
    cells += [
        "print(spark.range(n).select(F.max('id')).first()[0], SparkSession.active() is spark)"
    ]
    (tmp_path / "in.ipynb").write_text(json.dumps(notebook_of(cells)))
    argv = [parts.RUNNERS + "/papermill", "in.ipynb", "out.ipynb", "-p", "n", "5"]
    if runner == "nbconvert":
        argv = [parts.RUNNERS + "/jupyter-nbconvert", "--execute", "--to", "notebook"]
        argv += ["in.ipynb", "--output", "out.ipynb"]
    ran = subprocess.run(argv, cwd=str(tmp_path), stderr=subprocess.PIPE, timeout=LIMIT)
    assert ran.returncode == 0, ran.stderr.decode()
    last = json.loads((tmp_path / "out.ipynb").read_text())["cells"][-1]
    printed = [out["text"] for out in last["outputs"] if out.get("name") == "stdout"]
    expected = "1 True" if runner == "nbconvert" else "4 True"
    assert "".join("".join(text) for text in printed).strip() == expected


def notebook_of(cells: List[str]) -> Dict[str, Any]:
    """Return a notebook; its second cell has the parameters."""
    code = {"cell_type": "code", "execution_count": None, "outputs": []}
    tags: List[List[str]] = [[] for _ in cells]
    tags[1] = ["parameters"]
    return {
        "cells": [
            dict(code, source=cell, id="cell%d" % number, metadata={"tags": tags[number]})
            for number, cell in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "pyspark", "display_name": "", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def test_spark_connect_in_the_environment_leaves_the_session_classic(
    start: Start, tmp_path: Any
) -> None:
    """SPARK_REMOTE is set, and pip's pyspark-connect is there, which has this module."""
    (tmp_path / "pyspark_connect.py").write_text("")
    notebook = start(parts.NEWEST, "3.13", "--lazy", "--env", "SPARK_REMOTE=sc://nowhere")
    notebook.run("import pyspark_connect")  # from the notebook's directory
    assert printed(notebook, "print(spark.range(3).rdd.count())") == "3"


def test_an_idle_session_is_stopped_and_the_users_names_for_it_start_another(start: Start) -> None:
    """One that the user has built, with an application name; its JVM ends."""
    notebook = start(parts.NEWEST, "3.13", "--lazy", "--idle-stop", "0.05")
    code = "from pyspark.sql import SparkSession\n"
    code += "mine = SparkSession.builder.appName('report').getOrCreate()\n"
    code += "jvm = sc._jvm.java.lang.ProcessHandle.current().pid()\n"
    code += "print(mine.range(3).count(), sc.appName, jvm)"
    count, name, jvm = printed(notebook, code).split()
    assert (count, name) == ("3", "report")
    until(lambda: not os.path.exists("/proc/%s" % jvm), LIMIT)
    assert "connects when it is used" in notebook.run("mine")
    assert printed(notebook, "print(mine.range(4).count())") == "4"
