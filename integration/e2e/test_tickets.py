"""Tickets of 20 s on real hubs: who keeps them, through what, and at what cost.

One scene runs for all tests of this file (``Scene``): two hubs, seven servers without a
client, and what happens to them, on a clock. What needs a hub of its own runs meanwhile.
"""

import ast
import concurrent.futures
import contextlib
import datetime
import glob
import json
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import threading
import time
from typing import Any, Dict, Iterable, Iterator, List, Tuple

import pytest
import requests

from integration.e2e import world
from integration.e2e.client import Browser, Refused
from integration.e2e.hub import CLASSIC, SERVICE, Hub, running
from integration.e2e.notebooks import notebook_of
from integration.e2e.pages import Pages
from integration.e2e.patched_stack import cache_of, is_valid, site_of
from integration.e2e.people import PASSWORD, add_person
from integration.e2e.stacks import ENDS, Stack
from integration.e2e.stub_server import stub
from integration.e2e.watch import Watch
from integration.e2e.world import PASSWORDS
from testing.kdc import SilentKdc

# Other stacks have no tests here, rather than skipped ones (integration/e2e/test_front_ends.py).
__test__ = os.environ.get("JHPATCH_E2E_INNER", ENDS[0]) in ENDS

LIFE = 20  # seconds, of a ticket
SECONDS = 600 if os.environ.get("JHPATCH_LONG") else 100  # of the watch
# What happens when, in seconds of the watch.
SUSPENDED, GONE, RESUMED, KILLED = 3, 11, 3 + 2 * LIFE, 55
KDC_PAUSE = LIFE / 4

AT_HOME = ("dave", "frank", "gina")
AT_THE_HUB = ("carol", "erin")
KEPT = ("alice", "dave", "gina", "carol")

COMMON = (
    CLASSIC
    + SERVICE
    + "c.KerberosTicket.retry = 2.0\nc.JupyterHub.authenticate_prometheus = False\n"
)
HOME = (
    COMMON
    + """
c.JupyterHub.allow_named_servers = True
c.JupyterHub.last_activity_interval = 5
c.Spawner.environment = {"JUPYTERHUB_ACTIVITY_INTERVAL": "5"}
"""
)


def central(folder: str) -> str:
    """The settings for keytabs that only root can read."""
    return COMMON + "c.KerberosTicket.keytab = '%s/{username}.keytab'\n" % folder


