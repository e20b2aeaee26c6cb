"""A real JupyterHub as root, with PAM logins and configurable-http-proxy, on loopback."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from typing import Any, Dict, Iterator, List, Optional, Sequence

import requests

from integration.e2e import stacks, world
from integration.e2e.stacks import Stack
from testing import ports

CLASSIC = """
c.KerberosTicket.keytab = "/home/{username}/{username}.keytab"
c.KerberosTicket.principal = "{username}/service@EXAMPLE.TEST"
c.KerberosTicket.ccache = "/tmp/krb5cc_{uid}"
"""

# The names of JupyterHub 0.8, which all later ones understand.
_CONFIG = """
c.JupyterHub.ip = "127.0.0.1"
c.JupyterHub.port = %(port)d
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_port = %(hub_port)d
c.ConfigurableHTTPProxy.command = %(proxy)r
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:%(api_port)d"
c.JupyterHub.db_url = "sqlite:///%(folder)s/hub.sqlite"
c.JupyterHub.cookie_secret_file = "%(folder)s/cookie_secret"
c.Spawner.cmd = [%(singleuser)r]
c.Spawner.notebook_dir = "~"
c.Spawner.start_timeout = 300
c.Spawner.http_timeout = 300
"""
_TOKEN = "0123456789abcdef0123456789abcdef"
SERVICE = (
    "c.JupyterHub.services = [{'name': 'watcher', 'admin': True, 'api_token': %r}]\n" % _TOKEN
)
_ALLOW_ALL = "c.Authenticator.allow_all = True\n"
_APPLICATIONS = {
    "jupyter_server": "jupyter_server.serverapp.ServerApp",
    "notebook": "notebook.notebookapp.NotebookApp",
}


def runs_on(server: str) -> str:
    """The configuration with which users' servers run on that distribution."""
    return "c.Spawner.environment = {'JUPYTERHUB_SINGLEUSER_APP': %r}\n" % _APPLICATIONS[server]


