"""What a PySpark kernel needs, found on this host: a Spark, a Java, a Python, Hadoop's folder."""

import glob
import os
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from jhpatch.deployed import reasons
from jhpatch.deployed.reasons import Fault, Java
from jhpatch.errors import JhpatchError, Refused, jhpatch_command
from jhpatch.namedtuple import NamedTuple
from jhpatch.spark.faults import refusal
from jhpatch.system import path_owners

# Cloudera's parcels, Hortonworks' links, Bigtop's packages, and what people unpack by hand.
_HOMES = (
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
_JAVAS = ("/usr/lib/jvm/*", "/usr/java/*", "/opt/java/*", "/opt/jdk*")
_CONF = "/etc/hadoop/conf"


class Spark(NamedTuple):
    """A Spark that can be run from Python."""

    home: str
    version: str
    python_path: Tuple[str, ...]


def spark_of(
    named: Optional[str], environ: Mapping[str, str], python: str, root: str = "/"
) -> Spark:
    """The Spark that is named, else SPARK_HOME's, else the one that is found. Raises Refused.

    ``root``: where the usual folders are looked for; ``python``: whose pip pyspark counts.
    """
    home = named or environ.get("SPARK_HOME", "")
    if not home:
        found = _homes(python, root)
        if len(found) != 1:
            raise Refused(
                "there is more than one Spark" if found else "there is no Spark",
                expected="one Spark",
                found=", ".join(found) or "none in the usual folders",
                next=jhpatch_command(
                    "kernelspec", "install", "--spark-home", found[0] if found else "DIR"
                ),
            )
        home = found[0]
    home = os.path.abspath(home)
    entries, fault = reasons.python_path(home)
    if fault:
        raise refusal(fault)
    return Spark(home, reasons.spark_version(home), tuple(entries))


def _homes(python: str, root: str) -> List[str]:
    """The Sparks that are there, each once."""
    prefix = os.path.dirname(os.path.dirname(python))
    patterns = [glob.escape(prefix) + "/lib/python3*/site-packages/pyspark"]
    patterns += [root.rstrip("/") + one for one in _HOMES]
    found: Dict[str, str] = {}
    for pattern in patterns:
        for path in sorted(glob.glob(pattern)):
            if os.path.isfile(path + "/bin/spark-submit"):
                found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def java_of(named: Optional[str], environ: Mapping[str, str], spark: str, root: str = "/") -> Java:
    """The Java that is named, else the first that fits this Spark: JAVA_HOME's, the one on
    PATH, those in the usual folders. Raises Refused."""
    if named:
        home = os.path.abspath(named)
        java = reasons.java_of(home)
        return _fitting(spark, java, home)
    first = reasons.java_of(environ.get("JAVA_HOME", ""), environ.get("PATH", ""))
    found = [first] if first else []
    for pattern in _JAVAS:
        for path in sorted(glob.glob(root.rstrip("/") + pattern)):
            java = None if os.path.islink(path) else reasons.java_of(path)
            found += [java] if java else []
    for java in found:
        if java.release and not list(reasons.judged_java(spark, java, java.home)):
            return java
    return _fitting(spark, first, environ.get("JAVA_HOME", ""))


def _fitting(spark: str, java: Optional[Java], home: str) -> Java:
    for fault in reasons.judged_java(spark, java, home):
        raise refusal(fault)
    assert java is not None
    return java


def hadoop_conf_of(named: Optional[str], environ: Mapping[str, str]) -> str:
    """The Hadoop configuration's folder that is named, else set, else the usual one.

    Raises Refused where it cannot be read as one.
    """
    names = ("HADOOP_CONF_DIR", "YARN_CONF_DIR")
    folder = named or next((environ[name] for name in names if environ.get(name)), _CONF)
    folder = os.path.abspath(folder)
    fault = reasons.hadoop_of(folder)[1]
    if fault:
        raise refusal(fault)
    return folder


def python_of(path: str, environ: Mapping[str, str]) -> Tuple[Tuple[int, ...], str]:
    """``(the release of a Python, or empty; why it is not known)``.

    Root runs none that somebody else can write.
    """
    if not os.access(path, os.X_OK):
        return (), "%s is no program of this host" % path
    try:
        if os.geteuid() == 0 and path_owners.writer_of(path) is not None:
            return (), "%s can be written by another user, and was not run" % path
    except JhpatchError as error:
        return (), error.message
    release = reasons.minor_of(path, environ, 20)
    return release, "" if release else "%s is no Python" % path


def judged_pythons(
    spark: str, driver: str, worker: str, environ: Mapping[str, str]
) -> Iterator[Tuple[Optional[Fault], str]]:
    """Faults, and notes on what is not known, of the two Pythons of a kernel."""
    releases = {}
    for path in dict.fromkeys((driver, worker)):
        releases[path], why = python_of(path, environ)
        if why:
            yield None, why
    for fault in reasons.judged_python(spark, releases[driver], releases[worker], worker):
        yield fault, ""


def severe(faults: Iterable[Fault]) -> List[Fault]:
    """Those with which Spark does not start."""
    return [fault for fault in faults if reasons.CAUSES[fault.code].severity == "error"]
