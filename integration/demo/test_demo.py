"""``tox -e demo`` as a person meets it: at a terminal, and in a browser."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from typing import Any, Dict, Iterator, List, NamedTuple

import pytest

from integration.e2e import chromium, world
from integration.e2e.chromium import Chromium
from integration.e2e.stacks import REPOSITORY
from testing.waiting import until

pytestmark = pytest.mark.skipif(bool(world.missing_rights()), reason=world.missing_rights() or "-")


class Demo:
    """The demo at a terminal of its own, and the lines that it has printed.

    A shell has started it that Ctrl-C ends, as it ends tox, and somebody logged in by ssh.
    """

    def __init__(self) -> None:
        self.before = world.fingerprint()
        self.lines: List[str] = []
        self._keyboard, terminal = pty.openpty()
        # It ends by itself only if the test hangs.
        program = os.path.join(REPOSITORY, "tools", "demo.py")
        command = [sys.executable, program, "--seconds", "900"]
        login = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.7 2222", "USER": "carol"}
        self._shell = subprocess.Popen(
            ["sh", "-c", '"$@"; echo exit code $?', "sh", *command],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=dict(os.environ, **login),
        )
        os.close(terminal)
        self._screen = os.fdopen(os.dup(self._keyboard), errors="replace")

    def until(self, pattern: str) -> "re.Match[str]":
        """Return the next line that has the pattern; what is before it is read as well."""
        while True:
            try:
                line = self._screen.readline()
            except OSError:  # nobody has the terminal any longer (pty(7))
                line = ""
            assert line, "it ended:\n" + "".join(self.lines)
            self.lines.append(line)
            found = re.search(pattern, line.rstrip())
            if found:
                return found

    def press_ctrl_c(self) -> None:
        """Press Ctrl-C; the terminal sends SIGINT to whom it belongs."""
        os.write(self._keyboard, b"\x03")

    def namespace(self) -> str:
        """Return that of its processes; other tests have a hub and an alice of their own."""
        (demo,) = _children(self._shell.pid)
        (unshare,) = _children(demo)
        return os.readlink("/proc/%d/ns/pid_for_children" % unshare)

    def end(self) -> None:
        """End it, whatever it does: as if the terminal's window were closed."""
        for pid in [*_children(self._shell.pid), self._shell.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._shell.wait()
        self._screen.close()
        os.close(self._keyboard)


def _children(pid: int) -> List[int]:
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


class User(NamedTuple):
    """A user whom the demo names; ``url`` is where their hub is."""

    url: str
    name: str
    password: str
    log: str


class Visitor(Chromium):
    """A browser, its user in JupyterLab."""

    def open_terminal(self) -> None:
        """Open JupyterLab, and a terminal from its launcher."""
        self._driver.get("%s/user/%s/lab" % (self._hub.url, self._name))
        card = ".jp-LauncherCard[title='Start a new terminal session']"
        self._until("the launcher", lambda: self._element(card).click() is None)
        title = ".lm-DockPanel-tabBar .lm-mod-current .lm-TabBar-tabLabel"
        self._until("a prompt", lambda: self._name + "@" in self._element(title).text)

    def type_line(self, line: str) -> None:
        """Type a line in the terminal."""
        from selenium.webdriver.common.keys import Keys

        self._element(_TERMINAL).send_keys(line + Keys.ENTER)

    def file(self, path: str) -> str:
        """Return what is in a file of the user's home, or the page that tells why not."""
        self._driver.get("%s/user/%s/files/%s" % (self._hub.url, self._name, path))
        return str(self._element("body").text)


_TERMINAL = ".jp-Terminal textarea.xterm-helper-textarea"


@pytest.fixture(autouse=True)
def browser_is_there() -> None:
    """What the machine lacks is said, and fails in CI."""
    chromium.require()


@pytest.fixture
def demo() -> Iterator[Demo]:
    """A demo that has been started."""
    one = Demo()
    try:
        yield one
    finally:
        one.end()


def users_of(demo: Demo) -> Dict[str, User]:
    """Return the users whom the demo names, by the hub that they have."""
    found = {}
    for _ in range(2):
        url, name, password = demo.until(r"(https?://\S+): user (\S+)\s+password (.+)$").groups()
        hub, log = demo.until(r"(\S+) hub; its log: (\S+)$").groups()
        found[hub] = User(url, name, password, log)
    return found


def typed(user: User, command: str, expected: str, folder: Any) -> str:
    """Return what a command prints in a terminal of JupyterLab, once that has what is expected."""
    flags = ["--ignore-certificate-errors"]  # the visitor accepts the demo's certificate
    with Visitor(user, user.name, str(folder / user.name), flags) as visitor:
        visitor.login(user.password)
        visitor.open_terminal()
        visitor.type_line("%s > new.txt 2>&1; mv new.txt printed.txt" % command)
        until(lambda: expected in visitor.file("printed.txt"))
        return visitor.file("printed.txt")


def test_the_demo(demo: Demo, tmp_path: Any) -> None:
    """The patched user keeps ticket and job, the other loses both; Ctrl-C leaves nothing."""
    users = users_of(demo)
    patched, unpatched = users["patched"], users["unpatched"]
    for user in users.values():
        assert os.path.getsize(user.log) > 0
    ports = [user.url.rpartition(":")[2] for user in (patched, unpatched)]
    tunnels = " ".join("-L %s:127.0.0.1:%s" % (port, port) for port in ports)
    demo.until(r"  ssh -N %s -p 2222 carol@192\.0\.2\.7$" % re.escape(tunnels))
    demo.until(r"  TIME +USER +HUB +TICKET +JOB$")
    row = r"  \d\d:\d\d:\d\d  %s +%s +%s"
    demo.until(row % (unpatched.name, "unpatched", r"until \S+ +running$"))

    typed(patched, "jhpatch ticket", "valid", tmp_path)
    demo.until(
        row % (unpatched.name, "unpatched", r"expired at \S+ +ended: kvno: Ticket expired .+$")
    )
    typed(unpatched, "tail -n 1 job.log", "ended: kvno: Ticket expired", tmp_path)
    demo.until(row % (patched.name, "patched", r"until \S+ +running$"))

    private = demo.namespace()

    def left() -> List[str]:
        return list(world.commands(lambda here: os.readlink(here + "/ns/pid") == private).values())

    assert any("jupyterhub-singleuser" in line for line in left())
    demo.press_ctrl_c()
    demo.until("nothing is left of it")
    demo.until("^exit code 0$")
    assert "Traceback" not in "".join(demo.lines)
    assert world.fingerprint() == demo.before
    assert left() == []
    assert not any(os.path.exists(user.log) for user in users.values())


@pytest.mark.parametrize("line", ["building the hub's environment", "a realm, users, keytabs"])
def test_ctrl_c_at_once(demo: Demo, line: str) -> None:
    """Ctrl-C while the demo starts ends it as well: no traceback, exit code 0."""
    demo.until(line)
    demo.press_ctrl_c()
    demo.press_ctrl_c()
    demo.until("^exit code 0$")
    assert "Traceback" not in "".join(demo.lines)
