"""The server's side: one keeper a process, which never gives up and never makes anybody wait."""

import importlib.util
import json
import os
import sys
import threading
import time
import types

import pytest
from tornado import gen
from traitlets.config import Config

from jhpatch.deployed import kerberos
from testing.waiting import until
from tests.deployed.stand_ins import KINDS, broken, in_loop


class Handler:
    """What the wrappers need of a request's handler."""

    def __init__(self, log, content="1", **settings):
        self.log = log
        self.config = Config({"KerberosTicket": settings})
        self._content = content

    def get_query_argument(self, name, default):
        return self._content if name == "content" else default

    kind = "value"

    @kerberos.on_open
    def get(self, path):
        return KINDS[self.kind](("opened", path))

    @kerberos.on_open
    async def get_natively(self, path):
        return ("opened", path)

    @kerberos.on_save
    def _save(self, model, path):
        return KINDS[self.kind](("saved", path))


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """As in a server of its own, which does not run as root."""
    monkeypatch.setattr(kerberos.os, "getuid", lambda: os.geteuid() or 4242)
    monkeypatch.setattr(kerberos.pwd, "getpwuid", lambda uid: _entry())
    monkeypatch.delenv("JHPATCH_KERBEROS", raising=False)
    sys.modules.pop(kerberos._KEEPER, None)
    yield
    keeper = sys.modules.pop(kerberos._KEEPER, None)
    if keeper is not None:
        keeper._write_status = lambda due: None
        keeper._keep = lambda: time.sleep(3600)  # a daemon: it sleeps until the tests end


def _entry():
    return types.SimpleNamespace(
        pw_name="tester", pw_uid=os.geteuid(), pw_gid=os.getegid(), pw_dir="/"
    )


@pytest.fixture
def settings(kdc, keytab, tmp_path, monkeypatch):
    """Settings that get a real ticket for the user who runs the tests."""
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    monkeypatch.setenv("KRB5CCNAME", "FILE:%s" % (tmp_path / "cc"))
    return dict(
        keytab=keytab,
        principal="alice/service@EXAMPLE.TEST",
        ccache=str(tmp_path / "cc"),
    )


def keeper():
    """The keeper of this process."""
    return sys.modules[kerberos._KEEPER]


def ticket(settings):
    """The ticket in the cache; None where it holds none."""
    with open(settings["ccache"], "rb") as file:
        return kerberos.read_cache(file.read())


def test_opening_waits_for_the_first_ticket(log, settings):
    """The notebook opens with a ticket in the cache, and upstream's result."""
    handler = Handler(log, **settings)
    assert in_loop(lambda: handler.get("x.ipynb")) == ("opened", "x.ipynb")
    assert ticket(settings).principal == settings["principal"]
    assert len(log.lines) == 1


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_results_of_every_kind_pass_through(log, settings, kind):
    """A value, a Future, a coroutine: waited for and given on; with a fresh ticket untouched."""
    handler = Handler(log, **settings)
    handler.kind = kind
    assert in_loop(lambda: handler.get("x")) == ("opened", "x")
    assert in_loop(lambda: handler.get("x")) == ("opened", "x")
    assert in_loop(lambda: handler._save({}, "x")) == ("saved", "x")


def test_a_native_coroutine_stays_one(log, settings):
    """jupyter_server's @authorized awaits what asyncio.iscoroutine says, and nothing else."""
    import asyncio

    handler = Handler(log, **settings)
    seen = []

    @gen.coroutine
    def opened():
        result = handler.get_natively("x")
        seen.append(asyncio.iscoroutine(result))
        result = yield result
        raise gen.Return(result)

    for _ in range(2):
        assert in_loop(opened) == ("opened", "x")
    assert seen == [True, True]


