"""The renewer of a user's server: it never gives up, and wakes in time."""

import json
import os
import threading
import time

import pytest

from jhpatch.deployed.kerberos import hub as hubs
from jhpatch.deployed.kerberos import schedule
from jhpatch.deployed.kerberos.ccache import Ticket
from jhpatch.deployed.kerberos.errors import HeldByAnother
from jhpatch.deployed.kerberos.hub import HubTickets
from jhpatch.deployed.kerberos.kinit import Kinit
from jhpatch.deployed.kerberos.server_renewer import new_renewer
from jhpatch.deployed.kerberos.settings import Settings
from testing.waiting import LIMIT, until
from tests.deployed.kerberos.server_stand_ins import (
    Handler,
    account,
    as_a_server,
    renewer,
    renewer_of,
    spec_of,
    ticket,
)
from tests.deployed.stand_ins import broken, in_loop, program

one_process = pytest.fixture(autouse=True)(as_a_server)


@pytest.fixture
def now(monkeypatch):
    """The wall clock, which the test sets."""
    clock = [1000000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    return clock


@pytest.mark.slow
def test_the_ticket_stays_valid_with_nobody_there(log, settings, monkeypatch):
    """Tickets of 6 s: after one request valid at each look for 12 s, without another."""
    settings.update(lifetime="6s", retry=0.5)
    monkeypatch.setattr(schedule, "MARGIN", 0)
    in_loop(lambda: Handler(log, **settings).get("x"))
    end = time.monotonic() + 12
    starts = set()
    while time.monotonic() < end:
        found = ticket(settings)
        assert found.end >= time.time()
        starts.add(found.start)
        time.sleep(0.1)
    assert 3 <= len(starts) <= 6, starts
    assert len(log.lines) == 1, log.lines


@pytest.mark.slow
def test_it_goes_on_after_the_kdc_was_away(log, kdc, settings, monkeypatch):
    """Still trying after expiry; a line for each change: not renewed, ended, well again."""
    settings.update(lifetime="3s", retry=0.5)
    monkeypatch.setattr(schedule, "MARGIN", 0)
    in_loop(lambda: Handler(log, **settings).get("x"))
    kdc.stop()
    try:
        until(lambda: ticket(settings).end < time.time())
        until(lambda: any("no ticket: " in text for text in log.lines))
    finally:
        kdc.start()
    until(lambda: ticket(settings).end >= time.time() and log.lines[-1].startswith("INFO"))
    levels = [text.split()[0] for text in log.lines]
    # A try may come after the end for the first time.
    assert levels in (["INFO"] + ["WARNING"] * n + ["INFO"] for n in (1, 2)), log.lines
    assert "no ticket: " in log.lines[-2]


def test_a_valid_ticket_that_cannot_be_renewed_is_one(log, script, settings, monkeypatch):
    """No KDC answers at half of its life: nobody waits at an open, and the log says what is."""
    found = Kinit(Settings()).ensure(account(), spec_of(settings)).ticket
    kinit = script(program("echo 'kinit: odd' >&2; exit 1\n"))
    other = renewer_of(log, spec_of(settings), kinit=kinit, refresh_at=0.1)
    monkeypatch.setattr(time, "time", lambda: (found.start + found.end) / 2)
    other._turn()
    assert other.is_fresh() and other._status["end"] == found.end
    assert "the ticket is not renewed: kinit: odd" in log.lines[-1]


def test_a_masked_keytab_is_one_warning(log, script, settings, monkeypatch):
    """kinit -R goes on for days; that is said the day it begins, and once."""
    Kinit(Settings(lifetime="1h")).ensure(account(), spec_of(settings))
    kinit = script(
        program(
            'case " $* " in *" -k "*) echo "kinit: revoked" >&2; exit 1;; esac\n'
            'exec /usr/bin/kinit "$@"\n'
        )
    )
    one = renewer_of(log, spec_of(settings), kinit=kinit, refresh_at=0.05, timeout=LIMIT)
    later = time.time() + 1000
    monkeypatch.setattr(time, "time", lambda: later)
    for _ in range(2):
        one._turn()
    warnings = [text for text in log.lines if text.startswith("WARNING") and "revoked" in text]
    assert len(warnings) == 1 and "kinit -R renewed the ticket" in warnings[0]
    assert "kinit -R renewed the ticket" in one._status["error"]  # what `ticket` shows


def test_what_the_hub_has_sent_is_used(log, settings, monkeypatch):
    """JHPATCH_KERBEROS, as the hub writes it, counts before the server's own configuration."""
    hub = HubTickets(Settings(**settings), log)
    monkeypatch.setattr(hubs, "account_of", lambda name, uid: account())
    sent = hub.environment("tester", {}, None)
    monkeypatch.setenv("JHPATCH_KERBEROS", sent["JHPATCH_KERBEROS"])
    in_loop(lambda: Handler(log, keytab="/nowhere").get("x"))
    assert ticket(settings).principal == settings["principal"]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        '"x"',
        json.dumps({"schema": 2}),
        json.dumps({"schema": 1}),
        json.dumps({"schema": 1, "principal": "x", "keytab": "", "ccache": "", "timeout": "x"}),
    ],
)
def test_what_cannot_be_read_is_ignored_with_one_line(log, settings, monkeypatch, text):
    """A user may write anything into their own environment: the server opens all the same."""
    monkeypatch.setenv("JHPATCH_KERBEROS", text)
    assert in_loop(lambda: Handler(log, **settings).get("x")) == ("opened", "x")
    assert sum("JHPATCH_KERBEROS" in text for text in log.lines) == 1