class Hub:
    """A hub of a stack in ``folder``; ``extra`` is added to its configuration.

    It is root's, or that of a ``user``. ``path`` is its base_url, without the last slash;
    ``launcher`` is put before the hub's own command.
    """

    def __init__(
        self,
        stack: Stack,
        folder: str,
        extra: str,
        environment: Optional[Dict[str, str]] = None,
        user: str = "",
        path: str = "",
        launcher: Sequence[str] = (),
    ) -> None:
        self.stack = stack
        self.log_path = os.path.join(folder, "hub.log")
        self._user = user
        self._more = environment or {}
        self._launcher = list(launcher)
        self._ports = found = ports.free(3)
        self.url = "http://127.0.0.1:%d%s" % (found[0], path)
        values: Dict[str, Any] = dict(
            port=found[0],
            hub_port=found[1],
            api_port=found[2],
            proxy=stacks.proxy_command(),
            folder=folder,
            singleuser=os.path.join(stack.venv, "bin", "jupyterhub-singleuser"),
        )
        self._config = os.path.join(folder, "jupyterhub_config.py")
        with open(self._config, "w") as file:
            file.write(_CONFIG % values + (_ALLOW_ALL if stack.has_allow_all else "") + extra)
        self._folder = folder
        self._process: Optional[subprocess.Popen] = None

    def start(self, seconds: float = 300) -> None:
        """Returns when the hub answers, within so many seconds."""
        binaries = os.path.join(self.stack.venv, "bin")
        environment = {
            "PATH": "%s:/usr/sbin:/usr/bin:/sbin:/bin" % binaries,
            "LANG": "C.UTF-8",
            "HOME": "/home/" + self._user if self._user else "/root",
        }
        environment.update(self._more)
        become = self._launcher + (world.as_user(self._user) if self._user else [])
        if self._user:
            subprocess.run(["chown", "-R", self._user + ":", self._folder], check=True)
        with open(self.log_path, "ab") as log:
            self._process = subprocess.Popen(
                become + [os.path.join(binaries, "jupyterhub"), "-f", self._config],
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until(self._answers, seconds)

    @property
    def pid(self) -> int:
        """The hub's process."""
        assert self._process is not None
        return self._process.pid

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "the hub ended:\n" + self.tail()
        try:
            return requests.get(self.url + "/hub/login", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def _wait_until(self, holds: Any, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "the hub does not answer:\n" + self.tail()
            time.sleep(0.2)

    def stop(self) -> None:
        """Stops the hub, its proxy and its users' servers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(300)
            except subprocess.TimeoutExpired:
                pass
        subprocess.run(["pkill", "-9", "-f", "configurable-http-proxy.* %d" % self._ports[0]])
        for pid in self.servers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def terminate(self, seconds: float) -> None:
        """SIGTERM, as systemctl(1) sends it. Raises TimeoutExpired if the hub does not end."""
        assert self._process is not None
        with self._adopted():
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(seconds)

    def kill(self) -> None:
        """As an OOM killer does: the hub alone, its proxy and its users' servers live on."""
        assert self._process is not None
        with self._adopted():
            self._process.kill()
            self._process.wait()

    @contextlib.contextmanager
    def _adopted(self) -> Iterator[None]:
        """Reap the hub's children that outlive it: pytest is the world's first process."""
        orphans = [pid for pid, parent in _processes().items() if parent == self.pid]
        yield
        for pid in orphans:
            threading.Thread(target=_reap, args=(pid,), daemon=True).start()

    def is_alive(self) -> bool:
        """Whether the hub runs and answers."""
        assert self._process is not None
        return self._process.poll() is None and self._answers()

    def servers(self, name: str = "") -> List[int]:
        """The processes of a user's servers, or of all users': who was told of this hub."""
        told = ["JUPYTERHUB_API_URL=http://127.0.0.1:%d/hub/api" % self._ports[1]]
        told += ["JUPYTERHUB_USER=" + name] if name else []
        found = {}
        for pid, parent in _processes().items():
            with contextlib.suppress(OSError):
                with open("/proc/%d/environ" % pid, "rb") as file:
                    environment = file.read().decode(errors="replace").split("\0")
                if set(told) <= set(environment):
                    found[pid] = parent
        return sorted(pid for pid in found if found[pid] not in found)  # no kernels

    def api(self, method: str, path: str) -> requests.Response:
        """What the hub's API answers to a service; SERVICE is in the configuration."""
        headers = {"Authorization": "token " + _TOKEN}
        return requests.request(method, self.url + "/hub/api/" + path, headers=headers, timeout=90)

    def log(self) -> str:
        """The hub's log, its users' servers' included."""
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def lines(self, *words: str) -> List[str]:
        """The lines of the log with all these words."""
        return [line for line in self.log().splitlines() if all(word in line for word in words)]

    def tail(self) -> str:
        """The end of the log, for a person."""
        return self.log()[-6000:]


def _processes() -> Dict[int, int]:
    """The parent of each process."""
    found = {}
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        with contextlib.suppress(OSError):
            with open("/proc/%d/stat" % pid) as file:
                found[pid] = int(file.read().rpartition(")")[2].split()[1])
    return found


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


@contextlib.contextmanager
def running(
    stack: Stack,
    folder: str,
    extra: str = CLASSIC,
    environment: Optional[Dict[str, str]] = None,
    user: str = "",
    path: str = "",
) -> Iterator[Hub]:
    """A hub while the block runs; a failure in the block shows the log."""
    os.makedirs(folder)
    hub = Hub(stack, folder, extra, environment, user, path)
    try:
        hub.start()
        yield hub
    except BaseException:
        print("--- the hub's log\n" + hub.tail())
        raise
    finally:
        hub.stop()


def notebook() -> Dict[str, Any]:
    """An empty notebook, as nbformat 4.2."""
    text = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 2}'
    return dict(json.loads(text))
