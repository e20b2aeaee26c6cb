"""The tickets of a hub's users: valid, refused, remembered; one user's trouble is theirs."""

import concurrent.futures
import json
import os
import threading
import time

import pytest

from jhpatch.deployed.kerberos import hub as hubs
from jhpatch.deployed.kerberos import temporary
from jhpatch.deployed.kerberos.account import NoAccount
from jhpatch.deployed.kerberos.ccache import Ticket
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.hub import RENEWAL, HubTickets, Seen
from jhpatch.deployed.kerberos.kinit import Outcome
from jhpatch.deployed.kerberos.settings import Settings, TicketSpec
from testing.users import ROOT_ONLY
from testing.waiting import LIMIT
from tests.deployed.stand_ins import LocalProcessSpawner
from tests.deployed.tickets import NOBODY


def hub_of(log, **settings):
    """Return a hub's tickets."""
    return HubTickets(Settings(**settings), log)


def in_map(name):
    """Return the principal of one user; others are no keys."""
    return {"nobody": "alice/service"}[name]


def leave(name):
    """End the process, as an administrator's script would."""
    raise SystemExit("no principal for " + name)


@ROOT_ONLY
@pytest.mark.parametrize("policy", ["require", "warn"])
def test_a_valid_ticket_is_a_success(log, hub_settings, monkeypatch, policy):
    """Whatever the KDC says to its renewal, and the breaker: a login goes on, said once."""
    hub = hub_of(log, policy=policy, **hub_settings)
    assert hub.ensure("nobody", "login") is None
    ticket = hub.known["nobody", "FILE:" + hub_settings["ccache"].format(uid=65534)].ticket
    del log.lines[:]
    monkeypatch.setattr(time, "time", lambda: ticket.start * 0.3 + ticket.end * 0.7)
    hub.breaker._unresponsive["EXAMPLE.TEST"] = time.time()
    hub.breaker._asked["EXAMPLE.TEST"] = time.monotonic()
    for cause in ("login", "spawn", "login"):
        assert hub.ensure("nobody", cause) is None
    assert len(log.lines) == 1 and "is not renewed for nobody" in log.lines[0]
    assert "has not answered" in hub.ensure("nobody", RENEWAL), "which tries again"
    monkeypatch.setattr(time, "time", lambda: ticket.end + 1)
    assert "has not answered" in hub.ensure("nobody", "login")
    assert len(log.lines) == 2 and "No Kerberos ticket for nobody" in log.lines[1]


@pytest.mark.parametrize("principal", [in_map, leave, lambda name: 1 / 0])
def test_a_callable_that_raises_is_one_users_trouble(log, principal):
    """That user gets no ticket, in one line that names the place; SystemExit ends no thread."""
    hub = hub_of(log, principal=principal)
    reasons = {hub.request("daemon", "login").result(LIMIT) for _ in range(3)}
    assert len(reasons) == 1 and ("daemon" in str(reasons) or "zero" in str(reasons))
    (text,) = log.lines
    assert text.startswith("ERROR Kerberos: no ticket for daemon at login: ")
    assert "test_hub.py:" in text


@pytest.mark.parametrize("rubbish", [None, 7, b"alice", "", "a\nb", "a\0b"])
@pytest.mark.parametrize("name", ["principal", "keytab"])
def test_a_callable_that_returns_rubbish_is_one_users_trouble(log, name, rubbish):
    """It is a reason, in one line, and no argument of kinit."""
    if name == "keytab" and rubbish == "":
        return  # the client keytab
    hub = hub_of(log, **{name: lambda user: rubbish})
    assert "KerberosTicket.%s" % name in hub.request("daemon", "login").result(LIMIT)
    assert len(log.lines) == 1


def test_callables_run_in_threads(log):
    """Never in the one that asks, which is the event loop."""
    threads = []

    def note(_):
        threads.append(threading.current_thread())
        raise KeyError("x")

    hub = hub_of(log, principal=note)
    spawner = LocalProcessSpawner(KRB5CCNAME=note)
    hub.request("daemon", "login").result(LIMIT)
    hub.prepare_spawn("daemon", None, spawner.environment, spawner).result(LIMIT)
    assert len(threads) >= 2 and threading.current_thread() not in threads


@pytest.mark.parametrize("bug", [OSError(28, "No space left on device"), ZeroDivisionError("x")])
def test_require_lets_nobody_in_after_an_error(log, monkeypatch, bug):
    """A bug, or a full /run, is no ticket either."""
    hub = hub_of(log, policy="require", principal="alice")

    def fail(*_):
        raise bug

    monkeypatch.setattr(hub.kinit, "ensure", fail)
    assert type(bug).__name__ in hub.ensure("nobody", "login")
    assert len(log.lines) == 1


@ROOT_ONLY
def test_a_full_run_is_a_reason(log, keytab, hub_settings, monkeypatch):
    """Where root's directory for a central keytab cannot be made: that user, one line."""
    monkeypatch.setattr(hubs, "can_read", lambda *_, **__: False)
    monkeypatch.setattr(hubs.rules, "is_root_only", lambda *_: True)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(temporary.tempfile, "mkdtemp", full)
    hub = hub_of(log, policy="require", **hub_settings)
    for _ in range(2):
        assert "No space left" in hub.ensure("nobody", "login")
    assert len(log.lines) == 1


def test_a_new_user_of_the_hub_is_let_through(log, monkeypatch):
    """create_system_users: at the first login there is no account yet; at the spawn there is."""

    def unknown(name, min_uid):
        raise NoAccount("%r is not a user of this host" % name)

    monkeypatch.setattr(hubs, "account_of", unknown)
    hub = hub_of(log, policy="require")
    assert hub.request("newton", "login", new_user=True).result(LIMIT) is None
    assert log.lines == []
    assert "is not a user" in hub.request("newton", "login").result(LIMIT)
    spawner = LocalProcessSpawner()
    reason, environment = hub.prepare_spawn("newton", None, {"A": "b"}, spawner).result(LIMIT)
    assert "is not a user" in reason and environment == {"A": "b"}