def test_a_misspelt_setting_of_a_server_is_one_error(log, settings):
    """Without a hub the server's own configuration counts, with what it may have meant."""
    in_loop(lambda: Handler(log, keytap="/x", **settings).get("x"))
    (text,) = [text for text in log.lines if text.startswith("ERROR")]
    assert "'keytap'; did you mean keytab?" in text


def test_nothing_secret_is_logged(log, settings):
    """Neither keys nor what kinit was given to read."""
    in_loop(lambda: Handler(log, **settings).get("x"))
    with open(settings["keytab"], "rb") as file:
        key = file.read()[-16:]
    assert key not in "".join(log.lines).encode("utf-8", "replace")


def test_without_an_account_there_is_no_renewer(log, monkeypatch):
    """A uid that the directory does not know: one line, and the notebook opens."""
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    assert new_renewer(Handler(log)) is None
    assert len(log.lines) == 1


# When it tries.


def test_it_does_not_sleep_past_the_end_of_a_ticket(log, now, monkeypatch):
    """However often it has failed: half of what is left, then half of that."""
    one = renewer_of(log, retry=30.0)
    monkeypatch.setattr(one, "_keep", broken)
    one.ticket, one._pause = Ticket("x", 0, now[0] + 400, 0), 600
    assert one._turn() - now[0] == 200
    now[0] += 390
    assert one._turn() - now[0] == 5
    now[0] += 20
    assert one._turn() - now[0] == 30


@pytest.mark.parametrize("away", [5, 8, 12, 15])
def test_an_outage_before_the_end_costs_no_more_than_itself(log, now, monkeypatch, away):
    """However many hurried tries failed before the end: with the KDC back a ticket soon is."""
    one = renewer_of(log, retry=2.0)
    monkeypatch.setattr(one, "_keep", broken)
    one.ticket = Ticket("x", 0, now[0] + 10, 0)
    back = now[0] + away
    while now[0] < back:
        now[0] = one._turn()
    assert now[0] < max(1000010, back + max(2, away - 10 + 2))


def test_opened_pages_do_not_postpone_the_next_attempt(log, now, monkeypatch):
    """However often one is opened during an outage: no pause grows by attempts out of turn."""
    one = renewer_of(log, retry=30.0)
    monkeypatch.setattr(one, "_keep", broken)
    for _ in range(2):
        one._due = one._turn()
    assert one._due - now[0] == 60
    for _ in range(20):
        now[0] += 31
        planned, one._due = one._due, one._turn(woken=True)
        assert one._due <= max(planned, now[0] + 30)


def test_a_ticket_of_another_principal_is_outlived(log, now, monkeypatch):
    """It is known when it expires: the next attempt is not long after, whatever failed before."""
    one = renewer_of(log, retry=30.0)
    until = now[0] + 2000

    def held():
        if now[0] < until:
            raise HeldByAnother("bob's", until)
        broken()

    monkeypatch.setattr(one, "_keep", held)
    one._pause = 600.0
    while now[0] < until:
        now[0] = one._turn()
    assert now[0] < until + 2


