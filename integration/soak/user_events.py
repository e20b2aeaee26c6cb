"""Acts of one user, and what happens to one user's server, keys or home."""

import concurrent.futures
import os
import shutil
import signal
import subprocess
import time
from typing import Optional

from integration.e2e import world
from integration.e2e.client import Browser
from integration.e2e.patched_stack import cache_of
from integration.e2e.people import PASSWORD, hang_keytab, shell_as, spawn
from integration.soak.events import Event, Excuse
from integration.soak.gateway import LIFE, ONE_RETRY, TIMEOUT, VISITOR, VISITORS, Gateway
from integration.soak.host_events import fill
from testing.waiting import until

FLOOD = 20  # logins at once


class UserEvent(Event):
    """An event of one user; ``kinds`` are the users whom it can happen to."""

    kinds = ("real", "open", "central", "api")

    @property
    def name(self) -> str:
        """The user."""
        return self.users[0]


class NewKeysAtOnce(UserEvent):
    """The principal has new keys (a new kvno), which are in the keytab at once."""

    needs_a_ticket = True

    def happen(self, gateway: Gateway) -> None:
        """Change the keys, replace the keytab after ``seconds``."""
        path = gateway.keytab_of(self.name)
        gateway.kdc.change_keys(self.name + "/service")
        time.sleep(self.seconds)
        gateway.kdc.export(self.name + "/service", path + ".new")
        found = os.stat(path)
        os.chown(path + ".new", found.st_uid, found.st_gid)
        os.rename(path + ".new", path)


class NewKeysLater(NewKeysAtOnce):
    """The keytab follows half a minute later: ``kinit -R`` renews the ticket until then."""


class ServerStopped(UserEvent):
    """The hub stops a user's server, as its page or a culler asks for it; later it is started."""

    stops_pages = True

    def happen(self, gateway: Gateway) -> None:
        """Stop, wait, start."""
        with gateway.hub_lock:
            self.began = time.monotonic()
            self.end_server(gateway)
        time.sleep(self.seconds)
        with gateway.hub_lock:
            if gateway.clock.pauses_callbacks and not self._is_known_to_have_ended(gateway):
                self.ask_hub(gateway)
            until(lambda: self._is_known_to_have_ended(gateway), 120)
            if self.name in gateway.visits:
                gateway.visits[self.name].is_new = True
            spawn(gateway.hub, self.name)

    def end_server(self, gateway: Gateway) -> None:
        """Ask the hub."""
        self.ask_hub(gateway)

    def ask_hub(self, gateway: Gateway) -> None:
        """Ask the hub to stop the server, as the user does if its page does not answer."""
        answer = gateway.hub.api("DELETE", "users/%s/server" % self.name)
        assert answer.status_code in (202, 204), answer.text

    def _is_known_to_have_ended(self, gateway: Gateway) -> bool:
        server = gateway.hub.api("GET", "users/" + self.name).json()
        return not server.get("server") and not server.get("pending")

    def excuse(self, gateway: Gateway) -> Optional[Excuse]:
        """The user, who has no server; and one retry, as a spawn does not wait for long."""
        return self._excused(ONE_RETRY)


class ServerEnded(ServerStopped):
    """A server ends by itself, as on its own idle time-out."""

    number = signal.SIGTERM

    def end_server(self, gateway: Gateway) -> None:
        """Signal all of the user's servers."""
        for pid in gateway.servers(self.name):
            os.kill(pid, self.number)


class ServerKilled(ServerEnded):
    """A server is killed, as by the OOM killer."""

    number = signal.SIGKILL


class Kdestroy(UserEvent):
    """The user destroys the ticket."""

    def happen(self, gateway: Gateway) -> None:
        """As in a terminal."""
        argv = world.as_user(self.name, "kdestroy", "-q", "-c", "FILE:" + cache_of(self.name))
        subprocess.run(argv, cwd="/", stderr=subprocess.DEVNULL)

    def excuse(self, gateway: Gateway) -> Optional[Excuse]:
        """The user, until the next turn of the renewer; without a browser nothing is noticed."""
        return self._excused(LIFE)


class Kinit(UserEvent):
    """The user runs kinit in a terminal, with the own keytab."""

    kinds = ("real", "open", "api")

    def happen(self, gateway: Gateway) -> None:
        """It writes the cache in place."""
        script = "kinit -k -t %s -c FILE:%s %s/service || :"
        names = gateway.keytab_of(self.name), cache_of(self.name), self.name
        shell_as(self.name, script % names)

    def excuse(self, gateway: Gateway) -> Optional[Excuse]:
        """The user, while kinit writes."""
        return self._excused(0)


class KinitAsAnother(UserEvent):
    """The user obtains a ticket of another principal, which the service does not replace."""

    def happen(self, gateway: Gateway) -> None:
        """With a password."""
        script = "echo %s | kinit -c FILE:%s %s || :"
        shell_as(self.name, script % (VISITORS, cache_of(self.name), VISITOR))

    def excuse(self, gateway: Gateway) -> Optional[Excuse]:
        """The user: the ticket expires, and the pauses have doubled until then."""
        return self._excused(2 * LIFE + TIMEOUT)


class FullHome(UserEvent):
    """The user's home is full: saves fail, tickets do not."""

    stops_pages = True

    def happen(self, gateway: Gateway) -> None:
        """Until there is no space; then remove the file."""
        path = "/home/%s/filled" % self.name
        fill(self.name, path)
        time.sleep(self.seconds)
        os.unlink(path)


class HomeAway(UserEvent):
    """The user's home is replaced by an empty one: the keytab is gone, ``kinit -R`` renews."""

    stops_pages = needs_a_ticket = True
    kinds = ("open", "central", "api")

    def happen(self, gateway: Gateway) -> None:
        """Mount, unmount."""
        home = "/home/" + self.name
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", home], check=True)
        time.sleep(self.seconds)
        subprocess.run(["umount", "-l", home], check=True)


class HeldFifo(UserEvent):
    """The user's keytab is a FIFO that nobody writes: each kinit hangs."""

    kinds = ("open", "api")

    def happen(self, gateway: Gateway) -> None:
        """Put it there; later put the keytab back."""
        path = gateway.keytab_of(self.name)
        shutil.copy2(path, path + ".kept")
        shutil.chown(path + ".kept", self.name, self.name)
        hang_keytab(self.name)
        time.sleep(self.seconds)
        os.rename(path + ".kept", path)

    def excuse(self, gateway: Gateway) -> Optional[Excuse]:
        """The user; the pauses have doubled as long as it lasted."""
        return self._excused(self.seconds + 2 * TIMEOUT)


class LoginFlood(UserEvent):
    """The user logs in twenty times at once."""

    def happen(self, gateway: Gateway) -> None:
        """Each must be let in."""
        with gateway.hub_lock, concurrent.futures.ThreadPoolExecutor(FLOOD) as pool:
            logins = [
                pool.submit(Browser(gateway.hub, self.name).login, PASSWORD, 600)
                for _ in range(FLOOD)
            ]
            for login in logins:
                login.result()