def test_a_fresh_ticket_costs_nothing(log, settings, monkeypatch):
    """The cache is there, which an open looks at; upstream's own object comes back."""
    handler = Handler(log, **settings)
    in_loop(lambda: handler.get("x"))
    looked = []
    for name in ("open", "stat", "lstat"):
        monkeypatch.setattr(os, name, spy(getattr(os, name), looked))
    results = [handler.get("x"), handler._save({}, "x")]
    monkeypatch.undo()
    assert results == [("opened", "x"), ("saved", "x")]
    assert [args[0] for args in looked] == [keeper()._path] and keeper()._path


def test_a_kdestroy_is_noticed_at_the_next_open(log, settings):
    """The ticket would be valid for hours: the cache is gone, and an open waits for another."""
    settings.update(retry=1.0)
    handler = Handler(log, **settings)
    in_loop(lambda: handler.get("x"))
    path = keeper()._path
    os.unlink(path)
    assert handler._save({}, "x") == ("saved", "x") and not os.path.exists(path)
    until(lambda: keeper().turn() is not None)  # not more than once in ``retry``
    until(lambda: os.path.exists(path))
    assert keeper().is_fresh()


def test_a_valid_ticket_that_cannot_be_renewed_is_one(log, script, settings, monkeypatch):
    """No KDC answers at half of its life: nobody waits at an open, and the log says what is."""
    handler = Handler(log, **settings)
    in_loop(lambda: handler.get("x"))
    ticket = keeper().ticket
    settings.update(kinit=script("echo 'kinit: odd' >&2; exit 1\n"), refresh_at=0.1, open_wait=60)
    other = kerberos.Keeper(
        kerberos.KerberosTicket(**settings), keeper()._wanted, keeper()._account, log
    )
    monkeypatch.setattr(kerberos.time, "time", lambda: (ticket.start + ticket.end) / 2)
    other._turn()
    assert other.is_fresh() and other._status["end"] == ticket.end
    assert "the ticket is not renewed: kinit: odd" in log.lines[-1]


def spy(real, calls):
    """Notes the calls of this thread; others, such as a keeper's, are their own business."""
    here = threading.current_thread()

    def call(*args, **kwargs):
        if threading.current_thread() is here:
            calls.append(args)
        return real(*args, **kwargs)

    return call


def test_opening_waits_no_longer_than_open_wait_and_once_per_retry(log, script, settings):
    """A KDC that does not answer: the first open waits a little, the next not at all."""
    settings.update(kinit=script("sleep 10\n"), open_wait=0.4, timeout=9, retry=80)
    handler = Handler(log, **settings)
    start = time.monotonic()
    assert in_loop(lambda: handler.get("x")) == ("opened", "x")
    assert time.monotonic() - start >= 0.4
    # Upstream's own value, and no Future: nothing to wait for.
    assert [handler.get("x"), handler.get("x")] == [("opened", "x")] * 2
    assert keeper()._pause == 0 and keeper().is_alive()


def test_content_0_and_saving_never_wait(log, script, settings):
    """The file browser's polls, and every save: they start the keeper and go on."""
    settings.update(kinit=script("sleep 3\n"), open_wait=2)
    assert Handler(log, content="0", **settings).get("x") == ("opened", "x")
    assert Handler(log, **settings)._save({}, "x") == ("saved", "x")
    assert keeper().is_alive()


def test_root_gets_no_keeper(log, settings, monkeypatch):
    """A server that runs as root opens and saves, and never gets a ticket."""
    monkeypatch.setattr(kerberos.os, "getuid", lambda: 0)
    handler = Handler(log, **settings)
    assert [handler.get("x"), handler._save({}, "x")] == [("opened", "x"), ("saved", "x")]
    assert keeper() is None and log.lines == []


@pytest.mark.slow
def test_the_ticket_stays_valid_with_nobody_there(log, kdc, settings):
    """Tickets of 6 s: after one request valid at each look for 12 s, without another."""
    settings.update(lifetime="6s", retry=0.5)
    kerberos._MARGIN, margin = 0, kerberos._MARGIN
    try:
        in_loop(lambda: Handler(log, **settings).get("x"))
        end = time.monotonic() + 12
        starts = set()
        while time.monotonic() < end:
            found = ticket(settings)
            assert found.end >= time.time()
            starts.add(found.start)
            time.sleep(0.1)
    finally:
        kerberos._MARGIN = margin
    assert 3 <= len(starts) <= 6, starts
    assert len(log.lines) == 1, log.lines


