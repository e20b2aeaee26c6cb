"""How much the hub's keeper disturbs the hub: ``python -m benchmarks.keeper``, as root.

Five hundred running servers whose tickets come from central keytabs, a real KDC, and an
event loop that looks at its own lateness each millisecond: first alone, then while the
keeper gets a ticket for every one of them, as after a restart of the hub. Shows the loop's
lag in milliseconds, how long a round took, and into how many minutes the next refreshes of
the five hundred fall.
"""

import argparse
import collections
import os
import shutil
import tempfile
import threading
import time
import types
from typing import Any, List

from tornado import ioloop

from jhpatch.deployed import kerberos
from testing.kdc import Kdc


class LocalProcessSpawner:
    """A spawner by the name that counts."""

    environment = None
    active = True


class Log:
    """Keeps nothing but what went wrong."""

    def __init__(self) -> None:
        self.wrong: List[str] = []

    def info(self, *words: Any) -> None:
        pass

    def warning(self, text: str, *words: Any) -> None:
        self.wrong.append(text % words)

    error = exception = warning


def lag_of(loop: Any, until: Any) -> List[float]:
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


def shown(name: str, late: List[float]) -> str:
    """One row of the table."""
    late = sorted(late)
    at = [late[int(len(late) * part)] for part in (0.5, 0.95, 0.99)] + [late[-1]]
    return "%-22s %8d %8.2f %8.2f %8.2f %8.2f" % (name, len(late), *at)


def main() -> None:
    """Measures, and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--megabytes", type=int, default=150, help="memory of a hub, to be forked")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="jhpatch-benchmark-", dir="/run")
    os.chmod(folder, 0o755)
    weight = bytearray(os.urandom(1024) * 1024 * arguments.megabytes)
    try:
        with Kdc(folder) as kdc:
            measure(kdc, folder, arguments.users)
    finally:
        shutil.rmtree(folder)
        del weight


def measure(kdc: Kdc, folder: str, count: int) -> None:
    """Both rounds."""
    keytab, caches = os.path.join(folder, "central.keytab"), os.path.join(folder, "caches")
    kdc.add_principal("service", keytab=keytab)
    os.mkdir(caches)
    os.chmod(caches, 0o1777)
    names = ["u%d" % number for number in range(count)]
    uids = {name: 20000 + number for number, name in enumerate(names)}
    kerberos.account_of = lambda name, least: kerberos.Account(  # the machine has no such users
        name, uids[name], uids[name], "/"
    )
    os.environ["KRB5_CONFIG"] = kdc.krb5_conf
    settings = kerberos.KerberosTicket(
        keytab=keytab, principal="service", ccache=caches + "/cc_{uid}"
    )
    log = Log()
    hub = kerberos.Hub(settings, log)
    loop = ioloop.IOLoop()
    users = [types.SimpleNamespace(name=n, spawners={"": LocalProcessSpawner()}) for n in names]
    end = time.monotonic() + 10
    alone = lag_of(loop, lambda: time.monotonic() > end)
    keeper = kerberos.HubKeeper(hub, lambda: list(users), loop)
    began = time.monotonic()
    threading.Thread(target=keeper.run, daemon=True).start()
    busy = lag_of(loop, lambda: len(hub.known) == count or log.wrong)
    took = time.monotonic() - began
    if log.wrong:
        raise SystemExit(log.wrong[0])
    minutes = collections.Counter(
        int(hub.getter.due(t, kerberos.spread(0.5)) // 60) for t in hub.known.values()
    )
    print("%-22s %8s %8s %8s %8s %8s" % ("loop's lag, ms", "turns", "p50", "p95", "p99", "max"))
    print(shown("alone", alone))
    print(shown("while the keeper works", busy))
    print("%d tickets in %.1f s" % (count, took))
    print(
        "the next refreshes: %d minutes, at most %d in one" % (len(minutes), max(minutes.values()))
    )


if __name__ == "__main__":
    main()
