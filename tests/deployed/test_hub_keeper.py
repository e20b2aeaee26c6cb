"""The hub's keeper: every running server, whoever started it; the hub's state on its loop only."""

import collections
import json
import os
import random
import threading
import time
import types

import pytest
from tornado import ioloop
from traitlets.config import Config, LoggingConfigurable

from jhpatch.deployed import kerberos
from jhpatch.deployed.kerberos import HubKeeper, KerberosTicket, Problem, Server, Ticket
from testing.users import ROOT_ONLY
from testing.waiting import until
from tests.deployed.stand_ins import HANDLER, Authenticator, LocalProcessSpawner, in_loop, user


@pytest.fixture
def loop():
    """A hub's event loop, in a thread of its own."""
    made, started = [], threading.Event()

    def run():
        one = ioloop.IOLoop()
        one.make_current()
        made.append(one)
        one.add_callback(started.set)
        one.start()
        one.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(10)
    made[0].thread = thread
    yield made[0]
    made[0].add_callback(made[0].stop)
    thread.join()


class FakeHub:
    """A hub whose KDC is a table: who is refreshed when, and how often."""

    def __init__(self, log, life=36000.0, central=False, **settings):
        self.settings = KerberosTicket(**settings)
        self.log = log
        self.known = {}
        self.asked = collections.Counter()
        self.getter = kerberos.Getter(self.settings)
        self.breaker = kerberos.Breaker(self.settings, log, lambda principal: True)
        self.life = life
        self.central = central
        self.fails = set()
        self.parts = []

    def ensure(self, name, cause, asked_by, ccache, part):
        self.parts.append(part)
        if name in self.fails:
            return "no keytab"
        ticket = self.known.get((name, ccache or ""))
        if ticket is None or time.time() >= self.getter.due(ticket, part):
            self.asked[name] += 1
            now = time.time()
            self.known[name, ccache or ""] = Ticket(name, now, now + self.life, now + self.life)
        return None

    def wanted(self, account, ccache=None):
        return kerberos.Wanted("x", "", "", self.central)


def keeper_of(hub, users, loop):
    """A keeper that is turned by hand."""
    return HubKeeper(hub, lambda: list(users), loop)


def running(*names, **environment):
    """Users with a running server each."""
    return [user(name, one=LocalProcessSpawner(**environment)) for name in names]


def test_the_hubs_state_is_read_on_its_loop(loop, log):
    """Users and spawners are the loop's: no other thread looks at them."""
    seen = set()

    class Watched:
        name = "nobody"

        @property
        def spawners(self):
            seen.add(threading.current_thread())
            return {"": LocalProcessSpawner(KRB5CCNAME="FILE:/tmp/theirs")}

    keeper = keeper_of(FakeHub(log), [Watched()], loop)
    assert keeper._servers() == {Server("nobody", "FILE:/tmp/theirs")}
    assert seen == {loop.thread}


def test_only_running_servers_on_this_host_count(loop, log):
    """Not one that is stopped, nor one in a container."""
    users = running("nobody", "daemon", "bin")
    users[1].spawners["one"].active = False
    users[2].spawners["one"].isolate_tmp = True
    assert keeper_of(FakeHub(log), users, loop)._servers() == {Server("nobody", "")}


def test_many_users_are_read_in_small_bites(loop, log):
    """Five hundred users whose state takes its time: the loop has its turn in between."""

    class Slow:
        def __init__(self, number):
            self.name = "u%d" % number

        @property
        def spawners(self):
            time.sleep(0.0005)
            return {"": LocalProcessSpawner()}

    turns, during = [0], []

    def tick():
        turns[0] += 1
        if turns[0] < 1000000:
            loop.add_callback(tick)

    class Last(Slow):
        @property
        def spawners(self):
            during.append(turns[0])
            return {"": LocalProcessSpawner()}

    loop.add_callback(tick)
    users = [Last(500)] + [Slow(n) for n in range(500)] + [Last(501)]
    assert len(keeper_of(FakeHub(log), users, loop)._servers()) == 502
    turns[0] = 1000000
    assert during[1] - during[0] > 50, "the loop stood still"