@pytest.mark.slow
def test_it_goes_on_after_the_kdc_was_away(log, kdc, settings):
    """Still trying after expiry; a line for each change: not renewed, ended, well again."""
    settings.update(lifetime="3s", retry=0.5)
    kerberos._MARGIN, margin = 0, kerberos._MARGIN
    try:
        in_loop(lambda: Handler(log, **settings).get("x"))
        kdc.stop()
        try:
            time.sleep(4)
            assert ticket(settings).end < time.time()
        finally:
            kdc.start()
        end = time.monotonic() + 10
        while ticket(settings).end < time.time() and time.monotonic() < end:
            time.sleep(0.1)
        assert ticket(settings).end >= time.time()
        time.sleep(0.3)
    finally:
        kerberos._MARGIN = margin
    levels = [line.split()[0] for line in log.lines]
    # A try may come after the end for the first time.
    assert levels in (["INFO"] + ["WARNING"] * n + ["INFO"] for n in (1, 2)), log.lines
    assert "no ticket: " in log.lines[-2]


def test_one_keeper_though_two_copies_are_imported(log, settings):
    """notebook's and jupyter_server's helper in one process: the first claims the key."""
    spec = importlib.util.spec_from_file_location("another_copy", kerberos.__file__)
    other = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(other)
    handler = Handler(log, **settings)
    in_loop(lambda: handler.get("x"))
    first = keeper()
    assert other._keeper_of(handler) is first


def test_what_the_hub_told_is_used(log, settings, monkeypatch):
    """JHPATCH_KERBEROS, as the hub writes it, counts before the server's own configuration."""
    hub = kerberos.Hub(kerberos.KerberosTicket(**settings), log)
    monkeypatch.setattr(kerberos, "account_of", lambda name, uid: _account())
    told = hub.environment("tester", {})
    monkeypatch.setenv("JHPATCH_KERBEROS", told["JHPATCH_KERBEROS"])
    in_loop(lambda: Handler(log, keytab="/nowhere").get("x"))
    assert ticket(settings).principal == settings["principal"]


def _account():
    return kerberos.Account("tester", os.geteuid(), os.getegid(), "/")


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
    """A user may write what he likes into his own environment: the server opens all the same."""
    monkeypatch.setenv("JHPATCH_KERBEROS", text)
    assert in_loop(lambda: Handler(log, **settings).get("x")) == ("opened", "x")
    assert sum("JHPATCH_KERBEROS" in line for line in log.lines) == 1


def test_a_bug_never_stops_a_notebook(log, settings, monkeypatch):
    """Injected into the wrappers and into the keeper: upstream's result."""
    handler = Handler(log, **settings)
    monkeypatch.setattr(kerberos, "_new_keeper", broken)
    assert in_loop(lambda: handler.get("x")) == ("opened", "x")
    assert in_loop(lambda: handler._save({}, "x")) == ("saved", "x")
    monkeypatch.undo()
    sys.modules.pop(kerberos._KEEPER, None)
    monkeypatch.setattr(kerberos.os, "getuid", lambda: os.geteuid() or 4242)
    monkeypatch.setattr(kerberos.pwd, "getpwuid", lambda uid: _entry())
    monkeypatch.setattr(kerberos.Getter, "ensure", broken)
    assert in_loop(lambda: handler.get("x")) == ("opened", "x")
    assert keeper().is_alive()


def test_a_wrong_setting_disables_the_keeper(log):
    """One line; notebooks open."""
    assert in_loop(lambda: Handler(log, timeout=-1).get("x")) == ("opened", "x")
    assert in_loop(lambda: Handler(log, timeout=-1).get("x")) == ("opened", "x")
    assert len(log.lines) == 1 and "timeout" in log.lines[0]
    assert keeper() is None


