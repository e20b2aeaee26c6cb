"""The program that starts the JVM and its context."""

import json
import os
import shutil
import subprocess
import sys

from jhpatch.deployed import spark_child
from testing.kernels import started
from testing.waiting import until


def run(host, **options):
    """The process, with the host's small Spark on its path.

    Beside the program in the checkout there is another ``pyspark``.
    """
    program = shutil.copy(spark_child.__file__, str(host))
    return subprocess.Popen(
        [sys.executable, program],
        env=dict(os.environ, PYTHONPATH=str(host / "spark" / "python")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **options,
    )


def test_it_ends_and_leaves_a_jvm_that_ends_with_its_standard_input(host):
    """The answer is one line; the JVM has the pipe."""
    with run(host) as process:
        answer = json.loads(process.stdout.read().decode())
        assert process.wait() == 0
        assert answer["port"] == 4711 and answer["secret"] == "a secret"
        assert "JVM ended" not in started(host)
        process.stdin.close()
        until(lambda: "JVM ended" in started(host))


def test_it_says_what_failed(host):
    """The words of an error, with its type."""
    (host / "log.fault").write_text("")
    with run(host) as process:
        answer = json.loads(process.stdout.read().decode())
    assert answer["error"].startswith("JavaError: Java gateway process exited")
