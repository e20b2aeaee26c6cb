"""``jhpatch ticket``: records and caches that it must not trust, and when a ticket expires."""

import json
import os
import subprocess
import time

import pytest

from jhpatch.kerberos import ticket_status
from jhpatch.kerberos.ticket_status import Record
from testing.tickets import NAME, put
from testing.users import NOBODY, ROOT_ONLY
from testing.waiting import until


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


@ROOT_ONLY
def test_a_record_of_anothers_process_does_not_count(jhpatch, home, kinit):
    """The process must be the user's own."""
    kinit("default")
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sleep", "60"]
    other = subprocess.Popen(argv)
    try:
        until(lambda: os.stat("/proc/%d" % other.pid).st_uid == NOBODY)
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


def _directory(path):
    path.unlink()
    path.mkdir()


def _anothers(path):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.chown(str(path), NOBODY, NOBODY)


def _written(text):
    return lambda path: path.write_text(text(path.read_text()) if callable(text) else text)


def _with(**changed):
    return _written(lambda old: json.dumps(dict(json.loads(old), **changed)))


HOSTILE = {
    "a symlink": _symlink,
    "a FIFO": _fifo,
    "a directory": _directory,
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
    """A record that no renewal thread writes is named and ignored; the user's cache is shown."""
    kinit("default")
    path = put(home, server())
    assert jhpatch(None, "ticket").document["tickets"][0]["pid"]
    HOSTILE[kind](path)
    answer = jhpatch(None, "ticket")
    assert answer.code == 0 and answer.document["tickets"][0]["pid"] is None
    (note,) = answer.document["notes"]
    assert str(path) in note
    assert (kind in ("a FIFO", "a directory")) == (
        "no regular file" in note or "directory" in note
    )


@ROOT_ONLY
def test_a_cache_of_another_is_not_read(jhpatch, home, kinit, server):
    """A record may name any cache: only a file of the user's own is read."""
    kinit("cc")
    os.chown(str(home / "cc"), NOBODY, NOBODY)
    put(home, server(), ccache="FILE:%s/cc" % home)
    assert jhpatch(None, "ticket").document["tickets"][0]["state"] == "absent"


def test_a_cache_that_is_not_supported(jhpatch, home, server):
    """A cache of another type is absent, with the reason."""
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
def test_when_a_ticket_is_expiring(left, planned, error, state):
    """A ticket is expiring in its last five minutes, unless a refresh comes before its end."""
    now = 1e9
    planned = planned and now + planned
    one = Record(1, NAME, "FILE:/c", "", False, None, None, None, planned, error, now)
    row = ticket_status.judged(one, "FILE:/c", (NAME, now + left - 36000, now + left, 0), now)
    assert row.state == state


def test_a_short_life_is_judged_by_its_tenth():
    """A ticket of ten minutes is expiring in its last one."""
    for left, state in ((61, "valid"), (59, "expiring")):
        row = ticket_status.judged(None, "FILE:/c", (NAME, 1e9 + left - 600, 1e9 + left, 0), 1e9)
        assert row.state == state


@pytest.mark.parametrize(
    "environ, directory",
    [
        ({}, "/h/.local/share/jupyter/runtime"),
        ({"XDG_DATA_HOME": "/x"}, "/x/jupyter/runtime"),
        ({"XDG_DATA_HOME": "/x", "JUPYTER_DATA_DIR": "/d"}, "/d/runtime"),
        ({"JUPYTER_DATA_DIR": "/d", "JUPYTER_RUNTIME_DIR": "/r"}, "/r"),
    ],
)
def test_the_directory_of_records(environ, directory):
    """The directory of records is jupyter_core's runtime directory."""
    assert ticket_status.runtime_folder(environ, "/h") == directory
