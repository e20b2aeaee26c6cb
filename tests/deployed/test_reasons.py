"""Why Spark does not start: each reason found in real files, or in Spark's own words."""

import os
import re
import socket
import sys
import time

import pytest

from jhpatch.deployed import reasons
from jhpatch.deployed.reasons import Fault, Java, Tickets
from testing import ROOT, ports
from testing.spark_homes import make_hadoop, make_java, make_spark, write

LAYOUTS = os.path.join(ROOT, "tests", "spark", "layouts")


def codes(faults):
    """Their codes."""
    return [fault.code for fault in faults]


@pytest.fixture
def environ(tmp_path):
    """A kernel's environment with which Spark would start, on no cluster."""
    return {
        "SPARK_HOME": make_spark(str(tmp_path / "spark")),
        "JAVA_HOME": make_java(str(tmp_path / "java")),
        "PYSPARK_SUBMIT_ARGS": "--master 'local[2]' pyspark-shell",
        "PYSPARK_PYTHON": sys.executable,
        "PATH": os.environ["PATH"],
    }


def test_nothing_is_found_where_nothing_is_wrong(environ):
    """A Spark, a Java that fits, this Python: at most that it was released for another one."""
    assert set(codes(reasons.look(environ))) <= {"spark-python-unfit"}


@pytest.mark.parametrize("py4j", [(), ("0.10.7", "0.10.9.7")])
def test_one_py4j_no_more_no_less(tmp_path, py4j):
    """None, or several: those that are there are named."""
    home = make_spark(str(tmp_path / "spark"), py4j=py4j)
    entries, fault = reasons.python_path(home)
    assert entries == [] and fault.code == "spark-py4j"
    assert all("py4j-%s-src.zip" % one in fault.message for one in py4j) or "none" in fault.message


def test_a_spark_without_python(tmp_path):
    """Neither the package nor the archive."""
    (tmp_path / "spark").mkdir()
    assert reasons.python_path(str(tmp_path / "spark"))[1].code == "spark-no-pyspark"
    assert reasons.python_path(str(tmp_path / "nowhere"))[1].code == "spark-home-missing"
    assert codes(reasons.look({})) == ["spark-home-missing"]


def layouts():
    """The listings of real distributions, by name."""
    return sorted(name[: -len(".txt")] for name in os.listdir(LAYOUTS))


@pytest.mark.parametrize("name", layouts())
def test_real_layouts(tmp_path, name):
    """Release, Hadoop, pyspark and py4j, from the names of a real distribution's files."""
    with open(os.path.join(LAYOUTS, name + ".txt")) as file:
        lines = file.read().splitlines()
    wanted = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    home = str(tmp_path / "spark")
    for line in lines:
        if not line.startswith("#"):
            path, _, text = line.partition("\t")
            write(os.path.join(home, path), text + "\n")
    entries, fault = reasons.python_path(home)
    assert fault is None
    assert [os.path.relpath(entry, home) for entry in entries] == wanted["pythonpath"].split()
    assert reasons.spark_version(home) == wanted["spark"]
    assert reasons.hadoop_version(home) == wanted["hadoop"]


@pytest.mark.parametrize(
    "spark, java, fits",
    [
        ("1.6.3", 8, True),
        ("1.6.3", 11, False),
        ("2.4.8", 8, True),
        ("2.4.8", 11, False),
        ("3.1.2", 11, True),
        ("3.1.2", 17, False),
        ("3.5.1", 8, True),
        ("3.5.1", 21, True),
        ("4.0.1", 11, False),
        ("4.0.1", 17, True),
        ("4.0.1", 25, False),
        ("4.3.0", 25, True),
        ("", 7, True),
    ],
)
def test_which_java_for_which_spark(spark, java, fits):
    """As each Spark's own page says."""
    found = list(reasons.judged_java(spark, Java("/j", java), "/j"))
    assert (found == []) == fits
    assert codes(found) == [] or "Java %d" % java in found[0].message


@pytest.mark.parametrize("version, release", [("1.8.0_402", 8), ("11.0.2", 11), ("21", 21)])
def test_what_a_java_says_of_itself(tmp_path, version, release):
    """The file ``release``, which each JDK and JRE has; no JVM is started."""
    home = make_java(str(tmp_path / "java"), version)
    assert reasons.java_of(home) == Java(home, release)


