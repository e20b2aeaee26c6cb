"""Homes of Spark and Java, with a small pyspark that starts no JVM.

Real ones are in integration/hadoop.
"""

import json
import os
import zipfile
from typing import Dict, Iterable

# What the kernel uses of pyspark: a context, a session, the gateway to a JVM. The JVM here is a
# shell, which ends as a real one does when its standard input is closed.
_JAVA_GATEWAY = """\
from subprocess import PIPE, Popen


def launch():
    return Popen(["sh", "-c", "cat; echo JVM ended >> $FAKE_SPARK_LOG"], stdin=PIPE)
"""
_SERIALIZERS = """\
import os
import pickle


class CloudPickleSerializer:
    def dumps(self, value):
        if os.path.exists(os.environ.get("FAKE_SPARK_LOG", "") + ".unusable"):
            raise IndexError("tuple index out of range")
        return pickle.dumps("a function")

    def loads(self, data):
        return pickle.loads(data)
"""
_PYSPARK = """\
import os

from pyspark import java_gateway

LOG = os.environ.get("FAKE_SPARK_LOG", os.devnull)


def note(text):
    with open(LOG, "a") as file:
        file.write(text + "\\n")


def lines(name):
    path = LOG + "." + name
    return open(path).read().splitlines() if os.path.exists(path) else []


class Java:
    # Any object of the JVM: what matters of it is named here.

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return self

    def __call__(self, *args):
        return self

    def __bool__(self):
        return False

    def HiveConf(self):
        raise TypeError("'JavaPackage' object is not callable")

    def numTotalJobs(self):
        return len(lines("jobs"))

    def getPersistentRDDs(self):
        return lines("cached")

    def toString(self):
        return "".join(lines("threads"))

    def job(self, number):
        return Job(number)

    def cancelJob(self, job):
        note("cancelled %d" % job)


class Job(Java):
    # Those before 5 began before any cell, those from 10 on belong to the stream "a run id".

    def __init__(self, number):
        self.number = number

    def jobGroup(self):
        return Option("a run id" if self.number >= 10 else None)

    def submissionTime(self):
        return Option(self)

    def getTime(self):
        return 1e15 if self.number >= 5 else 0

    def toString(self):
        return "FAILED" if "cancelled %d\\n" % self.number in open(LOG).read() else "RUNNING"


class Option:
    def __init__(self, value):
        self.get = lambda: value
        self.isDefined = lambda: value is not None


class Gateway:
    def __init__(self):
        self.gateway_parameters = self._gateway_client = self
        self.port, self.auth_token = 4711, "a secret"

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
        if LOG != os.devnull:
            with open(LOG + ".jobs", "a") as file:
                file.write("a job\\n")
        return len(self._rows)


class Tracker:
    def getActiveJobsIds(self):
        return [int(line) for line in lines("busy")]


class SparkConf:
    def __init__(self, _jconf=None):
        pass

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
        if cls._gateway is not None:
            return
        if "PYSPARK_GATEWAY_PORT" in os.environ:
            assert os.environ["PYSPARK_GATEWAY_SECRET"] == "a secret"
        else:
            note("started " + os.environ.get("SPARK_SUBMIT_OPTS", ""))
            if os.path.exists(LOG + ".fault"):
                os.write(2, open(LOG + ".fault", "rb").read())
                cls._gateway = Gateway()
                raise JavaError("Java gateway process exited before sending its port number")
            java_gateway.launch()
        cls._gateway, cls._jvm = Gateway(), Java()

    def __init__(self, conf=None, jsc=None):
        SparkContext._ensure_initialized()
        self._jsc, self._jvm = jsc or Java(), SparkContext._jvm
        SparkContext._active_spark_context = self

    def parallelize(self, rows):
        return RDD(list(rows))

    def statusTracker(self):
        return Tracker()

    def stop(self):
        note("stopped")
        self._jsc = SparkContext._active_spark_context = None


from pyspark import sql  # as the real one does
"""
_SQL = """\
from pyspark import RDD, SparkContext


class SparkSession:
    _instantiatedSession = None

    def __init__(self):
        self.sparkContext = SparkContext.getOrCreate()
        SparkSession._instantiatedSession = self

    @classmethod
    def getActiveSession(cls):
        return cls._instantiatedSession

    def range(self, count):
        frame = RDD(list(range(count)))
        frame.rdd = frame
        return frame

    def stop(self):
        self.sparkContext.stop()
        SparkSession._instantiatedSession = None


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
    write(package + "/java_gateway.py", _JAVA_GATEWAY)
    write(package + "/serializers.py", _SERIALIZERS)
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


def make_python(path: str, version: str, modules: Iterable[str] = ("ipykernel",)) -> str:
    """A program that says that it is a Python of that minor release, such as 3.8.

    To the question of ``jhpatch.spark.probe`` it answers that it has these modules.
    """
    release = [int(part) for part in version.split(".")]
    answer = json.dumps({"release": release, "found": {name: ["", ""] for name in modules}})
    question = "*jhpatch_probe*) echo 'jhpatch_probe %s' ;;" % answer
    text = '#!/bin/sh\ncase "$*" in\n%s\n*) echo %s ;;\nesac\n' % (question, version)
    return write(path, text, 0o755)


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