class Scene:
    """The hubs, the users and the watch; ``began`` is when all was set."""

    def __init__(self, stack: Stack, folder: str, kdc: Any) -> None:
        self.kdc = kdc
        self.keytabs = folder + "/keytabs"
        self.watch = Watch(stack, helper_copies(stack)[0], folder + "/watch")
        self.home = Hub(stack, made(folder + "/home"), HOME)
        self.central = Hub(stack, made(folder + "/central"), central(self.keytabs))
        self.browsers: Dict[str, Browser] = {}
        self.began = self.restarted = self.resumed_at = 0.0
        self.erin_again = self.frank_again = 0.0  # when they had a ticket again
        self.asked_from = 0
        self._renewers: List[Any] = []
        self._kdc_is_back = threading.Event()
        self._timeline = threading.Thread(target=self._happen)
        self._errors: List[BaseException] = []

    def set_up(self) -> None:
        """Users with keytabs, hubs, a server for each with a notebook opened; then no client."""
        os.makedirs(self.keytabs, 0o700)
        for name in AT_HOME:
            add_person(self.kdc, name)
        for name in AT_THE_HUB:
            add_person(self.kdc, name, self.keytabs + "/%s.keytab" % name)
        self.kdc.set_ticket_lifetime("%ds" % LIFE)
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            list(pool.map(Hub.start, (self.home, self.central)))
            list(pool.map(self._work, ("alice",) + AT_HOME + ("carol",)))
        # Nobody has ever logged in as erin, and no page of hers is ever asked for.
        for path in ("users/erin", "users/erin/server"):
            assert self.central.api("POST", path).status_code < 300
        assert self.home.api("POST", "users/gina/servers/second").status_code < 300
        second = Browser(self.home, "gina", "second")
        second.login(PASSWORD)
        second.arrive()
        second.open(notebook_of("gina"))
        self.browsers["second"] = second
        self._renewers.append(self._other_renewer("dave"))

    def _work(self, name: str) -> None:
        hub = self.central if name in AT_THE_HUB else self.home
        browser = self.browsers[name] = Browser(hub, name)
        browser.login(PASSWORDS.get(name, PASSWORD))
        browser.spawn()
        browser.open(notebook_of(name))

    def _other_renewer(self, name: str) -> Any:
        """A process that runs kinit at about the times at which the helper does."""
        kinit = "kinit -k -t ~/%s.keytab -c FILE:%s %s/service" % (name, cache_of(name), name)
        pause = "sleep $((%d + RANDOM %% 3)).$RANDOM" % (LIFE / 2 - 1)
        script = "while :; do %s; %s; done" % (kinit, pause)
        argv = world.as_user(name, "env", "HOME=/home/" + name, "bash", "-c", script)
        return subprocess.Popen(argv, start_new_session=True, stderr=subprocess.DEVNULL)

    def start(self) -> None:
        """From here on the clock runs."""
        self.asked_from = os.path.getsize(self.kdc.log)
        self.watch.start(*KEPT + ("erin", "frank"))
        self._wait_for_the_first_looks()
        self.began = time.time()
        self._timeline.start()

    def _wait_for_the_first_looks(self) -> None:
        deadline = time.monotonic() + 180
        while not all(self.watch.samples(n, 0, time.time()) for n in KEPT + ("erin", "frank")):
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def _happen(self) -> None:
        try:
            self._at(SUSPENDED)
            (server,) = self.home.servers("frank")
            for pid in (server, self.home.pid):
                os.kill(pid, signal.SIGSTOP)
            self._at(GONE)
            self.kdc.stop()
            time.sleep(KDC_PAUSE)
            self.kdc.start()
            self._kdc_is_back.set()
            self._at(RESUMED)
            self.resumed_at = time.time()
            # The hub last: it is the server itself that must see what time it is.
            os.kill(server, signal.SIGCONT)
            self.frank_again = self.watch.first_valid("frank", self.resumed_at)
            os.kill(self.home.pid, signal.SIGCONT)
            self._at(KILLED)
            self.central.kill()
            self.central.start()
            self.restarted = time.time()
            self.erin_again = self.watch.first_valid("erin", self.restarted)
        except BaseException as error:
            self._errors.append(error)

    def _at(self, second: float) -> None:
        time.sleep(max(0.0, self.began + second - time.time()))

    def wait_for_the_kdc(self) -> None:
        """Returns when the KDC that all hubs of this file have is there for the rest of it."""
        while not self._kdc_is_back.wait(0.1):
            assert self._timeline.is_alive(), self._errors

    def over(self) -> float:
        """When the watch ended; waits until then."""
        self._timeline.join()
        if self._errors:
            raise self._errors[0]
        end = max(self.began + SECONDS, self.erin_again + 2 * LIFE)
        time.sleep(max(0.0, end - time.time()))
        return end

    def tear_down(self) -> None:
        """Ends all of it."""
        for child in self._renewers:
            os.killpg(child.pid, signal.SIGKILL)
        if self.began:
            self._timeline.join()
        self.watch.stop()
        self.kdc.set_ticket_lifetime("10h")
        for hub in (self.home, self.central):
            hub.stop()


def made(folder: str) -> str:
    """A new folder."""
    os.makedirs(folder)
    return folder


def helper_copies(stack: Stack) -> List[str]:
    """The helper's copies in the patched packages."""
    return sorted(glob.glob(site_of(stack) + "/*/_jhpatch_kerberos/__init__.py"))


@pytest.fixture(scope="module")
def scene(patched: Stack, scratch: str, kdc: Any) -> Iterator[Scene]:
    """The scene, from its start to the last test of this file."""
    found = Scene(patched, scratch + "/tickets", kdc)
    try:
        found.set_up()
        found.start()
        yield found
    except BaseException:
        print("--- the hubs' logs\n%s\n---\n%s" % (found.home.tail(), found.central.tail()))
        raise
    finally:
        found.tear_down()


