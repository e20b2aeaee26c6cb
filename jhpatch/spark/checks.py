"""The Spark part of ``doctor``: each PySpark kernel's Spark, Java, Pythons, Hadoop, ticket."""

import os
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from jhpatch.checks import runner
from jhpatch.checks.runner import Check
from jhpatch.deployed import reasons
from jhpatch.deployed.reasons import Fault
from jhpatch.errors import JhpatchError
from jhpatch.kerberos.findings import finding
from jhpatch.report.result import Finding
from jhpatch.spark import kernel_store
from jhpatch.system import become_user


def found(fault: Fault, user: Optional[str] = None) -> Finding:
    """A fault as a finding."""
    cause = reasons.CAUSES[fault.code]
    where = fault.path or None
    return Finding(fault.code, cause.severity, fault.message, where, cause.why, fault.next, user)


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
        yield from map(found, reasons.look(environ))
        return
    host = list(reasons.look(environ, mine=False))
    yield from map(found, host)
    for user in users:
        account = runner.account_of(user)
        if account is not None and account.uid != 0:
            for fault in _as(account, environ):
                if fault.code not in {one.code for one in host}:
                    yield found(fault, user)


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