def test_no_java(tmp_path):
    """JAVA_HOME leads nowhere; or it is not set, and PATH has none."""
    found = list(reasons.judged_java("3.5.1", reasons.java_of("/nowhere"), "/nowhere"))
    assert codes(found) == ["spark-java-missing"] and "/nowhere" in found[0].message
    assert reasons.java_of("", str(tmp_path)) is None


def test_another_minor_python_for_the_workers(environ, script):
    """Of a Python that says that it is another."""
    environ["PYSPARK_PYTHON"] = script("echo 3.2\n")
    (found,) = [one for one in reasons.look(environ) if one.code == "spark-python-mismatch"]
    assert "3.2" in found.message and "%d.%d" % sys.version_info[:2] in found.message


def test_a_worker_python_that_is_not_on_this_host(environ):
    """It may be on theirs: nothing is said."""
    environ["PYSPARK_PYTHON"] = "/opt/cluster/bin/python3"
    assert "spark-python-mismatch" not in codes(reasons.look(environ))


@pytest.mark.parametrize(
    "spark, driver, fits", [("2.4.8", (3, 8), False), ("2.4.8", (3, 7), True)]
)
def test_a_python_that_a_spark_was_not_released_for(spark, driver, fits):
    """A warning: parts of it may work."""
    found = list(reasons.judged_python(spark, driver, driver, "p"))
    assert (found == []) == fits
    assert all(reasons.CAUSES[one.code].severity == "warning" for one in found)


@pytest.mark.parametrize(
    "text, why",
    [
        (None, "No such file"),
        ("<configuration>", "no element found"),
        ("<!DOCTYPE c [<!ENTITY a 'b'>]><configuration>&a;</configuration>", "entities"),
        ("<configuration>" + " " * (4 * 1024 * 1024), "larger than"),
    ],
    ids=["missing", "cut short", "entities", "huge"],
)
def test_a_hadoop_configuration_that_cannot_be_read(tmp_path, text, why):
    """Named with its file."""
    folder = make_hadoop(str(tmp_path), {}, {})
    os.unlink(folder + "/yarn-site.xml")
    if text is not None:
        write(folder + "/yarn-site.xml", text)
    hadoop, fault = reasons.hadoop_of(folder)
    assert hadoop is None and fault.code == "hadoop-conf-unreadable"
    assert why in fault.message and fault.path == folder + "/yarn-site.xml"


def test_no_hadoop_configuration(environ):
    """Neither variable is set, and the master is YARN."""
    environ["PYSPARK_SUBMIT_ARGS"] = "--master yarn pyspark-shell"
    assert "hadoop-conf-unreadable" in codes(reasons.look(environ))


@pytest.mark.parametrize(
    "values, managers",
    [
        ({"yarn.resourcemanager.hostname": "rm"}, ("rm:8032",)),
        ({"yarn.resourcemanager.address": "rm:9"}, ("rm:9",)),
        (
            {
                "yarn.resourcemanager.hostname": "rm",
                "yarn.resourcemanager.address": "${yarn.resourcemanager.hostname}:9",
            },
            ("rm:9",),
        ),
        (
            {
                "yarn.resourcemanager.ha.enabled": "true",
                "yarn.resourcemanager.ha.rm-ids": "a, b",
                "yarn.resourcemanager.hostname.a": "one",
                "yarn.resourcemanager.address.b": "two:9",
            },
            ("one:8032", "two:9"),
        ),
        ({}, ()),
    ],
)
def test_where_the_resourcemanagers_are(tmp_path, values, managers):
    """By address, by host name, two with high availability, or none."""
    folder = make_hadoop(str(tmp_path), {"hadoop.security.authentication": "kerberos"}, values)
    hadoop = reasons.hadoop_of(folder)[0]
    assert hadoop.managers == managers and hadoop.kerberized


def test_one_resourcemanager_of_two_is_enough(tmp_path):
    """The standby does not listen, or its host is away."""
    hadoop = reasons.Hadoop("/c", managers=("a:1", "b:2"))
    assert reasons.judged_managers(hadoop, lambda address: None if "b" in address else "no") == ()
    (fault,) = reasons.judged_managers(hadoop, lambda address: "no route")
    assert fault.code == "yarn-unreachable" and "a:1" in fault.message and "b:2" in fault.message
    assert fault.next == "nc -vz a 1"