def test_a_map_whose_mode_was_repaired_counts(tmp_path, log):
    """chmod(1) changes no bytes and no mtime."""
    path = tmp_path / "map"
    path.write_text("nobody first@R\n")
    path.chmod(0o644)
    hub = hub_of(log, principal_map=str(path))
    assert hub.spec(NOBODY).principal == "first@R"
    path.write_text("nobody second@R\n")
    path.chmod(0o666)
    assert hub.spec(NOBODY).principal == "first@R"
    path.chmod(0o644)
    assert hub.spec(NOBODY).principal == "second@R"


def test_who_comes_while_the_map_is_read_gets_the_new_one(tmp_path, log):
    """Not the old principal, and not the template's."""
    path = tmp_path / "map"
    path.write_text("nobody mapped@R\n" + "".join("u%d p@R\n" % n for n in range(20000)))
    path.chmod(0o644)
    hub = hub_of(log, principal_map=str(path), principal="{username}@TEMPLATE")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda number: hub.spec(NOBODY).principal, range(64)))
    assert found == {"mapped@R"}


@pytest.mark.parametrize("kind", ["a FIFO", "a NUL"])
def test_an_odd_map_leaves_the_principals_as_they_were(tmp_path, log, kind):
    """It holds nobody up, and no principal that kinit cannot be given comes from it."""
    path = tmp_path / "map"
    path.write_text("nobody first@R\n")
    path.chmod(0o644)
    hub = hub_of(log, principal_map=str(path))
    assert hub.spec(NOBODY).principal == "first@R"
    path.unlink()
    if kind == "a FIFO":
        os.mkfifo(str(path), 0o644)
    else:
        path.write_text("nobody a\0b@R # odd\n")
        path.chmod(0o644)
    for _ in range(2):
        assert hub.spec(NOBODY).principal == "first@R"
    assert len(log.lines) == 1 and str(path) in log.lines[0]


def test_the_environment_of_a_server(log):
    """Resolved values and KRB5CCNAME in a copy; an administrator's KRB5CCNAME stays."""
    hub = hub_of(log, principal=lambda name: name + "/x", ccache="/tmp/cc_{uid}")
    old = {"A": "b"}
    new = hub.environment("nobody", old, None)
    assert old == {"A": "b"} and new["A"] == "b" and new["KRB5CCNAME"] == "FILE:/tmp/cc_65534"
    sent = json.loads(new["JHPATCH_KERBEROS"])
    assert (sent["principal"], sent["ccache"]) == ("nobody/x", "FILE:/tmp/cc_65534")
    new = hub.environment("nobody", old, "FILE:/tmp/theirs")
    assert "KRB5CCNAME" not in new
    assert json.loads(new["JHPATCH_KERBEROS"])["ccache"] == "FILE:/tmp/theirs"


def test_expired_tickets_are_forgotten(log, monkeypatch):
    """Over a year, what the hub knows grows with who is there, not with who was."""
    monkeypatch.setattr(hubs, "_KNOWN", 100)
    hub = hub_of(log)
    hub._known_limit = 100
    now = time.time()
    for number in range(2000):
        ticket = Ticket("x", now - 20, now - 10, 0)
        hub._remember("user%d" % number, None, TicketSpec("x", "", "FILE:/x"), ticket)
    hub._remember("alice", None, TicketSpec("x", "", ""), ticket._replace(end=now + 100))
    assert len(hub.known) <= 102 and ("alice", "") in hub.known


def test_forgetting_does_not_stumble_over_others(log, monkeypatch):
    """A cache is destroyed while requests of others remember tickets, here at each comparison."""
    hub = hub_of(log)
    monkeypatch.setattr(hub.kinit, "destroy", lambda *_: None)
    seen = Seen(Ticket("x", 0, 1, 0), False)

    class Interrupted(str):
        __hash__ = str.__hash__

        def __eq__(self, other):
            hub.known["another%d" % len(hub.known), ""] = seen
            return str.__eq__(self, other)

    for number in range(3):
        hub.known[Interrupted("user%d" % number), ""] = seen
    hub.known["nobody", ""] = seen
    hub._destroy("nobody", None)
    assert ("nobody", "") not in hub.known and len(hub.known) > 5


def test_nothing_is_logged_once_the_hub_ends(log, monkeypatch):
    """The children were killed: no "no ticket" for each of them, and no lock of the log held."""
    hub = hub_of(log)
    hub.requests.close()

    def killed(*_):
        raise Problem("the child process that stores the cache has ended")

    monkeypatch.setattr(hub.kinit, "ensure", killed)
    assert "shutting down" in hub.ensure("nobody", "login")
    assert log.lines == []


def test_a_ticket_is_looked_up_by_the_name_that_a_server_has(log, monkeypatch):
    """Default, ``ccache`` and KRB5CCNAME: the renewer asks by what is in the environment."""
    hub = hub_of(log, ccache="/tmp/cc")
    ticket = Ticket("x", time.time(), time.time() + 1000, 0)
    monkeypatch.setattr(hub.kinit, "ensure", lambda *_: Outcome(ticket))
    assert hub.ensure("nobody", "spawn") is None
    assert set(hub.known) == {("nobody", ""), ("nobody", "FILE:/tmp/cc")}
    assert hub.ensure("nobody", "spawn", None, "FILE:/tmp/theirs") is None
    assert ("nobody", "FILE:/tmp/theirs") in hub.known
