"""Every command on the pages for people is typed: here as it stands, or where a test has what
it needs (a registry, a fleet, systemd).

The host is a private one with what the pages speak of: an environment of a hub in
/opt/jupyterhub, its configuration, certificates, nginx's folder, a small Spark.
"""

import glob
import os
import re
import shutil
import socket
import subprocess
from typing import Dict, Iterator, Tuple

import pytest

from integration.e2e import world
from integration.e2e.hub import CLASSIC
from integration.e2e.inner import WHEEL as WHEEL_NAME
from integration.e2e.stacks import ENDS, Stack
from testing.nginx import certificate
from testing.page_commands import LINES, WHEEL, elsewhere
from testing.spark_homes import make_hadoop, make_java, make_spark

__test__ = os.environ.get("JHPATCH_E2E_INNER", ENDS[1]) == ENDS[1]

# These say by their exit code what they have found; whether that is so is for other tests.
CHECKS = re.compile(r"-m jhpatch (status|ticket|doctor|nginx check)\b")
HERE = [page for page in LINES if any(not elsewhere(line) for line in LINES[page])]


@pytest.fixture(scope="module")
def host(stack: Stack, scratch: str, keytabs: Dict[str, str]) -> Iterator[Dict[str, str]]:
    """The host that the pages speak of; gives what a shell on it has in its environment."""
    for path in ("/opt", "/usr/local"):
        world.overlay(path)
    for name in ("jupyter", "jupyterhub"):
        os.makedirs("/opt/" + name, exist_ok=True)
        subprocess.run(["mount", "--bind", stack.venv, "/opt/" + name], check=True)
    os.makedirs("/etc/jupyterhub", exist_ok=True)
    with open("/etc/jupyterhub/jupyterhub_config.py", "w") as file:
        file.write(CLASSIC)
    certificate(scratch, "hub", "hub.example.org", "other.example.org")
    for name in ("hub", "a", "b"):
        for end in ("pem", "key"):
            shutil.copy(scratch + "/hub." + end, "/etc/ssl/%s.%s" % (name, end))
    make_spark("/opt/spark")
    make_hadoop("/etc/hadoop/conf", {}, {"yarn.resourcemanager.hostname": "localhost"})
    environment = {
        "PATH": "%s/bin:/usr/sbin:/usr/bin:/sbin:/bin" % stack.venv,
        "JAVA_HOME": make_java("/opt/java"),
        "LANG": "C.UTF-8",
        "HOME": "/root",
    }
    shutil.copy(keytabs["alice"], scratch)
    front = (
        "python -m jhpatch nginx render --server-name hub.example.org --upstream 127.0.0.1:8000"
    )
    front += " --certificate /etc/ssl/hub.pem --certificate-key /etc/ssl/hub.key"
    ended, said = typed(front + " --output /etc/nginx/conf.d/hub.conf", scratch, environment)
    assert ended == 0, said
    with socket.socket() as manager:
        manager.bind(("127.0.0.1", 8032))  # a ResourceManager's port
        manager.listen(128)  # each look is a connection, which nobody takes
        yield environment
    shutil.rmtree("/usr/local/share/jupyter", ignore_errors=True)
    for path in glob.glob("/etc/nginx/conf.d/*"):
        os.unlink(path)


@pytest.fixture
def shell(host: Dict[str, str], stack: Stack) -> Iterator[Dict[str, str]]:
    """The host, with a hub as it was released; afterwards again."""
    python = os.path.join(stack.venv, "bin", "python")
    subprocess.run([python, "-m", "jhpatch", "revert"], cwd="/", check=True)
    yield host
    subprocess.run([python, "-m", "jhpatch", "revert"], cwd="/", check=True)


@pytest.mark.parametrize("page", HERE)
def test_each_command_of_a_page_works(shell: Dict[str, str], scratch: str, page: str) -> None:
    """One after the other, as root: exit code 0; a check may find something."""
    for line in LINES[page]:
        if not elsewhere(line):
            ended, said = typed(line.typed.replace(WHEEL, os.environ[WHEEL_NAME]), scratch, shell)
            assert ended in ((0, 3) if CHECKS.search(line.typed) else (0,)), (line, said)
            assert "Traceback" not in said, (line, said)


def typed(line: str, folder: str, environment: Dict[str, str]) -> Tuple[int, str]:
    """The exit code of a line in a shell, and what it prints."""
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    return done.returncode, done.stdout.decode(errors="replace")
