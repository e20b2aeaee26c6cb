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
from integration.e2e.inner import WHEEL
from integration.e2e.stacks import ENDS, REPOSITORY, Stack
from testing.nginx import certificate
from testing.pages import PAGES, commands
from testing.spark_homes import make_hadoop, make_java, make_spark

__test__ = os.environ.get("JHPATCH_E2E_INNER", ENDS[1]) == ENDS[1]

_WHEEL = "--quiet --no-index --no-deps --force-reinstall " + os.environ.get(WHEEL, "WHEEL")
# What a page's reader has in the place of these.
NAMES = (
    (" -m pip install .", " -m pip install " + _WHEEL),
    (" -m pip install --upgrade .", " -m pip install " + _WHEEL),
    # The next page needs it again.
    ("uninstall --yes jhpatch", "uninstall --yes jhpatch && python -m pip install " + _WHEEL),
    ("/path/to/hub", "/opt/jupyterhub"),
    ("FILE", "/etc/ssl/hub.pem"),
    ("…/", "/etc/nginx/conf.d/"),
    (" … ", " --certificate /etc/ssl/hub.pem --certificate-key /etc/ssl/hub.pem "),
)
# Where the rest is run, or why nowhere.
ELSEWHERE = {
    r"bash tests/run$": ".ci/run",
    r"bash tests/run -e demo$": "integration/demo/test_demo.py",
    r"bash tests/run -e (faults|lint,patches,py313|e2e --notest)$": "tox.ini",
    r"bash tests/run -e (faults-long|soak|soak-short)$": "by hand: it takes more than an hour",
    r"\.tox/e2e/bin/python -m benchmarks": "by hand: it takes an idle machine",
    r"apt-get update && ": "integration/deploy/test_readme.py",
    r"\S+ -m pip install --dry-run ": "by hand: it takes a registry",
    r"(apt-get install -y npm|mkdir -p /srv/jupyterhub) ": "by hand: it installs and starts a hub",
    r"kadmin.local |journalctl ": "integration/e2e/test_tutorial.py",
    r"(kinit A|ipa|msktutil|ktutil|addent|wkt|quit|kinit admin)": "by hand: it takes a directory",
    r"(dnf|yum|ps|ausearch|restorecon|semanage|setsebool|firewall-cmd) ": "by hand: it takes RHEL",
    r"(python3(.11)? -m|build/bin/python -m pip wheel|npm|tar) ": "by hand: it takes a registry",
    r"\S+python -m pip (install (-i|--no-index|'.\[jup)|config)": "by hand: it takes a registry",
    r"(\S+/)?python -I -m jhpatch status --all": "tests/commands/test_status_all.py",
    r"\S+ -m pip install --upgrade '": "integration/deploy/test_pip.py",
    r"\S+ -m pip install --force-reinstall": "integration/faults/test_managers.py",
    r"\S+python -I -m jhpatch kernelspec remove pyspark$": "tests/commands/test_kernelspec.py",
    r"(promtool|install .*monitoring|curl|rm /etc/prom)": "by hand: it takes Prometheus",
    r"(ln|rm|nginx) (.*/etc/nginx|-t)": "by hand: it takes systemd",
    r"/opt/jhpatch/bin/python -I": "integration/deploy/test_environments.py",
    r"(export PIP_|cd \S+ && \S+ upgrade-db )": "by hand: it takes an upgrade",
    r"(chronyc |timedatectl)": "by hand: it takes chrony, or systemd",
    r"ansible-playbook ": "integration/deploy/test_ansible.py",
    r"pip wheel --wheel-dir /srv/wheels": "integration/deploy/test_ansible.py",
    r"(deploy/conda/|/opt/conda/)": "integration/deploy/test_conda.py",
    r"(pip wheel --wheel-dir wheels|podman build)": "integration/deploy/test_container.py",
    r"\S+ -I -m jhpatch (apply|revert) --site": "integration/deploy/test_container.py",
    r"deploy/pip/": "integration/deploy/test_pip.py",
    r"(systemctl |(install|rm) .*/etc/systemd/)": "integration/deploy/test_systemd.py",
    r"(/opt/jupyterhub/bin/)?python -m jhpatch ticket --watch": "tests/commands/test_ticket.py",
    r"\S+ (-I )?-m jhpatch (create|apply --patches our-p)": "tests/commands/test_create.py",
    r"\S+ (-I )?-m jhpatch (lint --patches our|revert req)": "tests/commands/test_fleet.py",
    r"(cp -r deploy|\S+ -m pip (wheel --no-deps \.|install our))": "tests/commands/test_fleet.py",
    r"\S+ -m pip uninstall .*our": "tests/commands/test_fleet.py",
    r"\S*python (-I )?-m jhpatch nginx check --url": "tests/nginx/test_probe.py",
    r"python -m jhpatch survey": "tests/commands/test_survey.py",
    r"\S*python (-I )?-m jhpatch rebase": "tests/commands/test_rebase.py",
    r"python -m jhpatch lint --(fix-hashes|wheels)": "tests/commands/test_lint.py",
    r"(python -m pip download|cd cut|diff -u --label)": "by hand: it is about a release to come",
}
# These say by their exit code what they have found; whether that is so is for other tests.
CHECKS = re.compile(r"-m jhpatch (status|ticket|doctor|nginx check)\b")
USAGE = re.compile(r"…|<[a-z]| \[|\bNAME\b|\bSECONDS\b")  # which nobody types as it stands


class Line(NamedTuple):
    """A command as a page has it, and as it is typed."""

    page: str
    shown: str
    typed: str


def lines_of(page: str) -> List[Line]:
    """A page's commands, in their order."""
    found = []
    for shown in commands(page):
        typed = shown
        for name, value in NAMES:
            typed = typed.replace(name, value)
        if not USAGE.search(typed):
            found.append(Line(page, shown, typed))
    return found


# The translations have the same commands (tests/test_docs.py); the tutorial has its own test.
LINES = {
    page: lines_of(page)
    for page in PAGES
    if not page.startswith(("docs/zh/", "README.zh-CN")) and page != "docs/tutorial.md"
}


def elsewhere(line: Line) -> str:
    """Where a line is run, when it is not here; empty where it is."""
    shown = re.sub(r"^/opt/jupyterhub/bin/python ", "python ", line.shown)
    return "".join(
        where
        for pattern, where in ELSEWHERE.items()
        if re.match(pattern, line.shown) or re.match(pattern, shown)
    )


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
        timeout=300,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def test_what_is_not_typed_here_is_where_the_table_says() -> None:
    """Each row is about a line of some page, and names a file that is there, or says why not."""
    lines = [line for page in LINES for line in LINES[page]]
    for pattern, where in ELSEWHERE.items():
        assert any(re.match(pattern, line.shown) for line in lines), pattern
        assert where.startswith("by hand: ") or os.path.exists(os.path.join(REPOSITORY, where))
    for line in lines:
        assert sum(bool(re.match(pattern, line.shown)) for pattern in ELSEWHERE) < 2, line
