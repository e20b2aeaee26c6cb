"""Events that touch the whole host: the KDC, the hub, /tmp, the directory, the machine."""

import glob
import os
import signal
import subprocess
import time
from typing import List, Optional, Sequence

from integration.e2e import slow_directory, stacks, world
from integration.e2e.patched_stack import jhpatch
from integration.soak.events import Event, Excuse
from integration.soak.gateway import LIFE, ONE_RETRY, TIMEOUT, Gateway

_AFTER_A_START = 5 + TIMEOUT
"""Seconds in which a hub that has started has looked at all servers, and one kinit."""


class KdcDown(Event):
    """The KDC is not there: connections are refused."""

    def happen(self, gateway: Gateway) -> None:
        """Stop it, start it."""
        gateway.kdc.stop()
        time.sleep(self.seconds)
        gateway.kdc.start()

    def excuse(self, gateway: Gateway) -> Optional[Excuse]:
        """All users, and one retry."""
        return self._excused(ONE_RETRY)


class KdcDownForDays(KdcDown):
    """The same, for three lives of a ticket."""

    days = 12


class KdcSilent(KdcDown):
    """The KDC takes requests and does not answer."""

    def happen(self, gateway: Gateway) -> None:
        """SIGSTOP, SIGCONT."""
        os.kill(gateway.kdc.pid, signal.SIGSTOP)
        time.sleep(self.seconds)
        os.kill(gateway.kdc.pid, signal.SIGCONT)


class KdcSlow(Event):
    """The KDC answers up to two seconds late."""

    def happen(self, gateway: Gateway) -> None:
        """Stop it for two of each three seconds."""
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            os.kill(gateway.kdc.pid, signal.SIGSTOP)
            time.sleep(2)
            os.kill(gateway.kdc.pid, signal.SIGCONT)
            time.sleep(1)


class HubRestart(Event):
    """``systemctl restart`` with KillMode=process: users' servers go on."""

    stops_pages = True
    _unopened: Sequence[str] = ()

    def happen(self, gateway: Gateway) -> None:
        """With the lock: nobody else needs the hub."""
        with gateway.hub_lock:
            self.began = time.monotonic()
            self._unopened = [name for name, one in gateway.visits.items() if one.is_new]
            self.stop(gateway)
            self.between(gateway)
            gateway.hub.start()

    def stop(self, gateway: Gateway) -> None:
        """SIGTERM."""
        gateway.hub.terminate(90)

    def between(self, gateway: Gateway) -> None:
        """What is done while the hub is down: what ExecStartPre of docs/deploy/systemd.md does."""
        jhpatch(gateway.stack, "apply")

    def excuse(self, gateway: Gateway) -> Optional[Excuse]:
        """Those whose tickets the hub alone renews: no page of their server was opened."""
        names = [name for name in gateway.users if name.startswith(("api-", "plain-"))]
        return self._excused(_AFTER_A_START, *names, *self._unopened)


class HubKilled(HubRestart):
    """The hub is killed, as by the OOM killer, and started again."""

    def stop(self, gateway: Gateway) -> None:
        """SIGKILL; its proxy lives on."""
        gateway.hub.kill()


