"""Spark 2.4 on Python 3.7 and Java 8, beside the newest."""

import os

import pytest

from integration.hadoop import parts
from integration.hadoop.kernels import Kernels
from integration.hadoop.parts import OLD_SPARK
from integration.hadoop.scene import START, WORK, Scene, answer

JAVA = os.environ.get("JAVA8_HOME", "")


@pytest.mark.skipif(not JAVA, reason="JAVA8_HOME names no JDK 8")
@pytest.mark.skipif(not parts.interpreter(OLD_SPARK), reason="no Python 3.7")
def test_the_same_job_on_spark_2(scene: Scene, kernels: Kernels) -> None:
    """Log in, open, count, write, read, as alice."""
    options = ["--conf", "spark.yarn.jars=local:%s/jars/*" % OLD_SPARK.home]
    for name in ("appMasterEnv", "executorEnv"):
        place = "spark.yarn." if name == "appMasterEnv" else "spark."
        options += ["--conf", "%s%s.JAVA_HOME=%s" % (place, name, JAVA)]
    kernels.install(
        "spark-2",
        *options,
        spark_home=OLD_SPARK.home,
        python=OLD_SPARK.python,
        worker_python=OLD_SPARK.python,
        java_home=JAVA,
    )
    with scene.browsers["alice"].start_kernel("spark-2") as kernel:
        found = answer(kernel, WORK % {"folder": "of-spark-2"}, START)
    assert found["read"] == 1000 and found["owner"] == found["user"] == "alice"