@pytest.mark.parametrize("what", ["removed", "replaced"])
def test_a_cache_that_another_program_changes_is_noticed(log, monkeypatch, tmp_path, what):
    """A kdestroy, a kinit, or a refresh by the hub: within a turn, without an open page."""
    monkeypatch.setattr(schedule, "TURN", 0.05)
    path = tmp_path / "cache"
    path.write_text("1")
    one = renewer_of(log)
    one._path = str(path)
    one._stamp = one._cache_stamp()
    results = []
    sleep = threading.Thread(
        target=lambda: results.append(one._sleep_until(time.time() + 3600)), daemon=True
    )
    sleep.start()
    with open(str(path), "a") as file:
        file.write("a service ticket")  # as libkrb5 appends it
    sleep.join(0.3)
    assert sleep.is_alive()
    if what == "removed":
        path.unlink()
    else:
        (tmp_path / "new").write_text("2")
        (tmp_path / "new").replace(path)
    sleep.join(LIMIT)
    assert results == [True]


def test_refreshes_are_spread(log, settings):
    """The next is at half of the life, or up to a tenth of it later: no two servers alike."""
    one = renewer_of(log, spec_of(settings))
    times = [one._keep() for _ in range(20)]
    begun = ticket(settings).start
    assert all(begun + 18000 <= at <= begun + 21600 + 30 for at in times[1:])
    assert max(times[1:]) - min(times[1:]) > 600


def test_a_central_tickets_renewal_is_the_hubs(log, settings):
    """The server comes after the hub should have, so that they do not both ask the KDC."""
    Kinit(Settings()).ensure(account(), spec_of(settings))
    due = renewer_of(log, spec_of(settings, central=True))._keep()
    begun = ticket(settings).start
    assert begun + 24000 <= due <= begun + 24000 + 3600


@pytest.mark.parametrize("step", [-7200, 7200, 20, -20])
def test_a_stepped_clock_is_noticed(log, step, monkeypatch):
    """Backward or forward, by hand, by NTP or by a suspended machine: within a turn."""
    one = renewer_of(log)
    monkeypatch.setattr(schedule, "TURN", 0.05)
    real, stepped = time.time, []
    monkeypatch.setattr(time, "time", lambda: real() + (step if stepped else 0))
    sleeping = threading.Thread(target=one._sleep_until, args=[real() + 3600], daemon=True)
    sleeping.start()
    sleeping.join(0.2)
    assert sleeping.is_alive()
    stepped.append(True)
    sleeping.join(LIMIT)
    assert not sleeping.is_alive()


@pytest.mark.slow
def test_a_quiet_clock_is_slept_by(log, monkeypatch):
    """Without a step it sleeps until the ticket is due."""
    monkeypatch.setattr(schedule, "TURN", 0.2)
    due = time.time() + 1
    renewer_of(log)._sleep_until(due)
    assert time.time() >= due


def test_one_wait_within_retry(log):
    """However many notebooks are opened; a failure counts as well."""
    one = renewer_of(log, retry=3000.0)
    assert one.turn() is not None and one.turn() is None
    other = renewer_of(log, retry=3000.0)
    other._failed = time.monotonic()
    assert other.turn() is None


def test_a_cache_that_klist_names_late_is_learnt_with_the_ticket(log, settings, monkeypatch):
    """klist did not answer at the start: a kdestroy is noticed all the same."""
    one = renewer_of(log, spec_of(settings))
    with monkeypatch.context() as patched:
        patched.setattr(one._kinit, "cache", broken)
        one._find_cache()
    assert one._path == ""
    one._turn()
    assert one.is_fresh() and one._path == settings["ccache"]
    os.unlink(one._path)
    assert not one.is_fresh()


def test_a_bug_while_an_error_is_handled_does_not_end_it(log, monkeypatch):
    """Such as a metric that raises where a failure is counted: the thread tries again."""
    one = renewer_of(log, retry=1.0)
    turns = []
    monkeypatch.setattr("jhpatch.deployed.kerberos.server_renewer.count", broken)
    monkeypatch.setattr(one, "_keep", lambda: turns.append(1) or broken())
    monkeypatch.setattr(one, "_write_status", lambda due: len(turns) > 2 and leave())
    one.start()
    until(lambda: len(turns) > 2)
    one.join()
    assert log.lines


def leave():
    """End the thread that runs this, and nothing else."""
    raise SystemExit


def test_the_renewer_is_a_daemon(log, settings):
    """The server's process ends without it."""
    in_loop(lambda: Handler(log, **settings).get("x"))
    assert renewer().daemon and renewer().name == "jhpatch-kerberos"
