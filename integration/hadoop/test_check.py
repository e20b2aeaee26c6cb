"""``kernelspec check``, run by carol, who has no server: each cause, made for real and named."""

import glob
import os
import pwd
import shutil
import socket
import subprocess
import time
from typing import Any, Dict, Iterator, List

import pytest

from integration.e2e import world
from integration.e2e.stacks import Stack
from integration.hadoop import parts
from integration.hadoop.configuration import MEMORY
from integration.hadoop.kernels import OTHER_PYTHON, Kernels, unpacked
from integration.hadoop.parts import SPARK
from testing import pythons

pytestmark = pytest.mark.usefixtures("under_way")
PATIENCE = 400  # seconds, which only a hang takes, however busy the host is


def got(keytabs: Dict[str, str], cache: str, *options: str) -> str:
    """What KRB5CCNAME is to say, once carol has typed kinit."""
    argv = ["kinit", "-c", cache, "-k", "-t", keytabs["carol"]] + list(options)
    subprocess.run(world.as_user("carol", *argv, "carol/service"), check=True)
    return cache


@pytest.fixture
def check(kernels: Kernels, keytabs: Dict[str, str]) -> Any:
    """Checks a kernel with a fresh ticket, for the codes."""

    def codes(name: str, timeout: int = PATIENCE, **environment: str) -> List[str]:
        if not environment:
            environment = {"KRB5CCNAME": got(keytabs, "FILE:/home/carol/ticket")}
        found = kernels.check(name, "carol", timeout, environment)
        print(found)  # shown where a test fails
        assert found.exit_code == (3 if found.codes else 0), found
        assert all(one["message"] and one["next"] for one in found.findings if found.codes), found
        return found.codes

    return codes


@pytest.fixture
def archive(scratch: str, stack: Stack, kernels: Kernels) -> Iterator[str]:
    """A Spark as its archive is unpacked, and the kernel ``broken`` that a test breaks."""
    folder = unpacked(SPARK, scratch + "/opt/spark")
    python = os.path.join(stack.venv, "bin", "python")
    kernels.install("broken", spark_home=folder, python=python, worker_python=python)
    yield folder
    shutil.rmtree(folder)
    kernels.remove("broken")


def test_a_kernel_that_is_well_has_no_finding(check: Any, kernels: Kernels) -> None:
    """Spark from pip; the exit code is 0, and no application or process is left behind."""
    before = kernels.cluster.running(), processes("carol")
    assert check("pyspark") == []
    deadline = time.monotonic() + PATIENCE
    while True:
        after = kernels.cluster.running(), processes("carol")
        if after == before:
            return
        assert time.monotonic() < deadline, after
        time.sleep(0.5)


def processes(name: str) -> Dict[int, str]:
    """The command lines of a user's processes; one that has ended has none."""
    uid = pwd.getpwnam(name).pw_uid
    found = world.commands(lambda here: os.stat(here).st_uid == uid)
    return {pid: words for pid, words in found.items() if words}


def test_a_spark_from_its_archive_is_well_too(check: Any, archive: str) -> None:
    """SPARK_HOME is all that the kernel's Python knows of it."""
    assert check("broken") == []


@pytest.mark.parametrize("how", ["another", "none", "several"])
def test_py4j(check: Any, archive: str, how: str) -> None:
    """After an update of Spark: py4j has another name, is gone, or is there twice."""
    (path,) = glob.glob(archive + "/python/lib/py4j-*-src.zip")
    other = archive + "/python/lib/py4j-0.10.7-src.zip"
    if how == "several":
        shutil.copy(path, other)
    elif how == "another":
        os.rename(path, other)
    else:
        os.unlink(path)
    assert check("broken") == ["spark-py4j"]


def test_no_pyspark(check: Any, archive: str) -> None:
    """SPARK_HOME has no Python part."""
    shutil.rmtree(archive + "/python/pyspark")
    os.unlink(archive + "/python/lib/pyspark.zip")
    assert check("broken") == ["spark-no-pyspark"]


