"""A Spark's own files, and the Java and the Pythons that it runs on."""

import os

import pytest

from jhpatch.deployed import spark_home
from jhpatch.deployed.causes import CAUSES
from jhpatch.deployed.spark_home import Java
from testing import ROOT
from testing.spark_homes import make_java, make_spark, write

LAYOUTS = os.path.join(ROOT, "tests", "spark", "layouts")


def codes(faults):
    """Their codes."""
    return [fault.code for fault in faults]


@pytest.mark.parametrize("py4j", [(), ("0.10.7", "0.10.9.7")])
def test_one_py4j_no_more_no_less(tmp_path, py4j):
    """None, or several: those that are there are named."""
    home = make_spark(str(tmp_path / "spark"), py4j=py4j)
    entries, fault = spark_home.python_path(home)
    assert entries == [] and fault.code == "spark-py4j"
    assert all("py4j-%s-src.zip" % one in fault.message for one in py4j) or "none" in fault.message


def test_a_spark_without_python(tmp_path):
    """Neither the package nor the archive."""
    (tmp_path / "spark").mkdir()
    assert spark_home.python_path(str(tmp_path / "spark"))[1].code == "spark-no-pyspark"
    assert spark_home.python_path(str(tmp_path / "nowhere"))[1].code == "spark-home-missing"


def layouts():
    """The listings of real distributions, by name."""
    return sorted(name[: -len(".txt")] for name in os.listdir(LAYOUTS))


@pytest.mark.parametrize("name", layouts())
def test_real_layouts(tmp_path, name):
    """Release, Hadoop, pyspark and py4j, from the names of a real distribution's files."""
    with open(os.path.join(LAYOUTS, name + ".txt")) as file:
        lines = file.read().splitlines()
    wanted = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    home = str(tmp_path / "spark")
    for line in lines:
        if not line.startswith("#"):
            path, _, text = line.partition("\t")
            write(os.path.join(home, path), text + "\n")
    entries, fault = spark_home.python_path(home)
    assert fault is None
    assert [os.path.relpath(entry, home) for entry in entries] == wanted["pythonpath"].split()
    assert spark_home.spark_version(home) == wanted["spark"]
    assert spark_home.hadoop_version(home) == wanted["hadoop"]


@pytest.mark.parametrize(
    "spark, java, fits",
    [
        ("1.6.3", 8, True),
        ("1.6.3", 11, False),
        ("2.4.8", 8, True),
        ("2.4.8", 11, False),
        ("3.1.2", 11, True),
        ("3.1.2", 17, False),
        ("3.5.1", 8, True),
        ("3.5.1", 21, True),
        ("4.0.1", 11, False),
        ("4.0.1", 17, True),
        ("4.0.1", 25, False),
        ("4.3.0", 25, True),
        ("", 7, True),
    ],
)
def test_which_java_for_which_spark(spark, java, fits):
    """As each Spark's own page says."""
    found = list(spark_home.judged_java(spark, Java("/j", java), "/j"))
    assert (found == []) == fits
    assert codes(found) == [] or "Java %d" % java in found[0].message


@pytest.mark.parametrize("version, release", [("1.8.0_402", 8), ("11.0.2", 11), ("21", 21)])
def test_what_a_java_says_of_itself(tmp_path, version, release):
    """The file ``release``, which each JDK and JRE has; no JVM is started."""
    home = make_java(str(tmp_path / "java"), version)
    assert spark_home.java_of(home) == Java(home, release)


def test_no_java(tmp_path):
    """JAVA_HOME leads nowhere; or it is not set, and PATH has none."""
    found = list(spark_home.judged_java("3.5.1", spark_home.java_of("/nowhere"), "/nowhere"))
    assert codes(found) == ["spark-java-missing"] and "/nowhere" in found[0].message
    assert spark_home.java_of("", str(tmp_path)) is None


@pytest.mark.parametrize(
    "spark, driver, fits", [("2.4.8", (3, 8), False), ("2.4.8", (3, 7), True)]
)
def test_a_python_that_a_spark_was_not_released_for(spark, driver, fits):
    """A warning: parts of it may work."""
    found = list(spark_home.judged_python(spark, driver, driver, "p"))
    assert (found == []) == fits
    assert all(CAUSES[one.code].severity == "warning" for one in found)