def test_a_restarted_hub_takes_up_who_is_there(loop, log):
    """Nobody logs in: each running server is looked at in the next seconds, and kept."""
    hub = FakeHub(log, retry=0.2)
    keeper = keeper_of(hub, running("nobody", "daemon", "bin"), loop)
    end = time.monotonic() + 10
    while len(hub.asked) < 3:
        assert time.monotonic() < end
        time.sleep(max(0.01, min(keeper._turn(), 0.1)))
    assert set(hub.asked) == {"nobody", "daemon", "bin"}


@pytest.mark.parametrize("central", [True, False])
def test_when_the_hub_refreshes(loop, log, central, monkeypatch):
    """A central keytab's ticket by half of its life; a server's own not before two thirds."""
    now = [1000000.0]
    monkeypatch.setattr(kerberos.time, "time", lambda: now[0])
    hub = FakeHub(log, life=36000, central=central)
    hub.known["nobody", ""] = Ticket("x", now[0], now[0] + 36000, 0)
    keeper = keeper_of(hub, running("nobody"), loop)
    low, high = (0.5, 0.6) if central else (2 / 3, 2 / 3 + 0.112)
    keeper._turn()
    due = keeper._due[Server("nobody", "")]
    assert 1000000 + low * 36000 <= due <= 1000000 + high * 36000
    now[0] = due - 1
    keeper._turn()
    assert not hub.asked
    now[0] = due
    keeper._turn()
    assert hub.asked == {"nobody": 1}


def test_a_server_that_has_refreshed_is_left_alone(loop, log, monkeypatch):
    """The hub looks, finds the newer ticket, and comes back when that one is due."""
    now = [1000000.0]
    monkeypatch.setattr(kerberos.time, "time", lambda: now[0])
    hub = FakeHub(log)
    hub.known["nobody", ""] = Ticket("x", now[0], now[0] + 36000, 0)
    keeper = keeper_of(hub, running("nobody"), loop)
    keeper._turn()
    now[0] = keeper._due[Server("nobody", "")]
    hub.known["nobody", ""] = Ticket("x", now[0] - 60, now[0] + 36000, 0)
    keeper._turn()
    assert not hub.asked and keeper._due[Server("nobody", "")] > now[0] + 20000


def test_five_hundred_who_logged_in_together_come_apart(loop, log, monkeypatch):
    """A class at nine: the KDC sees its refreshes over an hour, not in one second."""
    now = [1000000.0]
    monkeypatch.setattr(kerberos.time, "time", lambda: now[0])
    random.seed(9)
    names = ["u%d" % n for n in range(500)]
    monkeypatch.setattr(kerberos, "account_of", lambda name, uid: None)
    hub = FakeHub(log, central=True)
    for name in names:
        hub.known[name, ""] = Ticket(name, now[0], now[0] + 36000, 0)
    keeper = keeper_of(hub, running(*names), loop)
    keeper._turn()
    due = sorted(keeper._due.values())
    busiest = max(sum(at <= one < at + 60 for one in due) for at in due)
    assert due[-1] - due[0] > 3000 and busiest < 30


def test_who_fails_is_tried_less_often(loop, log, monkeypatch):
    """No keytab: retry, doubled each time, to ten minutes; the others go on."""
    now = [1000000.0]
    monkeypatch.setattr(kerberos.time, "time", lambda: now[0])
    hub = FakeHub(log, retry=30)
    hub.fails.add("nobody")
    keeper = keeper_of(hub, running("nobody", "daemon"), loop)
    keeper._turn()
    pauses = []
    for _ in range(7):
        now[0] = keeper._due[Server("nobody", "")]
        keeper._turn()
        pauses.append(keeper._due[Server("nobody", "")] - now[0])
    assert pauses == [30, 60, 120, 240, 480, 600, 600]
    assert hub.asked["daemon"] >= 1


