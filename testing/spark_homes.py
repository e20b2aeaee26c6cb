"""Homes of Spark and Java, with a small pyspark that starts no JVM.

Real ones are in integration/hadoop.
"""

import os
import zipfile
from typing import Dict, Iterable

# What ours uses of pyspark: a context, a session, the gateway to a JVM that is none.
_PYSPARK = """\
import os

LOG = os.environ.get("FAKE_SPARK_LOG", os.devnull)


def note(text):
    with open(LOG, "a") as file:
        file.write(text + "\\n")


class Gateway:
    def shutdown(self):
        note("gateway shut down")


class JavaError(Exception):
    # As py4j's: what it says lies in the JVM.

    def __str__(self):
        if SparkContext._gateway is None:
            raise ConnectionRefusedError("the JVM is gone")
        return self.args[0]


class RDD:
    def __init__(self, rows):
        self._rows = rows

    def map(self, function):
        return RDD([function(row) for row in self._rows])

    def count(self):
        return len(self._rows)


class Tracker:
    def getActiveJobsIds(self):
        return [1] if os.path.exists(LOG + ".busy") else []


class SparkConf:
    def get(self, name, default=None):
        return default

    def set(self, name, value):
        note("%s=%s" % (name, value))


class SparkContext:
    _gateway = _jvm = _active_spark_context = None
    version = "VERSION"
    applicationId = "application_1_0001"
    master = "local[2]"

    @classmethod
    def getOrCreate(cls, conf=None):
        return cls._active_spark_context or cls()

    @classmethod
    def _ensure_initialized(cls):
        note("started " + os.environ.get("SPARK_SUBMIT_OPTS", ""))
        if os.path.exists(LOG + ".fault"):
            os.write(2, open(LOG + ".fault", "rb").read())
            cls._gateway = Gateway()
            raise JavaError("Java gateway process exited before sending its port number")
        cls._gateway = Gateway()

    def __init__(self):
        self._jsc = self
        SparkContext._active_spark_context = self

    def parallelize(self, rows):
        return RDD(list(rows))

    def statusTracker(self):
        return Tracker()

    def stop(self):
        note("stopped")
        self._jsc = None
"""
_SQL = """\
from pyspark import RDD, SparkContext


class Streams:
    active = []


class SparkSession:
    _instantiatedSession = None


    def __init__(self):
        self.sparkContext = SparkContext.getOrCreate()
        self.streams = Streams()
        SparkSession._instantiatedSession = self

    def range(self, count):
        frame = RDD(list(range(count)))
        frame.rdd = frame
        return frame


class Builder:
    def getOrCreate(self):
        return SparkSession._instantiatedSession or SparkSession()


SparkSession.builder = Builder()
"""
_SQL_1 = """\
class HiveContext:
    def __init__(self, context):
        self.context = context
"""


def make_spark(folder: str, version: str = "3.5.1", py4j: Iterable[str] = ("0.10.9.7",)) -> str:
    """Make a home of a Spark release, as its tarball has it."""
    package = folder + "/python/pyspark"
    write(folder + "/RELEASE", "Spark %s built for Hadoop 3.3.4\n" % version)
    write(folder + "/bin/spark-submit", "#!/bin/sh\n", 0o755)
    write(package + "/__init__.py", _PYSPARK.replace("VERSION", version))
    write(package + "/sql.py", _SQL_1 if version.startswith("1.") else _SQL)
    os.makedirs(folder + "/python/lib", exist_ok=True)
    for one in py4j:
        with zipfile.ZipFile("%s/python/lib/py4j-%s-src.zip" % (folder, one), "w") as archive:
            archive.writestr("py4j/__init__.py", "")
    return folder


def make_java(folder: str, version: str = "17.0.15") -> str:
    """Make a JAVA_HOME of a release, without a JVM."""
    write(folder + "/bin/java", "#!/bin/sh\nexit 1\n", 0o755)
    write(folder + "/release", 'IMPLEMENTOR="tests"\nJAVA_VERSION="%s"\n' % version)
    return folder


def make_python(path: str, version: str) -> str:
    """A program that says that it is a Python of that minor release, such as 3.8."""
    return write(path, "#!/bin/sh\necho %s\n" % version, 0o755)


def make_hadoop(folder: str, core: Dict[str, str], yarn: Dict[str, str]) -> str:
    """Make a HADOOP_CONF_DIR with these properties."""
    for name, values in (("core", core), ("yarn", yarn)):
        row = "<property><name>%s</name><value>%s</value></property>"
        rows = "".join(row % pair for pair in values.items())
        write("%s/%s-site.xml" % (folder, name), "<configuration>%s</configuration>" % rows)
    return folder


def write(path: str, text: str, mode: int = 0o644) -> str:
    """Write a file, and make its directories; return its path."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)
    return path
