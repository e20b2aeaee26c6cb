"""Find the Spark, Java, Pythons and Hadoop configuration of a PySpark kernel on this host."""

import glob
import os
from typing import Dict, List, Mapping, Optional, Tuple

from jhpatch.deployed import reasons
from jhpatch.deployed.reasons import Fault, Java
from jhpatch.errors import JhpatchError, Refused, jhpatch_command
from jhpatch.namedtuple import NamedTuple
from jhpatch.spark.faults import refusal_of
from jhpatch.system import path_owners

# Cloudera's parcels, Hortonworks' links, Bigtop's packages, and what people unpack by hand.
_SPARK_HOMES = (
    "/opt/cloudera/parcels/SPARK3/lib/spark3",
    "/opt/cloudera/parcels/SPARK2/lib/spark2",
    "/opt/cloudera/parcels/CDH/lib/spark3",
    "/opt/cloudera/parcels/CDH/lib/spark",
    "/usr/hdp/current/spark3-client",
    "/usr/hdp/current/spark2-client",
    "/usr/hdp/current/spark-client",
    "/usr/lib/spark3",
    "/usr/lib/spark2",
    "/usr/lib/spark",
    "/opt/spark*",
    "/usr/local/spark*",
)
_JAVA_HOMES = ("/usr/lib/jvm/*", "/usr/java/*", "/opt/java/*", "/opt/jdk*")
_HADOOP_CONF_DIR = "/etc/hadoop/conf"
_PYTHON_TIMEOUT = 20  # seconds


class Spark(NamedTuple):
    """A Spark that can be used from Python."""

    home: str
    version: str
    """Empty where it is not known."""
    python_path: Tuple[str, ...]


def find_spark(
    named: Optional[str], environ: Mapping[str, str], python: str, root: str = "/"
) -> Spark:
    """Return the Spark that is named, else that of SPARK_HOME, else the only one installed.

    ``root`` is the parent of the usual directories; ``python`` the interpreter whose pip may
    have installed pyspark. Raises Refused.
    """
    home = named or environ.get("SPARK_HOME", "")
    if not home:
        homes = _spark_homes(python, root)
        if len(homes) != 1:
            raise Refused(
                "there is more than one Spark" if homes else "there is no Spark",
                expected="one Spark",
                found=", ".join(homes) or "none in the usual folders",
                next=jhpatch_command(
                    "kernelspec", "install", "--spark-home", homes[0] if homes else "DIR"
                ),
            )
        home = homes[0]
    home = os.path.abspath(home)
    entries, fault = reasons.python_path(home)
    if fault:
        raise refusal_of(fault)
    return Spark(home, reasons.spark_version(home), tuple(entries))


def _spark_homes(python: str, root: str) -> List[str]:
    """Return the installed Sparks, each once whatever links lead to it."""
    prefix = os.path.dirname(os.path.dirname(python))
    patterns = [glob.escape(prefix) + "/lib/python3*/site-packages/pyspark"]
    patterns += [root.rstrip("/") + pattern for pattern in _SPARK_HOMES]
    homes: Dict[str, str] = {}
    for pattern in patterns:
        for path in sorted(glob.glob(pattern)):
            if os.path.isfile(path + "/bin/spark-submit"):
                homes.setdefault(os.path.realpath(path), path)
    return list(homes.values())


def find_java(
    named: Optional[str], environ: Mapping[str, str], spark: str, root: str = "/"
) -> Java:
    """Return the Java that is named, else the first that Spark ``spark`` supports.

    In this order: JAVA_HOME, PATH, the usual directories. Raises Refused.
    """
    if named:
        home = os.path.abspath(named)
        return _supported(spark, reasons.java_of(home), home)
    default = reasons.java_of(environ.get("JAVA_HOME", ""), environ.get("PATH", ""))
    candidates = [default]
    for pattern in _JAVA_HOMES:
        for path in sorted(glob.glob(root.rstrip("/") + pattern)):
            candidates.append(None if os.path.islink(path) else reasons.java_of(path))
    for java in candidates:
        if java and java.release and not list(reasons.judged_java(spark, java, java.home)):
            return java
    return _supported(spark, default, environ.get("JAVA_HOME", ""))


def _supported(spark: str, java: Optional[Java], home: str) -> Java:
    """Return a Java that Spark supports. Raises Refused."""
    for fault in reasons.judged_java(spark, java, home):
        raise refusal_of(fault)
    assert java is not None
    return java


def find_hadoop_conf(named: Optional[str], environ: Mapping[str, str]) -> str:
    """Return the directory of the Hadoop configuration: named, set, or the usual one.

    Raises Refused where it has no readable configuration.
    """
    variables = ("HADOOP_CONF_DIR", "YARN_CONF_DIR")
    directory = named or next(
        (environ[name] for name in variables if environ.get(name)), _HADOOP_CONF_DIR
    )
    directory = os.path.abspath(directory)
    fault = reasons.hadoop_of(directory)[1]
    if fault:
        raise refusal_of(fault)
    return directory


def check_pythons(
    spark: str, driver: str, worker: str, environ: Mapping[str, str]
) -> Tuple[List[Fault], List[str]]:
    """Return the faults of a kernel's two Pythons, and why a release is not known."""
    releases, unknown = {}, []
    for path in dict.fromkeys((driver, worker)):
        releases[path], reason = python_release(path, environ)
        if reason:
            unknown.append(reason)
    return list(reasons.judged_python(spark, releases[driver], releases[worker], worker)), unknown


def python_release(path: str, environ: Mapping[str, str]) -> Tuple[Tuple[int, ...], str]:
    """Return ``((major, minor), "")`` of an interpreter, or ``((), reason)`` if not known.

    Root runs no interpreter that another user can write.
    """
    if not os.access(path, os.X_OK):
        return (), "%s is no program of this host" % path
    try:
        if os.geteuid() == 0 and path_owners.writer_of(path) is not None:
            return (), "%s can be written by another user, and was not run" % path
    except JhpatchError as error:
        return (), error.message
    release = reasons.minor_of(path, environ, _PYTHON_TIMEOUT)
    return release, "" if release else "%s is no Python" % path
