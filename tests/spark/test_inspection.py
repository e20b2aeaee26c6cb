"""What is told of a kernel without starting it; the corpus has the verdicts (test_corpus.py)."""

import json
import os
import sys

import pytest

from jhpatch.spark import inspection, kernel_store, manifest
from testing.spark_homes import make_python, make_spark, write

SERVER = {"PATH": os.environ["PATH"], "HOME": "/nowhere"}


@pytest.fixture
def kernel(host):
    """``kernel(argv, env)``: one with the host's Spark and Java."""

    def made(argv, **env):
        spark = str(host / "spark")
        environment = {
            "SPARK_HOME": spark,
            "JAVA_HOME": str(host / "java"),
            "PYTHONPATH": f"{spark}/python:{spark}/python/lib/py4j-0.10.9.7-src.zip",
            "PYSPARK_SUBMIT_ARGS": "--master local[1] pyspark-shell",
            "PYSPARK_PYTHON": argv[0],
        }
        document = {"argv": argv, "display_name": "k", "env": dict(environment, **env)}
        spec = manifest.parse(json.dumps(document).encode())
        return kernel_store.InstalledKernel("k", str(host / "k"), spec)

    return made


def codes(kernel, mine=True):
    """The codes of its faults, but for a Spark that was released for other Pythons."""
    faults, _ = inspection.inspect(kernel, SERVER, mine)
    return [fault.code for fault in faults if fault.code != "spark-python-unfit"]


def test_the_kernels_python_is_asked_and_not_ours(kernel, host):
    """With the same one for its workers it is no mismatch; with this Python for them it is."""
    old = make_python(str(host / "old" / "python"), "3.2", ("ipykernel", "pyspark", "py4j"))
    argv = [old, "-m", "ipykernel_launcher"]
    assert "spark-python-mismatch" not in codes(kernel(argv))
    assert "spark-python-mismatch" in codes(kernel(argv, PYSPARK_PYTHON=sys.executable))


def test_only_a_kernel_that_runs_ipykernel_needs_it(kernel, host):
    """One of xeus-python needs xpython instead, and may lie in any directory."""
    modules = ("xpython", "IPython", "debugpy", "pyspark", "py4j")
    python = make_python(str(host / "ipykernel" / "python"), "3.9", modules)
    script = write(
        str(host / "run.sh"), "#!/bin/sh\nif true; then :; fi\n%s -m xpython\n" % python
    )
    os.chmod(script, 0o755)
    for words in ("ipykernel_launcher", "ipykernel", "IPython kernel", "debugpy -m ipykernel"):
        assert "kernel-no-ipykernel" in codes(kernel([python, "-m", *words.split()])), words
    for argv in ([python, "-m", "xpython"], [script]):
        assert "kernel-no-ipykernel" not in codes(kernel(argv)), argv
    assert "kernel-program" in codes(kernel([python, "-m", "xeus"]))


def test_root_runs_nothing_that_a_kernel_names(kernel, host):
    """Neither its Python nor its workers': files are looked at."""
    seen = host / "seen"
    python = write(str(host / "python"), "#!/bin/sh\ntouch %s\n" % seen, 0o755)
    assert codes(kernel([python, "-m", "ipykernel_launcher"]), mine=False) == []
    assert not seen.exists()
    assert codes(kernel([python, "-m", "ipykernel_launcher"]))[0] == "kernel-program"
    assert seen.exists()


def test_pysparks_own_spark_counts_without_spark_home(kernel, host):
    """As pyspark finds it (find_spark_home.py): no fault."""
    one = kernel([sys.executable, "-m", "ipykernel_launcher"])
    env = dict(one.spec.environment)
    del env["SPARK_HOME"]
    assert codes(one._replace(spec=one.spec._replace(environment=env))) == []


def test_what_spark_env_sets_is_not_missing(kernel, host):
    """Spark's scripts read conf/spark-env.sh before they look for a Java or a cluster."""
    argv = [sys.executable, "-m", "ipykernel_launcher"]
    yarn = "--master yarn pyspark-shell"
    one = kernel(argv, PYSPARK_SUBMIT_ARGS=yarn, JAVA_HOME="/nowhere")
    assert codes(one) == ["spark-java-missing", "hadoop-conf-unreadable"]
    text = "# JAVA_HOME=/x\nexport JAVA_HOME=/y\nHADOOP_CONF_DIR=/z\n"
    write(str(host / "spark" / "conf" / "spark-env.sh"), text)
    assert codes(one) == []


def test_a_spark_without_a_release_is_not_mixed(kernel, host):
    """What is not known is not reported."""
    other = make_spark(str(host / "other"), "4.0.1")
    os.unlink(other + "/RELEASE")
    argv = [sys.executable, "-m", "ipykernel_launcher"]
    assert codes(kernel(argv, SPARK_HOME=other)) == []