def test_when_the_kdc_is_back_nobody_waits_on(loop, log, monkeypatch):
    """Who had failed so often that ten minutes lay between two tries is tried at once."""
    now = [1000000.0]
    monkeypatch.setattr(kerberos.time, "time", lambda: now[0])
    hub = FakeHub(log, retry=30)
    answers = [False]
    hub.breaker = kerberos.Breaker(hub.settings, log, lambda principal: answers[0])
    hub.breaker.probe("x@EXAMPLE.TEST")
    hub.fails.add("nobody")
    keeper = keeper_of(hub, running("nobody"), loop)
    keeper._turn()
    for _ in range(7):
        now[0] = keeper._due[Server("nobody", "")]
        keeper._turn()
    assert keeper._due[Server("nobody", "")] - now[0] == 600
    answers[0] = True
    hub.breaker._asked.clear()
    keeper._turn()
    assert keeper._due[Server("nobody", "")] - now[0] <= 5
    hub.fails.clear()
    now[0] += 5
    keeper._turn()
    assert hub.asked["nobody"] == 1


def test_the_hub_does_not_sleep_past_the_end_of_a_ticket(loop, log, monkeypatch):
    """A KDC that is away for a quarter of a short life: half of what is left, and half again."""
    now = [1000000.0]
    monkeypatch.setattr(kerberos.time, "time", lambda: now[0])
    hub = FakeHub(log, retry=30)
    hub.known["nobody", ""] = Ticket("x", now[0], now[0] + 100, 0)
    hub.fails.add("nobody")
    keeper = keeper_of(hub, running("nobody"), loop)
    keeper._turn()
    for failures in range(3):
        now[0] = keeper._due[Server("nobody", "")]
        left = 1000100 - now[0]
        keeper._turn()
        pause = keeper._due[Server("nobody", "")] - now[0]
        assert pause == pytest.approx(min(30 * 2**failures, max(left / 2, 1)))
    assert now[0] < 1000100


def test_a_stopped_server_is_forgotten(loop, log):
    """Its user has logged out: no ticket is got for nobody's work."""
    users = running("nobody")
    keeper = keeper_of(FakeHub(log), users, loop)
    keeper._turn()
    assert keeper._due
    users[0].spawners["one"].active = False
    keeper._turn()
    assert not keeper._due


@pytest.mark.slow
def test_a_bug_in_a_turn_is_logged_and_the_next_comes(loop, log):
    """A user whose state cannot be read, then one whose can."""

    class Broken:
        @property
        def spawners(self):
            raise RuntimeError("a bug")

    users = [Broken()]
    hub = FakeHub(log, retry=0.1)
    keeper = keeper_of(hub, users, loop)
    keeper.start()
    until(lambda: any("a bug" in line for line in log.lines))
    users[:] = running("nobody")
    keeper.wake()
    until(lambda: hub.asked)


def test_a_hub_that_is_starting_is_asked_again(loop, log):
    """It has no users yet: no error, and the next look is a second away."""
    keeper = HubKeeper(FakeHub(log), lambda: kerberos._users_of(App([])), loop)
    keeper._users = lambda: kerberos._users_of(types.SimpleNamespace(users=None))
    assert keeper._turn() == 1.0 and log.lines == []


def test_a_hub_that_does_not_answer_stops_nothing(log):
    """No loop, as in the hub's own command line: the thread waits, and holds nobody."""
    asked = []
    stopped = types.SimpleNamespace(add_callback=lambda *arguments: asked.append(arguments))
    keeper = keeper_of(FakeHub(log), [], stopped)
    keeper.start()
    until(lambda: asked)
    assert keeper.daemon and keeper.is_alive()
    asked[0][-1].set_result(None)  # lets the thread end with the test


class App(LoggingConfigurable):
    """What the keeper needs of a hub."""

    users = None

    def __init__(self, users, **settings):
        super().__init__(config=Config({"KerberosTicket": settings}))
        self.users = dict(enumerate(users))


class WithHub(Authenticator):
    """An authenticator of a hub that has users."""

    def __init__(self, app, log):
        LoggingConfigurable.__init__(self, parent=app)
        self.log = log
        self.calls = []
        kerberos.on_start(self)


