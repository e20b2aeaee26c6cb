"""What the ticket service costs: ``python -m benchmarks.ticket_service``, as root.

A real KDC on loopback, and users of a private ``/etc/passwd`` (unshare(1)). Each figure stands
beside that of what it cannot be faster than, in turns of the same run:

- a new ticket beside a bare ``setpriv … kinit``, and a ticket that is there;
- a login alone, and beside a user who floods (40 logins, a FIFO as keytab);
- the hub's event loop alone, and while 1,000 servers are renewed, of which a tenth has a home
  that hangs, with a directory that takes 200 ms for each look-up;
- the end of a process after SIGTERM while 40 logins hang;
- the import of both faces, in a process that has tornado and traitlets.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import types
from typing import Any, Callable, Dict, List, Tuple

from tornado import ioloop

from jhpatch.deployed.kerberos import account, hub, hub_renewer, identity, process
from jhpatch.deployed.kerberos.settings import Settings
from testing import ROOT
from testing.kdc import Kdc

_FIRST_UID = 20000
_FLOOD = 40
_DIRECTORY = 0.2  # seconds that a look-up takes
Figures = Dict[str, Any]


class LocalProcessSpawner:
    """A spawner by the name that counts."""

    environment = None
    active = True


class Log:
    """Keeps nothing but what went wrong."""

    def __init__(self) -> None:
        self.wrong: List[str] = []

    def info(self, *words: Any) -> None:
        """Drop a line."""

    def warning(self, text: str, *words: Any) -> None:
        """Keep a line."""
        self.wrong.append(text % words)

    error = exception = warning


class Scene:
    """A KDC, a directory for caches, and keytabs: everybody's, u0's, root's, one that hangs."""

    def __init__(self, kdc: Kdc, directory: str) -> None:
        self.kdc = kdc
        self.caches = os.path.join(directory, "caches")
        os.mkdir(self.caches)
        os.chmod(self.caches, 0o1777)
        self.keytab, self.own, self.central = (
            os.path.join(directory, name) for name in ("all", "own", "central")
        )
        self.fifo = os.path.join(directory, "fifo")
        kdc.add_principal("service", keytab=self.keytab)
        for path in (self.own, self.central):
            shutil.copy(self.keytab, path)
            os.chmod(path, 0o600)
        os.chown(self.own, _FIRST_UID, _FIRST_UID)
        os.chmod(self.keytab, 0o644)
        os.mkfifo(self.fifo)
        os.chmod(self.fifo, 0o666)

    def tickets(self, **settings: Any) -> "hub.HubTickets":
        """Return a hub's tickets, by default with the caches here."""
        values = dict(keytab=self.keytab, principal="service", ccache=self.caches + "/cc_{uid}")
        return hub.HubTickets(Settings(**dict(values, **settings)), Log())

    def clear(self) -> None:
        """Remove all caches, and what killed children have left."""
        for entry in os.scandir(self.caches):
            shutil.rmtree(entry.path) if entry.is_dir() else os.unlink(entry.path)


