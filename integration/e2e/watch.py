"""Users' tickets, looked at five times a second, each by a process that is the user."""

import json
import os
import pwd
import subprocess
import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from integration.e2e import world
from integration.e2e.stacks import Stack
from testing.waiting import within

INTERVAL = 0.2  # seconds

# Our reader is the copy that is deployed. klist reads after it, so each sample is two looks.
_SAMPLER = """\
import importlib, json, os, subprocess, sys, time, types
helper, cache, interval = sys.argv[1], sys.argv[2], float(sys.argv[3])
package = sys.modules["deployed"] = types.ModuleType("deployed")
package.__path__ = [os.path.dirname(helper)]  # without its __init__, the face of a server
helper = importlib.import_module("deployed.ccache")
due = time.time()
while True:
    at, ticket, fault = time.time(), None, ""
    try:
        with open(cache, "rb") as file:
            ticket = helper.read_cache(file.read())
    except OSError as error:
        fault = error.strerror
    except helper.Malformed as error:
        fault = "torn: %s" % error
    if not fault and not (ticket and ticket.end > at):
        fault = "expired" if ticket else "no ticket in it"
    if subprocess.call(["klist", "-s", "-c", "FILE:" + cache]):
        fault = fault or "klist -s says no"
    print(json.dumps([at, fault, ticket and ticket.principal]), flush=True)
    due = max(due + interval, time.time())
    time.sleep(due - time.time() if due > time.time() else 0)
"""


class Sample(NamedTuple):
    """One look at a user's cache; ``fault`` is empty where the ticket was valid."""

    at: float
    fault: str
    principal: Optional[str]


class Watch:
    """Looks at the classic caches of users until it is stopped; its files are in ``folder``."""

    def __init__(self, stack: Stack, helper: str, folder: str) -> None:
        self._python = os.path.join(stack.venv, "bin", "python")
        self._helper = helper
        self._folder = folder
        self._running: Dict[str, Tuple[Any, Any]] = {}
        os.makedirs(folder, exist_ok=True)

    def start(self, *names: str) -> None:
        """Begins to look at these users' tickets."""
        for name in names:
            cache = "/tmp/krb5cc_%d" % pwd.getpwnam(name).pw_uid
            argv = [self._python, "-B", "-c", _SAMPLER, self._helper, cache, str(INTERVAL)]
            out = open(self._path(name), "wb")
            child = subprocess.Popen(
                world.as_user(name, *argv), cwd="/", stdin=subprocess.DEVNULL, stdout=out
            )
            self._running[name] = child, out

    def stop(self) -> None:
        """Ends the looking; what was seen stays."""
        for child, out in self._running.values():
            child.kill()
            child.wait()
            out.close()
        self._running = {}

    def samples(self, name: str, since: float, until: float) -> List[Sample]:
        """What was seen of a user from one time to another (seconds since the epoch)."""
        with open(self._path(name)) as file:
            lines = [line for line in file if line.endswith("\n")]
        found = [Sample(*json.loads(line)) for line in lines]
        return [sample for sample in found if since <= sample.at <= until]

    def first_valid(self, name: str, since: float) -> float:
        """Wait for a look that met a valid ticket; return when it was."""

        def valid() -> List[float]:
            seen = self.samples(name, since, time.time())
            return [sample.at for sample in seen if not sample.fault]

        assert within(300, valid), "no valid ticket of %s" % name
        return valid()[0]

    def faults(self, name: str, since: float, until: float) -> List[str]:
        """When a user's ticket was not as it should be, and what it was; empty is good.

        Too few looks are a fault too.
        """
        seen = self.samples(name, since, until)
        principal = "%s/service@EXAMPLE.TEST" % name
        bad = [
            "%.1f s: %s" % (one.at - since, one.fault or "a ticket of %s" % one.principal)
            for one in seen
            if one.fault or one.principal != principal
        ]
        if len(seen) < (until - since) / INTERVAL / 4:
            bad.append("only %d looks in %.0f s" % (len(seen), until - since))
        return bad

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name + ".jsonl")