def test_who_listens_and_who_does_not():
    """A socket of ours; then the same port, closed; each answer within the time."""
    with socket.socket() as server:
        (port,) = ports.free(1)
        server.bind(("127.0.0.1", port))
        server.listen(1)
        address = "127.0.0.1:%d" % port
        assert reasons.reached(address) is None
    began = time.monotonic()
    assert "refused" in reasons.reached(address) and reasons.reached("nonsense")
    assert time.monotonic() - began < 5


DEFAULT = Tickets("FILE:/tmp/krb5cc_1", False, "FILE:/tmp/krb5cc_1", False, False)


@pytest.mark.parametrize(
    "found, code",
    [
        (DEFAULT._replace(jvm_valid=True, jvm_there=True), None),
        (DEFAULT, "spark-no-ticket"),
        (DEFAULT._replace(jvm_there=True), "spark-ticket-expired"),
        (
            DEFAULT._replace(default="KEYRING:persistent:1", default_valid=True),
            "spark-cache-unseen",
        ),
        (DEFAULT._replace(default="DIR:/x", default_valid=True, jvm_valid=True), None),
        (
            DEFAULT._replace(default="FILE:/x", default_valid=True, jvm_there=True),
            "spark-cache-unseen",
        ),
    ],
)
def test_what_the_jvm_sees_of_a_users_tickets(found, code):
    """A good ticket where Java does not look is none, and the cache is named."""
    faults = list(reasons.judged_tickets(found))
    assert codes(faults) == ([code] if code else [])
    if code == "spark-cache-unseen":
        assert found.default in faults[0].message and found.jvm in faults[0].message


@pytest.mark.parametrize(
    "cache, code",
    [
        ("{0}/cc", None),
        ("FILE:{0}/cc", None),
        ("FILE:{0}/absent", "spark-no-ticket"),
        ("DIR:{0}/dir", "spark-cache-unseen"),
    ],
)
def test_real_tickets(kdc, keytab, tmp_path, cache, code):
    """In a file, in none, in a DIR collection: as klist sees them."""
    import subprocess

    (tmp_path / "dir").mkdir(mode=0o700)
    name = cache.format(tmp_path)
    environ = dict(os.environ, KRB5_CONFIG=kdc.krb5_conf, KRB5CCNAME=name)
    if "absent" not in cache:
        argv = ["kinit", "-k", "-t", keytab, "-c", name, "alice/service@EXAMPLE.TEST"]
        subprocess.run(argv, env=environ, check=True)
    found = list(reasons.judged_tickets(reasons.tickets_of(environ, 4242)))
    assert codes(found) == ([code] if code else [])


def test_a_file_that_only_krb5_conf_names(kdc, keytab, tmp_path):
    """libkrb5 finds it, Java does not: it looks at /tmp/krb5cc_UID."""
    import subprocess

    with open(kdc.krb5_conf) as file:
        text = file.read().replace(
            "[libdefaults]", "[libdefaults]\n default_ccache_name = FILE:%s/cc" % tmp_path
        )
    environ = dict(os.environ, KRB5_CONFIG=write(str(tmp_path / "krb5.conf"), text))
    environ.pop("KRB5CCNAME", None)
    argv = ["kinit", "-k", "-t", keytab, "alice/service@EXAMPLE.TEST"]
    subprocess.run(argv, env=environ, check=True)
    found = list(reasons.judged_tickets(reasons.tickets_of(environ, 424242)))
    assert codes(found) == ["spark-cache-unseen"] and "%s/cc" % tmp_path in found[0].message


def test_a_keytab_of_sparks_own_needs_no_ticket(environ, tmp_path):
    """--keytab, or the setting: Spark logs in by itself."""
    values = {"yarn.resourcemanager.address": "127.0.0.1:1"}
    environ["HADOOP_CONF_DIR"] = make_hadoop(
        str(tmp_path / "conf"), {"hadoop.security.authentication": "kerberos"}, values
    )
    environ["KRB5CCNAME"] = str(tmp_path / "absent")
    for words, wanted in (
        ("", True),
        ("--keytab k", False),
        ("--conf spark.yarn.keytab=k", False),
    ):
        environ["PYSPARK_SUBMIT_ARGS"] = "--master yarn %s pyspark-shell" % words
        found = codes(reasons.look(environ))
        assert ("spark-no-ticket" in found) == wanted and "yarn-unreachable" in found