def in_ms(work: Callable[[], Any]) -> float:
    """Return how long some work takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def medians(turns: int, works: Dict[str, Callable[[], float]]) -> Dict[str, float]:
    """Return the median of each, in turns of which each begins with another."""
    found: Dict[str, List[float]] = {name: [] for name in works}
    names = list(works)
    for turn in range(turns):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(works[name]())
    return {name: round(statistics.median(times), 2) for name, times in found.items()}


def obtaining(scene: Scene, turns: int) -> Figures:
    """(a) A new ticket, and one that is there."""
    user = "u0"
    who = account.account_of(user, 1)
    environment = identity.environment_of(who, os.environ)

    def bare() -> float:
        scene.clear()
        cache = "FILE:%s/bare" % scene.caches
        argv = identity.become(who, 5) + ["/usr/bin/kinit", "-k", "-t", scene.own]
        argv += ["-c", cache, "-r", "7d", "--", "service"]
        done = []
        took = in_ms(lambda: done.append(process.run(argv, environment, 30)))
        assert done[0].code == 0, done[0].err
        return took

    def new(tickets: "hub.HubTickets") -> Callable[[], float]:
        def work() -> float:
            scene.clear()
            return there(tickets)()

        return work

    def there(tickets: "hub.HubTickets") -> Callable[[], float]:
        def work() -> float:
            problems = []
            took = in_ms(lambda: problems.append(tickets.ensure(user, "login")))
            assert problems == [None], problems
            return took

        return work

    kinds = {
        "named cache": scene.tickets(keytab=scene.own),
        "default cache": scene.tickets(keytab=scene.own, ccache=""),
        "central keytab": scene.tickets(keytab=scene.central),
    }
    works: Dict[str, Callable[[], float]] = {"bare": bare, "again": bare}
    works.update(("new, " + kind, new(tickets)) for kind, tickets in kinds.items())
    found = medians(turns, works)
    for kind, tickets in kinds.items():
        new(tickets)()
        found.update(medians(turns, {"there, " + kind: there(tickets)}))
    return found


def beside_a_flood(scene: Scene, turns: int) -> Figures:
    """(b) A login alone, and beside a user who floods."""
    tickets = scene.tickets(keytab=lambda name: scene.fifo if name == "u1" else scene.keytab)
    stop = threading.Event()

    def login() -> float:
        path = scene.caches + "/cc_%d" % _FIRST_UID
        if os.path.exists(path):
            os.unlink(path)
        problems = []
        took = in_ms(lambda: problems.append(tickets.request("u0", "login").result(60)))
        assert problems == [None], problems
        return took

    def flood() -> None:
        while not stop.is_set():
            for _ in range(_FLOOD):
                tickets.request("u1", "login")
            time.sleep(0.05)

    login()
    alone = [login() for _ in range(turns)]
    attacker = threading.Thread(target=flood, daemon=True)
    attacker.start()
    time.sleep(0.5)
    beside = [login() for _ in range(turns)]
    stop.set()
    attacker.join()
    process.kill_all()
    again = [login() for _ in range(turns)]
    names = ("alone", "beside", "again")
    figures = zip(names, (alone, beside, again))
    return {name: round(statistics.median(times), 2) for name, times in figures}


def renewing(scene: Scene, count: int) -> Figures:
    """(c) A hub that has restarted: who is renewed when, and how late the loop's turns are."""
    scene.clear()
    hung = {"u%d" % number for number in range(0, count, 10)}
    tickets = scene.tickets(keytab=lambda name: scene.fifo if name in hung else scene.keytab)
    account_of = hub.account_of

    def slowly(name: str, least: int) -> Any:
        time.sleep(_DIRECTORY)
        return account_of(name, least)

    hub.account_of = slowly
    loop = ioloop.IOLoop()
    names = ["u%d" % number for number in range(count)]
    users = [types.SimpleNamespace(name=n, spawners={"": LocalProcessSpawner()}) for n in names]
    end = time.monotonic() + 10
    alone = lag_of(loop, lambda: time.monotonic() > end)
    renewer = hub_renewer.HubRenewer(tickets, lambda: list(users), loop)
    began = time.monotonic()
    renewer.start()
    times: Dict[str, float] = {}

    def is_done() -> bool:
        for name, _ in list(tickets.known):
            times.setdefault(name, time.monotonic() - began)
        return len(times) >= count - len(hung) or time.monotonic() - began > 600

    busy = lag_of(loop, is_done)
    hub.account_of = account_of
    users.clear()
    tickets.requests.close()
    return {
        "users": count,
        "hung": len(hung),
        "renewed": len(times),
        "last_s": round(max(times.values()), 1),
        "lag_alone_ms": _percentiles(alone),
        "lag_busy_ms": _percentiles(busy),
    }


def lag_of(loop: Any, until: Callable[[], bool]) -> List[float]:
    """Milliseconds by which each of the loop's turns was late, until a function says enough."""
    late: List[float] = []

    def turn(due: float) -> None:
        late.append((time.perf_counter() - due) * 1000)
        if until():
            loop.stop()
        else:
            loop.call_later(0.001, turn, time.perf_counter() + 0.001)

    loop.call_later(0.001, turn, time.perf_counter() + 0.001)
    loop.start()
    return late


def _percentiles(late: List[float]) -> Dict[str, float]:
    late = sorted(late)
    return {name: round(late[int(len(late) * part)], 2) for name, part in _PARTS}


_PARTS = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
_HANGING = """
import logging, signal, sys, time
from jhpatch.deployed.kerberos import identity, hub, process
from jhpatch.deployed.kerberos.settings import Settings
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
settings = Settings(keytab=%r, principal="service", ccache=%r, timeout=60.0)
tickets = hub.HubTickets(settings, logging.getLogger())
futures = [tickets.request("u%%d" %% number, "login") for number in range(40)]
while len(process._running) < 24:
    time.sleep(0.01)
time.sleep(1)
print("hung", flush=True)
while True:
    time.sleep(60)
"""


