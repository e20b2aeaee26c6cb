"""``tox -e demo`` as a person meets it: an address, two passwords, tickets that are renewed, and
nothing left of it."""

import os
import re
import signal
import subprocess
import sys
import time
from typing import Iterator, List

import pytest
import requests

from integration.e2e import world
from integration.e2e.stacks import REPOSITORY

pytestmark = pytest.mark.skipif(bool(world.missing_rights()), reason=world.missing_rights() or "-")


class Demo:
    """The demo, and what it has printed."""

    def __init__(self) -> None:
        self.before = world.fingerprint()
        self.lines: List[str] = []
        self.child = subprocess.Popen(
            [sys.executable, os.path.join(REPOSITORY, "tools", "demo.py"), "--seconds", "600"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def until(self, pattern: str, seconds: float) -> "re.Match[str]":
        """The first line that has it."""
        deadline = time.monotonic() + seconds
        assert self.child.stdout is not None
        while time.monotonic() < deadline:
            line = self.child.stdout.readline().decode(errors="replace")
            assert line, "it ended:\n" + "".join(self.lines)
            self.lines.append(line)
            found = re.search(pattern, line)
            if found:
                return found
        raise AssertionError("no %s in:\n%s" % (pattern, "".join(self.lines)))

    def namespace(self) -> str:
        """That of its processes; other tests have a hub and an alice of their own."""
        with open("/proc/%d/task/%d/children" % (self.child.pid, self.child.pid)) as file:
            (unshare,) = file.read().split()
        return os.readlink("/proc/%s/ns/pid_for_children" % unshare)


@pytest.fixture
def demo() -> Iterator[Demo]:
    """A demo that has said where it is."""
    one = Demo()
    try:
        yield one
    finally:
        if one.child.poll() is None:
            os.killpg(one.child.pid, signal.SIGKILL)
        one.child.wait()


def log_in(url: str, name: str, password: str) -> None:
    """As a browser that takes the demo's certificate; then JupyterLab."""
    session = requests.Session()
    session.trust_env = False  # a bundle of this machine's would count before verify
    session.verify = False
    page = session.get(url + "/hub/login", timeout=30).text
    hidden = re.search(r'name="_xsrf" value="([^"]+)"', page)
    assert hidden
    form = {"username": name, "password": password, "_xsrf": hidden.group(1)}
    session.post(url + "/hub/login?next=%2Fhub%2Fspawn", data=form, timeout=60)
    deadline = time.monotonic() + 90
    while True:
        page_of = session.get("%s/user/%s/lab" % (url, name), timeout=60)
        if page_of.status_code == 200 and "/user/%s/" % name in page_of.url:
            break
        assert time.monotonic() < deadline, page_of.url
        time.sleep(1)
    session.get("%s/user/%s/api/contents" % (url, name), timeout=60)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_the_demo(demo: Demo) -> None:
    """Log in, close the browser: a second ticket, and a third; Ctrl-C: all is as it was."""
    url = demo.until(r"(https?://localhost:\d+)|(http://127\.0\.0\.1:\d+)", 900).group(0)
    password = demo.until(r"user alice\s+password (.+)$", 10).group(1).strip()
    log_in(url, "alice", password)
    starts = {demo.until(r"ticket of alice\s+(\S+ \S+)", 60).group(1) for _ in range(3)}
    assert len(starts) == 3
    private = demo.namespace()

    def left() -> List[str]:
        return list(world.commands(lambda here: os.readlink(here + "/ns/pid") == private).values())

    assert any("jupyterhub-singleuser" in line for line in left())
    demo.child.send_signal(signal.SIGINT)
    demo.until("leaves nothing behind", 60)
    assert demo.child.wait(30) == 0
    assert world.fingerprint() == demo.before
    assert left() == []