@pytest.fixture
def java(scratch: str, kernels: Kernels) -> Iterator[str]:
    """The link that the kernel ``java`` has as JAVA_HOME."""
    path = scratch + "/java"
    os.symlink(parts.java_home(), path)
    kernels.install("java", java_home=path)
    os.unlink(path)
    yield path
    if os.path.islink(path):
        os.unlink(path)
    else:
        shutil.rmtree(path, ignore_errors=True)
    kernels.remove("java")


def test_java_is_gone(check: Any, java: str) -> None:
    """The JDK was taken away after the kernel was installed."""
    assert check("java") == ["spark-java-missing"]


@pytest.mark.parametrize("age", ["too old", "newest"])
def test_another_java(check: Any, java: str, age: str) -> None:
    """A JDK of this machine: too old for Spark; or 24 and later, where its Hadoop logs in.

    Hadoop before 3.4.2 does not (JEP 486), and Spark 4.0 has 3.4.1.
    """
    majors = parts.jdks().items()
    if age == "too old":
        found = [os.environ.get("JAVA8_HOME", "")] + [home for home, one in majors if one < 17]
    else:
        found = [home for home, one in majors if one >= 24]
    if not any(found):
        pytest.skip("no Java here is " + age)
    os.symlink(next(filter(None, found)), java)
    assert check("java") == (["spark-java-unfit"] if age == "too old" else [])


def test_a_java_that_says_8(check: Any, java: str) -> None:
    """No JDK 8 is needed for that: its release file says so, and its java."""
    os.makedirs(java + "/bin")
    with open(java + "/release", "w") as file:
        file.write('JAVA_VERSION="1.8.0_402"\n')
    with open(java + "/bin/java", "w") as file:
        file.write("#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n")
    os.chmod(java + "/bin/java", 0o755)
    assert check("java") == ["spark-java-unfit"]


@pytest.fixture
def installed(kernels: Kernels) -> Iterator[Any]:
    """Installs a kernel ``odd`` for one test."""

    def install(*arguments: str, **options: str) -> None:
        kernels.install("odd", *arguments, **options)

    yield install
    kernels.remove("odd")


def test_workers_of_another_python(check: Any, scratch: str, installed: Any) -> None:
    """The workers' Python was updated to another minor version."""
    other = pythons.interpreter(OTHER_PYTHON)
    if not other:
        pytest.skip("no Python " + OTHER_PYTHON)
    path = scratch + "/worker-python"
    os.symlink(SPARK.python, path)
    installed(worker_python=path)
    os.unlink(path)
    os.symlink(other, path)
    assert check("odd") == ["spark-python-mismatch"]


def test_a_kernel_whose_python_ends(check: Any, scratch: str, installed: Any) -> None:
    """It has lost ipykernel."""
    path = scratch + "/no-ipykernel"
    for option in ("", "-S"):
        with open(path, "w") as file:
            file.write('#!/bin/sh\nexec %s %s "$@"\n' % (SPARK.python, option))
        os.chmod(path, 0o755)
        if not option:
            installed(python=path)
    assert check("odd") == ["kernel-no-ipykernel"]


def test_a_configuration_that_the_user_cannot_read(
    check: Any, scratch: str, kernels: Kernels, installed: Any
) -> None:
    """root's alone."""
    folder = scratch + "/conf-unreadable"
    kernels.cluster.configure(folder, {})
    installed(hadoop_conf_dir=folder)
    os.chmod(folder, 0o700)
    assert check("odd") == ["hadoop-conf-unreadable"]


def test_no_ticket(check: Any) -> None:
    """KRB5CCNAME names a cache that is not there."""
    assert check("pyspark", KRB5CCNAME="FILE:/home/carol/absent") == ["spark-no-ticket"]


def test_an_expired_ticket(check: Any, keytabs: Dict[str, str]) -> None:
    """It was valid for two seconds, eight seconds ago."""
    cache = got(keytabs, "FILE:/home/carol/expired", "-l", "2s")
    time.sleep(10)
    assert check("pyspark", KRB5CCNAME=cache) == ["spark-ticket-expired"]


