"""One user's trouble stays theirs: what a user, or an odd directory, cannot do to others."""

import concurrent.futures
import functools
import os
import subprocess
import sys
import threading
import time
import types

import pytest

from jhpatch.deployed import kerberos
from jhpatch.deployed.kerberos import (
    Account,
    Breaker,
    Getter,
    Hub,
    KerberosTicket,
    Problem,
    Silent,
)
from testing import ROOT

NOBODY = Account("nobody", 65534, 65534, "/nonexistent")
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")


# Identity.

_AS_NOBODY = """
import sys
sys.path.insert(0, %r)
from jhpatch.deployed.kerberos import Getter, KerberosTicket, account_of
done = Getter(KerberosTicket(timeout=20))._run(account_of("nobody", 1), ["id"])
print(done.out.decode() + done.err)
"""


@ROOT_ONLY
@pytest.mark.parametrize("line", ["", "65534:x:5555:5555::/:/bin/sh"], ids=["plain", "a number"])
def test_a_child_is_the_uid_that_was_meant(tmp_path, line):
    """A user whose name is another's uid is not that user: setpriv(1) takes names first."""
    for name in ("passwd", "group"):
        with open("/etc/" + name) as file:
            text = file.read()
        extra = line if name == "passwd" else "65534:x:5556:\nmates:x:5557:nobody"
        (tmp_path / name).write_text(text + extra + "\n")
    mounts = "".join(
        "mount --bind %s/%s /etc/%s && " % (tmp_path, n, n) for n in ("passwd", "group")
    )
    argv = ["unshare", "--mount", "sh", "-c", mounts + 'exec "$@"', "sh", sys.executable, "-c"]
    done = subprocess.run(
        argv + [_AS_NOBODY % ROOT], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    if b"not permitted" in done.stderr:
        pytest.skip("no mounts here")
    text = done.stdout.decode()
    assert text.startswith("uid=65534(nobody) gid=65534("), (text, done.stderr)
    assert "5557(mates)" in text and "5555" not in text and "5556" not in text


@ROOT_ONLY
def test_groups_of_an_old_setpriv_are_numbers(monkeypatch):
    """Where setpriv cannot look groups up, it gets them with a sign, never as names."""
    getter = Getter(KerberosTicket())
    getter._init_groups = False
    words = [word for word in getter._as(NOBODY) if word.startswith("--groups=")]
    assert words == [
        "--groups=" + ",".join("+%d" % gid for gid in os.getgrouplist("nobody", 65534))
    ]
    assert getter._run(NOBODY, ["id", "-u"]).out == b"65534\n"


# Memory.


@pytest.mark.parametrize("to", ["1", "2"])
def test_what_a_child_writes_has_an_end(to):
    """Whoever can write into the pipe of a child fills no hub; the child is killed."""
    began = time.monotonic()
    with pytest.raises(Problem) as problem:
        kerberos.run(["sh", "-c", "yes >&" + to], {"PATH": os.defpath}, 600)
    assert "wrote more than" in str(problem.value)
    assert time.monotonic() - began < 300


def test_a_child_that_closes_its_pipes_is_still_slow():
    """It has said all, and has not ended: what waits for it suspects the KDC in time."""
    called = []
    slow = functools.partial(called.append, True)
    with pytest.raises(Silent):
        kerberos.run(["/bin/sh", "-c", "exec >&- 2>&-; sleep 60"], {}, 0.5, b"", slow)
    assert called == [True]


def test_a_child_gets_its_input_and_gives_its_output():
    """More than a pipe holds, both ways at once."""
    data = os.urandom(500000)
    done = kerberos.run(["cat"], {"PATH": os.defpath}, 600, data)
    assert done == (0, data, "")
    done = kerberos.run(["sh", "-c", "exit 3"], {"PATH": os.defpath}, 600, data)
    assert done.code == 3


def test_a_cache_of_many_entries_is_none():
    """A crafted cache does not hold the interpreter's lock for half a second at each look."""

    def text(data):
        return len(data).to_bytes(4, "big") + data

    name = (1).to_bytes(4, "big") * 2 + text(b"R") + text(b"a")
    entry = name * 2 + bytes(2) + text(b"") + bytes(16 + 5 + 8) + text(b"") * 2
    cache = b"\x05\x04\x00\x00" + name + entry * (kerberos._CACHE_CAP // len(entry) - 1)
    with pytest.raises(kerberos.Malformed):
        kerberos.read_cache(cache)
    assert kerberos.read_cache(cache[: 4 + len(name) + 100 * len(entry)]) is None


# The breaker.


def test_the_breaker_closes_without_a_keeper(log):
    """Where nobody runs in the background, whoever wants a ticket has the KDC asked again."""
    answers = threading.Event()
    breaker = Breaker(KerberosTicket(retry=0.1), log, lambda principal: answers.is_set())
    breaker.probe("alice@R")
    assert breaker.is_open()
    answers.set()
    for _ in range(600):
        if not breaker.is_open():
            break
        try:
            breaker.check("bob@R")
        except kerberos.Silent:
            time.sleep(0.1)
    assert not breaker.is_open()
    breaker.check("bob@R")


# Exceptions.


def _principal(name):
    return {"nobody": "alice/service"}[name]


@ROOT_ONLY
def test_a_callable_that_raises_is_one_users_trouble(log, monkeypatch):
    """That user gets no ticket, in one line; the turn of the hub's keeper goes on."""
    hub = Hub(KerberosTicket(principal=_principal, retry=1.0), log)
    assert hub.ensure("daemon", "login") == "KeyError: 'daemon'"
    assert hub.ensure("daemon", "login") == "KeyError: 'daemon'"
    assert len([line for line in log.lines if "no ticket for daemon" in line]) == 1
    keeper = kerberos.HubKeeper(hub, lambda: [], None)
    tried = []
    monkeypatch.setattr(hub, "ensure", lambda user, *rest: tried.append(user) or "no")
    monkeypatch.setattr(
        keeper,
        "_servers",
        lambda: {kerberos.Server("daemon", ""), kerberos.Server("nobody", "")},
    )
    monkeypatch.setattr(keeper, "_begun", lambda server: time.time() - 1)
    keeper._turn()
    assert sorted(tried) == ["daemon", "nobody"]
    monkeypatch.setattr(hub, "ensure", lambda user, *rest: {}[user])
    keeper._due.clear()
    keeper._turn()
    assert set(keeper._due) == {kerberos.Server("daemon", ""), kerberos.Server("nobody", "")}
    assert all(due > time.time() for due in keeper._due.values())


def test_require_lets_nobody_in_after_an_error(log):
    """A bug, or a full disk, is no ticket either."""
    hub = Hub(KerberosTicket(principal=_principal, policy="require"), log)
    hub.getter = types.SimpleNamespace(ensure=lambda *rest: 1 / 0)
    assert hub.ensure("nobody", "login") == "ZeroDivisionError: division by zero"


# The principals.


def test_a_map_whose_mode_was_repaired_counts(tmp_path, log):
    """chmod(1) changes no bytes and no mtime."""
    path = tmp_path / "map"
    path.write_text("nobody first@R\n")
    path.chmod(0o644)
    hub = Hub(KerberosTicket(principal_map=str(path)), log)
    assert hub.wanted(NOBODY).principal == "first@R"
    path.write_text("nobody second@R\n")
    path.chmod(0o664)
    assert hub.wanted(NOBODY).principal == "first@R"
    path.chmod(0o644)
    assert hub.wanted(NOBODY).principal == "second@R"


def test_who_comes_while_the_map_is_read_gets_the_new_one(tmp_path, log):
    """Not the old principal, and not the template's."""
    path = tmp_path / "map"
    path.write_text("nobody mapped@R\n" + "".join("u%d p@R\n" % n for n in range(20000)))
    path.chmod(0o644)
    hub = Hub(KerberosTicket(principal_map=str(path), principal="{username}@TEMPLATE"), log)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda number: hub.wanted(NOBODY).principal, range(64)))
    assert found == {"mapped@R"}


