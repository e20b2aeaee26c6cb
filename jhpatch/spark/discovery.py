"""Find the Spark, Java, Pythons and Hadoop configuration of a PySpark kernel on this host."""

import glob
import os
import shutil
from typing import Dict, List, Mapping, Optional, Tuple

from jhpatch.deployed import hadoop, spark_home
from jhpatch.deployed.causes import Fault
from jhpatch.deployed.spark_home import Java, KernelPython
from jhpatch.errors import JhpatchError, Refused, jhpatch_command
from jhpatch.namedtuple import NamedTuple
from jhpatch.spark import probe
from jhpatch.spark.faults import no_ipykernel, refusal_of
from jhpatch.system import path_owners

# Cloudera's parcels, Hortonworks' links, Bigtop's packages, and manual installations.
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


class Spark(NamedTuple):
    """A Spark that can be used from Python."""

    home: str
    version: str
    """Empty if it is not known."""
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
        homes = _spark_homes(python, environ, root)
        if len(homes) != 1:
            raise Refused(
                "there is more than one Spark" if homes else "there is no Spark",
                expected="one Spark",
                found=", ".join(homes) or "none in the usual directories",
                next=jhpatch_command(
                    "kernelspec", "install", "--spark-home", homes[0] if homes else "DIR"
                ),
            )
        home = homes[0]
    home = os.path.abspath(home)
    entries, fault = spark_home.python_path(home)
    if fault:
        raise refusal_of(fault)
    return Spark(home, spark_home.spark_version(home), tuple(entries))


def _spark_homes(python: str, environ: Mapping[str, str], root: str) -> List[str]:
    """Return the installed Sparks, each once even if several links lead to it.

    This runs Python to find pip's pyspark, which may be in the user's site-packages.
    """
    asked = ask_python(python, environ)[0]
    own = spark_home.own_home(asked.pyspark[0]) if asked else ""
    prefix = os.path.dirname(os.path.dirname(python))
    patterns = [glob.escape(prefix) + "/lib/python3*/site-packages/pyspark"]
    patterns += [root.rstrip("/") + pattern for pattern in _SPARK_HOMES]
    patterns += [glob.escape(own)] if own else []
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
        return _supported(spark, spark_home.java_of(home), home)
    default = spark_home.java_of(environ.get("JAVA_HOME", ""), environ.get("PATH", ""))
    candidates = [default]
    for pattern in _JAVA_HOMES:
        for path in sorted(glob.glob(root.rstrip("/") + pattern)):
            candidates.append(None if os.path.islink(path) else spark_home.java_of(path))
    for java in candidates:
        if java and java.release and not list(spark_home.judged_java(spark, java, java.home)):
            return java
    return _supported(spark, default, environ.get("JAVA_HOME", ""))


def _supported(spark: str, java: Optional[Java], home: str) -> Java:
    """Return a Java that Spark supports. Raises Refused."""
    for fault in spark_home.judged_java(spark, java, home):
        raise refusal_of(fault)
    assert java is not None
    return java


def find_hadoop_conf(
    named: Optional[str], named_yarn: Optional[str], environ: Mapping[str, str]
) -> Tuple[str, str]:
    """Return the directories of Hadoop's and of YARN's configuration, which may be the same.

    They are those named, else those of HADOOP_CONF_DIR and YARN_CONF_DIR, else the usual one.
    Raises Refused if they have no readable configuration.
    """
    hadoop_dir = named or environ.get("HADOOP_CONF_DIR") or environ.get("YARN_CONF_DIR", "")
    yarn_dir = named_yarn or ("" if named else environ.get("YARN_CONF_DIR", ""))
    is_found = bool(hadoop_dir or yarn_dir)
    hadoop_dir = os.path.abspath(hadoop_dir or yarn_dir or _HADOOP_CONF_DIR)
    yarn_dir = os.path.abspath(yarn_dir or hadoop_dir)
    fault = hadoop.hadoop_of(hadoop_dir, yarn_dir)[1]
    if fault:
        error = refusal_of(fault)
        if not is_found and error.next is not None:
            local = jhpatch_command("kernelspec", "install", "--master", "local[*]")
            error.next = error.next + "; to run Spark on this host only: " + local
        raise error
    return hadoop_dir, yarn_dir


class Pythons(NamedTuple):
    """The Pythons of a new kernel, by absolute path, and what is known of them."""

    driver: str
    worker: str
    faults: Tuple[Fault, ...] = ()
    unknown: Tuple[str, ...] = ()
    """Why a release is not known."""


def path_of(python: str, option: str, environ: Mapping[str, str]) -> str:
    """Return the absolute path of a Python that an option names by path or by a name on PATH.

    Raises Refused.
    """
    if os.path.isabs(python):
        return python
    found = "" if "/" in python else shutil.which(python, path=environ.get("PATH") or None)
    if found:
        return os.path.abspath(found)
    relative = "is a relative path, but a server starts the kernel in another directory"
    reason = relative if "/" in python else "is not on PATH"
    code = "spark-worker-python" if option == "--worker-python" else "kernel-python"
    raise refusal_of(Fault(code, "%s %s %s" % (option, python, reason)))


def find_pythons(
    spark: str, driver: str, worker: str, is_local: bool, environ: Mapping[str, str]
) -> Pythons:
    """Return what is known of a kernel's two Pythons, which are absolute paths.

    ``is_local``: whether the workers run on this host.
    """
    faults: List[Fault] = []
    unknown: List[str] = []
    python, reason, is_there = ask_python(driver, environ)
    release = python.release if python else ()
    if python is None and is_there:
        unknown.append(reason)
    elif python is None:
        faults.append(Fault("kernel-python", reason, driver))
    elif release < (3, 6):
        words = "%s is Python %s" % (driver, ".".join(map(str, release)))
        faults.append(Fault("kernel-python", words, driver))
    elif not python.has_ipykernel:
        faults.append(no_ipykernel(driver))
    of_worker = release
    if worker != driver:
        of_worker, reason, is_there = python_release(worker, environ)
        if reason and is_local and not is_there:
            faults.append(Fault("spark-worker-python", reason, worker))
        elif reason:
            unknown.append(reason)
    faults += spark_home.judged_python(spark, release, of_worker, worker)
    return Pythons(driver, worker, tuple(faults), tuple(unknown))


def ask_python(path: str, environ: Mapping[str, str]) -> Tuple[Optional[KernelPython], str, bool]:
    """Return what a kernel's Python is; or None, why not, and whether it exists."""
    reason, is_there = _not_run(path)
    if reason:
        return None, reason, is_there
    own = {name: environ[name] for name in environ if not name.startswith("PYTHON")}
    python, problem = probe.ask(path, own)
    return python, "" if python else "%s does not run as a Python: %s" % (path, problem), False


def python_release(path: str, environ: Mapping[str, str]) -> Tuple[Tuple[int, ...], str, bool]:
    """Return the minor release of the workers' Python; or why not, and whether it exists."""
    reason, is_there = _not_run(path)
    if reason:
        return (), reason, is_there
    release = spark_home.minor_of(path, environ)
    return release, "" if release else "%s does not print a Python release" % path, False


def _not_run(path: str) -> Tuple[str, bool]:
    """Return why jhpatch does not run a Python, and whether it exists.

    Root runs no interpreter that another user can write.
    """
    if not os.access(path, os.X_OK) or os.path.isdir(path):
        return "%s is not an executable file on this host" % path, False
    try:
        if os.geteuid() == 0 and path_owners.writer_of(path) is not None:
            return "jhpatch did not run %s, because another user can change it" % path, True
    except JhpatchError as error:
        return error.message, True
    return "", True