class HubUpgrade(HubRestart):
    """JupyterHub is upgraded by pip, which takes the patch away; ``apply`` puts it back."""

    def between(self, gateway: Gateway) -> None:
        """Install the other of two releases, patch it."""
        python = os.path.join(gateway.stack.venv, "bin", "python")
        show = [python, "-c", "import jupyterhub; print(jupyterhub.__version__)"]
        version = subprocess.run(show, stdout=subprocess.PIPE, check=True, cwd="/").stdout.decode()
        folder = os.path.join(stacks.FOLDER, "soak-wheels", gateway.stack.name)
        wheels = glob.glob(folder + "/jupyterhub-*.whl")
        (wheel,) = (one for one in wheels if "-%s-" % version.strip() not in one)
        install = [python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", wheel]
        subprocess.run(install, check=True, cwd="/")
        jhpatch(gateway.stack, "status", code=3)
        jhpatch(gateway.stack, "apply")


class Suspend(Event):
    """Everything stands still, as on a machine that is suspended: no clock of ours is stopped."""

    stops_pages = True

    def happen(self, gateway: Gateway) -> None:
        """SIGSTOP to all processes of the world but those of the test, then SIGCONT."""
        with gateway.hub_lock:
            self.began = time.monotonic()
            stopped = _others(gateway.observer_pid)
            for pid in stopped:
                _signal(pid, signal.SIGSTOP)
            time.sleep(self.seconds)
            for pid in reversed(stopped):
                _signal(pid, signal.SIGCONT)

    def excuse(self, gateway: Gateway) -> Optional[Excuse]:
        """All users, and one retry."""
        return self._excused(ONE_RETRY)


def _others(observer: int) -> List[int]:
    """Return all processes but this one, the observer and its children."""
    spared = {os.getpid(), observer}
    pids = sorted(world.commands(lambda path: True))
    return [pid for pid in pids if pid not in spared and _parent(pid) != observer]


def _parent(pid: int) -> int:
    try:
        with open("/proc/%d/stat" % pid) as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class SlowDirectory(Event):
    """Each look-up of a user, and of a user's groups, takes two seconds."""

    stops_pages = True  # upstream's own look-ups hold its event loop

    def happen(self, gateway: Gateway) -> None:
        """Make the NSS module slow."""
        for function in ("getpwnam", "initgroups"):
            slow_directory.hang(function, 2)
        time.sleep(self.seconds)
        slow_directory.go_on()


class FullTmp(Event):
    """A user fills /tmp, where the caches are: there are no quotas, so it touches everyone."""

    def __init__(self, user: str, seconds: float = 0.0) -> None:
        super().__init__(seconds=seconds)
        self._user = user

    def happen(self, gateway: Gateway) -> None:
        """Until there is no space; then remove the file."""
        fill(self._user, "/tmp/filled")
        time.sleep(self.seconds)
        os.unlink("/tmp/filled")

    def excuse(self, gateway: Gateway) -> Optional[Excuse]:
        """All users: a cache cannot be written; the pauses have doubled as long as it lasted."""
        return self._excused(ONE_RETRY + self.seconds)


def fill(name: str, path: str) -> None:
    """Have a user write a file until the file system is full."""
    argv = world.as_user(name, "dd", "if=/dev/zero", "of=" + path, "bs=64k")
    done = subprocess.run(argv, stderr=subprocess.PIPE, cwd="/")
    assert b"No space left" in done.stderr, done.stderr


class LogRotation(Event):
    """The hub's log is rotated, by copy and truncation."""

    def happen(self, gateway: Gateway) -> None:
        """As logrotate's ``copytruncate``."""
        gateway.log.rotate()


class FrontReload(Event):
    """nginx reads its configuration again: no save fails."""

    def happen(self, gateway: Gateway) -> None:
        """SIGHUP."""
        gateway.front.nginx.send_signal(signal.SIGHUP)


class ClockStep(Event):
    """The clock is stepped back by ten minutes, and later forward again."""

    stops_pages = True  # the first requests meanwhile: cookies and sessions of upstream

    def happen(self, gateway: Gateway) -> None:
        """For all processes that have started since the week began (clock.py).

        Not while a server starts: JupyterHub compares its end of waiting with the wall clock
        (``utils.exponential_backoff``), and gives up.
        """
        with gateway.hub_lock:
            gateway.clock.step(-600)
        time.sleep(self.seconds)
        with gateway.hub_lock:
            gateway.clock.step(0)

    def excuse(self, gateway: Gateway) -> Optional[Excuse]:
        """All users, for a turn of the renewers, which read the clock each minute."""
        return self._excused(LIFE + ONE_RETRY)
