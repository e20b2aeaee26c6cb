"""A host with a Spark and a Java, and PySpark kernels that ``kernelspec install`` writes there.

The kernel, ipykernel and IPython are real; Spark is a small one of the tests' own
(testing/spark_homes.py): the JVM is not what these tests are about.
"""

import json

import pytest

from testing.spark_homes import make_java, make_spark


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host with one Spark, one Java, and a home; what kernels are there is this test's own."""
    for name in ("SPARK_HOME", "JAVA_HOME", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "JUPYTER_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "home" / "jupyter"))
    monkeypatch.setenv("FAKE_SPARK_LOG", str(tmp_path / "log"))
    (tmp_path / "home").mkdir()
    make_spark(str(tmp_path / "spark"))
    make_java(str(tmp_path / "java"))
    return tmp_path


@pytest.fixture
def install(jhpatch, host):
    """``kernelspec install --user`` with that Spark and Java; further arguments as given."""

    def call(*arguments, **options):
        given = ["--spark-home", str(host / "spark"), "--java-home", str(host / "java"), "--user"]
        given += ["--master", options.get("master", "local[2]")]
        return jhpatch(None, "kernelspec", "install", *given + list(arguments))

    return call


@pytest.fixture
def as_user(monkeypatch):
    """The command takes us for a user: the kernel of these tests needs no ticket."""
    monkeypatch.setattr("jhpatch.commands.kernelspec.os.geteuid", lambda: 4242)


def directory_of(host, name="pyspark"):
    """Where the kernel lies."""
    return host / "home" / "jupyter" / "kernels" / name


def kernel_json(host, name="pyspark"):
    """What was written."""
    return json.loads((directory_of(host, name) / "kernel.json").read_text())


def started(host):
    """What the small Spark has noted."""
    path = host / "log"
    return path.read_text().splitlines() if path.exists() else []
