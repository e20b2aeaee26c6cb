"""What goes wrong with one server, or with the hub, is no other server's trouble."""

import os
import threading
import time
import types

import pytest

from jhpatch.deployed.kerberos import hub as hubs
from jhpatch.deployed.kerberos import hub_renewer, requests, schedule, settings
from jhpatch.deployed.kerberos.ccache import read_cache
from jhpatch.deployed.kerberos.hub import HubTickets
from jhpatch.deployed.kerberos.hub_renewer import Server
from jhpatch.deployed.kerberos.settings import VARIABLE, Settings
from testing.users import ROOT_ONLY
from testing.waiting import LIMIT, until
from tests.deployed.kerberos.hub_stand_ins import TableOfTickets, renewer_of, turn
from tests.deployed.stand_ins import (
    App,
    DockerSpawner,
    LocalProcessSpawner,
    WithHub,
    running,
    user,
)


def test_the_hubs_state_is_read_on_its_loop(loop, log):
    """Users and spawners are the loop's: no other thread looks at them."""
    seen = set()

    class Watched:
        name = "nobody"

        @property
        def spawners(self):
            seen.add(threading.current_thread())
            return {"": LocalProcessSpawner(KRB5CCNAME="FILE:/tmp/theirs")}

    renewer = renewer_of(TableOfTickets(log), [Watched()], loop)
    assert set(renewer._servers()) == {Server("nobody", "FILE:/tmp/theirs")}
    assert seen == {loop.thread}


def test_only_running_servers_on_this_host_count(loop, log):
    """Not one that is stopped or starts, nor one in a container, which is reported."""
    users = running("nobody", "daemon", "bin", "sys") + [user("sync", one=DockerSpawner())]
    users[1].spawners["one"].active = False
    users[2].spawners["one"].isolate_tmp = True
    users[3].spawners["one"].pending = "spawn"
    hub = TableOfTickets(log)
    assert set(renewer_of(hub, users, loop)._servers()) == {Server("nobody", "")}
    assert set(hub.remote) == {"LocalProcessSpawner", "DockerSpawner"}


def test_many_users_are_read_in_small_bites(loop, log):
    """Five hundred users whose state takes its time: the loop has its turn in between."""
    turns, during, stop = [0], [], []

    def tick():
        turns[0] += 1
        if not stop:
            loop.add_callback(tick)

    class Slow:
        def __init__(self, number):
            self.name = "u%d" % number

        @property
        def spawners(self):
            time.sleep(0.0005)
            during.append(turns[0])
            return {"": LocalProcessSpawner()}

    loop.add_callback(tick)
    users = [Slow(number) for number in range(500)]
    assert len(renewer_of(TableOfTickets(log), users, loop)._servers()) == 500
    stop.append(True)
    assert during[-1] - during[0] > 50, "the loop stood still"


def test_a_user_who_cannot_be_read_is_no_others_trouble(loop, log):
    """One line, once; the tickets of the others are renewed in the same turn."""

    class Broken:
        name = "evil\n"

        @property
        def spawners(self):
            raise RuntimeError("a bug")

    hub = TableOfTickets(log, retry=0.1)
    renewer = renewer_of(hub, [Broken()] + running("nobody"), loop)
    until(lambda: turn(renewer) and hub.asked)
    assert len(log.lines) == 1 and "a bug" in log.lines[0] and log.lines[0].isprintable()


@pytest.mark.parametrize("error", [KeyError("daemon"), SystemExit(3)])
def test_an_exception_of_one_attempt_is_that_servers(loop, log, monkeypatch, error):
    """It is tried again later, with everybody else's attempts in between."""
    hub = TableOfTickets(log, retry=0.1)
    ensure = hub.ensure

    def fail(name, *rest):
        if name == "daemon":
            raise error
        return ensure(name, *rest)

    monkeypatch.setattr(hub, "ensure", fail)
    renewer = renewer_of(hub, running("daemon", "nobody"), loop)
    until(lambda: turn(renewer) and hub.asked and renewer._pauses)
    assert set(renewer._pauses) == {Server("daemon", "")} and not renewer._running
    assert len(log.lines) == 1 and type(error).__name__ in log.lines[0]