@pytest.mark.slow
@ROOT_ONLY
def test_tickets_of_a_central_keytab_live_on(kdc, keytab, caches, log, loop, monkeypatch):
    """Tickets of three seconds, nobody at the hub: valid each time that anybody looks."""
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    monkeypatch.setattr(kerberos, "_MARGIN", 0)
    monkeypatch.setattr(kerberos.ioloop.IOLoop, "current", lambda *arguments: loop)
    os.chown(keytab, 0, 0)
    os.chmod(keytab, 0o600)
    monkeypatch.setattr(kerberos, "is_central", lambda path, account: path == keytab)
    app = App(
        running("nobody"),
        keytab=keytab,
        principal="alice/service@EXAMPLE.TEST",
        ccache=str(caches / "cc"),
        lifetime="4s",
        retry=0.5,
    )
    try:
        authenticator = WithHub(app, log)
        keeper = authenticator._jhpatch_kerberos.keeper
        assert keeper.is_alive() and keeper.name in [t.name for t in threading.enumerate()]
        path = str(caches / "cc")
        until(lambda: os.path.exists(path))
        ends, end = set(), time.monotonic() + 12
        while time.monotonic() < end:
            with open(path, "rb") as file:
                ticket = kerberos.read_cache(file.read())
            assert ticket.end > time.time(), "expired"
            ends.add(ticket.end)
            time.sleep(0.1)
        assert 3 <= len(ends) <= 8
    finally:
        app.users.clear()
        os.chown(keytab, 65534, 65534)


@ROOT_ONLY
def test_a_spawns_ticket_is_known_by_the_name_that_the_server_gets(
    log, loop, kdc, keytab, caches, monkeypatch
):
    """The keeper does not look again right after each spawn: the ticket is new."""
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    authenticator = Authenticator(
        log, keytab=keytab, principal="alice/service", ccache=str(caches / "cc")
    )
    who = user("nobody", one=LocalProcessSpawner())
    in_loop(lambda: authenticator.pre_spawn_start(who, who.spawners["one"]))
    keeper = keeper_of(authenticator._jhpatch_kerberos, [who], loop)
    keeper._turn()
    (due,) = keeper._due.values()
    assert due > time.time() + 20000


# Settings and telling, on the hub's side.


def test_the_map_of_principals(log, tmp_path, script):
    """Who is in it has its principal, others the template's; it is read again when it changes."""
    path = tmp_path / "principals"
    path.write_text("# user principal\nnobody  alice/service@EXAMPLE.TEST  # a comment\n\n")
    settings = KerberosTicket(principal_map=str(path), principal="{username}@EXAMPLE.TEST")
    hub = kerberos.Hub(settings, log)

    def principal(name):
        return hub.wanted(kerberos.account_of(name, 1)).principal

    assert principal("nobody") == "alice/service@EXAMPLE.TEST"
    assert principal("daemon") == "daemon@EXAMPLE.TEST"
    path.write_text("daemon other@EXAMPLE.TEST\n")
    assert (principal("nobody"), principal("daemon")) == (
        "nobody@EXAMPLE.TEST",
        "other@EXAMPLE.TEST",
    )
    path.write_text("daemon\n")
    assert principal("daemon") == principal("daemon") == "other@EXAMPLE.TEST"
    path.unlink()
    assert principal("daemon") == "other@EXAMPLE.TEST"
    assert len(log.lines) == 2 and "%s:1" % path in log.lines[0]


@pytest.mark.parametrize(
    "text, mode",
    [
        ("one\n", 0o644),
        ("a b c\n", 0o644),
        ("a b\na c\n", 0o644),
        ("a b\n", 0o666),
        (None, 0),
        ("\udcff", 0o644),
    ],
)
def test_a_bad_map_disables_with_one_line(log, tmp_path, text, mode):
    """Named with its line, at the hub's start."""
    path = tmp_path / "principals"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        path.chmod(mode)
    authenticator = Authenticator(log, principal_map=str(path))
    (line,) = log.lines
    assert line.startswith("ERROR") and "disabled" in line and str(path) in line
    assert in_loop(lambda: authenticator.authenticate(HANDLER, {})) == "nobody"


def test_a_bad_cache_type_disables_with_one_line(log):
    """A session keyring is every user's under one hub: it is refused at the start."""
    Authenticator(log, ccache="KEYRING:session:x")
    (line,) = log.lines
    assert "disabled" in line and "read each other's" in line


