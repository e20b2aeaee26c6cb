"""``jhpatch ticket``: real tickets of a real KDC, and records that an enemy wrote."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

from jhpatch.kerberos import ticket_status
from jhpatch.kerberos.ticket_status import Record
from testing import ROOT

FIELDS = {
    *("pid", "state", "principal", "ccache", "keytab", "central", "start", "end", "renew_till"),
    *("next", "error"),
}
NAME = "alice/service@EXAMPLE.TEST"


@pytest.fixture
def home(kdc, tmp_path, monkeypatch):
    """A user's home, with nothing of the tests' own environment."""
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    monkeypatch.setenv("KRB5CCNAME", "FILE:%s/default" % tmp_path)
    (tmp_path / ".local/share/jupyter/runtime").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def kinit(kdc, home):
    """Gets a ticket into a cache of the home: ``kinit("cc", "-l", "1h")``."""

    def call(name, *options):
        keytab = os.path.join(kdc.folder, "alice.keytab")
        argv = ["kinit", "-k", "-t", keytab, "-c", "%s/%s" % (home, name), *options]
        subprocess.run([*argv, "alice/service"], check=True)
        return "FILE:%s/%s" % (home, name)

    return call


@pytest.fixture
def server():
    """Starts processes that stand for a user's servers."""
    started = []

    def start():
        started.append(subprocess.Popen(["sleep", "60"]))
        return started[-1].pid

    yield start
    for one in started:
        one.kill()
        one.wait()


def record(pid, **changed):
    """What a keeper writes."""
    now = time.time()
    fields = {"schema": 1, "pid": pid, "principal": NAME, "ccache": "", "keytab": "/k"}
    fields.update(central=False, start=now, end=now + 3600, renew_till=now, next=now + 1800)
    fields.update(error=None, written=now)
    return dict(fields, **changed)


def put(home, pid, **changed):
    """Writes a record where Jupyter's runtime files are."""
    path = home / (".local/share/jupyter/runtime/jhpatch-kerberos-%d.json" % pid)
    path.write_text(json.dumps(record(pid, **changed)))
    return path


def test_a_valid_ticket(jhpatch, kinit):
    """Without a server it is the one in KRB5CCNAME: exit 0, with all fields."""
    kinit("default", "-l", "1h", "-r", "1d")
    answer = jhpatch(None, "ticket")
    (row,) = answer.document["tickets"]
    assert set(row) == FIELDS and answer.code == 0
    assert (row["state"], row["principal"], row["pid"]) == ("valid", NAME, None)
    assert row["start"] < row["end"] < row["renew_till"]


def test_no_ticket(jhpatch, home):
    """An absent cache is named: exit 3."""
    answer = jhpatch(None, "ticket")
    (row,) = answer.document["tickets"]
    assert (answer.code, row["state"]) == (3, "absent")
    assert row["ccache"] == "FILE:%s/default" % home


def test_a_collection_that_is_not_there(jhpatch, home, monkeypatch):
    """It is not made by looking; one that is there shows its primary cache."""
    monkeypatch.setenv("KRB5CCNAME", "DIR:%s/dir" % home)
    assert jhpatch(None, "ticket").document["tickets"][0]["state"] == "absent"
    assert not (home / "dir").exists()


def test_a_collection(jhpatch, kinit, home, monkeypatch):
    """Its primary cache is the one that counts."""
    monkeypatch.setenv("KRB5CCNAME", "DIR:%s/dir" % home)
    keytab = os.path.join(os.path.dirname(os.environ["KRB5_CONFIG"]), "alice.keytab")
    subprocess.run(["kinit", "-k", "-t", keytab, "alice/service"], check=True)
    (row,) = jhpatch(None, "ticket").document["tickets"]
    assert row["state"] == "valid" and row["ccache"].startswith("DIR::%s/dir/tkt" % home)


def test_an_expired_ticket(jhpatch, kinit):
    """A cache that is there, and a ticket that has ended: exit 3."""
    kinit("default", "-l", "1s")
    time.sleep(1.5)
    answer = jhpatch(None, "ticket")
    assert (answer.code, answer.document["tickets"][0]["state"]) == (3, "expired")


