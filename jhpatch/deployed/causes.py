"""Why Spark does not start: for each cause a code, a severity, an explanation and a next step.

``jhpatch kernelspec``, ``jhpatch doctor`` and jhpatch's kernels show them; docs/pyspark.md has the
table. Copied into a kernelspec's directory as ``jhpatch_causes.py``. All modules that are copied
there run on Python 3.6 and later.
"""

import os
import shlex
from typing import Any, Dict, Mapping, NamedTuple

INSTALL = "run kernelspec install with the other options of {kernel} and "


class Cause(NamedTuple):
    """Why there is no session; ``next`` is a command or an instruction with {names} to fill in."""

    severity: str
    why: str
    next: str


CAUSES: Dict[str, Cause] = {
    "kernel-json": Cause(
        "error",
        "Jupyter reads kernel.json with Python's json module, and ignores a file that it cannot"
        " read",
        "correct the error in {path}",
    ),
    "kernel-language": Cause(
        "error",
        "kernelspec check runs a Python job, which a Scala or R kernel cannot run",
        "python -m jhpatch kernelspec list",
    ),
    "kernel-program": Cause(
        "error",
        "Jupyter starts the program that argv names; a wrapper script starts other programs",
        "correct argv in {path}, or the script that argv names",
    ),
    "kernel-no-ipykernel": Cause(
        "error",
        "the Jupyter server communicates with ipykernel in the kernel's Python",
        "install ipykernel for {python}, for example: {python} -m pip install ipykernel",
    ),
    "kernel-startup": Cause(
        "warning",
        "a PySpark kernel can define spark and sc in the file that PYTHONSTARTUP names",
        "correct PYTHONSTARTUP in {path} or in the environment of the Jupyter server",
    ),
    "kernel-variable": Cause(
        "warning",
        "Jupyter replaces $NAME in env with a variable of the server, not with one from env",
        "write the value instead of the reference in {path}",
    ),
    "spark-home-missing": Cause(
        "error",
        "a PySpark kernel runs the Spark in the directory SPARK_HOME",
        INSTALL + "--spark-home DIR",
    ),
    "spark-no-pyspark": Cause(
        "error",
        "the kernel's Python must find pyspark: pip's, or on PYTHONPATH SPARK_HOME/python or its"
        " lib/pyspark.zip",
        INSTALL + "--spark-home DIR",
    ),
    "spark-py4j": Cause(
        "error",
        "pyspark communicates with Java through py4j, and needs a matching release of py4j",
        INSTALL + "--spark-home DIR",
    ),
    "spark-mixed": Cause(
        "error",
        "pyspark and the Spark at SPARK_HOME must be of the same minor release",
        INSTALL + "--spark-home DIR",
    ),
    "spark-submit-args": Cause(
        "error",
        "pyspark passes PYSPARK_SUBMIT_ARGS to spark-submit, which needs pyspark-shell after the"
        " options",
        INSTALL + "--spark-home DIR",
    ),
    "spark-driver-memory": Cause(
        "error",
        "the driver's JVM needs a heap size, such as 512m or 2g, that this host can provide",
        INSTALL + "--conf spark.driver.memory=1g",
    ),
    "spark-package": Cause(
        "error",
        "Spark must find the packages and jars that its settings name",
        "correct the packages or jars in PYSPARK_SUBMIT_ARGS or spark-defaults.conf",
    ),
    "spark-master": Cause(
        "error",
        "Spark requests its executors from the master",
        "correct the master in PYSPARK_SUBMIT_ARGS or spark-defaults.conf, or start that master",
    ),
    "spark-worker-python": Cause(
        "error",
        "a Python function of a notebook runs in the workers' Python (PYSPARK_PYTHON)",
        INSTALL + "--worker-python PATH",
    ),
    "spark-java-missing": Cause(
        "error",
        "Spark runs in a JVM",
        INSTALL + "--java-home DIR",
    ),
    "spark-java-unfit": Cause(
        "error",
        "each Spark release supports only certain Java releases",
        INSTALL + "--java-home DIR",
    ),
    "spark-python-mismatch": Cause(
        "error",
        "PySpark requires the same minor version of Python for the notebook and the workers",
        "install one Python at the same path on all nodes, and name it with kernelspec install"
        " --python",
    ),
    "kernel-python": Cause(
        "error",
        "a kernel that jhpatch writes needs the absolute path of a Python 3.6 or later",
        INSTALL + "--python PATH",
    ),
    "spark-python-unfit": Cause(
        "warning",
        "this Spark was released for other versions of Python, and may fail to send functions to"
        " workers",
        INSTALL + "--python PATH",
    ),
    "spark-python-unusable": Cause(
        "error",
        "pyspark pickles each function that it sends to a worker, and fails with this Python",
        INSTALL + "--python PATH",
    ),
    "hadoop-conf-unreadable": Cause(
        "error",
        "Spark reads the addresses of YARN and HDFS from HADOOP_CONF_DIR or YARN_CONF_DIR",
        INSTALL + "--hadoop-conf-dir DIR",
    ),
    "spark-no-ticket": Cause(
        "error",
        "a Kerberized cluster authenticates each user with a ticket",
        "run {kinit} in a terminal of the user to obtain a ticket",
    ),
    "spark-ticket-expired": Cause(
        "error",
        "a Kerberized cluster does not accept an expired ticket",
        "run {kinit} in a terminal of the user to obtain a new ticket",
    ),
    "spark-cache-unseen": Cause(
        "error",
        "Java reads only a FILE cache: the one that KRB5CCNAME names, or /tmp/krb5cc_UID",
        "set c.KerberosTicket.ccache = '/tmp/krb5cc_{{uid}}' in jupyterhub_config.py",
    ),
    "spark-token-expired": Cause(
        "error",
        "a delegation token has a maximum life, and Spark did not obtain a new one in time",
        "restart the kernel. In a kernel that jhpatch did not write, set "
        "spark.kerberos.renewal.credentials=ccache, which Spark 3.0 or later reads",
    ),
    "yarn-unreachable": Cause(
        "error",
        "Spark contacts YARN and HDFS at the addresses of the Hadoop configuration",
        "check whether the servers in the message run, and whether a firewall drops TCP to their"
        " ports",
    ),
    "yarn-queue": Cause(
        "error",
        "YARN runs an application only in an existing queue that the user may use",
        INSTALL + "--conf spark.yarn.queue=QUEUE",
    ),
    "yarn-memory": Cause(
        "error",
        "YARN allocates no container larger than yarn.scheduler.maximum-allocation-mb",
        INSTALL + "--conf spark.executor.memory=1g",
    ),
    "hdfs-permission": Cause(
        "error",
        "HDFS checks the owner, the group and the mode of each file",
        "hdfs dfs -ls -d {path}",
    ),
    "spark-timeout": Cause(
        "error",
        "Spark may be waiting for resources of its queue, or for a host that does not respond",
        "on YARN: yarn application -list -appStates ACCEPTED",
    ),
    "kernel-died": Cause(
        "error",
        "the process that argv in kernel.json starts must run until Jupyter shuts the kernel down",
        "read the log of the Jupyter server, or the output of kernelspec check --verbose",
    ),
    "spark-failed": Cause(
        "error",
        "Spark or its kernel reported this error, and jhpatch knows no cause for it",
        "read the log of the Jupyter server, or the output of kernelspec check --verbose",
    ),
}


