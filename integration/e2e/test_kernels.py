"""The installed PySpark kernel in a real hub's notebook, with each stack's own ipykernel.

Its Spark is a small one of the tests' own: the real one is in integration/hadoop.
"""

import os
import subprocess
from typing import Iterator

import pytest

from integration.e2e.client import Browser
from integration.e2e.hub import running
from integration.e2e.stacks import Stack
from integration.e2e.world import PASSWORDS
from testing.spark_homes import make_java, make_spark

LOG = "/tmp/small-spark.log"


@pytest.fixture(scope="module")
def notebook(stack: Stack, scratch: str) -> Iterator[Browser]:
    """alice's server, with a kernel that starts its Spark lazily."""
    spark, java = make_spark(scratch + "/small-spark"), make_java(scratch + "/small-java")
    python = os.path.join(stack.venv, "bin", "python")
    argv = [python, "-m", "jhpatch", "kernelspec", "install", "--sys-prefix", "--lazy"]
    argv += ["--spark-home", spark, "--java-home", java, "--master", "local[2]"]
    subprocess.run(argv + ["--env", "FAKE_SPARK_LOG=" + LOG], cwd="/", check=True)
    with running(stack, scratch + "/kernels", extra="") as hub:
        browser = Browser(hub, "alice")
        browser.login(PASSWORDS["alice"])
        browser.spawn()
        yield browser
    subprocess.run(
        [python, "-m", "jhpatch", "kernelspec", "remove", "pyspark"], cwd="/", check=True
    )


# Each in one cell: the oldest servers lose what a kernel says while a page connects again.
_USE = """
def started():
    import os
    path = os.environ["FAKE_SPARK_LOG"]
    return open(path).read().count("started") if os.path.exists(path) else 0

print("seen", sorted(set(get_ipython().run_line_magic("who_ls", "")) & {"sc", "spark"}))
print("spark is", spark)
print("before", started())
print("rows", spark.range(5).count())
print("application", sc.applicationId)
print("after", started(), type(sc).__name__)
"""
_FAIL = """
import os
fault = os.environ["FAKE_SPARK_LOG"] + ".fault"
with open(fault, "w") as file:
    file.write("Application a_1 submitted by user alice to unknown queue: nosuch\\n")
try:
    spark.range(1)
except Exception as error:
    print("\\n".join(error._render_traceback_()))
os.unlink(fault)
print("rows", spark.range(3).count())
"""


def test_spark_is_there_when_it_is_used(notebook: Browser) -> None:
    """Looking at it starts nothing; the first use does, once."""
    with notebook.start_kernel("pyspark") as kernel:
        lines = kernel.run(_USE).splitlines()
    assert "seen ['sc', 'spark']" in lines and "before 0" in lines
    assert any("connects when it is used" in line for line in lines)
    assert "rows 5" in lines and "application application_1_0001" in lines
    assert "after 1 SparkContext" in lines


def test_a_start_that_fails_says_why_and_the_next_one_is_another(notebook: Browser) -> None:
    """The cause and the next step in the cell; mended, it starts."""
    with notebook.start_kernel("pyspark") as kernel:
        text = kernel.run(_FAIL)
    assert "[yarn-queue]" in text and "unknown queue: nosuch" in text
    assert "next: " in text and "rows 3" in text


def test_a_plain_kernel_is_as_it_was(notebook: Browser) -> None:
    """The server's own Python kernel has no spark."""
    assert "NameError" in notebook.run("spark")
