"""A real hub whose users' servers are simulated: one web server answers for all of them.

The spawner starts no process, and says that the server runs. It is a LocalProcessSpawner, and
the hub and its renewer treat it as one: pre_spawn_start, the settings in its environment,
the state in the database, the poll after a restart.
"""

import asyncio
import os
import re
import threading
import time
from typing import Any, Dict, List, NamedTuple

import requests

from benchmarks.environments import Copy, called
from benchmarks.subject import Times, resources
from integration.e2e.hub import Hub

_TICK = 10.0
"""Milliseconds between two readings of the loop's clock."""
_START = 900.0
"""Seconds until a hub with thousands of servers answers, at most."""
_CONFIG = """
import time
from jupyterhub.spawner import LocalProcessSpawner
from tornado.ioloop import IOLoop

class SimulatedSpawner(LocalProcessSpawner):
    async def start(self):
        self.get_env()
        self.pid = 2**30  # of no process
        return "127.0.0.1", %(server_port)d

    async def poll(self):
        return None if self.pid else 0

    async def stop(self, now=False):
        self.pid = 0

c.JupyterHub.spawner_class = SimulatedSpawner
c.JupyterHub.authenticate_prometheus = False
c.JupyterHub.cleanup_servers = False

def _watch(loop, file):
    def turn(due):
        now = time.monotonic()
        file.write("%%.4f %%.2f\\n" %% (due, (now - due) * 1000))
        loop.call_later(%(tick)r, turn, now + %(tick)r)
    loop.call_later(%(tick)r, turn, time.monotonic() + %(tick)r)

_watch(IOLoop.current(), open(%(lag)r, "a", buffering=1))
"""
_SEED = """
import datetime, sys
from jupyterhub import orm
database, port, *names = sys.argv[1:]
db = orm.new_session_factory(database)()
now = datetime.datetime.now()
for name in names:
    user = orm.User(name=name)
    server = orm.Server(ip="127.0.0.1", port=int(port), base_url="/user/%s/" % name)
    state = {"pid": 2**30}
    db.add(user)
    db.add(server)
    db.add(orm.Spawner(name="", user=user, server=server, state=state, started=now))
db.commit()
"""
_METRIC = re.compile(r"^([a-z_]+)(\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)


def start_server(version: str) -> int:
    """Answer each request, in a thread, as a server of that JupyterHub does; return the port."""
    answer = "HTTP/1.1 200 OK\r\nX-JupyterHub-Version: %s\r\nContent-Length: 0\r\n" % version
    answer += "Connection: close\r\n\r\n"

    async def serve(reader: Any, writer: Any) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer.encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    loop = asyncio.new_event_loop()
    starting = asyncio.start_server(serve, "127.0.0.1", 0, backlog=8192)
    server = loop.run_until_complete(starting)
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return int(server.sockets[0].getsockname()[1])


class Window(NamedTuple):
    """A part of a run, by the monotonic clock."""

    begin: float
    end: float


class SimulatedHub:
    """A running hub of a variant, and what its processes take."""

    def __init__(self, copy: Copy, folder: str, settings: str, server_port: int) -> None:
        os.makedirs(folder)
        self.variant = copy.name
        self._python, self._server_port = copy.python, server_port
        self._database = "sqlite:///%s/hub.sqlite" % folder
        self._lag_path = folder + "/lag"
        fields = dict(server_port=server_port, lag=self._lag_path, tick=_TICK / 1000)
        self.hub = Hub(copy, folder, _CONFIG % fields + settings)

    def start(self) -> None:
        """Return when the hub answers."""
        self.hub.start(_START)

    def seed(self, names: List[str]) -> None:
        """Write users whose servers run into the database; the hub does not run meanwhile."""
        argv = [self._python, "-c", _SEED, self._database, str(self._server_port), *names]
        called(*argv)

    def restart(self, servers: int) -> Dict[str, float]:
        """Stop the hub, and start it again; return the seconds after which it answers, and so on.

        Servers count as watched when the hub's renewer has them in its list, and as looked at
        when it has asked for the ticket of each.
        """
        self.hub.terminate(120)
        began = time.monotonic()
        self.hub.start(_START)
        found = {"answers": time.monotonic() - began}
        names = {"running": "jupyterhub_running_servers"}
        if self.variant == "patched":
            names["watched"] = "jhpatch_kerberos_servers"
            names["looked at"] = 'jhpatch_kerberos_tickets_total{cause="keeper"'
        while len(found) <= len(names):
            metrics = self.metrics()
            for what, name in names.items():
                if what not in found and total(metrics, name) >= servers:
                    found[what] = time.monotonic() - began
            time.sleep(0.1)
        return {name: round(seconds, 1) for name, seconds in found.items()}

    def metrics(self) -> Dict[str, float]:
        """Return the metrics of the hub, by name and labels."""
        text = requests.get(self.hub.url + "/hub/metrics", timeout=60).text
        return {name + labels: float(value) for name, labels, value in _METRIC.findall(text)}

    def wait_for_servers(self, count: int) -> None:
        """Return when the hub counts so many running servers."""
        while total(self.metrics(), "jupyterhub_running_servers") < count:
            time.sleep(0.5)

    def lag(self, windows: List[Window]) -> Times:
        """Return how late the loop was, in milliseconds, at each tick of these windows.

        A loop that is busy for 100 ms misses ticks: those count too, each with its delay.
        """
        late: List[float] = []
        with open(self._lag_path) as file:
            for line in file:
                due, delay = (float(word) for word in line.split())
                if any(window.begin <= due < window.end for window in windows):
                    late.extend(missed(delay))
        return Times(late)

    def memory(self) -> float:
        """Return the hub's resident memory in MiB."""
        return resources(self.hub.pid)["rss_kib"] / 1024

    def cpu(self) -> float:
        """Return the CPU seconds of the hub and of its children that have ended or still run."""
        return sum(_cpu_of(pid) for pid in [self.hub.pid, *_children(self.hub.pid)])


def missed(delay: float) -> List[float]:
    """Return the delays (ms) of a tick and of those that would have come before it ended."""
    return [delay - _TICK * number for number in range(int(delay // _TICK) + 1)]


def total(metrics: Dict[str, float], start: str) -> float:
    """Return the sum of the metrics whose names and labels start so."""
    return sum(value for name, value in metrics.items() if name.startswith(start))


def _children(parent: int) -> List[int]:
    """Return the children that are Python programs: the fork server, not the proxy."""
    found = []
    with open("/proc/%d/task/%d/children" % (parent, parent)) as file:
        for pid in file.read().split():
            with open("/proc/%s/cmdline" % pid, "rb") as command:
                if b"fork_server" in command.read():
                    found.append(int(pid))
    return found


def _cpu_of(pid: int) -> float:
    """Return the CPU seconds of a process and of its children that were waited for (proc(5))."""
    with open("/proc/%d/stat" % pid) as file:
        words = file.read().rpartition(")")[2].split()
    return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")
