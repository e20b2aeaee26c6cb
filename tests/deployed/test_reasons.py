"""What a look at a kernel's environment finds: real files, and no JVM."""

import os
import sys

import pytest

from jhpatch.deployed import reasons
from testing.spark_homes import make_hadoop, make_java, make_spark, write


def codes(faults):
    """Their codes."""
    return [fault.code for fault in faults]


@pytest.fixture
def environ(tmp_path):
    """A kernel's environment with which Spark would start, on no cluster."""
    return {
        "SPARK_HOME": make_spark(str(tmp_path / "spark")),
        "JAVA_HOME": make_java(str(tmp_path / "java")),
        "PYSPARK_SUBMIT_ARGS": "--master 'local[2]' pyspark-shell",
        "PYSPARK_PYTHON": sys.executable,
        "PATH": os.environ["PATH"],
    }


def test_nothing_is_found_where_nothing_is_wrong(environ):
    """A Spark, a Java that fits, this Python: at most that it was released for another one."""
    assert set(codes(reasons.look(environ))) <= {"spark-python-unfit"}


def test_another_minor_python_for_the_workers(environ, script):
    """Of a Python that says that it is another."""
    environ["PYSPARK_PYTHON"] = script("echo 3.2\n")
    (found,) = [one for one in reasons.look(environ) if one.code == "spark-python-mismatch"]
    assert "3.2" in found.message and "%d.%d" % sys.version_info[:2] in found.message


def test_a_worker_python_that_is_not_on_this_host(environ):
    """It may be on theirs: nothing is said."""
    environ["PYSPARK_PYTHON"] = "/opt/cluster/bin/python3"
    assert "spark-python-mismatch" not in codes(reasons.look(environ))


def test_no_hadoop_configuration(environ):
    """Neither variable is set, and the master is YARN."""
    environ["PYSPARK_SUBMIT_ARGS"] = "--master yarn pyspark-shell"
    assert "hadoop-conf-unreadable" in codes(reasons.look(environ))


def test_a_keytab_of_sparks_own_needs_no_ticket(environ, tmp_path):
    """--keytab, or the setting: Spark logs in by itself."""
    values = {"yarn.resourcemanager.address": "127.0.0.1:1"}
    environ["HADOOP_CONF_DIR"] = make_hadoop(
        str(tmp_path / "conf"), {"hadoop.security.authentication": "kerberos"}, values
    )
    environ["KRB5CCNAME"] = str(tmp_path / "absent")
    for words, wanted in (
        ("", True),
        ("--keytab k", False),
        ("--conf spark.yarn.keytab=k", False),
    ):
        environ["PYSPARK_SUBMIT_ARGS"] = "--master yarn %s pyspark-shell" % words
        found = codes(reasons.look(environ))
        assert ("spark-no-ticket" in found) == wanted and "yarn-unreachable" in found


def test_settings_of_the_command_line_and_of_the_file(tmp_path):
    """PYSPARK_SUBMIT_ARGS counts before spark-defaults.conf, in all forms of its lines."""
    text = "# c\nspark.master  yarn\nspark.a=1\n  spark.b : x y \nspark.yarn.queue q\n"
    write(str(tmp_path / "conf" / "spark-defaults.conf"), text)
    environ = {
        "SPARK_HOME": str(tmp_path),
        "PYSPARK_SUBMIT_ARGS": "--queue other --conf 'spark.c=d e' pyspark-shell",
    }
    assert reasons.settings_of(environ) == {
        "spark.master": "yarn",
        "spark.a": "1",
        "spark.b": "x y",
        "spark.yarn.queue": "other",
        "spark.c": "d e",
    }