def test_back_off_doubles_to_a_cap():
    """retry, twice, four times …, ten minutes at the most."""
    pauses = [0]
    for _ in range(7):
        pauses.append(kerberos.pause_after(pauses[-1], 30, 0))
    assert pauses[1:] == [30, 60, 120, 240, 480, 600, 600]


def test_nothing_secret_is_logged(log, settings):
    """Neither keys nor what kinit was given to read."""
    in_loop(lambda: Handler(log, **settings).get("x"))
    with open(settings["keytab"], "rb") as file:
        key = file.read()[-16:]
    assert key not in "".join(log.lines).encode("utf-8", "replace")


def test_it_does_not_sleep_past_the_end_of_a_ticket(log, monkeypatch):
    """However often it has failed: half of what is left, then half of that."""
    now = [1000000.0]
    monkeypatch.setattr(kerberos.time, "time", lambda: now[0])
    one = kerberos.Keeper(kerberos.KerberosTicket(retry=30), None, None, log)
    monkeypatch.setattr(one, "_keep", broken)
    one.ticket, one._pause = kerberos.Ticket("x", 0, now[0] + 400, 0), 600
    assert one._turn() - now[0] == 200
    now[0] += 390
    assert one._turn() - now[0] == 5
    now[0] += 20
    assert one._turn() - now[0] == 30


@pytest.mark.parametrize("away", [5, 8, 12, 15])
def test_an_outage_before_the_end_costs_no_more_than_itself(log, monkeypatch, away):
    """However many hurried tries failed before the end: with the KDC back a ticket soon is."""
    now = [1000000.0]
    monkeypatch.setattr(kerberos.time, "time", lambda: now[0])
    one = kerberos.Keeper(kerberos.KerberosTicket(retry=2), None, None, log)
    monkeypatch.setattr(one, "_keep", broken)
    one.ticket = kerberos.Ticket("x", 0, now[0] + 10, 0)
    back = now[0] + away
    while now[0] < back:
        now[0] = one._turn()
    assert now[0] < max(1000010, back + max(2, away - 10 + 2))


