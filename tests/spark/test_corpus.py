"""``check --static`` and ``list`` over the kernels that people run: each verdict, in a table."""

import os
import sys
import zipfile

import pytest

from testing import spark_corpus
from testing.spark_homes import make_hadoop, make_java, make_spark, write

OK = ()
STATIC = {
    "archives-no-args": OK,
    "bad-python": ("kernel-program",),
    "bash-c": OK,
    "bash-c-no-java": ("spark-java-missing",),
    "bash-login": OK,
    "chinese-name": OK,
    "docker": ("kernel-program",),
    "dollars": OK,
    "driver-is-jupyter": OK,
    "driver-memory": OK,
    "driver-older": ("spark-python-mismatch",),
    "enterprise-gateway": ("kernel-program",),
    "env-wrapper": OK,
    "good": OK,
    "home-variable": OK,
    "jar-missing": OK,
    "java-bin": ("spark-java-missing",),
    "java-missing": ("spark-java-missing",),
    "java-unfit": ("spark-java-unfit",),
    "json-bom": ("kernel-json",),
    "json-comma": ("kernel-json",),
    "json-comment": ("kernel-json",),
    "json-number": ("kernel-json",),
    "master-unreachable": OK,
    "no-ipykernel": ("kernel-no-ipykernel",),
    "no-spark-home": OK,
    "no-startup": OK,
    "no-such-variable": ("spark-home-missing",),
    "own-variable": ("kernel-variable",),
    "pip-no-home": ("spark-no-pyspark",),
    "plain-python": ("spark-no-pyspark",),
    "profile": OK,
    "py4j-elsewhere": ("spark-py4j",),
    "py4j-other-release": ("spark-py4j",),
    "py4j-wildcard": ("spark-py4j",),
    "pyspark-only": ("spark-py4j",),
    "python-path-typo": ("spark-no-pyspark",),
    "run-sh": OK,
    "run-sh-missing": ("kernel-program",),
    "run-sh-sources": OK,
    "run-sh-typo": ("spark-py4j",),
    "sc-only": OK,
    "spark-remote": OK,
    "sparkmagic": ("kernel-program",),
    "sparkr": ("kernel-language",),
    "startup-empty": ("kernel-startup",),
    "startup-fails": OK,
    "startup-findspark": OK,
    "startup-missing": ("kernel-startup",),
    "submit-args-empty": ("spark-submit-args",),
    "submit-args-no-shell": ("spark-submit-args",),
    "submit-args-typo": OK,
    "submit-args-unbalanced": ("spark-submit-args",),
    "template-left": ("spark-home-missing",),
    "toree-pyspark": ("kernel-program",),
    "toree-scala": ("kernel-language",),
    "trailing-slash": OK,
    "two-sparks": ("spark-mixed",),
    "worker-elsewhere": OK,
    "worker-missing": ("spark-worker-python",),
    "worker-older": ("spark-python-mismatch",),
    "yarn-client": ("hadoop-conf-unreadable",),
    "yarn-conf-path": ("hadoop-conf-unreadable",),
    "yarn-conf-short": ("hadoop-conf-unreadable",),
    "yarn-equals": ("hadoop-conf-unreadable",),
    "yarn-list-of-dirs": ("yarn-unreachable",),
    "yarn-no-conf": ("hadoop-conf-unreadable",),
    "yarn-no-manager": ("hadoop-conf-unreadable",),
    "yarn-two-dirs": ("yarn-unreachable",),
}
"""The codes of ``check --static``; a cause that only a JVM tells is none of its."""
SAYS = {
    "json-bom": "line 1 column 1",
    "json-comment": "line 2 column 2",
    "json-comma": "a superfluous comma",
    "python-path-typo": "PYTHON_PATH",
    "py4j-wildcard": "does not expand wildcards in PYTHONPATH",
    "py4j-other-release": "py4j-0.8.2.1-src.zip, which does not exist",
    "no-such-variable": "has no NO_SUCH_SPARK",
    "own-variable": "has no SPARK_HOME",
    "two-sparks": "Spark 4.0.1",
    "no-ipykernel": "has no ipykernel",
    "driver-older": "the notebook runs Python 3.2",
    "yarn-two-dirs": "127.0.0.1:1",
}
NOT_LISTED = {"plain-python", "sparkr", "toree-scala"}


