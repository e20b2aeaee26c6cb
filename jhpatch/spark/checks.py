"""doctor's checks of PySpark kernels: each kernel's Spark, Java, Pythons, Hadoop, ticket."""

import os
from typing import Any, Callable, Dict, Iterator, List, Mapping, Tuple

from jhpatch.checks.finding import FindingKind, FindingTable
from jhpatch.checks.runner import Check
from jhpatch.deployed import causes, reasons, tickets
from jhpatch.deployed.causes import Fault
from jhpatch.deployed.hadoop import directories_of, hadoop_of
from jhpatch.deployed.kerberos.account import Account, account_of
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.spark_home import hadoop_version, java_of, spark_version
from jhpatch.errors import JhpatchError, jhpatch_command
from jhpatch.report.result import Finding
from jhpatch.spark import inspection, kernel_store
from jhpatch.spark.faults import finding_of
from jhpatch.spark.kernel_store import InstalledKernel
from jhpatch.system import become_user

TABLE = FindingTable(
    {
        "spark": FindingKind("note", "Spark runs with these programs"),
        "hadoop": FindingKind("note", "the Hadoop configuration describes this cluster"),
        "no-spark": FindingKind(
            "note",
            "doctor checks the Spark of each PySpark kernel",
            jhpatch_command("kernelspec", "install"),
        ),
    }
)
"""The notes; the faults are in ``causes.CAUSES`` (docs/pyspark.md)."""
finding = TABLE.finding
_LIMIT = 30.0  # seconds; doctor itself no longer waits then
_Look = Callable[[Mapping[str, str], bool], List[Fault]]
_VARIABLES_OF_ROOT = {"KRB5CCNAME", "KRB5_CLIENT_KTNAME", "HOME"}
_NO_TICKET = {"spark-no-ticket", "spark-ticket-expired"}
CacheOf = Callable[[Account], str]
"""Returns KRB5CCNAME of a user's server; empty if the hub sets none, or none is known."""


def checks(
    environ: Mapping[str, str], users: Tuple[str, ...], cache_of: CacheOf = lambda account: ""
) -> List[Check]:
    """Return a check for each PySpark kernel of this Python's server; without any, one check."""
    try:
        kernels = list(kernel_store.kernels())
    except JhpatchError:
        kernels = []  # a hub's environment without a server in it
    if not kernels and "SPARK_HOME" in environ:
        return [Check("Spark of SPARK_HOME", lambda _: _of_spark_home(environ, users, cache_of))]
    if not kernels:
        note = finding("no-spark", "doctor found no PySpark kernel for this Python")
        return [Check("Spark", lambda deadline: [note])]
    return [_check(kernel, environ, users, cache_of) for kernel in kernels]


def _check(
    kernel: InstalledKernel,
    environ: Mapping[str, str],
    users: Tuple[str, ...],
    cache_of: CacheOf,
) -> Check:
    def look(server: Mapping[str, str], mine: bool) -> List[Fault]:
        return list(inspection.inspect(kernel, server, mine)[0])

    def findings() -> Iterator[Finding]:
        if not kernel.spec.problem:
            yield from _notes(kernel.name, inspection.launch_of(kernel, environ).environment)
        yield from _findings(look, environ, users, cache_of, kernel.name)

    return Check("Spark kernel " + kernel.name, lambda deadline: findings())


def _of_spark_home(
    environ: Mapping[str, str], users: Tuple[str, ...], cache_of: CacheOf
) -> Iterator[Finding]:
    yield from _notes("SPARK_HOME", environ)
    yield from _findings(lambda own, mine: list(reasons.look(own, mine)), environ, users, cache_of)


def _findings(
    look: _Look,
    environ: Mapping[str, str],
    users: Tuple[str, ...],
    cache_of: CacheOf,
    kernel: str = "",
) -> Iterator[Finding]:
    if os.geteuid() != 0:
        yield from (finding_of(fault, kernel=kernel) for fault in look(environ, True))
        return
    host_faults = look(environ, False)
    yield from (finding_of(fault, kernel=kernel) for fault in host_faults)
    codes = {fault.code for fault in host_faults}
    for user in dict.fromkeys(users):
        try:
            account = account_of(user, min_uid=1)
        except Problem:  # the Kerberos checks report it
            continue
        for fault in _faults_as_user(account, environ, look, cache_of(account)):
            if fault.code not in codes:
                yield finding_of(fault, user, kernel)


def _faults_as_user(
    account: Account, environ: Mapping[str, str], look: _Look, cache: str
) -> List[Fault]:
    """Return what only the user can see: where their ticket is, what their Python imports.

    A child process of root becomes that user. An absent ticket in the server's cache is no fault:
    the hub obtains one at the login, and the check of the user's ticket reports if it cannot.
    """
    own = {name: environ[name] for name in sorted(environ) if name not in _VARIABLES_OF_ROOT}
    own["HOME"] = account.home
    if cache:
        own["KRB5CCNAME"] = cache
    filled_by_hub = tickets.jvm_cache(own, account.uid)

    def job() -> List[Dict[str, Any]]:
        return [causes.packed(fault) for fault in look(own, True)]

    rows = become_user.run_as(account.uid, job, limit=_LIMIT)
    faults = [causes.unpacked(row) for row in rows]
    return [one for one in faults if one.code not in _NO_TICKET or one.path != filled_by_hub]


def _notes(name: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Describe Spark, Java, Python and the cluster, also if there is no fault."""
    home = environ.get("SPARK_HOME", "")
    java = java_of(environ.get("JAVA_HOME", ""), environ.get("PATH", ""))
    hadoop = hadoop_version(home)
    message = "%s: Spark %s%s, Java %s, Python %s" % (
        name,
        spark_version(home) or "of an unknown release",
        " with Hadoop %s's client" % hadoop if hadoop else "",
        (java.release or "of an unknown release") if java else "none",
        environ.get("PYSPARK_PYTHON") or "that PySpark chooses",
    )
    yield finding("spark", message, home or None)
    cluster = hadoop_of(*directories_of(environ))[0]
    if cluster:
        kind = "a Kerberized cluster" if cluster.kerberized else "a cluster without Kerberos"
        realm = ", realm " + cluster.realm if cluster.realm else ""
        managers = ", ".join(cluster.managers) or "none"
        message = "%s: %s%s, ResourceManager %s, file system %s"
        message = message % (name, kind, realm, managers, cluster.default_fs or "not set")
        yield finding("hadoop", message, cluster.folder)