def test_a_bug_in_a_turn_is_logged_and_the_next_comes(loop, log, monkeypatch):
    """A hub whose users cannot be read, then one whose can."""
    users, errors = running("nobody"), [RuntimeError("a bug")]
    hub = TableOfTickets(log, retry=0.1)
    renewer = renewer_of(hub, users, loop)
    renewer._users = lambda: list(users) if not errors else _raise(errors.pop())
    renewer.start()
    until(lambda: any("a bug" in text for text in log.lines))
    renewer.wake()
    until(lambda: hub.asked)


def _raise(error):
    raise error


def test_ten_percent_hung_homes_put_nobody_off(loop, log, monkeypatch):
    """Of 200 users 20 hang until their timeout: everybody else is renewed all the same."""
    monkeypatch.setattr(schedule, "TURN", 0.2)
    hub = TableOfTickets(log, retry=0.1)
    hub.requests = requests.Requests(0.1)  # a login waits no longer; a renewal has to
    ensure = hub.ensure

    def hang(name, *rest):
        if int(name[1:]) % 10 == 0:
            time.sleep(0.3)
            return "no answer within 5 s"
        return ensure(name, *rest)

    monkeypatch.setattr(hub, "ensure", hang)
    renewer = renewer_of(hub, running(*("u%d" % number for number in range(200))), loop)
    renewer.start()
    until(lambda: len(hub.asked) == 180)
    until(lambda: len(renewer._pauses) == 20)


def test_those_who_failed_have_a_lane_of_their_own(loop, log, monkeypatch):
    """They hang again at each attempt, a hundred of them: the renewal lane stays free."""
    lanes = []
    hub = TableOfTickets(log, retry=0.1)
    submit = hub.requests.submit
    monkeypatch.setattr(
        hub.requests, "submit", lambda *rest: lanes.append((rest[0], rest[3])) or submit(*rest)
    )
    hub.fails.add("daemon")
    renewer = renewer_of(hub, running("daemon", "nobody"), loop)
    until(lambda: turn(renewer) and ("daemon", "retry") in lanes)
    assert lanes[:2] == [("daemon", "renewal"), ("nobody", "renewal")] or len(lanes) > 2
    assert {name for name, lane in lanes if lane == "retry"} == {"daemon"}


def test_a_user_who_is_deleted_in_flight_is_forgotten(loop, log, monkeypatch):
    """The attempt ends, and nothing is kept of it."""
    gate, hub, users = threading.Event(), TableOfTickets(log, retry=0.1), running("nobody")
    monkeypatch.setattr(hub, "ensure", lambda *_: gate.wait(LIMIT) and "no user")
    renewer = renewer_of(hub, users, loop)
    until(lambda: renewer._turn() and renewer._running)
    users.clear()
    renewer._turn()
    gate.set()
    until(lambda: renewer._done)
    renewer._turn()
    assert not (renewer._due or renewer._pauses or renewer._running or renewer._done)


def test_a_busy_loop_finds_one_look(log, monkeypatch):
    """It does not answer for minutes: the thread waits, and adds no look to its queue."""
    asked = []
    busy = types.SimpleNamespace(add_callback=lambda *rest: asked.append(rest))
    renewer = renewer_of(TableOfTickets(log), [], busy)
    result = hub_renewer.Future.result
    monkeypatch.setattr(hub_renewer.Future, "result", lambda self, timeout: result(self, 0.01))
    assert [renewer._turn(), renewer._turn(), len(asked)] == [1.0, 1.0, 1]
    asked[0][-1].set_result({})
    assert renewer._turn() == schedule.TURN and len(asked) == 1


def test_a_hub_that_does_not_answer_stops_nothing(log):
    """No loop, as in the hub's own command line: a daemon thread, and nobody waits for it."""
    asked = []
    stopped = types.SimpleNamespace(add_callback=lambda *rest: asked.append(rest))
    renewer = renewer_of(TableOfTickets(log), [], stopped)
    renewer.start()
    until(lambda: asked)
    assert renewer.daemon and renewer.is_alive()


