"""The gateway of the soak: a patched hub, its users with servers of five kinds, and a KDC.

=========== =================== ==================== =========================================
users       keytab              server               who renews the ticket
=========== =================== ==================== =========================================
real-…      in the home         jupyter_server       its renewal thread; a browser, through nginx
open-…      in the home         light_server.py      its renewal thread
central-…   root's              light_server.py      the hub
api-…       in the home         light_server.py      the hub: no page of it was ever opened
plain-…     in the home         unpatched            the hub; a browser, to compare its saves
=========== =================== ==================== =========================================
"""

import concurrent.futures
import contextlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import threading
from typing import Any, Dict, List

from integration.e2e import slow_directory
from integration.e2e.client import Browser
from integration.e2e.front import NAMES, fronted
from integration.e2e.hub import CLASSIC, SERVICE, Hub
from integration.e2e.patched_stack import cache_of, is_valid, site_of
from integration.e2e.people import PASSWORD, add_person, keytab_of, spawn
from integration.e2e.stacks import Stack
from integration.soak import light_server
from integration.soak.browsers import Visits
from integration.soak.clock import Clock
from integration.soak.hub_log import HubLog

LIFE = 60
"""Seconds of a ticket: a day."""
RETRY, TIMEOUT = 2, 10
"""Seconds; the hub's settings."""
ONE_RETRY = RETRY + TIMEOUT + 5 + TIMEOUT
"""Seconds: the hub's probe begins, and ends; the renewals are spread (hub_renewer.py); kinit."""
REAL = 3
"""Users with a real server and a browser."""
VISITOR = "visitor"
"""A principal that is no user's, with VISITORS as its password."""
VISITORS = "password"
_TMP, _HOME = "64m", "24m"

_CONFIG = """
central = %(central)r
c.KerberosTicket.keytab = lambda name: (
    central if name.startswith("central-") else "/home/" + name) + "/" + name + ".keytab"
c.KerberosTicket.retry = %(retry)d.0
c.KerberosTicket.timeout = %(timeout)d.0
c.JupyterHub.cleanup_servers = False
c.Spawner.poll_interval = 5
def choose(spawner):
    if spawner.user.name.startswith("plain-"):
        spawner.environment = dict(spawner.environment, PYTHONPATH=%(plain)r)
    elif not spawner.user.name.startswith("real-"):
        spawner.cmd = [%(light)r]
c.Spawner.pre_spawn_hook = choose
"""


class Gateway:
    """All that runs, on a stack that is patched after this is made.

    ``hub_lock`` is held by whoever needs a hub that answers, or stops it.
    """

    def __init__(self, stack: Stack, folder: str, kdc: Any, count: int) -> None:
        self.stack, self.folder, self.kdc = stack, folder, kdc
        self.hub_lock = threading.Lock()
        self.user_locks: Dict[str, Any] = {}
        self.visits: Dict[str, Visits] = {}
        self.keytabs = folder + "/keytabs"
        self.users = _names(count)
        for name in self.users:
            self.user_locks[name] = threading.Lock()
        os.makedirs(self.keytabs, mode=0o711)
        os.makedirs(folder + "/hub")
        light = light_server.install(stack, folder)
        plain = folder + "/plain"
        server = stack.servers[0]
        shutil.copytree("%s/%s" % (site_of(stack), server), "%s/%s" % (plain, server))
        values = dict(central=self.keytabs, retry=RETRY, timeout=TIMEOUT, light=light, plain=plain)
        self.hub = Hub(stack, folder + "/hub", CLASSIC + SERVICE + _CONFIG % values)
        self.log = HubLog(self.hub.log_path)
        self.clock = Clock(folder)
        self.samples = folder + "/samples.jsonl"
        self.front: Any = None
        self.front_log: Any = None
        self._observer: Any = None
        self._open = contextlib.ExitStack()

    def set_up(self) -> None:
        """Users, the hub, a server for each, with a valid ticket."""
        subprocess.run(["mount", "-o", "remount,size=" + _TMP, "/tmp"], check=True)
        for name in self.users:
            central = name.startswith("central-")
            add_person(self.kdc, name, self.keytab_of(name) if central else "")
            _own_file_system(name)
        self.kdc.add_principal(VISITOR, password=VISITORS)
        slow_directory.install(self.folder)
        self.kdc.stop()
        self.kdc.start()  # with the world's clock
        self.hub.start()
        self.front = self._open.enter_context(fronted(self.hub, self.folder + "/front"))
        self.front_log = HubLog(self.folder + "/front/nginx.log")
        for name in self.users:
            if name.startswith(("real-", "plain-")):
                browser = Browser(self.front.at(NAMES[0]), name)
                browser.login(PASSWORD)
                self.visits[name] = Visits(browser)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(self.spawn, self.users))
        for visits in self.visits.values():
            visits.start()

    def observe(self) -> None:
        """Begin to look at everything, each second."""
        page = self.hub.url + "/hub/api"
        given = {"hub": page, "kdc_log": self.kdc.log, "caches": self.caches()}
        argv = [sys.executable, "-m", "integration.soak.observer", json.dumps(given)]
        with open(self.samples, "wb") as out:
            self._observer = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out)
        self.log.start()
        self.front_log.start()

    @property
    def observer_pid(self) -> int:
        """The observer's process."""
        return int(self._observer.pid)

    def stop_observing(self) -> None:
        """End the visits and the looking; what was seen stays."""
        for visits in self.visits.values():
            visits.stop()
        self.log.stop()
        self.front_log.stop()
        self._observer.kill()
        self._observer.wait()

    def tear_down(self) -> None:
        """End all of it."""
        self._open.close()
        self.hub.stop()

    def spawn(self, name: str) -> None:
        """Start a user's server; return when it runs and the user has a ticket."""
        spawn(self.hub, name)
        assert is_valid(name), "no ticket after the spawn of %s\n%s" % (name, self.hub.tail())

    def keytab_of(self, name: str) -> str:
        """Return the path of a user's keytab, the user's own or root's."""
        if name.startswith("central-"):
            return "%s/%s.keytab" % (self.keytabs, name)
        return keytab_of(name)

    def caches(self) -> Dict[str, str]:
        """Return the path of each user's cache."""
        return {name: cache_of(name) for name in self.users}

    def servers(self, name: str) -> List[int]:
        """Return the processes of a user's server."""
        return self.hub.servers(name)

    def uid(self, name: str) -> int:
        """Return a user's uid."""
        return pwd.getpwnam(name).pw_uid


def _names(count: int) -> List[str]:
    """Return the users: a few real ones, the rest in equal parts."""
    real = min(REAL, max(1, count // 4))
    names = ["real-%d" % number for number in range(real)] + ["plain-0"]
    kinds = ("open", "central", "api")
    names += ["%s-%d" % (kinds[n % 3], n // 3) for n in range(count - real - 1)]
    return names


def _own_file_system(name: str) -> None:
    """Put a user's home on a small file system of its own, which the user can fill."""
    home, copy = "/home/" + name, "/home/.%s" % name
    os.rename(home, copy)
    os.mkdir(home)
    options = "size=%s,mode=0700,uid=%d,gid=%d" % (
        _HOME,
        pwd.getpwnam(name).pw_uid,
        pwd.getpwnam(name).pw_gid,
    )
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", home], check=True)
    subprocess.run(["cp", "-a", copy + "/.", home], check=True)
    shutil.rmtree(copy)