def test_each_server_has_its_row(jhpatch, home, kinit, server):
    """With what its keeper wrote, and the ticket that is really there; the worst counts."""
    one, two = sorted([server(), server()])
    put(home, one, ccache=kinit("one"), error="it was refused")
    put(home, two, ccache="FILE:%s/two" % home, keytab="", central=True)
    answer = jhpatch(None, "ticket")
    first, second = answer.document["tickets"]
    assert (answer.code, first["pid"], second["pid"]) == (3, one, two)
    assert (first["state"], first["keytab"], first["error"]) == ("valid", "/k", "it was refused")
    assert first["next"] and (second["state"], second["central"]) == ("absent", True)


KEEPER = """
import logging, os, pwd, sys, time
from jhpatch.deployed import kerberos
kerberos._runtime_folder = lambda: sys.argv[1]
entry = pwd.getpwuid(os.geteuid())
account = kerberos.Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir)
wanted = kerberos.Wanted("alice/service", sys.argv[2], sys.argv[3])
kerberos.Keeper(kerberos.KerberosTicket(), wanted, account, logging.getLogger()).start()
time.sleep(60)
"""


@pytest.mark.parametrize(
    "cache, state", [("FILE:{0}/cc", "valid"), ("DIR:{0}", "valid"), ("MEMORY:x", "absent")]
)
def test_a_real_keeper(jhpatch, kdc, home, cache, state):
    """What the helper writes is what is read here, with a ticket and without one."""
    folder = home / ".local/share/jupyter/runtime"
    keytab = os.path.join(kdc.folder, "alice.keytab")
    argv = [sys.executable, "-c", KEEPER, str(folder), keytab, cache.format(home)]
    keeper = subprocess.Popen(argv, env=dict(os.environ, PYTHONPATH=ROOT), cwd="/")
    try:
        while not list(folder.glob("*.json")):
            time.sleep(0.05)
        (row,) = jhpatch(None, "ticket").document["tickets"]
    finally:
        keeper.kill()
        keeper.wait()
    assert (row["pid"], row["state"], row["keytab"]) == (keeper.pid, state, keytab)
    assert row["next"] and (row["error"] is None) == (state == "valid")


def test_a_record_of_an_ended_server_does_not_count(jhpatch, home, kinit, server):
    """Neither where no such process runs, nor where its number is another's by now."""
    kinit("default")
    ended = subprocess.Popen(["true"])
    ended.wait()
    put(home, ended.pid)
    put(home, server(), written=time.time() - 3600)
    answer = jhpatch(None, "ticket")
    assert [row["pid"] for row in answer.document["tickets"]] == [None]
    assert len(answer.document["notes"]) == 2 and answer.code == 0


def test_a_record_of_anothers_process_does_not_count(jhpatch, home, kinit):
    """The process must be the user's own."""
    if os.geteuid() != 0:
        pytest.skip("takes root")
    kinit("default")
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sleep", "60"]
    other = subprocess.Popen(argv)
    try:
        while os.stat("/proc/%d" % other.pid).st_uid != 65534:
            time.sleep(0.01)
        put(home, other.pid)
        assert jhpatch(None, "ticket").document["tickets"][0]["pid"] is None
    finally:
        other.kill()
        other.wait()


def _symlink(path):
    os.rename(str(path), str(path) + ".real")
    os.symlink(str(path) + ".real", str(path))


def _fifo(path):
    path.unlink()
    os.mkfifo(str(path))


def _folder(path):
    path.unlink()
    path.mkdir()


def _anothers(path):
    if os.geteuid() != 0:
        pytest.skip("takes root")
    os.chown(str(path), 65534, 65534)


def _written(text):
    return lambda path: path.write_text(text(path.read_text()) if callable(text) else text)


def _with(**changed):
    return _written(lambda old: json.dumps(dict(json.loads(old), **changed)))