# What the user is told.


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """Where the status file goes."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    monkeypatch.setattr(kerberos, "_runtime_folder", lambda: str(folder))
    return folder


def status_of(runtime):
    """The one status file, as ``jhpatch ticket`` reads it; for an instant another is its draft."""
    name = "jhpatch-kerberos-%d.json" % os.getpid()
    until(lambda: os.listdir(str(runtime)) == [name])
    assert os.stat(str(runtime / name)).st_mode & 0o777 == 0o600
    return json.loads((runtime / name).read_text())


def test_the_status_file_tells_of_the_ticket(log, settings, runtime):
    """Principal, cache, times and the next refresh; nothing secret, for the user alone."""
    in_loop(lambda: Handler(log, **settings).get("x"))
    found, now = status_of(runtime), ticket(settings)
    assert found["schema"] == 1 and found["pid"] == os.getpid() and found["error"] is None
    assert found["principal"] == settings["principal"] and found["central"] is False
    assert found["ccache"] == "FILE:" + settings["ccache"]
    assert (found["start"], found["end"], found["renew_till"]) == tuple(now)[1:]
    assert now.start + 18000 <= found["next"] <= now.start + 21600


def test_the_status_file_tells_of_the_last_error(log, settings, runtime):
    """Without a ticket: why, and when it is tried again."""
    in_loop(lambda: Handler(log, **dict(settings, keytab="/nowhere/keytab")).get("x"))
    found = status_of(runtime)
    assert "/nowhere/keytab" in found["error"] and found["end"] is None
    assert 0 < found["next"] - time.time() <= 30


@pytest.mark.parametrize("kind", ["no folder", "a link in its place"])
def test_no_status_file_is_no_loss(log, settings, runtime, kind):
    """A home that cannot be written: the ticket is kept all the same, and nothing followed."""
    if kind == "no folder":
        runtime.rmdir()
    else:
        link = str(runtime / ("jhpatch-kerberos-%d.json" % os.getpid()))
        os.symlink(settings["keytab"], link)
        with open(settings["keytab"], "rb") as file:
            before = file.read()
    in_loop(lambda: Handler(log, **settings).get("x"))
    assert ticket(settings).principal == settings["principal"]
    if kind != "no folder":
        until(lambda: not os.path.islink(link))
        with open(settings["keytab"], "rb") as file:
            assert file.read() == before


@pytest.mark.parametrize(
    "ccache, named, seen",
    [
        ("/tmp/krb5cc_{uid}", "", True),
        ("{home}/cc", "FILE:{home}/cc", True),
        ("{home}/cc", "{home}/cc", True),
        ("{home}/cc", "", False),
        ("{home}/cc", "FILE:/tmp/other", False),
        ("DIR:{home}/cc", "DIR:{home}/cc", False),
        ("KEYRING:persistent:{uid}", "", False),
        ("KCM:", "", False),
    ],
)
def test_what_spark_does_not_see_is_said(log, tmp_path, monkeypatch, ccache, named, seen):
    """A JVM reads FILE caches, by KRB5CCNAME or at the place that it knows, and no other."""
    account = kerberos.Account("tester", os.geteuid(), os.getegid(), str(tmp_path))
    monkeypatch.setenv("KRB5CCNAME", named.format(home=tmp_path))
    settings = kerberos.KerberosTicket(ccache=ccache, keytab="/nowhere")
    one = kerberos.Keeper(settings, kerberos.wanted_of(settings, account), account, log)
    one._say_what_spark_sees()
    assert len(log.lines) == (0 if seen else 1)
    assert seen or "KRB5CCNAME" in log.lines[0]


# The clock.


def test_refreshes_are_spread(log, settings):
    """The next is at half of the life, or up to a tenth of it later: no two servers alike."""
    one = kerberos.Keeper(
        kerberos.KerberosTicket(**settings),
        kerberos.Wanted(settings["principal"], settings["keytab"], settings["ccache"]),
        _account(),
        log,
    )
    times = [one._keep() for _ in range(20)]
    begun = ticket(settings).start
    assert all(begun + 18000 <= at <= begun + 21600 + 30 for at in times[1:])
    assert max(times[1:]) - min(times[1:]) > 600


def test_a_central_tickets_renewal_is_the_hubs(log, settings):
    """The server comes after the hub should have, so that they do not both ask the KDC."""
    mine = kerberos.Wanted(settings["principal"], settings["keytab"], settings["ccache"])
    kerberos.Getter(kerberos.KerberosTicket()).ensure(_account(), mine)
    one = kerberos.Keeper(
        kerberos.KerberosTicket(**settings), mine._replace(central=True), _account(), log
    )
    due, begun = one._keep(), ticket(settings).start
    assert begun + 24000 <= due <= begun + 24000 + 3600


@pytest.mark.parametrize("step", [-7200, 7200, 20, -20])
def test_a_stepped_clock_is_noticed(log, step, monkeypatch):
    """Backward or forward, by hand, by NTP or by a suspended machine: within a turn."""
    one = kerberos.Keeper(kerberos.KerberosTicket(), None, None, log)
    monkeypatch.setattr(kerberos, "_TURN", 0.2)
    real, began = time.time, time.monotonic()
    monkeypatch.setattr(
        kerberos.time,
        "time",
        lambda: real() + (step if time.monotonic() - began > 0.3 else 0),
    )
    one._sleep_until(real() + 3600)
    assert 0.3 < time.monotonic() - began < 5


@pytest.mark.slow
def test_a_quiet_clock_is_slept_by(log, monkeypatch):
    """Without a step it sleeps until the ticket is due."""
    one = kerberos.Keeper(kerberos.KerberosTicket(), None, None, log)
    monkeypatch.setattr(kerberos, "_TURN", 0.2)
    due = time.time() + 1
    one._sleep_until(due)
    assert 0 <= time.time() - due < 1