@pytest.fixture
def values(host):
    """What fills the placeholders: small Sparks and Javas, and this Python in three forms."""
    real = '"%s"' % sys.executable
    older = 's/^3\\.[0-9]*$/3.2/; s/"release": .3, [0-9]*./"release": [3, 2]/'
    conf = str(host / "conf")
    make_hadoop(conf + "/both", {}, {"yarn.resourcemanager.address": "127.0.0.1:1"})
    make_hadoop(conf + "/plain", {}, {"yarn.resourcemanager.ha.enabled": "true"})
    for part, name in (("hdfs", "core"), ("yarn", "yarn")):
        os.makedirs(os.path.join(conf, part))
        name += "-site.xml"
        os.rename(os.path.join(conf, "both", name), os.path.join(conf, part, name))
    spark = make_spark(str(host / "spark"), "4.1.0")
    write(spark + "/python/pyspark/shell.py", "")
    write(spark + "/python/pyspark/version.py", '__version__ = "4.1.0"\n')
    with zipfile.ZipFile(spark + "/python/lib/pyspark.zip", "w") as archive:
        archive.writestr("pyspark/__init__.py", "")
    return {
        "<PYTHON>": sys.executable,
        "<BARE_PYTHON>": write(
            str(host / "bare" / "python3"), '#!/bin/sh\nexec %s -S "$@"\n' % real, 0o755
        ),
        "<OLD_PYTHON>": write(
            str(host / "old" / "python3"),
            "#!/bin/sh\n%s \"$@\" | sed '%s'\n" % (real, older),
            0o755,
        ),
        "<SPARK>": spark,
        "<OTHER_SPARK>": make_spark(str(host / "other"), "4.0.1"),
        "<PY4J>": "0.10.9.7",
        "<JAVA>": make_java(str(host / "java")),
        "<OLD_JAVA>": make_java(str(host / "java11"), "11.0.2"),
        "<CONF>": conf,
    }


@pytest.fixture
def corpus(host, values, monkeypatch):
    """The kernels, offered to the user of these tests."""
    for name in ("SPARK_HOME", "PYTHONPATH", "PYSPARK_PYTHON", "PYTHONSTARTUP"):
        monkeypatch.delenv(name, raising=False)
    kernels = str(host / "home" / "jupyter" / "kernels")
    for name in spark_corpus.names():
        spark_corpus.install(name, kernels, values)


def test_the_table_has_each_kernel():
    """None is without a verdict."""
    assert sorted(STATIC) == spark_corpus.names()


@pytest.mark.slow
def test_static_verdicts(jhpatch, corpus, as_user):
    """The fault that is there, and no other; an exit code of 3 with each."""
    wrong = {}
    for name in sorted(STATIC):
        answer = jhpatch(None, "kernelspec", "check", "--static", name)
        rows = answer.document["findings"]
        codes = tuple(row["code"] for row in rows if row["code"] != "spark-python-unfit")
        said = " ".join(row["message"] for row in rows)
        if (codes, answer.code in ((3,) if codes else (0, 3))) != (STATIC[name], True):
            wrong[name] = (codes, answer.code, said)
        if SAYS.get(name, "") not in said:
            wrong[name] = said
    assert not wrong, "\n".join("%s: %s" % row for row in sorted(wrong.items()))


def test_list_shows_each_pyspark_kernel_and_no_other(jhpatch, corpus):
    """However it starts; a kernel.json that Jupyter cannot read is a note with its line."""
    answer = jhpatch(None, "kernelspec", "list")
    broken = {name for name in STATIC if name.startswith("json-")}
    names = {row["name"] for row in answer.document["kernels"]}
    assert set(STATIC) - names - broken == NOT_LISTED and not names & broken
    notes = "\n".join(answer.document["notes"])
    assert (
        "json-comment/kernel.json: the file is not JSON: " in notes and "line 2 column 2" in notes
    )
    masters = {row["name"]: row["master"] for row in answer.document["kernels"]}
    assert masters["yarn-equals"] == masters["yarn-conf-short"] == "yarn"
    assert masters["bash-c"] == masters["run-sh"] == "local[1]"
