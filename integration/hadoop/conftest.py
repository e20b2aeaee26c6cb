"""Runs these tests in a private world: the newest hub, a KDC, HDFS, YARN and a Spark.

``pytest integration/hadoop`` is the outer run, as in integration/e2e/conftest.py: it needs
the network for Maven and pip, once.
"""

import os
import shutil
import subprocess
from typing import Any, Dict, Iterator, List, Optional

import pytest

from integration.e2e import stacks, world
from integration.e2e.inner import INNER, enter, run_inside, skipped
from integration.e2e.stacks import Stack
from integration.e2e.world import PASSWORDS
from integration.hadoop import parts
from integration.hadoop.cluster import Cluster
from integration.hadoop.kernels import OTHER_PYTHON, Kernels
from integration.hadoop.parts import OLD_SPARK, SPARK, STACK
from integration.hadoop.scene import Scene
from testing import pythons
from testing.kdc import Kdc, missing
from testing.kdc_fixtures import kcm  # noqa: F401

TICKET = 90  # seconds, of a user's ticket
# Seconds, of HDFS's delegation tokens: the executor of an application that has just started has
# those of its start, and comes late on a busy machine.
RENEWAL = LIFE = 150
USERS = tuple(PASSWORDS) + ("carol",)

# clockskew: a JVM takes an expired ticket for good for five minutes otherwise.
DEFAULTS = """\
 clockskew = 5
 dns_canonicalize_hostname = false
 udp_preference_limit = 1
"""


def pytest_cmdline_main(config: Any) -> Optional[int]:
    """In the outer run: everything; in the inner one: leave it to pytest."""
    if os.environ.get(INNER) or config.option.collectonly or config.option.help:
        return None
    lacking = world.missing_rights() or _lacking()
    if lacking:
        return skipped("Hadoop is not tested: " + lacking)
    before = world.fingerprint()
    with stacks.built(STACK) as wheel:
        parts.build_jars()
        parts.build_spark(SPARK)
        if os.environ.get("JAVA8_HOME") and parts.interpreter(OLD_SPARK):
            parts.build_spark(OLD_SPARK)
        code = run_inside(config, STACK, wheel)
    if world.fingerprint() != before:
        print("FAILED: the tests changed this machine: users, PAM, krb5.conf or /home")
        return 1
    return code


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: List[Any]) -> None:
    """Run the tests without patches and tickets first, in whatever order the others come."""
    items.sort(key=lambda item: "unpatched" not in item.fixturenames)


def _lacking() -> str:
    """What of the machine is not there; empty where all is."""
    if missing():
        return "no " + missing()
    if not shutil.which("mvn"):
        return "no mvn"
    if not parts.java_home():
        return "no Java %s" % " or ".join(map(str, parts.FIT))
    if not (stacks.interpreter(STACK) and parts.interpreter(SPARK)):
        return "no Python " + " or ".join(SPARK.pythons)
    return ""


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The newest hub and its servers."""
    return STACK


@pytest.fixture(scope="session")
def scratch(stack: Stack) -> str:
    """The private world; a folder in it."""
    needed = [parts.java_home(), os.environ.get("JAVA8_HOME", "")]
    needed += [_prefix(parts.interpreter(one)) for one in (SPARK, OLD_SPARK)]
    needed.append(_prefix(pythons.interpreter(OTHER_PYTHON)))
    needed = [folder for folder in needed if folder not in ("", "/usr")]
    # Kernelspecs go to /usr/local/share/jupyter.
    folder = enter(stack, needed, ["/usr/local"])
    world.add_user("carol", "a third password")
    return folder


def _prefix(python: Optional[str]) -> str:
    return os.path.dirname(os.path.dirname(python)) if python else ""


@pytest.fixture(scope="session")
def kdc(scratch: str) -> Iterator[Kdc]:
    """A KDC; its krb5.conf is the world's."""
    with Kdc(os.path.join(scratch, "kdc"), defaults=DEFAULTS) as server:
        shutil.copy(server.krb5_conf, "/etc/krb5.conf")
        yield server


@pytest.fixture(scope="session")
def keytabs(kdc: Kdc) -> Dict[str, str]:
    """Each user has a keytab in the home, and gets tickets of 90 s."""
    found = {}
    for name in USERS:
        found[name] = path = "/home/%s/%s.keytab" % (name, name)
        kdc.add_principal(name + "/service", keytab=path, life="%d seconds" % TICKET)
        shutil.chown(path, name, name)
        os.chmod(path, 0o600)
    return found


@pytest.fixture(scope="session")
def cluster(scratch: str, kdc: Kdc) -> Iterator[Cluster]:
    """HDFS and YARN, with a home for each user."""
    folder = os.path.join(scratch, "cluster")
    java_home = parts.java_home()
    with Cluster(folder, kdc, SPARK, java_home, USERS, RENEWAL, LIFE) as found:
        yield found


@pytest.fixture(scope="session")
def kernels(stack: Stack, scratch: str, cluster: Cluster) -> Kernels:
    """What installs and checks kernels; one of the name ``pyspark`` is there."""
    found = Kernels(stack, scratch, cluster)
    found.install("pyspark")
    return found


@pytest.fixture
def unpatched(stack: Stack, keytabs: Dict[str, str]) -> Stack:
    """The stack as upstream has it: its tests come first (above)."""
    return stack


@pytest.fixture(scope="session")
def patched(stack: Stack, keytabs: Dict[str, str]) -> Stack:
    """The stack with all patches, from the first test that asks for it on."""
    python = os.path.join(stack.venv, "bin", "python")
    subprocess.run([python, "-m", "jhpatch", "apply"], cwd="/", check=True)
    return stack


@pytest.fixture(scope="session")
def scene(patched: Stack, scratch: str, kernels: Kernels) -> Iterator[Scene]:
    """Two users' notebooks, which go on while other tests run."""
    found = Scene(patched, os.path.join(scratch, "scene"), kernels)
    try:
        found.start()
        yield found
    except BaseException:
        print("--- the hub's log\n" + found.hub.tail())
        raise
    finally:
        found.stop()


@pytest.fixture(scope="session")
def under_way(request: Any, patched: Stack) -> None:
    """Starts the scene early where a test that was chosen is about it: it takes minutes."""
    if any("scene" in item.fixturenames for item in request.session.items):
        request.getfixturevalue("scene")
