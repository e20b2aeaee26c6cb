"""Two users past the end of their tickets, one of them with jhpatch: the record of a picture.

    bash tests/run -e e2e --notest
    .tox/e2e/bin/python -m benchmarks.renewal

As root, in the checkout; takes four minutes. In a private world with an MIT KDC whose tickets
live for 60 s, alice logs in at a patched hub and has a keytab. bob logs in at an unpatched hub,
and runs ``kinit`` in his first notebook cell. A cell of each then asks the KDC for a service
ticket each second (``kvno``), and ends with the first error. Meanwhile the caches are read each
second. Writes docs/pictures/renewal.json, from which tools/pictures.py draws.
"""

import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time
from typing import Any, Dict, List

from benchmarks.environments import Copy, cache_of, changed, copied
from benchmarks.private_world import enter, outside, wheel
from integration.e2e import stacks
from integration.e2e.client import Browser
from integration.e2e.hub import CLASSIC, running
from integration.e2e.stacks import STACKS
from integration.e2e.world import PASSWORDS
from jhpatch.deployed.kerberos.ccache import read_cache
from testing.kdc import Kdc

RECORD = os.path.join(stacks.REPOSITORY, "docs", "pictures", "renewal.json")
LIFE = 60
"""Seconds that a ticket is valid."""
SECONDS = 200
"""How long the record is."""
SERVICE = "hdfs/node1.example.test"
_PEOPLE = {"alice": "patched", "bob": "unpatched"}
_KINIT = "!echo '%s' | kinit bob"
_JOB = """
import subprocess, time
while time.time() < %(end)r:
    began = time.time()
    done = subprocess.run(["kvno", "-q", "--no-store", %(service)r],
                          stderr=subprocess.PIPE, universal_newlines=True)
    print("JOB", began, done.returncode, done.stderr.strip(), flush=True)
    done.check_returncode()
    time.sleep(max(began + 1 - time.time(), 0))
"""


class Person:
    """A user, and what happens to the ticket and the job; times in seconds after ``began``."""

    def __init__(self, name: str, began: float) -> None:
        self.began = began
        self.events: Dict[str, float] = {}
        self.job: List[List[Any]] = []
        self.tickets: List[List[float]] = []
        self._name = name

    def happened(self, what: str) -> None:
        """Note the time of an event."""
        self.events[what] = round(time.time() - self.began, 1)

    def work(self, browser: Browser) -> None:
        """Log in, start the server, and run the job until it ends."""
        browser.login(PASSWORDS[self._name])
        self.happened("login")
        browser.spawn()
        browser.save("job.ipynb")
        browser.open("job.ipynb")
        with browser.start_kernel("python3") as kernel:
            if self._name == "bob":
                kernel.run(_KINIT % PASSWORDS["bob"])
                self.happened("kinit")
            fields = dict(end=self.began + SECONDS, service=SERVICE)
            self.happened("job")
            output = kernel.run(_JOB % fields, SECONDS + 60)
        for line in output.splitlines():
            if line.startswith("JOB "):
                _, at, code, *message = line.split(" ", 3)
                self.job.append([round(float(at) - self.began, 1), int(code), "".join(message)])

    def look(self) -> None:
        """Note when the ticket in the cache expires, if there is one."""
        try:
            with open(cache_of(self._name), "rb") as file:
                ticket = read_cache(file.read())
        except OSError:
            return
        if ticket is not None:
            now = time.time() - self.began
            self.tickets.append([round(now, 1), round(ticket.end - self.began, 1)])

    def document(self) -> Dict[str, Any]:
        """What the record has of them."""
        return {"events": self.events, "tickets": self.tickets, "job": self.job}


def main() -> int:
    """Build the stack, then start again in namespaces of its own."""
    stack = STACKS[-1]
    return record(stack) if wheel() else outside(stack, "benchmarks.renewal")


def record(stack: stacks.Stack) -> int:
    """In the private world: two hubs, two users, one KDC."""
    scratch = enter(stack)
    copies: Dict[str, Copy] = {}
    for name, variant in _PEOPLE.items():
        copies[name] = copied(stack, variant)
        changed(copies[name], wheel())
    with Kdc(scratch + "/kdc", ticket_lifetime="%ds" % LIFE) as kdc:
        _add_principals(kdc)
        with running(copies["alice"], scratch + "/alice", CLASSIC) as alices:
            with running(copies["bob"], scratch + "/bob", CLASSIC) as bobs:
                people = _watched({"alice": alices, "bob": bobs})
    _write(stack, people)
    return 0


def _add_principals(kdc: Kdc) -> None:
    with open(kdc.krb5_conf) as source, open("/etc/krb5.conf", "w") as target:
        target.write(source.read())
    keytab = "/home/alice/alice.keytab"
    kdc.add_principal("alice/service", keytab=keytab)
    subprocess.run(["chown", "alice:", keytab], check=True)
    os.chmod(keytab, 0o600)
    kdc.add_principal("bob", password='"%s"' % PASSWORDS["bob"])
    kdc.add_principal(SERVICE)


def _watched(hubs: Dict[str, Any]) -> Dict[str, Person]:
    began = time.time()
    people = {name: Person(name, began) for name in hubs}
    with concurrent.futures.ThreadPoolExecutor(len(people)) as pool:
        working = [
            pool.submit(person.work, Browser(hubs[name], name)) for name, person in people.items()
        ]
        for number in range(SECONDS + 1):
            time.sleep(max(began + number - time.time(), 0))
            for person in people.values():
                person.look()
        for work in working:
            work.result()
    return people


def _write(stack: stacks.Stack, people: Dict[str, Person]) -> None:
    document = {
        "made_by": "python -m benchmarks.renewal (times in seconds after the logins began)",
        "day": time.strftime("%Y-%m-%d", time.gmtime()),
        "releases": {name: stack.version(name) for name in ("jupyterhub", "jupyter_server")},
        "service": SERVICE,
        "life": LIFE,
        "seconds": SECONDS,
        "people": {name: person.document() for name, person in people.items()},
    }
    text = json.dumps(document, indent=1)
    with open(RECORD, "w", encoding="utf-8") as file:
        file.write(_rows_on_a_line(text) + "\n")


def _rows_on_a_line(text: str) -> str:
    """JSON with the innermost lists on one line each."""
    row = r"\[\s+([^\[\]{}]*?)\s+\]"
    return re.sub(row, lambda found: "[%s]" % " ".join(found.group(1).split()), text)


if __name__ == "__main__":
    sys.exit(main())