def status_files(name: str) -> List[str]:
    """What the renewal threads of a user's servers have written."""
    folder = "/home/%s/.local/share/jupyter/runtime/" % name
    return glob.glob(folder + "jhpatch-kerberos-*.json")


def test_the_status_file_is_the_users_alone_and_says_what_is(scene: Scene) -> None:
    """Mode 0600, of the user; the server's pid, the principal, the cache, a ticket that runs."""
    (path,) = status_files("alice")
    found = os.lstat(path)
    assert stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_uid == pwd.getpwnam("alice").pw_uid
    with open(path) as file:
        status = json.load(file)
    assert [status["pid"]] == scene.home.servers("alice")
    assert path.endswith("-%d.json" % status["pid"])
    assert status["schema"] == 1 and status["error"] is None and status["central"] is False
    assert status["principal"] == "alice/service@EXAMPLE.TEST"
    assert status["keytab"] == "/home/alice/alice.keytab"
    assert status["ccache"] == "FILE:" + cache_of("alice")
    assert status["end"] - status["start"] == LIFE
    assert status["start"] < status["next"] < status["end"]
    assert status["start"] - 1 < status["written"] < time.time()


def ours(text: str) -> List[str]:
    """The helper's lines of a /metrics page."""
    return [line for line in text.splitlines() if "jhpatch_kerberos_" in line]


def test_metrics_count_and_name_nobody(scene: Scene) -> None:
    """The server's and the hub's own /metrics have the helper's numbers, and no user's name."""
    pages = [scene.browsers["alice"].get("metrics").text]
    pages.append(scene.browsers["carol"].get("metrics").text)
    for page in pages:
        assert any("tickets_total" in line and "server" in line for line in ours(page)), page
        assert any("ticket_end_timestamp_seconds" in line for line in ours(page))
    pages.append(requests.get(scene.central.url + "/hub/metrics", timeout=300).text)
    for page in pages:
        for name in KEPT + ("erin", "frank", "EXAMPLE"):
            assert not [line for line in ours(page) if name in line]
    assert any("tickets_total" in line and "spawn" in line for line in ours(pages[-1])), pages[-1]


@contextlib.contextmanager
def own_hub(stack: Stack, folder: str, extra: str, krb5_conf: str = "") -> Iterator[Hub]:
    """A hub beside the scene's; with a krb5.conf of its own it has another KDC."""
    more = {"KRB5_CONFIG": krb5_conf} if krb5_conf else {}
    with running(stack, folder, extra, more) as hub:
        yield hub


def test_a_session_keyring_is_refused_when_the_hub_starts(
    patched: Stack, scratch: str, kdc: Any
) -> None:
    """Users of a hub could read each other's: one line says so, two users get in without."""
    extra = CLASSIC + 'c.KerberosTicket.ccache = "KEYRING:session:tickets"\n'
    with own_hub(patched, scratch + "/keyring", extra) as hub:
        for name in PASSWORDS:
            Browser(hub, name).login(PASSWORDS[name])
        (line,) = [line for line in hub.log().splitlines() if "erberos" in line]
        assert "Kerberos tickets are disabled" in line and "KerberosTicket.ccache" in line
        assert "KEYRING:session:tickets" in line and "users could read each other's" in line
    with open("/proc/keys") as file:
        assert "tickets" not in file.read()


def test_a_hub_that_is_not_root_gets_its_own_users_tickets(
    patched: Stack, scratch: str, kdc: Any, scene: Scene
) -> None:
    """Said once when it starts; its user has a ticket at login and in the server."""
    scene.wait_for_the_kdc()
    add_person(kdc, "henry")
    with running(patched, scratch + "/henry", user="henry") as hub:
        browser = Browser(hub, "henry")
        browser.login(PASSWORD)
        assert is_valid("henry"), hub.tail()
        os.unlink(cache_of("henry"))
        browser.spawn()
        browser.open(notebook_of("henry"))
        assert is_valid("henry"), hub.tail()
        lines = [
            line for line in hub.log().splitlines() if "this hub does not run as root" in line
        ]
        assert len(lines) == 1, hub.tail()