def test_settings_of_the_command_line_and_of_the_file(tmp_path):
    """PYSPARK_SUBMIT_ARGS counts before spark-defaults.conf, in all forms of its lines."""
    text = "# c\nspark.master  yarn\nspark.a=1\n  spark.b : x y \nspark.yarn.queue q\n"
    write(str(tmp_path / "conf" / "spark-defaults.conf"), text)
    environ = {
        "SPARK_HOME": str(tmp_path),
        "PYSPARK_SUBMIT_ARGS": "--queue other --conf 'spark.c=d e' pyspark-shell",
    }
    assert reasons.settings_of(environ) == {
        "spark.master": "yarn",
        "spark.a": "1",
        "spark.b": "x y",
        "spark.yarn.queue": "other",
        "spark.c": "d e",
    }


# Lines that real programs have written; most of them stand in reports of users.
SAID = [
    ("JAVA_HOME is not set", "spark-java-missing"),
    (
        "/opt/spark/bin/spark-class: line 71: /nowhere/bin/java: No such file or",
        "spark-java-missing",
    ),
    (
        "has been compiled by a more recent version: UnsupportedClassVersionError",
        "spark-java-unfit",
    ),
    ("Unsupported class file major version 55", "spark-java-unfit"),
    (
        "pyspark.errors.exceptions.base.PySparkRuntimeError: [PYTHON_VERSION_MISMATCH] Python in "
        "worker has different version: 3.9 than that in driver: 3.11",
        "spark-python-mismatch",
    ),
    (
        "Exception: Python in worker has different version 2.7 than that in",
        "spark-python-mismatch",
    ),
    ("ModuleNotFoundError: No module named 'py4j'", "spark-py4j"),
    ("ImportError: No module named pyspark", "spark-no-pyspark"),
    (
        "When running with master 'yarn' either HADOOP_CONF_DIR or YARN_CONF_DIR must be set",
        "hadoop-conf-unreadable",
    ),
    ("Application a_1 submitted by user alice to unknown queue: nosuch", "yarn-queue"),
    (
        "Failed to submit application_1 to YARN : User alice does not have permission to submit "
        "application_1 to queue prod",
        "yarn-queue",
    ),
    (
        "Required executor memory (99999 MB), offHeap memory (0) MB, overhead (9999 MB), and "
        "PySpark memory (0 MB) is above the max threshold (8192 MB) of this cluster!",
        "yarn-memory",
    ),
    (
        "org.apache.hadoop.security.token.SecretManager$InvalidToken: token (token for alice: "
        "HDFS_DELEGATION_TOKEN owner=alice) is expired",
        "spark-token-expired",
    ),
    (
        "hadoop.security.AccessControlException: Client cannot authenticate via:[TOKEN, KERBEROS]",
        "spark-no-ticket",
    ),
    ("GSSException: (Mechanism level: Failed to find any Kerberos tgt)", "spark-ticket-expired"),
    (
        'Permission denied: user=bob, access=READ, inode="/user/alice/x":alice:alice:-rw-------',
        "hdfs-permission",
    ),
    (
        "java.net.ConnectException: Call From a to b:8032 failed on connection exception: x",
        "yarn-unreachable",
    ),
    ("UnsupportedOperationException: getSubject is not supported", "spark-java-unfit"),
    ("KeyError: 'nothing that we know'", "spark-failed"),
]


@pytest.mark.parametrize("text, code", SAID, ids=[row[0][:30] for row in SAID])
def test_what_spark_says_means(text, code):
    """The line that matters among others, as what it is."""
    fault = reasons.meaning("at org.apache.Some.java\n  %s\nat some.Other" % text)
    assert fault.code == code
    assert re.sub(r"\s+", " ", text)[:40] in fault.message
    assert fault.next and reasons.told(fault).count("\n") == 2


def test_a_denied_path_is_named():
    """The next step looks at it."""
    text = 'Permission denied: user=bob, access=READ, inode="/user/alice/x":alice'
    assert reasons.meaning(text).next == "hdfs dfs -ls -d /user/alice/x"


def test_each_cause_has_a_next_step_that_can_be_filled_in():
    """Whatever a fault carries."""
    fill = {"address": "h 1", "path": "/p"}
    for code in reasons.CAUSES:
        assert Fault(code, "m", fill=fill).next and "{}" not in Fault(code, "m", fill=fill).next


def test_a_fault_travels():
    """As JSON and back; what names no cause is refused."""
    fault = Fault("yarn-unreachable", "m", "/p", {"address": "h 1"})
    assert reasons.unpacked(reasons.packed(fault)) == fault
    with pytest.raises(ValueError):
        reasons.unpacked(dict(reasons.packed(fault), code="x"))