def ending(scene: Scene, turns: int) -> Figures:
    """(d) From SIGTERM to the end of the process."""
    times = []
    for _ in range(turns):
        text = _HANGING % (scene.fifo, scene.caches + "/hung_{uid}")
        argv = [sys.executable, "-c", text]
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT)
        assert child.stdout and child.stdout.readline() == b"hung\n"
        child.send_signal(signal.SIGTERM)
        times.append(in_ms(child.wait))
        child.stdout.close()
    return {"median_ms": round(statistics.median(times), 1), "max_ms": round(max(times), 1)}


_IMPORTING = """
import concurrent.futures, json, logging, subprocess, tempfile, time
import tornado.web, tornado.httpserver, traitlets.config, jhpatch.deployed
began = time.process_time()
import jhpatch.deployed.kerberos.%s
print((time.process_time() - began) * 1000)
"""


def importing(turns: int, directory: str) -> Figures:
    """(e) Milliseconds of cpu of an import of each face, its compiled modules on the disk."""
    environ = dict(os.environ, PYTHONPYCACHEPREFIX=directory)
    environ.pop("PYTHONDONTWRITEBYTECODE", None)

    def of(face: str) -> Callable[[], float]:
        argv = [sys.executable, "-c", _IMPORTING % face]
        return lambda: float(subprocess.check_output(argv, cwd=ROOT, env=environ))

    works = {face: of(face) for face in ("hub_face", "server_face")}
    for work in works.values():
        work()
    return medians(turns, works)


def table(found: Figures) -> str:
    """Return the figures for a person, each with its ratio."""
    a, b, c = found["obtain_ms"], found["flood_ms"], found["renewal"]
    lines = ["%-36s %9s %9s" % ("a ticket, median", "ms", "of bare")]
    for name, value in a.items():
        lines.append("  %-34s %9.2f %9.2f" % (name, value, value / a["bare"]))
    lines.append("%-36s %9s %9s" % ("another's login, median", "ms", "of alone"))
    for name, value in b.items():
        lines.append("  %-34s %9.2f %9.2f" % (name, value, value / b["alone"]))
    text = "%d servers, %d hang: %d renewed, the last after %.1f s"
    lines.append(text % (c["users"], c["hung"], c["renewed"], c["last_s"]))
    for name in ("lag_alone_ms", "lag_busy_ms"):
        shown = ", ".join("%s %.2f" % pair for pair in c[name].items())
        lines.append("  %-34s %s" % (name, shown))
    lines.append(
        "SIGTERM with 40 hung logins: %(median_ms).1f ms, at most %(max_ms).1f" % found["end"]
    )
    lines.append(
        "import, ms: %s" % ", ".join("%s %.2f" % pair for pair in found["import_ms"].items())
    )
    return "\n".join(lines)


def inside(arguments: Any) -> None:
    """Run, in a mount namespace of its own; print the result."""
    directory = tempfile.mkdtemp(prefix="jhpatch-benchmark-", dir="/run")
    os.chmod(directory, 0o755)
    try:
        add_users(directory, arguments.users)
        default = " default_ccache_name = FILE:%s/caches/default_%%{uid}\n" % directory
        with Kdc(directory, defaults=default) as kdc:
            os.environ["KRB5_CONFIG"] = kdc.krb5_conf
            scene = Scene(kdc, directory)
            found = {
                "obtain_ms": obtaining(scene, arguments.turns),
                "flood_ms": beside_a_flood(scene, arguments.turns),
                "end": ending(scene, max(3, arguments.turns // 10)),
                "import_ms": importing(max(3, arguments.turns // 2), directory + "/pyc"),
                "renewal": renewing(scene, arguments.users),
            }
        print(json.dumps(found, indent=1) if arguments.json else table(found), flush=True)
    finally:
        shutil.rmtree(directory)


def add_users(directory: str, count: int) -> None:
    """Mount a password file with these users over the host's, for this process alone."""
    for name, row in _ROWS:
        path = os.path.join(directory, name)
        shutil.copy("/etc/" + name, path)
        with open(path, "a") as file:
            for number in range(count):
                file.write(row % dict(number=number, uid=_FIRST_UID + number))
        os.chmod(path, 0o644)
        subprocess.run(["mount", "--bind", path, "/etc/" + name], check=True)


_ROWS: Tuple[Tuple[str, str], ...] = (
    ("passwd", "u%(number)d:x:%(uid)d:%(uid)d::/nonexistent:/bin/sh\n"),
    ("group", "u%(number)d:x:%(uid)d:\n"),
)


def main() -> None:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        return inside(arguments)
    argv = [sys.executable, "-m", "benchmarks.ticket_service", "--inside", *sys.argv[1:]]
    done = subprocess.run(["unshare", "--mount", "--propagation", "private", *argv], cwd=ROOT)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
