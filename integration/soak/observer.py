"""A process that looks at the gateway each second, and writes what it sees, a line a second.

It is a process of its own: what starves it starves nothing else. It runs as root, with the
world's clock. Besides the users' tickets, it measures a control each second: how long a program
takes to start, without any part of ours. ``klist -s`` is that program, for one user after the
other, so it is also a second opinion on the tickets.
"""

import glob
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import Any, Callable, Dict, List

from integration.e2e import world
from jhpatch.deployed.kerberos import ccache

INTERVAL = 1.0  # seconds
_TEMPORARY = ("/tmp/.jhpatch-*", "/tmp/jhpatch-*", "/run/jhpatch-*")


def state_of(path: str) -> Any:
    """Return the seconds that are left of the ticket in a cache, or what is wrong with it."""
    try:
        with open(path, "rb") as file:
            ticket = ccache.read_cache(file.read())
    except OSError as error:
        return error.strerror
    except ccache.Malformed as error:
        return "torn: %s" % error
    if ticket is None:
        return "no ticket in it"
    now = time.time()
    left = ticket.end - now
    if ticket.start - 300 > now:
        return "starts in the future"
    return round(left, 1) if left > 0 else "expired"


def process_of(pid: int) -> List[int]:
    """Return the RSS (KiB), descriptors and threads of a process; empty if it has ended."""
    try:
        with open("/proc/%d/status" % pid) as file:
            fields = dict(line.split(":", 1) for line in file)
        descriptors = len(os.listdir("/proc/%d/fd" % pid))
        return [int(fields["VmRSS"].split()[0]), descriptors, int(fields["Threads"])]
    except (OSError, KeyError, ValueError):
        return []


def processes() -> Dict[str, List[int]]:
    """Return what ``process_of`` does for hubs and servers, by ``what pid``."""
    found = {}
    for pid, line in world.commands(lambda path: True).items():
        for word in ("light-server", "jupyterhub-singleuser", "bin/jupyterhub "):
            if word in line and "observer" not in line:
                seen = process_of(pid)
                if seen:
                    found["%s %d" % (word.strip(), pid)] = seen
    return found


class Repeated(threading.Thread):
    """Calls a function each second, one call at a time; ``taken`` has its results since."""

    def __init__(self, function: Callable[[int], Any]) -> None:
        super().__init__(daemon=True)
        self._function = function
        self._lock = threading.Lock()
        self._taken: List[Any] = []
        self.start()

    def run(self) -> None:
        """Go on for good."""
        number = 0
        while True:
            began = time.monotonic()
            result = self._function(number)
            with self._lock:
                self._taken.append([began, time.monotonic() - began, result])
            number += 1
            time.sleep(max(0.0, INTERVAL - (time.monotonic() - began)))

    def taken(self) -> List[Any]:
        """Return ``[began, seconds, result]`` of each call that has ended since the last time."""
        with self._lock:
            found, self._taken = self._taken, []
        return found


def main(hub: str, kdc_log: str, caches: Dict[str, str]) -> None:
    """Look until the process is killed."""
    names = sorted(caches)

    def control(number: int) -> Any:
        name = names[number % len(names)]
        uid = "+" + caches[name].rpartition("_")[2]  # no look-up: the directory may be slow
        argv = ["setpriv", "--reuid=" + uid, "--regid=" + uid, "--clear-groups"]
        argv += ["klist", "-s", "-c", "FILE:" + caches[name]]
        return [name, subprocess.call(argv, cwd="/", stderr=subprocess.DEVNULL)]

    def page(number: int) -> Any:
        try:
            with urllib.request.urlopen(hub, timeout=120) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError as error:
            return str(error)

    controls, pages = Repeated(control), Repeated(page)
    due, number = time.monotonic(), 0
    while True:
        at = time.monotonic()
        seen = dict(
            at=at,
            late=round(at - due, 3),
            users={name: state_of(path) for name, path in caches.items()},
            controls=controls.taken(),
            pages=pages.taken(),
        )
        if number % 10 == 0:
            with open(kdc_log) as file:
                seen["asked"] = sum("AS_REQ" in line for line in file)
            seen["temporary"] = sorted(path for one in _TEMPORARY for path in glob.glob(one))
            seen["processes"] = processes()
        print(json.dumps(seen), flush=True)
        number += 1
        due = max(due + INTERVAL, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
