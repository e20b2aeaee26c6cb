"""What ``kernelspec install`` finds by itself: Spark, Java, Hadoop's configuration, Pythons."""

import json
import os
import sys

import pytest

from jhpatch.errors import Refused
from jhpatch.report.next_command import Runner
from jhpatch.spark import discovery
from testing.spark_homes import make_hadoop, make_java, make_python, make_spark, write


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
    find = discovery.find_hadoop_conf
    assert find(one, None, {"HADOOP_CONF_DIR": two}) == (one, one)
    assert find(None, None, {"HADOOP_CONF_DIR": two, "YARN_CONF_DIR": one}) == (two, one)
    assert find(None, None, {"YARN_CONF_DIR": one}) == (one, one)
    with pytest.raises(Refused):
        find(str(tmp_path), None, {})


def test_hadoops_and_yarns_configuration_in_two_directories(tmp_path):
    """core-site.xml in the one, yarn-site.xml in the other."""
    hadoop = make_hadoop(str(tmp_path / "hadoop"), {}, {})
    yarn = make_hadoop(str(tmp_path / "yarn"), {}, {})
    os.unlink(hadoop + "/yarn-site.xml")
    os.unlink(yarn + "/core-site.xml")
    assert discovery.find_hadoop_conf(hadoop, yarn, {}) == (hadoop, yarn)
    with pytest.raises(Refused):
        discovery.find_hadoop_conf(hadoop, None, {})


@pytest.mark.skipif(os.path.exists("/etc/hadoop/conf"), reason="this host has one")
def test_a_host_without_hadoop_may_run_spark_alone():
    """Where no directory was named, the next step offers local[*] too."""
    with pytest.raises(Refused) as refused:
        discovery.find_hadoop_conf(None, None, {})
    assert "--master 'local[*]'" in Runner().shown(refused.value.next)


def test_a_python_by_its_name_on_path(tmp_path):
    """As a shell finds it; a relative path, or a name that is not there, is refused."""
    python = make_python(str(tmp_path / "bin" / "python3.9"), "3.9")
    environ = {"PATH": str(tmp_path / "bin")}
    assert discovery.path_of("python3.9", "--python", environ) == python
    assert discovery.path_of("/opt/python", "--python", environ) == "/opt/python"
    for name in ("venv/bin/python", "./python", "python3.99"):
        with pytest.raises(Refused) as refused:
            discovery.path_of(name, "--worker-python", environ)
        assert "--worker-python " + name in refused.value.message
        assert "--worker-python PATH" in Runner().shown(refused.value.next)
        with pytest.raises(Refused) as refused:
            discovery.path_of(name, "--python", environ)
        assert "--python PATH" in Runner().shown(refused.value.next)


def test_what_a_python_says_of_itself(tmp_path):
    """Its minor release; a reason where there is none to be had."""
    python, reason, _ = discovery.ask_python(sys.executable, os.environ)
    assert python is None or (python.release, reason) == (sys.version_info[:2], "")
    assert discovery.ask_python("/nowhere/python", {}) == (
        None,
        "/nowhere/python is not an executable file on this host",
        False,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_root_runs_no_python_that_a_user_can_write(tmp_path):
    """It is a program of the user's: a note, and its release is not known."""
    path, seen = tmp_path / "python", tmp_path / "seen"
    path.write_text("#!/bin/sh\ntouch %s\necho 3.11\n" % seen)
    path.chmod(0o755)
    os.chown(str(path), 65534, 65534)
    python, reason, is_there = discovery.ask_python(str(path), os.environ)
    assert python is None and is_there
    assert "another user can change it" in reason and not seen.exists()


def found(driver, worker, is_local=False):
    """The codes of the faults, and the notes, of a kernel with these Pythons."""
    pythons = discovery.find_pythons("3.5.1", driver, worker, is_local, os.environ)
    return [fault.code for fault in pythons.faults], list(pythons.unknown)


def test_the_pythons_of_a_kernel(tmp_path):
    """Two minors are a fault; workers on other hosts may have a Python that is not here."""
    old = make_python(str(tmp_path / "old"), "3.8")
    new = make_python(str(tmp_path / "new"), "3.9")
    assert found(new, new) == ([], [])
    assert found(old, new) == (["spark-python-mismatch"], [])
    absent = "/nowhere/python is not an executable file on this host"
    assert found(new, "/nowhere/python") == ([], [absent])
    assert found(new, "/nowhere/python", is_local=True) == (["spark-worker-python"], [])
    assert found("/nowhere/python", new)[0] == ["kernel-python"]


def test_a_python_that_cannot_run_a_kernel(tmp_path):
    """Python 2.7, one without ipykernel, and a program that is no Python."""
    two = make_python(str(tmp_path / "two"), "2.7")
    bare = make_python(str(tmp_path / "bare"), "3.9", modules=())
    assert found(two, two)[0][0] == "kernel-python"
    assert found(bare, bare)[0] == ["kernel-no-ipykernel"]
    assert found("/bin/false", "/bin/false")[0] == ["kernel-python"]


def test_pips_pyspark_of_the_users_site_packages(root, tmp_path):
    """Python is asked where it imports pyspark from."""
    package = make_spark(str(tmp_path / "user" / "pyspark"))
    found = {"ipykernel": ["", ""], "pyspark": [package, "3.5.1"]}
    answer = json.dumps({"release": [3, 11], "found": found})
    python = write(
        str(tmp_path / "python"), "#!/bin/sh\necho 'jhpatch_probe %s'\n" % answer, 0o755
    )
    assert discovery.find_spark(None, {}, python, root).home == package
