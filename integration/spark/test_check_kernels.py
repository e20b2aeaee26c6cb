"""``kernelspec check`` over kernels that people run, with a real Spark: what a first job does."""

import sys
from typing import Any, Dict

import pytest

from integration.spark import parts
from testing import spark_corpus
from testing.spark_homes import make_hadoop, write

SPARK = parts.NEWEST
VERDICTS = {
    "archives-no-args": "",
    "bash-c": "",
    "driver-is-jupyter": "",
    "jar-missing": "",  # Spark 4 skips it with a warning
    "no-spark-home": "",
    "run-sh-sources": "",
    "sc-only": "",
    "startup-fails": "",
    "startup-findspark": "",
    "trailing-slash": "",
    "bad-python": "kernel-program",
    "docker": "kernel-program",
    "driver-memory": "spark-driver-memory",
    "enterprise-gateway": "kernel-program",
    "java-missing": "spark-java-missing",
    "java-unfit": "spark-java-unfit",
    "json-comma": "kernel-json",
    "master-unreachable": "spark-master",
    "no-ipykernel": "kernel-no-ipykernel",
    "no-such-variable": "spark-home-missing",
    "py4j-elsewhere": "spark-py4j",
    "py4j-wildcard": "spark-py4j",
    "python-path-typo": "spark-no-pyspark",
    "spark-remote": "spark-submit-args",
    "sparkmagic": "kernel-program",
    "sparkr": "kernel-language",
    "submit-args-empty": "spark-submit-args",
    "submit-args-no-shell": "spark-submit-args",
    "submit-args-typo": "spark-submit-args",
    "submit-args-unbalanced": "spark-submit-args",
    "template-left": "spark-home-missing",
    "two-sparks": "spark-mixed",
    "worker-missing": "spark-worker-python",
    "worker-older": "spark-python-mismatch",
    "yarn-client": "hadoop-conf-unreadable",
    "yarn-no-conf": "hadoop-conf-unreadable",
}
"""The code of ``check``; empty where a first job runs."""
LIKE_OTHERS = {
    *("archives-no-args", "driver-is-jupyter", "jar-missing", "run-sh-sources"),
    *("startup-findspark", "trailing-slash", "yarn-client", "yarn-no-conf"),
}
"""Kernels that are left out without JHPATCH_LONG; ``--static`` judges them in tests/spark."""
SAYS = {
    "driver-memory": "1x",
    "java-unfit": "UnsupportedClassVersionError",
    "master-unreachable": "All masters are unresponsive",
    "spark-remote": "Remote cannot be specified with master",
    "submit-args-typo": "--executor-memmory",
}
"""A part of the JVM's own sentence."""


@pytest.fixture
def values(tmp_path: Any) -> Dict[str, str]:
    """What fills the placeholders of the corpus: real Sparks, Pythons and Javas."""
    oldest, newest = SPARK.pythons
    python = parts.python_of(newest)
    bare = '#!/bin/sh\nexec "%s" -S "$@"\n' % python
    archive = spark_corpus.py4j_of(SPARK.home)
    return {
        "<PYTHON>": python,
        "<BARE_PYTHON>": write(str(tmp_path / "bare" / "python3"), bare, 0o755),
        "<OLD_PYTHON>": parts.python_of(oldest),
        "<SPARK>": SPARK.home,
        "<OTHER_SPARK>": parts.SPARKS[-3].home,
        "<PY4J>": archive,
        "<JAVA>": SPARK.java_home,
        "<OLD_JAVA>": parts.SPARKS[0].java_home,
        "<CONF>": make_hadoop(str(tmp_path / "conf"), {}, {}),
    }


@pytest.mark.parametrize("name", sorted(set(VERDICTS) - (set() if parts.LONG else LIKE_OTHERS)))
def test_a_first_job_decides(
    name: str, values: Dict[str, str], jhpatch: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    """Exit code 3 and the cause in the JVM's or Python's own sentence, or 0; never 1."""
    for variable in ("HADOOP_CONF_DIR", "JAVA_HOME", "PYTHONPATH", "SPARK_HOME", "YARN_CONF_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    monkeypatch.setattr("jhpatch.commands.kernelspec.os.geteuid", lambda: 4242)
    spark_corpus.install(name, str(tmp_path / "jupyter" / "kernels"), values)
    answer = jhpatch(None, "kernelspec", "check", name, "--timeout", "600")
    rows = answer.document["findings"]
    print(answer.document, file=sys.stderr)  # shown where a test fails
    assert answer.code == (3 if VERDICTS[name] else 0)
    assert [row["code"] for row in rows][:1] == ([VERDICTS[name]] if VERDICTS[name] else [])
    for row in rows:
        assert "jhpatch_first_job" not in row["message"] and "\r" not in row["message"]
    assert SAYS.get(name, "") in " ".join(row["message"] for row in rows)
