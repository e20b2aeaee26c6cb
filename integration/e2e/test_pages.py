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
from typing import Dict, Iterator, List, NamedTuple, Tuple

import pytest

from integration.e2e import world
from integration.e2e.hub import CLASSIC
from integration.e2e.stacks import ENDS, REPOSITORY, Stack
from testing.nginx import certificate
from testing.pages import PAGES, code
from testing.spark_homes import make_hadoop, make_java, make_spark

__test__ = os.environ.get("JHPATCH_E2E_INNER", ENDS[1]) == ENDS[1]

TYPED = re.compile(
    r"(runuser|bash|cd|python -[mI]|pip|install -|rm|systemctl|apt-get|podman|diff -"
    r"|ansible-playbook|deploy/\w+/\w+|\.tox/|/opt/\S+/bin/)"
)
# What a page's reader has in the place of these.
NAMES = (
    ("/path/to/hub", "/opt/jupyterhub"),
    ("FILE", "/etc/ssl/hub.pem"),
    ("…/", "/etc/nginx/conf.d/"),
    (" … ", " --certificate /etc/ssl/hub.pem --certificate-key /etc/ssl/hub.pem "),
)
# Where the rest is run, or why nowhere.
ELSEWHERE = {
    r"bash tests/run$": ".ci/run",
    r"bash tests/run -e demo$": "integration/demo/test_demo.py",
    r"bash tests/run -e (faults|lint,patches|e2e --notest)$": "tox.ini",
    r"bash tests/run -e faults-long$": "by hand: it takes more than an hour",
    r"\.tox/e2e/bin/python -m benchmarks": "by hand: it takes an idle machine",
    r"apt-get update && ": "integration/deploy/test_readme.py",
    r"pip install jhpatch$": "integration/deploy/conftest.py",
    r"ansible-playbook ": "integration/deploy/test_ansible.py",
    r"pip wheel --wheel-dir /srv/wheels": "integration/deploy/test_ansible.py",
    r"(deploy/conda/|/opt/conda/)": "integration/deploy/test_conda.py",
    r"(pip wheel --wheel-dir wheels|podman build)": "integration/deploy/test_container.py",
    r"python -m jhpatch (apply|revert) --site \"\$image": "integration/deploy/test_container.py",
    r"deploy/pip/": "integration/deploy/test_pip.py",
    r"(systemctl |(install|rm) .*/etc/systemd/)": "integration/deploy/test_systemd.py",
    r"python -m jhpatch ticket --watch": "tests/commands/test_ticket.py",
    r"python -m jhpatch nginx check --url": "tests/nginx/test_probe.py",
    r"python -m jhpatch survey": "tests/commands/test_survey.py",
    r"python -m jhpatch rebase": "tests/commands/test_rebase.py",
    r"python -m jhpatch lint --fix-hashes": "tests/commands/test_lint.py",
    r"python -m jhpatch lint --wheels": "tox.ini",
    r"(python -m pip download|cd cut|diff -u --label)": "by hand: it is about a release to come",
}
# These say by their exit code what they have found; whether that is so is for other tests.
CHECKS = re.compile(r"-m jhpatch (status|ticket|doctor|nginx check)\b")
USAGE = re.compile(r"…|<| \[|\bNAME\b|\bSECONDS\b")  # which nobody types as it stands


class Line(NamedTuple):
    """A command as a page has it, and as it is typed."""

    page: str
    shown: str
    typed: str


def lines_of(page: str) -> List[Line]:
    """A page's commands, in their order."""
    found = []
    for shown in code(page):
        shown = shown.partition("  #")[0].strip()
        typed = shown
        for name, value in NAMES:
            typed = typed.replace(name, value)
        if TYPED.match(typed) and not USAGE.search(typed):
            found.append(Line(page, shown, typed))
    return found


LINES = {page: lines_of(page) for page in PAGES}


def elsewhere(line: Line) -> str:
    """Where a line is run, when it is not here; empty where it is."""
    return "".join(where for pattern, where in ELSEWHERE.items() if re.match(pattern, line.shown))


HERE = [page for page in PAGES if any(not elsewhere(line) for line in LINES[page])]


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
            ended, said = typed(line.typed, scratch, shell)
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
        timeout=120,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def test_what_is_not_typed_here_is_where_the_table_says() -> None:
    """Each row is about a line of some page, and names a file that is there, or says why not."""
    lines = [line for page in PAGES for line in LINES[page]]
    for pattern, where in ELSEWHERE.items():
        assert any(re.match(pattern, line.shown) for line in lines), pattern
        assert where.startswith("by hand: ") or os.path.exists(os.path.join(REPOSITORY, where))
    for line in lines:
        assert sum(bool(re.match(pattern, line.shown)) for pattern in ELSEWHERE) < 2, line
