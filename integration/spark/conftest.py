"""Kernels on real Sparks, without a cluster.

The first run downloads five Sparks (1.5 GB) and keeps them.
"""

import os
from typing import Any, Callable, Iterator, Optional

import pytest

from integration.e2e.inner import skipped
from integration.spark import parts
from testing.kernels import RunningKernel, record_imports

_QUICK = "driver.extraJavaOptions=-XX:+UseSerialGC -XX:TieredStopAtLevel=1"


def pytest_cmdline_main(config: Any) -> Optional[int]:
    """Build what the tests need before them: a download is not part of a test."""
    if config.option.collectonly or config.option.help:
        return None
    lacking = parts.lacking()
    if lacking:
        return skipped("PySpark kernels are not tested with real Sparks: " + lacking)
    parts.build()
    return None


@pytest.fixture
def install(jhpatch: Any, tmp_path: Any, monkeypatch: Any) -> Callable[..., None]:
    """``install(spark, minor, options)``: a kernel ``pyspark`` by ``kernelspec install``."""
    for name in ("HADOOP_CONF_DIR", "JUPYTER_PATH", "PYTHONPATH", "SPARK_HOME", "YARN_CONF_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    record_imports(str(tmp_path / "ipython"))

    def install(spark: parts.Spark, minor: str, *options: str) -> None:
        arguments = ["--spark-home", spark.home, "--java-home", spark.java_home, "--user"]
        arguments += ["--python", parts.python_of(minor), "--master", "local[1]"]
        # A Hive of their own would take most of the time, and the second compiler half of it.
        for setting in ("ui.enabled=false", "sql.catalogImplementation=in-memory", _QUICK):
            arguments += ["--conf", "spark." + setting]
        result = jhpatch(None, "kernelspec", "install", *arguments + list(options))
        assert result.code == 0, result

    return install


@pytest.fixture
def start(install: Callable[..., None], tmp_path: Any) -> Iterator[Callable[..., RunningKernel]]:
    """``start(spark, minor, options)``: such a kernel, which runs."""
    running = []

    def start(spark: parts.Spark, minor: str, *options: str) -> RunningKernel:
        install(spark, minor, *options)
        with open(os.devnull, "wb") as null:
            kernel = RunningKernel("pyspark", cwd=str(tmp_path), stdout=null, stderr=null)
        running.append(kernel)
        return kernel

    yield start
    for kernel in running:
        kernel.stop()