HOSTILE = {
    "a symlink": _symlink,
    "a FIFO": _fifo,
    "a folder": _folder,
    "another's": _anothers,
    "huge": _written(lambda old: old + " " * 100000),
    "not JSON": _written("{"),
    "not UTF-8": lambda path: path.write_bytes(b"\xff"),
    "a list": _written("[]"),
    "deep": _written("[" * 30000),
    "a schema of tomorrow": _with(schema=2),
    "no number for a schema": _with(schema="1"),
    "another's pid": _with(pid=1),
    "a pid that is none": _with(pid=-1),
    "a cache that is no text": _with(ccache=["FILE:/x"]),
    "a text without an end": _with(error="x" * 5000),
    "a time that is none": _with(end=float("nan")),
    "a time beyond all calendars": _with(end=1e300),
    "a number of a million digits": _written(lambda old: old.replace(":", ":1" + "0" * 20000, 1)),
    "a field twice": _written(lambda old: old.replace("{", '{"schema": 1, ', 1)),
    "a field less": _written(lambda old: old.replace('"principal"', '"text"')),
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_a_hostile_record_is_ignored(jhpatch, home, kinit, server, kind):
    """It is named and opened no further; the ticket in the user's own cache is shown."""
    kinit("default")
    path = put(home, server())
    assert jhpatch(None, "ticket").document["tickets"][0]["pid"]
    HOSTILE[kind](path)
    answer = jhpatch(None, "ticket")
    assert answer.code == 0 and answer.document["tickets"][0]["pid"] is None
    (note,) = answer.document["notes"]
    assert str(path) in note
    assert (kind in ("a FIFO", "a folder")) == ("no regular file" in note or "directory" in note)


def test_a_cache_of_another_is_not_read(jhpatch, home, kinit, server):
    """A record may name any cache: only a file of the user's own is looked at."""
    if os.geteuid() != 0:
        pytest.skip("takes root")
    kinit("cc")
    os.chown(str(home / "cc"), 65534, 65534)
    put(home, server(), ccache="FILE:%s/cc" % home)
    assert jhpatch(None, "ticket").document["tickets"][0]["state"] == "absent"


def test_a_cache_that_is_not_supported_is_said(jhpatch, home, server):
    """With the helper's own reason."""
    put(home, server(), ccache="MEMORY:x")
    (row,) = jhpatch(None, "ticket").document["tickets"]
    assert row["state"] == "absent" and "not supported" in row["error"]


@pytest.mark.parametrize(
    "left, planned, error, state",
    [
        (3601, None, None, "valid"),
        (3599, None, None, "valid"),
        (299, None, None, "expiring"),
        (299, 100, None, "valid"),
        (299, 400, None, "expiring"),
        (299, -1000, None, "expiring"),
        (299, 100, "it was refused", "expiring"),
        (0, 100, None, "expired"),
    ],
)
def test_when_a_ticket_expires(left, planned, error, state):
    """In its last five minutes, but where a refresh is planned before its end."""
    now = 1e9
    planned = planned and now + planned
    one = Record(1, NAME, "FILE:/c", "", False, None, None, None, planned, error, now)
    row = ticket_status.judged(one, "FILE:/c", (NAME, now + left - 36000, now + left, 0), now)
    assert row.state == state


def test_a_short_life_is_judged_by_its_tenth():
    """A ticket of ten minutes expires in its last one."""
    for left, state in ((61, "valid"), (59, "expiring")):
        row = ticket_status.judged(None, "FILE:/c", (NAME, 1e9 + left - 600, 1e9 + left, 0), 1e9)
        assert row.state == state


@pytest.mark.parametrize(
    "environ, folder",
    [
        ({}, "/h/.local/share/jupyter/runtime"),
        ({"XDG_DATA_HOME": "/x"}, "/x/jupyter/runtime"),
        ({"XDG_DATA_HOME": "/x", "JUPYTER_DATA_DIR": "/d"}, "/d/runtime"),
        ({"JUPYTER_DATA_DIR": "/d", "JUPYTER_RUNTIME_DIR": "/r"}, "/r"),
    ],
)
def test_where_servers_write(environ, folder):
    """As jupyter_core has it."""
    assert ticket_status.runtime_folder(environ, "/h") == folder


def test_a_python_that_cannot_read_tickets(home, server):
    """Says which one to run it with: exit 1."""
    script = "import sys; sys.modules['tornado'] = None; from jhpatch.cli.main import main; "
    script += "sys.exit(main(['ticket']))"
    fake = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        put(home, fake.pid)
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=dict(os.environ, PYTHONPATH=ROOT),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    finally:
        fake.kill()
        fake.wait()
    assert done.returncode == 1 and b"Traceback" not in done.stderr
    assert ("next:     %s -m jhpatch ticket" % sys.executable) in done.stderr.decode()


def typed(*arguments, **environment):
    """Starts the command as a person types it."""
    return subprocess.Popen(
        [sys.executable, "-m", "jhpatch", "ticket", *arguments],
        env=dict(os.environ, PYTHONPATH=ROOT, LC_ALL="C", **environment),
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_text_survives_any_locale_and_obeys_nobody(home, server):
    """What a record says is escaped: no terminal obeys it, no column is added by it."""
    put(home, server(), error="\x1b[31m\tred\n\u20ac")
    out, talk = typed(PYTHONIOENCODING="ascii").communicate()
    assert talk == b"" and out.count(b"\n") == 1 and out.count(b"\t") == 9
    assert b"\\x1b[31m\\tred\\n\\u20ac" in out and b"\x1b" not in out


def test_nothing_turns_the_rest_of_a_line_around(home, server):
    """U+202E and the like have no width, and put what follows them in another order."""
    put(home, server(), error="gnp.\u202etxt.\u2066\xad\u20ac")
    out, talk = typed(PYTHONIOENCODING="utf-8").communicate()
    assert talk == b"" and r"gnp.\u202etxt.\u2066\xad€".encode() in out


def test_watch_in_a_pipe_writes_a_line_a_change(home, kinit, server):
    """Nothing while nothing changes; Ctrl-C ends it with the last look's exit code."""
    pid = server()
    put(home, pid, ccache="FILE:%s/cc" % home)
    running = typed("--watch", "0.2")
    assert b"\tabsent\t" in running.stdout.readline()
    time.sleep(1)
    kinit("cc")
    assert b"\tvalid\t" in running.stdout.readline()
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    out, talk = running.communicate()
    assert (out, talk, running.returncode) == (b"", b"", 0)


def test_watch_as_json_is_a_document_a_line(home, kinit):
    """Each of them whole."""
    running = typed("--watch", "0.2", "--json")
    assert json.loads(running.stdout.readline().decode())["exit_code"] == 3
    kinit("default")
    assert json.loads(running.stdout.readline().decode())["tickets"][0]["state"] == "valid"
    running.send_signal(signal.SIGINT)
    assert running.communicate() == (b"", b"") and running.returncode == 0


def test_watch_ends_when_nobody_reads(home, kinit):
    """As `| head -1` does: no traceback, no endless loop."""
    running = typed("--watch", "0.2")
    running.stdout.readline()
    running.stdout.close()
    kinit("default")
    assert running.wait(timeout=10) == 0
    assert running.stderr.read() == b""
    running.stderr.close()


def test_watch_redraws_a_terminal(home, kinit):
    """From the upper left corner, with how much is left."""
    kinit("default", "-l", "1h")
    main, other = pty.openpty()
    argv = [sys.executable, "-m", "jhpatch", "ticket", "--watch", "0.2"]
    environ = dict(os.environ, PYTHONPATH=ROOT, NO_COLOR="1")
    running = subprocess.Popen(argv, env=environ, cwd="/", stdout=other, stderr=other)
    os.close(other)
    seen = b""
    while seen.count(b"\x1b[H\x1b[J") < 3:
        seen += os.read(main, 4096)
    running.send_signal(signal.SIGINT)
    assert running.wait() == 0
    os.close(main)
    assert re.search(rb"alice/service@EXAMPLE.TEST  valid, \d+ min left", seen)


@pytest.mark.parametrize("seconds", ["0", "nan", "-1", "soon", "1e9"])
def test_watch_takes_sensible_seconds(jhpatch, home, seconds):
    """Anything else is a usage error."""
    assert jhpatch(None, "ticket", "--watch=" + seconds).code == 2