_SUDO = """
c.JupyterHub.spawner_class = "sudospawner.SudoSpawner"
c.SudoSpawner.sudospawner_path = %r
c.PAMAuthenticator.open_sessions = False
"""


def test_a_server_of_sudospawners_keeps_its_ticket_by_itself(
    patched: Stack, scratch: str, kdc: Any, scene: Scene
) -> None:
    """A hub that is not root gets none for another; what it tells the server travels by sudo."""
    if not patched.version("sudospawner"):
        return  # its releases want a newer hub
    scene.wait_for_the_kdc()
    add_person(kdc, "ivan")
    world.add_user("rhea", PASSWORD)
    subprocess.run(["usermod", "-a", "-G", "shadow", "rhea"], check=True)
    program = os.path.join(patched.venv, "bin", "sudospawner")
    with open("/etc/sudoers.d/rhea", "w") as file:
        file.write("rhea ALL=(ivan) NOPASSWD: %s\n" % program)
    os.chmod("/etc/sudoers.d/rhea", 0o440)
    extra = CLASSIC + _SUDO % program
    with running(patched, scratch + "/rhea", extra, user="rhea") as hub:
        browser = Browser(hub, "ivan")
        browser.login(PASSWORD)
        assert not os.path.exists(cache_of("ivan"))
        assert "obtains no ticket for uid %d" % pwd.getpwnam("ivan").pw_uid in hub.log()
        browser.spawn()
        browser.open(notebook_of("ivan"))
        assert is_valid("ivan"), hub.tail()
        assert os.stat(cache_of("ivan")).st_uid == pwd.getpwnam("ivan").pw_uid
        assert len(status_files("ivan")) == 1
        subprocess.run(["pkill", "-9", "-u", "ivan"])  # rhea cannot


def refuses_spawns(stack: Stack) -> bool:
    """Whether the hub does not count a refusal as a failure (JupyterHub 6.1)."""
    return stack.name == ENDS[1]


def test_require_with_a_dead_kdc_refuses_and_the_hub_lives_on(
    patched: Stack, scratch: str, kdc: Any
) -> None:
    """A login is a 503 with the reason; six spawns, one more than the limit, end no hub."""
    folder = made(scratch + "/require-dead")
    with SilentKdc(folder) as dead:
        pass
    extra = CLASSIC + SERVICE + stub(patched, folder) + 'c.KerberosTicket.policy = "require"\n'
    extra += "c.KerberosTicket.timeout = 3.0\nc.Spawner.consecutive_failure_limit = 5\n"
    add_person(kdc, "hank")
    with own_hub(patched, folder + "/hub", extra, dead.krb5_conf) as hub:
        for _ in range(2):
            with pytest.raises(Refused) as refused:
                Browser(hub, "hank").login(PASSWORD)
            assert refused.value.status == 503
            assert "No Kerberos ticket" in refused.value.text
            assert "KDC" in refused.value.text and "password" not in why(refused.value.text)
        assert hub.api("POST", "users/hank").status_code < 300
        for _ in range(6):
            answer = hub.api("POST", "users/hank/server")
            if refuses_spawns(patched):
                assert answer.status_code == 403 and "No Kerberos ticket" in answer.text
            else:
                assert answer.status_code < 300, answer.text
                assert hub.api("DELETE", "users/hank/server").status_code < 300
        time.sleep(2)  # a hub that gives up waits a second before it exits
        assert hub.is_alive()
        assert "onsecutive spawn failure" not in hub.log()
        if not refuses_spawns(patched):
            assert "JupyterHub before 6.0 can exit after refused spawns" in hub.log()


def why(page: str) -> str:
    """What an error's page says to a person."""
    return " ".join(re.findall(r"<p>(.*?)</p>", page, re.S))


TWENTY = ["student%02d" % number for number in range(20)]
TIMEOUT = 30.0  # seconds: much longer than twenty logins take on a busy host


