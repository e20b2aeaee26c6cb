"""docs/tutorial.md, typed from its first line to its last, and what it shows.

An administrator's terminal; systemd is played by the test: it has the hub, and alice's browser.
"""

import os
import re
import shutil
import subprocess
import time
from typing import Dict, Iterator, List, Optional

import pytest

from integration.e2e import world
from integration.e2e.client import Browser
from integration.e2e.hub import Hub
from integration.e2e.inner import WHEEL
from integration.e2e.patched_stack import cache_of, no_ticket
from integration.e2e.stacks import ENDS, Stack
from testing.kdc import Kdc
from testing.pages import blocks

__test__ = os.environ.get("JHPATCH_E2E_INNER", ENDS[1]) == ENDS[1]

CONFIG = "/etc/jupyterhub/jupyterhub_config.py"
# What is otherwise in the test's world, or would take minutes.
INSTEAD = (
    ("EXAMPLE.COM", "EXAMPLE.TEST"),
    ("install --quiet .", "install --quiet --no-index --no-deps --force-reinstall %s"),
    ('lifetime = "10m"', 'lifetime = "20s"\nc.KerberosTicket.retry = 1.0'),
)


class Terminal:
    """A shell of root's on a terminal 120 columns wide, and the hub's unit."""

    def __init__(self, stack: Stack, scratch: str, kdc: Kdc) -> None:
        self._stack, self._scratch = stack, scratch
        self._environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "KRB5_KDC_PROFILE": kdc.folder + "/kdc.conf",
            **dict(PAGER="cat", NO_COLOR="1", COLUMNS="120", LANG="C.UTF-8", HOME="/root"),
        }
        self._hub: Optional[Hub] = None

    def type(self, line: str) -> str:
        """Type a line; return what it prints."""
        if line == "systemctl restart jupyterhub":
            return self._restart()
        if line.startswith("journalctl "):
            return self._hub.log() if self._hub else ""
        if line.startswith("sleep "):
            return self._wait_for_another_ticket()
        done = subprocess.run(
            ["script", "--quiet", "--return", "--command", line, "/dev/null"],
            cwd=self._scratch,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=300,
        )
        return done.stdout.decode().replace("\r", "")

    def _restart(self) -> str:
        self.stop()
        with open(CONFIG) as file:
            self._hub = Hub(self._stack, self._scratch, file.read())
        self._hub.start()
        browser = Browser(self._hub, "alice")
        browser.login(world.PASSWORDS["alice"])
        browser.spawn()
        browser.save("first.ipynb")
        browser.open("first.ipynb")
        return ""

    def stop(self) -> None:
        """Stop the hub, if it runs."""
        if self._hub:
            self._hub.stop()

    @staticmethod
    def _wait_for_another_ticket() -> str:
        before = os.stat(cache_of("alice")).st_ino
        deadline = time.monotonic() + 120
        while os.stat(cache_of("alice")).st_ino == before:
            assert time.monotonic() < deadline, "the ticket is not refreshed"
            time.sleep(0.5)
        return ""


@pytest.fixture
def terminal(stack: Stack, scratch: str, kdc: Kdc, keytabs: Dict[str, str]) -> Iterator[Terminal]:
    """The host before the tutorial; afterwards it is so again."""
    world.overlay("/opt")
    os.makedirs("/opt/jupyterhub", exist_ok=True)
    subprocess.run(["mount", "--bind", stack.venv, "/opt/jupyterhub"], check=True)
    shutil.move(keytabs["alice"], scratch + "/alices")
    shutil.rmtree("/etc/jupyterhub", ignore_errors=True)
    os.makedirs("/etc/jupyterhub")
    open(CONFIG, "w").close()
    no_ticket()
    folder = scratch + "/tutorial"
    os.makedirs(folder)
    one = Terminal(stack, folder, kdc)
    try:
        yield one
    finally:
        one.stop()
        shutil.move(scratch + "/alices", keytabs["alice"])
        shutil.rmtree("/etc/jupyterhub")
        for path in ("/opt/jupyterhub", "/opt"):
            subprocess.run(["umount", path], check=True)
        no_ticket()


def test_the_tutorial_works_and_shows_what_is_seen(terminal: Terminal) -> None:
    """Each command is typed, each line of configuration added, and each output is as shown."""
    printed = ""
    for language, lines in blocks("docs/tutorial.md"):
        text = "\n".join(lines)
        for shown, typed in INSTEAD:
            text = text.replace(shown, typed)
        if language == "bash":
            text = text.replace("%s", os.environ[WHEEL])
            printed = "\n".join(terminal.type(line) for line in text.splitlines())
        elif language == "python":
            with open(CONFIG, "a") as file:
                file.write(text + "\n")
        else:
            missing = lines_missing(text, printed)
            assert not missing, "%s\nis not in\n%s" % (missing, printed)
    assert "applied" not in terminal.type("/opt/jupyterhub/bin/python -I -m jhpatch status")


def lines_missing(shown: str, printed: str) -> List[str]:
    """Return the shown lines that were not printed in this order; numbers may be others."""
    rest = iter([plain(line) for line in printed.splitlines()])
    wanted = [line for line in map(plain, shown.replace("…", "").splitlines()) if line]
    return [line for line in wanted if not any(line in other for other in rest)]


def plain(line: str) -> str:
    """Return a line without numbers, addresses, and the width of columns."""
    return re.sub(r"\s+", " ", re.sub(r"[0-9]+(\.[0-9]+){3}|[0-9]+", "0", line)).strip()