@pytest.mark.parametrize("kind", ["DIR", "KEYRING", "KCM"])
def test_a_cache_that_no_jvm_reads(
    check: Any, keytabs: Dict[str, str], request: Any, kind: str
) -> None:
    """klist finds the ticket in it, and Spark does not."""
    uid = pwd.getpwnam("carol").pw_uid
    places = {
        "DIR": "DIR:/home/carol/caches",
        "KEYRING": "KEYRING:persistent:%d" % uid,
        "KCM": "KCM:%d" % uid,
    }
    if kind == "DIR":
        os.mkdir("/home/carol/caches", 0o700)
        shutil.chown("/home/carol/caches", "carol", "carol")
    if kind == "KCM":
        request.getfixturevalue("kcm")
    try:
        cache = got(keytabs, places[kind])
    except subprocess.CalledProcessError:
        if kind != "KEYRING":
            raise
        pytest.skip("no persistent keyrings here")
    assert check("pyspark", KRB5CCNAME=cache) == ["spark-cache-unseen"]


def test_a_cache_that_krb5_conf_alone_names(
    check: Any, scratch: str, keytabs: Dict[str, str]
) -> None:
    """klist finds the ticket, and a JVM does not."""
    path = scratch + "/elsewhere.conf"
    with open("/etc/krb5.conf") as source, open(path, "w") as target:
        text = source.read()
        place = " default_ccache_name = FILE:/home/carol/elsewhere\n"
        target.write(text.replace("[libdefaults]\n", "[libdefaults]\n" + place))
    got(keytabs, "FILE:/home/carol/elsewhere")
    assert check("pyspark", KRB5_CONFIG=path) == ["spark-cache-unseen"]


def test_krb5_config_reaches_the_jvm(
    kernels: Kernels, scratch: str, keytabs: Dict[str, str]
) -> None:
    """A JDK reads /etc/krb5.conf alone, which knows no realm here: the kernel passes it on."""
    path = scratch + "/no-realm.conf"
    with open(path, "w") as file:
        file.write("[libdefaults]\n")
    own = shutil.copy("/etc/krb5.conf", scratch + "/own.conf")
    environment = {"KRB5CCNAME": got(keytabs, "FILE:/home/carol/ticket"), "KRB5_CONFIG": own}
    script = 'mount --bind "$0" /etc/krb5.conf && exec "$@"'
    within = ("unshare", "--mount", "sh", "-c", script, path)
    assert kernels.check("pyspark", "carol", PATIENCE, environment, within).findings == []


def test_an_unknown_queue(check: Any, installed: Any) -> None:
    """The ResourceManager refuses the application."""
    installed("--conf", "spark.yarn.queue=nights")
    assert check("odd") == ["yarn-queue"]


def test_an_executor_that_no_node_can_hold(check: Any, installed: Any) -> None:
    """It asks for more than the scheduler gives to one container."""
    installed("--conf", "spark.executor.memory=%dm" % (2 * MEMORY))
    assert check("odd") == ["yarn-memory"]


def test_no_resource_manager(check: Any, scratch: str, kernels: Kernels, installed: Any) -> None:
    """Nothing listens where yarn-site.xml says that it is."""
    folder = scratch + "/conf-dead"
    kernels.cluster.configure(folder, {"yarn.resourcemanager.address": "localhost:1"})
    installed(hadoop_conf_dir=folder)
    assert check("odd") == ["yarn-unreachable"]


def test_a_resource_manager_that_says_nothing(
    check: Any, scratch: str, kernels: Kernels, installed: Any
) -> None:
    """It takes the connection; the check's own timeout ends the wait."""
    folder = scratch + "/conf-silent"
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        address = "localhost:%d" % silent.getsockname()[1]
        kernels.cluster.configure(folder, {"yarn.resourcemanager.address": address})
        installed(hadoop_conf_dir=folder)
        assert check("odd", timeout=45) == ["spark-timeout"]