def test_twenty_logins_wait_for_a_silent_kdc_once_and_together(
    patched: Stack, scratch: str, kdc: Any, keytabs: Dict[str, str]
) -> None:
    """policy = "warn": one timeout for all, none for who comes later; others are answered."""
    folder = made(scratch + "/silent")
    for name in TWENTY:
        world.add_user(name, PASSWORD)
        path = "/home/%s/%s.keytab" % (name, name)
        shutil.copy(keytabs["alice"], path)
        shutil.chown(path, name, name)
    extra = CLASSIC + 'c.KerberosTicket.principal = "alice/service"\n'
    extra += "c.KerberosTicket.timeout = %r\n" % TIMEOUT
    with SilentKdc(folder) as silent:
        with own_hub(patched, folder + "/hub", extra, silent.krb5_conf) as hub:
            pages = Pages(hub)
            began = time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(len(TWENTY)) as pool:
                list(pool.map(lambda name: Browser(hub, name).login(PASSWORD), TWENTY))
            took = time.monotonic() - began
            answered, slowest = pages.stop()
            assert TIMEOUT / 2 < took < len(TWENTY) * TIMEOUT / 3, took
            assert answered > 5 and slowest < TIMEOUT, (answered, slowest)
            # The probe, which began with the logins' first doubt, takes a timeout too.
            deadline = time.monotonic() + 180
            while "does not answer; the hub tries again" not in hub.log():
                assert time.monotonic() < deadline, hub.tail()
                time.sleep(0.1)
            began = time.monotonic()
            Browser(hub, TWENTY[0]).login(PASSWORD)
            assert time.monotonic() - began < TIMEOUT, "the breaker is not open"
            silent.close()  # from silent to dead
            Browser(hub, TWENTY[1]).login(PASSWORD)


@pytest.mark.parametrize("name", KEPT)
def test_a_ticket_of_20_s_is_valid_at_every_look(scene: Scene, name: str) -> None:
    """No client, and the KDC gone for a quarter of a life; no expired, absent or torn cache.

    alice: a keytab in the home. dave: another process renews his cache too. gina: two
    servers. carol: root's keytab, and her hub is killed and starts again, without a login.
    """
    assert scene.watch.faults(name, scene.began, scene.over()) == []


def test_a_hub_that_was_killed_takes_up_the_servers_that_run(scene: Scene) -> None:
    """erin never logged in, and her server renews nothing: the hub alone gets her tickets."""
    end = scene.over()
    assert scene.watch.faults("erin", scene.began, scene.began + KILLED) == []
    assert scene.watch.faults("erin", scene.erin_again, end) == []
    assert status_files("erin") == []
    after = scene.central.log().rpartition("JupyterHub is now running")[2]
    assert "Kerberos ticket for erin" in after and "at renewal" in after


def test_a_server_that_was_stopped_for_two_lives_has_a_ticket_at_once(scene: Scene) -> None:
    """SIGSTOP, 40 s, SIGCONT, as a suspended machine: the server itself renews the ticket."""
    scene.over()
    resumed = scene.resumed_at
    (last,) = scene.watch.samples("frank", resumed - 1, resumed)[-1:]
    assert last.fault == "expired", "nothing was stopped: %r" % (last,)
    assert scene.watch.faults("frank", scene.frank_again, scene.frank_again + LIFE) == []


def test_two_servers_of_a_user_ask_the_kdc_as_often_as_one(scene: Scene) -> None:
    """One cache, and one refresh of it in flight: gina's two servers need no more than alice's."""
    scene.over()
    with open(scene.kdc.log) as file:
        file.seek(scene.asked_from)
        issued = re.findall(r"ISSUE: .* (\w+)/service@EXAMPLE.TEST for krbtgt", file.read())
    assert len(scene.home.servers("gina")) == 2 and len(status_files("gina")) == 2
    least = SECONDS / (0.65 * LIFE) - 2
    assert least <= issued.count("gina") <= issued.count("alice") * 1.3 + 1, issued


def last_activity(hub: Hub, name: str) -> float:
    """When the hub last saw a user's server used, as who culls idle servers asks for it."""
    text = hub.api("GET", "users/" + name).json()["last_activity"]
    parsed = datetime.datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")
    return parsed.replace(tzinfo=datetime.timezone.utc).timestamp()


