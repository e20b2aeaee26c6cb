"""What ``kernelspec install`` finds by itself: Spark, Java, Hadoop's configuration, Pythons."""

import os
import sys

import pytest

from jhpatch.errors import Refused
from jhpatch.spark import discovery
from testing.spark_homes import make_hadoop, make_java, make_python, make_spark


@pytest.fixture
def root(tmp_path):
    """A host's root folder with nothing in it."""
    (tmp_path / "root").mkdir()
    return str(tmp_path / "root")


def found_spark(root, environ=(), named=None, python="/nowhere/bin/python"):
    """The directory of the Spark that is found, relative to the root."""
    home = discovery.find_spark(named, dict(environ), python, root).home
    return os.path.relpath(home, root)


@pytest.mark.parametrize(
    "place",
    [
        "opt/cloudera/parcels/CDH/lib/spark",
        "opt/cloudera/parcels/SPARK2/lib/spark2",
        "opt/cloudera/parcels/SPARK3/lib/spark3",
        "usr/hdp/current/spark2-client",
        "usr/lib/spark",
        "opt/spark",
        "opt/spark-3.5.1-bin-hadoop3",
        "usr/local/spark-4.0.1",
    ],
)
def test_the_one_spark_in_the_usual_folders(root, place):
    """Of a parcel, a package, or unpacked by hand."""
    make_spark(os.path.join(root, place))
    assert found_spark(root) == place


def test_pips_pyspark_of_the_kernels_python(root, tmp_path):
    """In its site-packages; not that of another Python."""
    package = os.path.join(root, "venv/lib/python3.11/site-packages/pyspark")
    make_spark(package)
    assert found_spark(root, python=root + "/venv/bin/python") == os.path.relpath(package, root)
    with pytest.raises(Refused) as refused:
        found_spark(root, python=root + "/other/bin/python")
    assert "there is no Spark" in refused.value.message


def test_two_sparks_are_named_and_neither_is_taken(root):
    """The administrator says which; one by two names is one."""
    make_spark(root + "/opt/spark-3.5.1")
    os.symlink("spark-3.5.1", root + "/opt/spark")
    assert found_spark(root) == "opt/spark"
    make_spark(root + "/opt/spark-4.0.1")
    with pytest.raises(Refused) as refused:
        found_spark(root)
    assert (
        "spark-4.0.1" in refused.value.found
        and "--spark-home" in refused.value.next.parts[0].arguments
    )


def test_what_is_said_counts_before_what_is_found(root):
    """The argument, then SPARK_HOME, then the usual folders."""
    for place in ("opt/spark", "a", "b"):
        make_spark(os.path.join(root, place))
    assert found_spark(root, {"SPARK_HOME": root + "/a"}, root + "/b") == "b"
    assert found_spark(root, {"SPARK_HOME": root + "/a"}) == "a"
    assert found_spark(root) == "opt/spark"


@pytest.mark.parametrize(
    "spark, wanted",
    [("2.4.8", "java-8"), ("3.5.1", "java-17"), ("4.0.1", "java-17"), ("", "java-17")],
)
def test_the_first_java_that_fits_this_spark(root, spark, wanted):
    """Of those in the usual folders; a link to one is not another."""
    make_java(root + "/usr/lib/jvm/java-8", "1.8.0_402")
    make_java(root + "/usr/lib/jvm/java-17", "17.0.15")
    os.symlink("java-17", root + "/usr/lib/jvm/default-java")
    java = discovery.find_java(None, {"PATH": "/nowhere"}, spark, root)
    assert os.path.relpath(java.home, root + "/usr/lib/jvm") == wanted


def test_java_home_counts_where_it_fits(root, tmp_path):
    """Else another one that does; a java that is named and does not fit is refused."""
    environ = {"JAVA_HOME": make_java(str(tmp_path / "eleven"), "11.0.2"), "PATH": "/nowhere"}
    assert discovery.find_java(None, environ, "3.5.1", root).release == 11
    make_java(root + "/usr/lib/jvm/java-17", "17.0.15")
    assert discovery.find_java(None, environ, "4.0.1", root).release == 17
    with pytest.raises(Refused) as refused:
        discovery.find_java(str(tmp_path / "eleven"), {}, "4.0.1", root)
    assert "Java 11" in refused.value.message
    with pytest.raises(Refused) as refused:
        discovery.find_java(None, {"PATH": "/nowhere"}, "4.0.1", str(tmp_path))
    assert "no java on PATH" in refused.value.message


def test_where_hadoops_configuration_is(tmp_path):
    """The argument, HADOOP_CONF_DIR, YARN_CONF_DIR; one that is broken is refused."""
    one = make_hadoop(str(tmp_path / "one"), {}, {})
    two = make_hadoop(str(tmp_path / "two"), {}, {})
    assert discovery.find_hadoop_conf(one, {"HADOOP_CONF_DIR": two}) == one
    assert discovery.find_hadoop_conf(None, {"HADOOP_CONF_DIR": two, "YARN_CONF_DIR": one}) == two
    assert discovery.find_hadoop_conf(None, {"YARN_CONF_DIR": one}) == one
    with pytest.raises(Refused):
        discovery.find_hadoop_conf(str(tmp_path), {})


def test_what_a_python_says_of_itself(tmp_path):
    """Its minor release; a reason where there is none to be had."""
    assert discovery.python_release(sys.executable, os.environ)[0] in (sys.version_info[:2], ())
    assert discovery.python_release("/nowhere/python", {}) == (
        (),
        "/nowhere/python is no program of this host",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_root_runs_no_python_that_a_user_can_write(tmp_path):
    """It is a program of the user's: a note, and its release is not known."""
    path, seen = tmp_path / "python", tmp_path / "seen"
    path.write_text("#!/bin/sh\ntouch %s\necho 3.11\n" % seen)
    path.chmod(0o755)
    os.chown(str(path), 65534, 65534)
    release, reason = discovery.python_release(str(path), os.environ)
    assert release == () and "can be written by another user" in reason and not seen.exists()


def test_the_pythons_of_a_kernel(tmp_path):
    """Two minors are a fault; a Python that is not on this host is said, and is no fault."""
    old = make_python(str(tmp_path / "old"), "3.8")
    new = make_python(str(tmp_path / "new"), "3.9")
    (fault,), unknown = discovery.check_pythons("3.5.1", old, new, os.environ)
    assert (fault.code, unknown) == ("spark-python-mismatch", [])
    faults, unknown = discovery.check_pythons("3.5.1", new, "/nowhere/python", os.environ)
    assert (faults, unknown) == ([], ["/nowhere/python is no program of this host"])
    faults, unknown = discovery.check_pythons("3.5.1", new, new, os.environ)
    assert (faults, unknown) == ([], [])
