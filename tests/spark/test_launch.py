"""How a kernel is started: through a program, Python, env, a shell or a script."""

import os
import sys

import pytest

from jhpatch.spark import launch
from testing.spark_homes import write

PY = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def read(path):
    """The text of a script."""
    try:
        with open(path) as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return None


def started(argv, env=(), environ=()):
    """The launch of a kernel on a server with this environment."""
    server = dict({"PATH": os.environ["PATH"], "HOME": "/home/u"}, **dict(environ))
    return launch.launch_of(argv, dict(env), server, "/k", read)


def test_variables_are_filled_in_from_the_servers_environment():
    """As jupyter_client does: not from env itself; $$ is a dollar; what is unknown stays."""
    env = {"A": "$HOME/x", "B": "${A}/y", "C": "a$$b", "D": "${E:-z}", "P": "x:${P}"}
    found, unfilled = launch.environment_of(env, {"HOME": "/home/u"})
    assert (found["A"], found["B"], found["C"]) == ("/home/u/x", "${A}/y", "a$b")
    assert unfilled == {"B": "A"} and found["D"] == "${E:-z}"


@pytest.mark.parametrize("argv", [PY, ["python"] + PY[1:], ["/usr/bin/env", "X=1"] + PY])
def test_a_python(argv):
    """Named by its path, by a name that Jupyter replaces, or behind env."""
    found = started(argv)
    assert (found.python, found.module, found.opaque) == (sys.executable, "ipykernel_launcher", "")
    assert found.environment.get("X", "1") == "1"


@pytest.mark.parametrize("argv", [["/nowhere/python"], ["no-such-program"], ["/etc/passwd"]])
def test_a_program_that_is_not_there(argv):
    """No path; its name is kept."""
    found = started(argv)
    assert (found.program, found.named) == ("", argv[0])


@pytest.mark.parametrize(
    "argv, word",
    [
        (PY + ["--profile=etl"], "profile etl"),
        (PY + ["--profile", "etl"], "profile etl"),
        ([sys.executable, "-m", "sparkmagic.kernels.x"], "Livy"),
        (["/bin/bash", "-lc", "exec python -m ipykernel"], "login shell"),
        (["/bin/bash", "-c", ". /etc/site.sh; exec python -m ipykernel"], "shell script"),
        (["/bin/bash", "-c", "exec $PROGRAM -m ipykernel $("], "shell script"),
        (["/bin/bash", "-c", "X=$(id -u) exec %s -m ipykernel" % sys.executable], "shell script"),
        (["/bin/bash", "-c", "conda activate x; exec python -m ipykernel"], "shell script"),
        (["/bin/cat", "{connection_file}"], "cat"),
    ],
)
def test_what_decides_elsewhere_is_named(argv, word):
    """Nothing is reported as absent then."""
    assert word in started(argv).opaque


SCRIPT = (
    """#!/bin/bash
# export SPARK_HOME=/wrong
export SPARK_HOME=/opt/spark   # ours
export PYTHONPATH="$SPARK_HOME/python:${SPARK_HOME}/py4j.zip" \\
  MASTER='local[2]'
PYSPARK_SUBMIT_ARGS="--master $MASTER pyspark-shell"; export PYSPARK_SUBMIT_ARGS
cd /tmp && umask 022
X=1 exec %s -m ipykernel_launcher "$@"
"""
    % sys.executable
)


def test_a_script_is_read_and_not_run(tmp_path):
    """Its assignments, with what they refer to; named by itself or behind a shell."""
    path = write(str(tmp_path / "run.sh"), SCRIPT, 0o755)
    for argv in ([path, "{connection_file}"], ["/bin/sh", path], ["/bin/bash", "-c", SCRIPT]):
        found = started(argv)
        assert found.python == sys.executable and found.opaque == "", found
        environment = found.environment
        assert environment["SPARK_HOME"] == "/opt/spark" and environment["X"] == "1"
        assert environment["PYTHONPATH"] == "/opt/spark/python:/opt/spark/py4j.zip"
        assert environment["PYSPARK_SUBMIT_ARGS"] == "--master local[2] pyspark-shell"


def test_a_script_that_names_what_is_not_there(tmp_path):
    """The Python in it, or the script itself."""
    text = SCRIPT.replace(sys.executable, "/nowhere/python")
    assert started(["/bin/sh", "-c", text]).missing == "/nowhere/python"
    assert started(["/bin/sh", "/nowhere/run.sh"]).missing == "/nowhere/run.sh"
