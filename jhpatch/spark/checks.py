"""doctor's checks of PySpark kernels: each kernel's Spark, Java, Pythons, Hadoop, ticket."""

import os
from typing import Any, Dict, Iterator, List, Mapping, Tuple

from jhpatch.checks import runner
from jhpatch.checks.finding import FindingKind, FindingTable
from jhpatch.checks.runner import Check
from jhpatch.deployed import reasons
from jhpatch.deployed.reasons import Fault
from jhpatch.errors import JhpatchError, jhpatch_command
from jhpatch.report.result import Finding
from jhpatch.spark import kernel_store
from jhpatch.spark.faults import finding_of
from jhpatch.system import become_user

TABLE = FindingTable(
    {
        "spark": FindingKind("note", "this is what the kernel runs"),
        "hadoop": FindingKind("note", "the cluster, as HADOOP_CONF_DIR describes it"),
        "no-spark": FindingKind(
            "note", "nothing of Spark's was looked at", jhpatch_command("kernelspec", "install")
        ),
    }
)
"""The notes; the faults are in ``reasons.CAUSES`` (docs/pyspark.md)."""
finding = TABLE.finding
_VARIABLES_OF_ROOT = {"KRB5CCNAME", "KRB5_CLIENT_KTNAME", "HOME"}


def checks(environ: Mapping[str, str], users: Tuple[str, ...]) -> List[Check]:
    """Return a check for each kernel that this Python's server offers."""
    try:
        environments = [
            (kernel.name, kernel.spec.environment) for kernel in kernel_store.kernels()
        ]
    except JhpatchError:
        environments = []  # a hub's environment without a server in it
    if not environments and "SPARK_HOME" in environ:
        environments = [("SPARK_HOME", {})]
    if not environments:
        note = finding("no-spark", "no PySpark kernel is installed for this Python")
        return [Check("Spark", lambda deadline: [note])]
    return [_check(name, dict(environ, **own), users) for name, own in environments]


def _check(name: str, environ: Mapping[str, str], users: Tuple[str, ...]) -> Check:
    return Check("Spark kernel " + name, lambda deadline: _findings(name, environ, users))


def _findings(name: str, environ: Mapping[str, str], users: Tuple[str, ...]) -> Iterator[Finding]:
    yield from _notes(name, environ)
    if os.geteuid() != 0:
        yield from map(finding_of, reasons.look(environ))
        return
    host_faults = list(reasons.look(environ, mine=False))
    yield from map(finding_of, host_faults)
    codes = {fault.code for fault in host_faults}
    for user in users:
        account = runner.account_of(user)
        if account is not None and account.uid != 0:
            for fault in _faults_as_user(account, environ):
                if fault.code not in codes:
                    yield finding_of(fault, user)


def _faults_as_user(account: runner.Account, environ: Mapping[str, str]) -> List[Fault]:
    """Return what only the user can see: their ticket, the workers' Python.

    A child process of root becomes that user.
    """
    own = {name: environ[name] for name in sorted(environ) if name not in _VARIABLES_OF_ROOT}
    own["HOME"] = account.home

    def job() -> List[Dict[str, Any]]:
        return [reasons.packed(fault) for fault in reasons.look(own)]

    return [reasons.unpacked(row) for row in become_user.run_as(account.uid, job)]


def _notes(name: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Describe Spark, Java, Python and the cluster, also where there is no fault."""
    home = environ.get("SPARK_HOME", "")
    java = reasons.java_of(environ.get("JAVA_HOME", ""), environ.get("PATH", ""))
    hadoop = reasons.hadoop_version(home)
    message = "%s: Spark %s%s, Java %s, Python %s" % (
        name,
        reasons.spark_version(home) or "of an unknown release",
        " with Hadoop %s's client" % hadoop if hadoop else "",
        (java.release or "of an unknown release") if java else "none",
        environ.get("PYSPARK_PYTHON") or "as the kernel's",
    )
    yield finding("spark", message, home or None)
    directory = environ.get("HADOOP_CONF_DIR") or environ.get("YARN_CONF_DIR", "")
    cluster = reasons.hadoop_of(directory)[0] if directory else None
    if cluster:
        kind = "Kerberized" if cluster.kerberized else "without Kerberos"
        realm = ", realm " + cluster.realm if cluster.realm else ""
        managers = ", ".join(cluster.managers) or "none"
        message = "%s: a cluster %s%s, ResourceManager %s, file system %s"
        message = message % (name, kind, realm, managers, cluster.default_fs or "not said")
        yield finding("hadoop", message, directory)
