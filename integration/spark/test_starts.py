"""Cells that import pyspark while the kernel starts Spark, on a busy machine: none fails.

Only with JHPATCH_LONG: ``tox -e spark-long``. JHPATCH_STARTS is how many starts of each kernel,
JHPATCH_BUSY how many other processes compute (0: the machine is busy anyway).
"""

import contextlib
import os
import subprocess
import sys
from typing import Any, Callable, Iterator

import pytest

from integration.spark import parts
from integration.spark.cells import LIMIT
from testing.kernels import RunningKernel

STARTS = int(os.environ.get("JHPATCH_STARTS", "10"))
BUSY = int(os.environ.get("JHPATCH_BUSY", "2"))  # processes
FIRST_CELLS = (
    "from pyspark.sql import SparkSession",
    "import pyspark.sql.functions as F",
    "from pyspark.sql.types import StructType\nfrom pyspark.sql.window import Window",
    "from pyspark.sql import SparkSession\nsession = SparkSession.builder.getOrCreate()",
    "import pyspark\ncontext = pyspark.SparkContext.getOrCreate()",
    "import pyspark.streaming, pyspark.cloudpickle, pyspark.sql.streaming",
)
_LOOP = "while True: pass"


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """Keep the processors busy."""
    loops = [subprocess.Popen([sys.executable, "-c", _LOOP]) for _ in range(BUSY)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@pytest.mark.skipif(not parts.LONG, reason="takes an hour: JHPATCH_LONG")
@pytest.mark.timeout(LIMIT * STARTS)
@pytest.mark.parametrize(
    ("spark", "minor"),
    [(spark, minor) for spark in parts.SPARKS for minor in spark.pythons],
    ids=lambda value: getattr(value, "release", value),
)
def test_no_start_disturbs_an_import(
    install: Callable[..., None], tmp_path: Any, spark: parts.Spark, minor: str
) -> None:
    """The first cell imports, the second has the session."""
    install(spark, minor)
    failed = []
    with busy(), open(os.devnull, "wb") as null:
        for number in range(STARTS):
            cell = FIRST_CELLS[number % len(FIRST_CELLS)]
            notebook = RunningKernel("pyspark", cwd=str(tmp_path), stdout=null, stderr=null)
            try:
                shown = notebook.run(cell + "\nprint('done')", LIMIT, streams=("stdout",))
                shown += notebook.run("print(spark.version)", LIMIT, streams=("stdout",))
            finally:
                notebook.stop()
            if shown != "done\n%s\n" % spark.release:
                failed.append((number, cell, shown))
    assert not failed
