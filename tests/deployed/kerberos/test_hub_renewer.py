"""When the hub's renewer renews: every running server, whoever started it, in time."""

import random
import time
import types

import pytest

from jhpatch.deployed.kerberos import startup
from jhpatch.deployed.kerberos.breaker import CircuitBreaker
from jhpatch.deployed.kerberos.hub_renewer import HubRenewer, Server
from testing.users import ROOT_ONLY
from testing.waiting import until
from tests.deployed.kerberos.hub_stand_ins import TableOfTickets, renewer_of, turn
from tests.deployed.stand_ins import Authenticator, LocalProcessSpawner, in_loop, running, user

NOBODY = Server("nobody", "")


class Ended(Exception):
    """The end of a renewer that a test runs."""


@pytest.fixture
def now(monkeypatch):
    """The wall clock, which the test sets."""
    clock = [1000000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    return clock


@pytest.mark.parametrize("has_failed", [True, False])
def test_a_clock_that_is_stepped_back_delays_nobody(loop, log, now, has_failed):
    """NTP corrects a host that booted two hours ahead: everybody is looked at soon."""
    hub = TableOfTickets(log, central=True)
    if has_failed:
        hub.fails.add("nobody")
    renewer = renewer_of(hub, running("nobody"), loop)
    turn(renewer)
    if has_failed:
        now[0] = renewer._due[NOBODY]
        turn(renewer)
        hub.fails.clear()
        hub.asked.clear()
    now[0] -= 7200
    turn(renewer)
    now[0] += 6
    until(lambda: turn(renewer) and "nobody" in hub.asked)


def test_a_restarted_hub_takes_up_who_is_there(loop, log):
    """Nobody logs in: each running server is looked at in the next seconds, and kept."""
    hub = TableOfTickets(log, retry=0.2)
    renewer = renewer_of(hub, running("nobody", "daemon", "bin"), loop)
    until(lambda: turn(renewer) and len(hub.asked) == 3)
    assert set(hub.asked) == {"nobody", "daemon", "bin"}


@pytest.mark.parametrize("central", [True, False])
def test_when_the_hub_refreshes(loop, log, central, now):
    """A central keytab's ticket by half of its life; a server's own not before two thirds."""
    hub = TableOfTickets(log, central=central)
    hub.knows("nobody", now[0], now[0] + 36000)
    renewer = renewer_of(hub, running("nobody"), loop)
    low, high = (0.5, 0.6) if central else (2 / 3, 2 / 3 + 0.112)
    turn(renewer)
    due = renewer._due[NOBODY]
    assert 1000000 + low * 36000 <= due <= 1000000 + high * 36000
    now[0] = due - 1
    turn(renewer)
    assert not hub.asked
    now[0] = due
    turn(renewer)
    assert hub.asked == {"nobody": 1}


def test_a_server_that_has_refreshed_is_left_alone(loop, log, now):
    """The hub looks, finds the newer ticket, and comes back when that one is due."""
    hub = TableOfTickets(log)
    hub.knows("nobody", now[0], now[0] + 36000)
    renewer = renewer_of(hub, running("nobody"), loop)
    turn(renewer)
    now[0] = renewer._due[NOBODY]
    hub.knows("nobody", now[0] - 60, now[0] + 36000)
    turn(renewer)
    assert not hub.asked and renewer._due[NOBODY] > now[0] + 20000


def test_five_hundred_who_logged_in_together_come_apart(loop, log, now):
    """A class at nine: the KDC sees its refreshes over an hour, not in one second."""
    random.seed(9)
    names = ["u%d" % n for n in range(500)]
    hub = TableOfTickets(log, central=True)
    for name in names:
        hub.knows(name, now[0], now[0] + 36000)
    renewer = renewer_of(hub, running(*names), loop)
    turn(renewer)
    due = sorted(renewer._due.values())
    busiest = max(sum(at <= one < at + 60 for one in due) for at in due)
    assert due[-1] - due[0] > 3000 and busiest < 30


def test_a_restart_amid_the_renewals_brings_no_burst(loop, log, now):
    """The same class at 0.55 of the life: the new hub renews none at once, and all by 0.6."""
    random.seed(9)
    names = ["u%d" % n for n in range(200)]
    hub = TableOfTickets(log, central=True)
    for name in names:
        hub.unseen[name] = hub.seen(name, now[0] - 19800, now[0] + 16200)
    renewer = renewer_of(hub, running(*names), loop)
    turn(renewer)
    now[0] += 6
    turn(renewer)
    due = sorted(renewer._due.values())
    assert not hub.unseen and not hub.asked
    assert now[0] < due[0] and 1500 < due[-1] - due[0] < 1801
    now[0] = due[-1]
    turn(renewer)
    assert len(hub.asked) == 200


def test_after_the_time_of_renewals_a_restarted_hub_renews_at_once(loop, log, now):
    """The hub was down meanwhile."""
    hub = TableOfTickets(log, central=True)
    hub.unseen["nobody"] = hub.seen("nobody", now[0] - 25000, now[0] + 11000)
    renewer = renewer_of(hub, running("nobody"), loop)
    turn(renewer)
    now[0] += 6
    turn(renewer)
    assert hub.asked == {"nobody": 1}


def test_looks_at_many_users_leave_the_loop_its_time(loop, log):
    """The pause between two turns grows with their number, whoever wakes the renewer."""
    names = ["u%d" % number for number in range(2000)]
    renewer = renewer_of(TableOfTickets(log), running(*names), loop)
    assert len(renewer._servers()) == 2000

    def wait(seconds):
        raise Ended(seconds)

    renewer._turn, renewer._wake = lambda: 0.0, types.SimpleNamespace(wait=wait)
    with pytest.raises(Ended) as ended:
        renewer.run()
    assert ended.value.args == (2.0,)


def test_who_fails_is_tried_less_often(loop, log, now):
    """No keytab: retry, doubled each time, to ten minutes; the others go on."""
    hub = TableOfTickets(log, retry=30)
    hub.fails.add("nobody")
    renewer = renewer_of(hub, running("nobody", "daemon"), loop)
    turn(renewer)
    pauses = []
    for _ in range(7):
        now[0] = renewer._due[NOBODY]
        turn(renewer)
        pauses.append(renewer._due[NOBODY] - now[0])
    assert pauses == [30, 60, 120, 240, 480, 600, 600]
    assert hub.asked["daemon"] >= 1


@pytest.mark.parametrize("others", [(), ("OTHER.TEST",)], ids=["alone", "another stays silent"])
def test_when_the_kdc_is_back_nobody_waits_on(loop, log, now, others):
    """Who had failed so often that ten minutes lay between two tries is tried at once."""
    hub = TableOfTickets(log, retry=30)
    back = []
    hub.breaker = CircuitBreaker(30, log, lambda principal: principal.rpartition("@")[2] in back)
    for realm in ("EXAMPLE.TEST",) + others:
        hub.breaker.probe("x@" + realm)
    hub.fails.add("nobody")
    renewer = renewer_of(hub, running("nobody"), loop)
    turn(renewer)
    for _ in range(7):
        now[0] = renewer._due[NOBODY]
        turn(renewer)
    assert renewer._due[NOBODY] - now[0] == 600
    back.append("EXAMPLE.TEST")
    hub.breaker.probe("x@EXAMPLE.TEST")
    turn(renewer)
    assert renewer._due[NOBODY] - now[0] <= 5
    hub.fails.clear()
    now[0] += 5
    turn(renewer)
    assert hub.asked["nobody"] == 1


def test_the_hub_knows_when_a_ticket_of_another_principal_expires(loop, log, now):
    """The next attempt is not long after that, whatever failed before."""
    hub = TableOfTickets(log, retry=30)
    until = now[0] + 2000
    hub.held[NOBODY] = until
    hub.fails.add("nobody")
    renewer = renewer_of(hub, running("nobody"), loop)
    turn(renewer)
    while now[0] < until:
        now[0] = renewer._due[NOBODY]
        turn(renewer)
    assert now[0] < until + 2


def test_the_hub_does_not_sleep_past_the_end_of_a_ticket(loop, log, now):
    """A KDC that is away for a quarter of a short life: half of what is left, and half again."""
    hub = TableOfTickets(log, retry=30)
    hub.knows("nobody", now[0], now[0] + 100)
    hub.fails.add("nobody")
    renewer = renewer_of(hub, running("nobody"), loop)
    turn(renewer)
    for failures in range(3):
        now[0] = renewer._due[NOBODY]
        left = 1000100 - now[0]
        turn(renewer)
        pause = renewer._due[NOBODY] - now[0]
        assert pause == pytest.approx(min(30 * 2**failures, max(left / 2, 1)))
    assert now[0] < 1000100


@pytest.mark.parametrize("step", [-7200, 7200])
def test_a_stepped_clock_renews_in_time(loop, log, now, step):
    """Two hours forward: what is due is renewed at once; back: by the clock as it is then."""
    hub = TableOfTickets(log, central=True)
    hub.knows("nobody", now[0], now[0] + 3600)
    renewer = renewer_of(hub, running("nobody"), loop)
    turn(renewer)
    now[0] += step
    turn(renewer)
    assert hub.asked["nobody"] == (step > 0)
    now[0] = 1000000 + 0.6 * 3600 if step < 0 else now[0]
    turn(renewer)
    assert hub.asked["nobody"] == 1


def test_a_stopped_server_is_forgotten_and_starts_anew(loop, log, now):
    """Its user has logged out: no ticket for nobody's work; a new start is looked after again."""
    users = running("nobody")
    hub = TableOfTickets(log)
    renewer = renewer_of(hub, users, loop)
    turn(renewer)
    assert renewer._due
    users[0].spawners["one"].active = False
    turn(renewer)
    assert not renewer._due and not renewer._pauses
    users[0].spawners["one"].active = True
    turn(renewer)
    assert renewer._due[NOBODY] <= now[0] + 5


def test_two_servers_with_one_cache_are_one(loop, log):
    """A user's servers that share a cache are renewed together; another cache is another one."""
    spawners = {name: LocalProcessSpawner() for name in ("a", "b")}
    spawners["c"] = LocalProcessSpawner(KRB5CCNAME="FILE:/tmp/c")
    renewer = renewer_of(TableOfTickets(log), [user("nobody", **spawners)], loop)
    assert set(renewer._servers()) == {NOBODY, Server("nobody", "FILE:/tmp/c")}


def test_a_hub_that_is_starting_is_asked_again(loop, log):
    """It has no users yet: no error, and the next look is a second away."""
    app = types.SimpleNamespace(users=None)
    renewer = HubRenewer(TableOfTickets(log), lambda: startup.users_of(app), loop)
    assert renewer._turn() == 1.0 and log.lines == []


@ROOT_ONLY
def test_a_spawns_ticket_is_known_by_the_name_that_the_server_gets(log, loop, hub_settings):
    """The renewer does not look again right after each spawn: the ticket is new."""
    authenticator = Authenticator(log, **hub_settings)
    who = user("nobody", one=LocalProcessSpawner())
    in_loop(lambda: authenticator.pre_spawn_start(who, who.spawners["one"]))
    renewer = renewer_of(authenticator._jhpatch_kerberos, [who], loop)
    renewer._turn()
    (due,) = renewer._due.values()
    assert due > time.time() + 20000
