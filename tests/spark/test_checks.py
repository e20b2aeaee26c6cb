"""What ``doctor`` says of PySpark kernels: what they run, and what would keep them from it."""

import json
import os
import sys

import pytest

from jhpatch.checks import runner
from jhpatch.report.next_command import Runner
from jhpatch.spark import checks, kernelspec
from testing.spark_homes import make_hadoop, make_java, make_spark, write
from tests.spark.one_kernel import ONE

PRINCIPAL = "yarn/_HOST@EXAMPLE.TEST"
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become a user")


@pytest.fixture
def environ(tmp_path, monkeypatch):
    """Of a host with one kernel, for a Kerberized cluster that is away."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    values = {
        "yarn.resourcemanager.address": "127.0.0.1:1",
        "yarn.resourcemanager.principal": PRINCIPAL,
    }
    core = {"hadoop.security.authentication": "kerberos", "fs.defaultFS": "hdfs://nn"}
    kernel = ONE._replace(
        spark_home=make_spark(str(tmp_path / "spark")),
        java_home=make_java(str(tmp_path / "java")),
        hadoop_conf_dir=make_hadoop(str(tmp_path / "conf"), core, values),
        worker_python=sys.executable,
    )
    folder = tmp_path / "jupyter" / "kernels" / "pyspark"
    write(str(folder / "kernel.json"), kernelspec.kernel_json(kernel))
    for path in [tmp_path] + list(tmp_path.parents):
        if os.stat(str(path)).st_uid == os.geteuid() and str(path) != "/":
            os.chmod(str(path), os.stat(str(path)).st_mode | 0o055)
    return {"PATH": os.environ["PATH"], "KRB5CCNAME": str(tmp_path / "absent")}


def rows_of(environ, *users, cache=""):
    """The findings, by code; ``cache`` is KRB5CCNAME of the users' servers."""
    rows = checks.checks(environ, users, lambda account: cache)
    found = runner.findings_of(runner.run_checks(rows))
    return {row.code: row for row in found}


def test_what_a_kernel_runs_and_where(environ):
    """Spark, Java, Python; Kerberos, realm, ResourceManager: also where all is well."""
    rows = rows_of(environ)
    assert "Spark 3.5.1, Java 17" in rows["spark"].message
    words = rows["hadoop"].message
    assert "a Kerberized cluster, realm EXAMPLE.TEST" in words and "127.0.0.1:1" in words
    assert "hdfs://nn" in words and rows["hadoop"].severity == "note"


def test_the_hadoop_client_that_a_spark_brings(environ, tmp_path):
    """By the names of its jars; it has to fit the cluster's."""
    write(str(tmp_path / "spark" / "jars" / "hadoop-client-api-3.3.4.jar"), "")
    assert "Spark 3.5.1 with Hadoop 3.3.4's client, Java" in rows_of(environ)["spark"].message


def test_a_resourcemanager_that_does_not_answer(environ):
    """With what to check."""
    row = rows_of(environ)["yarn-unreachable"]
    assert row.severity == "error" and "servers in the message run" in Runner().shown(row.next)


@ROOT
def test_before_a_login_no_ticket_is_missed(environ):
    """The hub obtains it: in the cache that the server has, or in Java's default one."""
    for cache in ("/run/jhpatch/65534/cc", "FILE:/tmp/krb5cc_65534", ""):
        assert "spark-no-ticket" not in rows_of(environ, "nobody", cache=cache)


@ROOT
@pytest.mark.parametrize("cache", ["/run/jhpatch/65534/cc", ""])
def test_a_cache_that_the_hub_does_not_fill(environ, tmp_path, cache):
    """A kernel that names another cache than its server's has no ticket after a login either."""
    kernel = tmp_path / "jupyter" / "kernels" / "pyspark" / "kernel.json"
    document = json.loads(kernel.read_text())
    document["env"]["KRB5CCNAME"] = "/tmp/of-the-kernel"
    kernel.write_text(json.dumps(document))
    assert "spark-no-ticket" not in rows_of(environ)
    row = rows_of(environ, "nobody", cache=cache)["spark-no-ticket"]
    assert row.user == "nobody" and "FILE:/tmp/of-the-kernel" in row.message


@ROOT
def test_root_runs_no_workers_python(environ, tmp_path):
    """It may be a user's: as root it is not run, as the user it is."""
    folder = tmp_path / "jupyter" / "kernels" / "pyspark" / "kernel.json"
    seen = str(tmp_path / "seen")
    python = write(str(tmp_path / "python"), "#!/bin/sh\nid -u >>%s\necho 3.2\n" % seen, 0o755)
    write(seen, "", 0o666)
    folder.write_text(folder.read_text().replace(sys.executable, python))
    rows_of(environ)
    assert open(seen).read() == ""
    assert "spark-python-mismatch" in rows_of(environ, "nobody")
    assert set(open(seen).read().split()) == {"65534"}


def test_no_kernel_at_all(tmp_path, monkeypatch):
    """A note, and the command that makes one."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("jhpatch.spark.kernel_store.kernels", lambda: iter(()))
    row = rows_of({})["no-spark"]
    assert row.severity == "note" and "kernelspec install" in Runner().shown(row.next)
