"""``jhpatch ticket``: records and caches that it must not trust, and when a ticket expires."""

import json
import os
import subprocess
import time

import pytest

from testing.tickets import put
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
    "a cache with a NUL": _with(ccache="FILE:/x\0"),
    "a keytab with a NUL": _with(keytab="/\0"),
    "a keytab with a lone surrogate": _with(keytab="/\ud800"),
    "a cache of two lines": _with(ccache="FILE:/x\n/y"),
    "a field twice": _written(lambda old: old.replace("{", '{"schema": 1, ', 1)),
    "a field less": _written(lambda old: old.replace('"principal"', '"text"')),
}


@pytest.mark.parametrize("change", sorted(HOSTILE))
def test_a_record_that_is_not_to_be_trusted(jhpatch, home, kinit, server, change):
    """It does not count, with a note, and the user's own ticket is shown."""
    kinit("default")
    HOSTILE[change](put(home, server()))
    answer = jhpatch(None, "ticket")
    (row,) = answer.document["tickets"]
    assert (answer.code, row["pid"], row["state"]) == (0, None, "valid")
    assert len(answer.document["notes"]) == 1