def test_servers_without_settings_are_reported_once(loop, log):
    """An authenticator that never calls pre_spawn_start: the hub renews them, at refresh_at."""
    users = running("old")
    hub = TableOfTickets(log)
    renewer = renewer_of(hub, users, loop)
    turn(renewer)  # of a server that was there before the hub, nothing is known
    assert log.lines == [] and not renewer._without_settings
    users += running("new") + running("fine", **{VARIABLE: "{}"}) + running("late")
    users[3].spawners["one"]._jhpatch_prepared = True
    turn(renewer)
    assert len(log.lines) == 1 and "does not call pre_spawn_start" in log.lines[0]
    assert renewer._without_settings == {Server("new", ""), Server("late", "")}
    assert renewer._part(Server("new", ""), False) == hub.settings.refresh_at
    assert renewer._part(Server("fine", ""), False) == schedule.later(hub.settings.refresh_at)
    users[1].spawners["one"].active = False
    turn(renewer)
    users[1].spawners["one"].active = True
    turn(renewer)
    assert len(log.lines) == 1


@pytest.mark.parametrize("raises", [None, KeyError("x"), SystemExit(3)])
def test_a_callable_ccname_is_asked_in_a_thread_after_a_restart(loop, log, raises):
    """Once for each server; one that raises leaves the default cache."""
    threads = []

    def named(spawner):
        threads.append(threading.current_thread())
        if raises:
            raise raises
        return "FILE:/tmp/called"

    hub = TableOfTickets(log)
    renewer = renewer_of(hub, running("nobody", KRB5CCNAME=named), loop)
    expected = Server("nobody", "" if raises else "FILE:/tmp/called")
    until(lambda: renewer._servers())
    assert set(renewer._servers()) == {expected}
    assert len(threads) == 1 and threads[0] not in (loop.thread, threading.current_thread())


@ROOT_ONLY
def test_a_callable_that_raises_ends_nobody_elses_renewal(loop, log, hub_settings):
    """With real tickets: nobody's is renewed, daemon's callable knows no daemon."""
    principals = {"nobody": hub_settings["principal"]}
    hub_settings.update(principal=lambda name: principals[name], retry=0.5)
    hub = HubTickets(Settings(**hub_settings), log)
    renewer = renewer_of(hub, running("daemon", "nobody"), loop)
    until(lambda: turn(renewer) and hub.known and renewer._pauses)
    assert {name for name, _ in hub.known} == {"nobody"}
    assert set(renewer._pauses) == {Server("daemon", "")}


@pytest.mark.slow
@ROOT_ONLY
def test_tickets_of_a_central_keytab_live_on(keytab, hub_settings, caches, log, loop, monkeypatch):
    """Tickets of four seconds, nobody at the hub: valid each time that anybody looks."""
    monkeypatch.setattr(schedule, "MARGIN", 0)
    monkeypatch.setattr("tornado.ioloop.IOLoop.current", lambda *_, **__: loop)
    os.chown(keytab, 0, 0)
    os.chmod(keytab, 0o600)
    monkeypatch.setattr(settings, "is_root_only", lambda path, account: path == keytab)
    hub_settings.update(ccache=str(caches / "cc"), lifetime="4s", retry=0.5)
    app = App(running("nobody"), **hub_settings)
    try:
        authenticator = WithHub(app, log)
        assert authenticator._jhpatch_kerberos.renewer.is_alive()
        path = str(caches / "cc")
        until(lambda: os.path.exists(path))
        ends, end = set(), time.monotonic() + 12
        while time.monotonic() < end:
            with open(path, "rb") as file:
                ticket = read_cache(file.read())
            assert ticket.end > time.time(), "expired"
            ends.add(ticket.end)
            time.sleep(0.1)
        assert 3 <= len(ends) <= 8
        assert hubs.RENEWAL in " ".join(log.lines)
    finally:
        app.users.clear()
        os.chown(keytab, 65534, 65534)