@pytest.mark.parametrize("kind", ["a FIFO", "a NUL"])
def test_an_odd_map_leaves_the_principals_as_they_were(tmp_path, log, kind):
    """It holds nobody up, and no principal that kinit cannot be given comes from it."""
    path = tmp_path / "map"
    path.write_text("nobody first@R\n")
    path.chmod(0o644)
    hub = Hub(KerberosTicket(principal_map=str(path)), log)
    assert hub.wanted(NOBODY).principal == "first@R"
    path.unlink()
    if kind == "a FIFO":
        os.mkfifo(str(path), 0o644)
    else:
        path.write_text("nobody a\0b@R # odd\n")
        path.chmod(0o644)
    assert hub.wanted(NOBODY).principal == "first@R"
    assert len(log.lines) == 1 and str(path) in log.lines[0]


# A valid ticket.


@ROOT_ONLY
@pytest.mark.parametrize("policy", ["require", "warn"])
def test_a_valid_ticket_is_a_success(kdc, tmp_path, log, monkeypatch, policy):
    """Whatever the KDC says to its renewal, and the breaker: a login goes on, said once."""
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    caches = tmp_path / "caches"
    caches.mkdir()
    caches.chmod(0o1777)
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    settings = dict(
        keytab=os.path.join(kdc.folder, "alice.keytab"),
        principal="alice/service@EXAMPLE.TEST",
        ccache=str(caches / "cc"),
    )
    hub = Hub(KerberosTicket(policy=policy, **settings), log)
    assert hub.ensure("nobody", "login") is None
    ticket = hub.known["nobody", "FILE:" + settings["ccache"]]
    del log.lines[:]
    monkeypatch.setattr(kerberos.time, "time", lambda: ticket.start * 0.3 + ticket.end * 0.7)
    hub.breaker._silent["EXAMPLE.TEST"] = time.time()
    hub.breaker._asked["EXAMPLE.TEST"] = time.monotonic()
    for cause in ("login", "spawn", "login"):
        assert hub.ensure("nobody", cause) is None
    assert len(log.lines) == 1 and "is not renewed for nobody" in log.lines[0]
    assert "has not answered" in hub.ensure("nobody", "keeper"), "which tries again"
    monkeypatch.setattr(kerberos.time, "time", lambda: ticket.end + 1)
    assert "has not answered" in hub.ensure("nobody", "login")
    assert len(log.lines) == 2 and "No Kerberos ticket for nobody" in log.lines[1]


