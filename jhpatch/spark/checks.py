"""The Spark part of ``doctor``: each PySpark kernel's Spark, Java, Pythons, Hadoop, ticket."""

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
"""What there is; what keeps Spark from starting is in ``reasons.CAUSES`` (docs/pyspark.md)."""
finding = TABLE.finding


def checks(environ: Mapping[str, str], users: Tuple[str, ...]) -> List[Check]:
    """A check for each kernel that this Python's server offers."""
    try:
        rows = [(one.name, one.known.environment) for one in kernel_store.installed()]
    except JhpatchError:
        rows = []  # a hub's environment without a server in it
    if not rows and "SPARK_HOME" in environ:
        rows = [("SPARK_HOME", {})]
    if not rows:
        note = finding("no-spark", "no PySpark kernel is installed for this Python")
        return [Check("Spark", lambda deadline: [note])]
    return [_check(name, dict(environ, **own), users) for name, own in rows]


def _check(name: str, environ: Mapping[str, str], users: Tuple[str, ...]) -> Check:
    return Check("Spark kernel " + name, lambda deadline: _look(name, environ, users))


def _look(name: str, environ: Mapping[str, str], users: Tuple[str, ...]) -> Iterator[Finding]:
    yield from _notes(name, environ)
    if os.geteuid() != 0:
        yield from map(finding_of, reasons.look(environ))
        return
    host = list(reasons.look(environ, mine=False))
    yield from map(finding_of, host)
    for user in users:
        account = runner.account_of(user)
        if account is not None and account.uid != 0:
            for fault in _as(account, environ):
                if fault.code not in {one.code for one in host}:
                    yield finding_of(fault, user)


def _as(account: runner.Account, environ: Mapping[str, str]) -> List[Fault]:
    """What only the user sees: their ticket, the workers' Python. Root becomes them for it."""
    known = {key: environ[key] for key in sorted(environ) if key not in _ROOTS}
    known["HOME"] = account.home

    def job() -> List[Dict[str, Any]]:
        return [reasons.packed(fault) for fault in reasons.look(known)]

    return [reasons.unpacked(row) for row in become_user.run_as(account.uid, job)]


_ROOTS = {"KRB5CCNAME", "KRB5_CLIENT_KTNAME", "HOME"}


def _notes(name: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    """What there is, where all is well too."""
    home = environ.get("SPARK_HOME", "")
    java = reasons.java_of(environ.get("JAVA_HOME", ""), environ.get("PATH", ""))
    hadoop = reasons.hadoop_version(home)
    words = "%s: Spark %s%s, Java %s, Python %s" % (
        name,
        reasons.spark_version(home) or "of an unknown release",
        " with Hadoop %s's client" % hadoop if hadoop else "",
        (java.release or "of an unknown release") if java else "none",
        environ.get("PYSPARK_PYTHON") or "as the kernel's",
    )
    yield finding("spark", words, home or None)
    folder = environ.get("HADOOP_CONF_DIR") or environ.get("YARN_CONF_DIR", "")
    cluster = reasons.hadoop_of(folder)[0] if folder else None
    if cluster:
        kind = "Kerberized" if cluster.kerberized else "without Kerberos"
        realm = ", realm " + cluster.realm if cluster.realm else ""
        managers = ", ".join(cluster.managers) or "none"
        words = "%s: a cluster %s%s, ResourceManager %s, file system %s"
        words = words % (name, kind, realm, managers, cluster.default_fs or "not said")
        yield finding("hadoop", words, folder)