def test_a_kept_server_is_culled_as_idle_and_takes_its_status_along(scene: Scene) -> None:
    """Renewal is no activity: alice's server looks as old as it is, and ends when culled."""
    end = scene.over()
    assert scene.browsers["dave"].get("api/contents?content=0").status_code == 200
    deadline = time.monotonic() + 180
    while last_activity(scene.home, "dave") < end - 1:
        assert time.monotonic() < deadline, "the hub does not see who is active"
        time.sleep(0.5)
    assert last_activity(scene.home, "alice") < scene.began + LIFE
    (pid,) = scene.home.servers("alice")
    assert len(status_files("alice")) == 1
    assert scene.home.api("DELETE", "users/alice/server").status_code in (202, 204)
    deadline = time.monotonic() + 180
    while os.path.exists("/proc/%d" % pid):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert status_files("alice") == []


# What raises in the deployed copies, by module: all at once, as far as none hides another.
BUGS = (
    ("hub.HubTickets.ensure", "__init__.renewer_of"),
    ("hub.HubTickets.environment", "server_renewer.ServerRenewer._keep"),
    ("hub_renewer.HubRenewer._turn", "hub.HubTickets.forget", "store.Store.cache"),
    ("hub.HubTickets.__init__", "server_renewer.new_renewer"),
)


@contextlib.contextmanager
def raising(directory: str, bugs: Iterable[str]) -> Iterator[None]:
    """The modules of a deployed copy, whose functions of these names raise in the block.

    Names are ``MODULE.FUNCTION`` or ``MODULE.CLASS.FUNCTION``; a copy has those of its side.
    """
    wanted: Dict[str, List[str]] = {}
    for bug in bugs:
        module, _, name = bug.partition(".")
        wanted.setdefault("%s/%s.py" % (directory, module), []).append(name)
    with contextlib.ExitStack() as stack:
        for path in filter(os.path.exists, wanted):
            stack.enter_context(changed(path, wanted[path]))
        yield


@contextlib.contextmanager
def changed(path: str, names: Iterable[str]) -> Iterator[None]:
    """A module whose functions of these names, if it has them, raise in the block."""
    with open(path) as file:
        text = file.read()
    lines = text.splitlines(True)
    found = {}
    for node in ast.parse(text).body:
        inside = node.body if isinstance(node, ast.ClassDef) else []
        for one in [node] + inside:
            if isinstance(one, ast.FunctionDef):
                name = one.name if one is node else "%s.%s" % (node.name, one.name)
                found[name] = one
    for one in sorted(
        (found[name] for name in set(names) & set(found)), key=lambda node: -node.lineno
    ):
        first = one.body[1] if ast.get_docstring(one) and len(one.body) > 1 else one.body[0]
        at = first.lineno - 1
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
        lines.insert(at, '%sraise RuntimeError("injected into %s")\n' % (indent, one.name))
    try:
        with open(path, "w") as file:
            file.writelines(lines)
        yield
    finally:
        with open(path, "w") as file:
            file.write(text)


@pytest.mark.parametrize("bugs", BUGS, ids=lambda bugs: bugs[0])
def test_a_bug_in_the_helper_is_logged_and_everything_goes_on(
    patched: Stack, scratch: str, kdc: Any, keytabs: Dict[str, str], bugs: Tuple[str, ...]
) -> None:
    """Login, spawn, save, open and stop work as upstream's; the log has each bug."""
    extra = CLASSIC + SERVICE + 'c.KerberosTicket.destroy = "last-server"\n'
    with contextlib.ExitStack() as stack:
        for path in helper_copies(patched):
            stack.enter_context(raising(os.path.dirname(path), bugs))
        hub = stack.enter_context(own_hub(patched, scratch + "/bugs-" + bugs[0], extra))
        browser = Browser(hub, "bob")
        browser.login(PASSWORDS["bob"])
        browser.spawn()
        browser.save("bug.ipynb")
        browser.open("bug.ipynb")
        # 202: a stop that lasts goes on behind the answer.
        assert hub.api("DELETE", "users/bob/server").status_code in (202, 204)
        deadline = time.monotonic() + 180
        wanted = ["injected into " + name.rpartition(".")[2] for name in bugs]
        while not all(words in hub.log() for words in wanted):
            assert time.monotonic() < deadline, [one for one in wanted if one not in hub.log()]
            time.sleep(0.5)
        assert " 500 " not in hub.log()