@ROOT_ONLY
@pytest.mark.parametrize("name, said", [("admin", "admin from 192.0.2.7"), ("nobody", "from")])
def test_who_asked_for_a_spawn_is_said(log, kdc, keytab, caches, monkeypatch, name, said):
    """An administrator or a service starts the server: the owner's ticket, and their name."""
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    authenticator = Authenticator(
        log, keytab=keytab, principal="alice/service", ccache=str(caches / "cc")
    )
    spawner = LocalProcessSpawner()
    spawner.handler = types.SimpleNamespace(
        request=HANDLER.request, current_user=types.SimpleNamespace(name=name)
    )
    in_loop(lambda: authenticator.pre_spawn_start(user(), spawner))
    assert "asked by %s" % said in log.lines[0]


def test_a_user_without_a_ticket_is_one_line(log, caches):
    """Ten logins with the same reason: said once, and again when it has changed."""
    authenticator = Authenticator(log, kinit="/nowhere/kinit", ccache=str(caches / "cc"))
    for _ in range(10):
        in_loop(lambda: authenticator.authenticate(HANDLER, {}))
    assert len(log.lines) == 1
    authenticator._jhpatch_kerberos.settings.min_uid = 70000
    in_loop(lambda: authenticator.authenticate(HANDLER, {}))
    assert len(log.lines) == 2


class Counted:
    """A prometheus_client that is looked into."""

    def __init__(self):
        self.made = {}

    def _make(self, kind):
        def make(name, text, labels=()):
            assert name not in self.made, "Duplicated timeseries"
            assert not {"user", "username", "principal"} & set(labels)
            self.made[name] = one = types.SimpleNamespace(kind=kind, values=[])
            one.labels = lambda *values: one.values.append(values) or one
            one.inc = lambda: None
            one.set = one.observe = one.values.append
            return one

        return make

    def __getattr__(self, kind):
        return self._make(kind)


@ROOT_ONLY
def test_metrics(log, kdc, keytab, caches, monkeypatch):
    """Each made once in a process, whoever asks; without prometheus_client nothing happens."""
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    client = Counted()
    monkeypatch.setitem(kerberos.sys.modules, "prometheus_client", client)
    monkeypatch.setitem(kerberos.sys.modules, kerberos._METRICS, {})
    settings = dict(keytab=keytab, principal="alice/service", ccache=str(caches / "cc"))
    authenticator = Authenticator(log, **settings)
    for _ in range(2):
        in_loop(lambda: authenticator.authenticate(HANDLER, {}))
    made = client.made["jhpatch_kerberos_tickets"]
    assert made.kind == "Counter" and made.values == [("login", "got"), ("login", "there")]
    assert len(client.made["jhpatch_kerberos_seconds"].values) == 1
    monkeypatch.setitem(kerberos.sys.modules, "prometheus_client", None)
    monkeypatch.setitem(kerberos.sys.modules, kerberos._METRICS, {})
    assert in_loop(lambda: authenticator.authenticate(HANDLER, {})) == "nobody"


def test_what_travels_names_a_central_keytab(log, monkeypatch):
    """The server is told that the keytab is not for it."""
    monkeypatch.setattr(kerberos, "is_central", lambda path, account: True)
    hub = kerberos.Hub(KerberosTicket(keytab="/etc/keytabs/{username}.keytab"), log)
    told = json.loads(hub.environment("nobody", {})["JHPATCH_KERBEROS"])
    assert told["central"] is True and told["keytab"] == "/etc/keytabs/nobody.keytab"


def test_a_hub_that_is_not_root_says_so(log, loop, monkeypatch):
    """It gets tickets for its own user; for others the reason is said, once."""
    monkeypatch.setattr(kerberos.os, "geteuid", lambda: 4242)
    monkeypatch.setattr(kerberos.ioloop.IOLoop, "current", lambda *arguments: loop)
    authenticator = WithHub(App([]), log)
    assert "not root" in log.lines[0]
    with pytest.raises(Problem) as problem:
        authenticator._jhpatch_kerberos.getter._as(kerberos.account_of("nobody", 1))
    assert "not root" in str(problem.value)