class Fault(NamedTuple):
    """Something that can keep Spark from starting: a code of CAUSES, a message, and a path.

    ``fill``: what the next step's {names} stand for.
    """

    code: str
    message: str
    path: str = ""
    fill: Mapping[str, str] = {}

    @property
    def next(self) -> str:
        """The command to run, or the change to make."""
        fill = {"path": self.path or "kernel.json", "python": "PYTHON", "kinit": "kinit"}
        fill["kernel"] = "the kernel"
        if self.path.startswith("FILE:/"):  # libkrb5's default cache can be one that Java ignores
            fill["kinit"] = "kinit -c " + shlex.quote(self.path)
        fill.update(self.fill)
        return CAUSES[self.code].next.format(**fill)


def told(fault: Fault) -> str:
    """Describe a fault to the user of a notebook, in three lines."""
    step, directory = fault.next, os.path.dirname(os.path.abspath(__file__))
    # This module is in the kernel's directory: only a user who can write there can reinstall it.
    if "kernelspec install" in step and not os.access(directory, os.W_OK):
        step = "ask the administrator of this host to " + step
    words = (fault.message, fault.code, CAUSES[fault.code].why, step)
    return "Spark did not start: %s  [%s]\n  why:  %s\n  next: %s" % words


def packed(fault: Fault) -> Dict[str, Any]:
    """Return a fault as values for JSON."""
    return dict(fault._asdict(), fill=dict(fault.fill))


def unpacked(row: Mapping[str, Any]) -> Fault:
    """Return a packed fault. Raises KeyError, TypeError, ValueError."""
    fill = {str(key): str(value) for key, value in dict(row["fill"]).items()}
    if row["code"] not in CAUSES:
        raise ValueError("unknown cause")
    return Fault(str(row["code"]), str(row["message"]), str(row["path"]), fill)
