"""What a user is told: the status file that ``jhpatch ticket`` shows, and what Spark sees."""

import os
import time

import pytest

from jhpatch.deployed.kerberos import server_renewer
from testing.waiting import until
from tests.deployed.kerberos.server_stand_ins import (
    Handler,
    account,
    as_a_server,
    renewer_of,
    spec_of,
    status_of,
    ticket,
)
from tests.deployed.stand_ins import in_loop

one_process = pytest.fixture(autouse=True)(as_a_server)


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """Where the status file goes."""
    directory = tmp_path / "runtime"
    directory.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(directory))
    pytest.importorskip("jupyter_core.paths")
    return directory


def test_the_status_file_tells_of_the_ticket(log, settings, runtime):
    """Principal, cache, times and the next refresh; nothing secret, for the user alone."""
    in_loop(lambda: Handler(log, **settings).get("x"))
    found, now = status_of(runtime), ticket(settings)
    assert found["schema"] == 1 and found["pid"] == os.getpid() and found["error"] is None
    assert found["principal"] == settings["principal"] and found["central"] is False
    assert found["ccache"] == "FILE:" + settings["ccache"]
    assert (found["start"], found["end"], found["renew_till"]) == tuple(now)[1:4]
    assert now.start + 18000 <= found["next"] <= now.start + 21600


def test_the_status_file_tells_of_the_last_error(log, settings, runtime):
    """Without a ticket: why, and when it is tried again."""
    in_loop(lambda: Handler(log, **dict(settings, keytab="/nowhere/keytab")).get("x"))
    found = status_of(runtime)
    assert "/nowhere/keytab" in found["error"] and found["end"] is None
    assert 0 < found["next"] - time.time() <= 30


@pytest.mark.parametrize("kind", ["no directory", "a link in its place"])
def test_no_status_file_is_no_loss(log, settings, runtime, kind):
    """A home that cannot be written: the ticket is kept all the same, and nothing followed."""
    if kind == "no directory":
        runtime.rmdir()
        runtime.parent.joinpath("runtime").write_text("a file in its place")
    else:
        link = str(runtime / ("jhpatch-kerberos-%d.json" % os.getpid()))
        os.symlink(settings["keytab"], link)
        with open(settings["keytab"], "rb") as file:
            before = file.read()
    in_loop(lambda: Handler(log, **settings).get("x"))
    assert ticket(settings).principal == settings["principal"]
    if kind != "no directory":
        until(lambda: not os.path.islink(link))
        with open(settings["keytab"], "rb") as file:
            assert file.read() == before


def test_a_draft_that_cannot_be_written_is_removed(tmp_path, monkeypatch):
    """A full home is not filled further, one draft a minute."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(server_renewer.os, "replace", full)
    with pytest.raises(OSError):
        server_renewer._write(str(tmp_path / "status.json"), "{}")
    assert os.listdir(str(tmp_path)) == []


def test_a_forks_end_leaves_the_status_file(tmp_path):
    """A library that forks and exits runs atexit; the server goes on."""
    path = tmp_path / "status.json"
    path.write_text("{}")
    server_renewer._unlink(str(path), os.getppid())
    assert path.exists()
    server_renewer._unlink(str(path), os.getpid())
    server_renewer._unlink(str(path), os.getpid())
    assert not path.exists()


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
    monkeypatch.setenv("KRB5CCNAME", named.format(home=tmp_path))
    name = ccache.format(uid=account().uid, home=tmp_path)
    spec = spec_of(dict(principal="x", keytab="/nowhere", ccache=name))
    renewer_of(log, spec)._find_cache()
    assert len(log.lines) == (0 if seen else 1)
    assert seen or "KRB5CCNAME" in log.lines[0]