# The log.


def test_nothing_from_a_cache_reaches_the_log_as_it_is():
    """Neither a line of its own, nor a terminal's escape, nor a hundred thousand characters."""
    problem = Problem("x\n[I 2026] User logged in: admin\x1b[2J\u202e" + "A" * 300000)
    text = str(problem)
    assert text.isprintable() and len(text) <= kerberos._LINE_CAP
    assert text.startswith("x\\n[I 2026] User logged in: admin\\x1b[2J\\u202e")
    assert str(Problem("alice's ticket of Zoë")) == "alice's ticket of Zoë"


# The format of caches.


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_each_version_of_the_format_is_read(kdc, tmp_path, version):
    """krb5.conf's ccache_type: the KDC's ticket, as the newest version has it."""
    with open(kdc.krb5_conf) as file:
        text = file.read()
    conf = tmp_path / "krb5.conf"
    place = "[libdefaults]\n ccache_type = %d\n" % version
    conf.write_text(text.replace("[libdefaults]\n", place))
    cache = tmp_path / "cc"
    argv = ["kinit", "-k", "-t", os.path.join(kdc.folder, "bob.keytab"), "-r", "7d"]
    environment = dict(kdc.env(), KRB5_CONFIG=str(conf), LC_ALL="C", TZ="UTC")
    subprocess.run(argv + ["-c", "FILE:%s" % cache, "bob"], env=environment, check=True)
    data = cache.read_bytes()
    assert data[:2] == bytes([5, version])
    ticket = kerberos.read_cache(data)
    listed = subprocess.run(
        ["klist", "-c", "FILE:%s" % cache], env=environment, stdout=subprocess.PIPE
    )
    assert ticket == kerberos.read_klist(listed.stdout.decode())
    assert ticket.principal.startswith("bob@") and ticket.renew_till > ticket.end
