"""``jhpatch ticket``: the tickets of a user's servers, or the one in the user's own cache."""

import os
import subprocess
import sys

import pytest

from testing import ROOT
from testing.tickets import NAME, RUNTIME, put
from testing.waiting import until

FIELDS = {
    *("pid", "state", "principal", "ccache", "keytab", "central", "start", "end", "renew_till"),
    *("next", "error", "advice", "others"),
}


def test_a_valid_ticket(jhpatch, kinit):
    """Without a server the ticket in KRB5CCNAME counts: exit code 0, with all fields."""
    kinit("default", "-l", "1h", "-r", "1d")
    answer = jhpatch(None, "ticket")
    (row,) = answer.document["tickets"]
    assert set(row) == FIELDS and answer.code == 0
    assert (row["state"], row["principal"], row["pid"]) == ("valid", NAME, None)
    assert row["start"] < row["end"] < row["renew_till"]


def test_no_ticket(jhpatch, home):
    """An absent cache is named: exit code 3."""
    answer = jhpatch(None, "ticket")
    (row,) = answer.document["tickets"]
    assert (answer.code, row["state"]) == (3, "absent")
    assert row["ccache"] == "FILE:%s/default" % home


def test_a_collection_that_is_not_there(jhpatch, home, monkeypatch):
    """A collection that is missing is not made by inspecting it."""
    monkeypatch.setenv("KRB5CCNAME", "DIR:%s/dir" % home)
    assert jhpatch(None, "ticket").document["tickets"][0]["state"] == "absent"
    assert not (home / "dir").exists()


def test_a_collection(jhpatch, kdc, home, monkeypatch):
    """The primary cache of a collection counts."""
    monkeypatch.setenv("KRB5CCNAME", "DIR:%s/dir" % home)
    keytab = os.path.join(kdc.folder, "alice.keytab")
    subprocess.run(["kinit", "-k", "-t", keytab, "alice/service"], check=True)
    (row,) = jhpatch(None, "ticket").document["tickets"]
    assert row["state"] == "valid" and row["ccache"].startswith("DIR::%s/dir/tkt" % home)


def test_an_expired_ticket(jhpatch, kinit):
    """A cache whose ticket has expired: exit code 3."""
    kinit("default", "-l", "1s")
    answers = []

    def state():
        answers.append(jhpatch(None, "ticket"))
        return answers[-1].document["tickets"][0]["state"]

    until(lambda: state() == "expired")
    assert answers[-1].code == 3


def test_each_server_has_its_row(jhpatch, home, kinit, server):
    """The record of a server, and the ticket that is really there; the worst one counts."""
    one, two = sorted([server(), server()])
    put(home, one, ccache=kinit("one"), error="it was refused")
    put(home, two, ccache="FILE:%s/two" % home, keytab="", central=True)
    answer = jhpatch(None, "ticket")
    first, second = answer.document["tickets"]
    assert (answer.code, first["pid"], second["pid"]) == (3, one, two)
    assert (first["state"], first["keytab"], first["error"]) == ("valid", "/k", "it was refused")
    assert first["next"] and (second["state"], second["central"]) == ("absent", True)


RENEWER = """
import logging, sys, time, types
paths = types.ModuleType("jupyter_core.paths")
paths.jupyter_runtime_dir = lambda: sys.argv[1]
sys.modules["jupyter_core.paths"] = paths
from jhpatch.deployed.kerberos.account import own_account
from jhpatch.deployed.kerberos.server_renewer import ServerRenewer
from jhpatch.deployed.kerberos.settings import Settings, TicketSpec
spec = TicketSpec("alice/service", sys.argv[2], sys.argv[3])
ServerRenewer(Settings(), spec, own_account(), logging.getLogger()).start()
time.sleep(60)
"""


@pytest.mark.parametrize(
    "cache, state", [("FILE:{0}/cc", "valid"), ("DIR:{0}", "valid"), ("MEMORY:x", "absent")]
)
def test_the_record_of_a_renewal_thread(jhpatch, kdc, home, cache, state):
    """The record of a real renewal thread is read, with a ticket and without one."""
    runtime = home / RUNTIME
    keytab = os.path.join(kdc.folder, "alice.keytab")
    argv = [sys.executable, "-c", RENEWER, str(runtime), keytab, cache.format(home)]
    renewer = subprocess.Popen(argv, env=dict(os.environ, PYTHONPATH=ROOT), cwd="/")
    try:
        until(lambda: list(runtime.glob("*.json")))
        (row,) = jhpatch(None, "ticket").document["tickets"]
    finally:
        renewer.kill()
        renewer.wait()
    assert (row["pid"], row["state"], row["keytab"]) == (renewer.pid, state, keytab)
    assert row["next"] and (row["error"] is None) == (state == "valid")


def test_a_python_without_a_server(home, kinit):
    """Neither tornado nor traitlets is needed to read a ticket."""
    kinit("default", "-l", "1h")
    script = "import sys; sys.modules.update(tornado=None, traitlets=None); "
    script += "from jhpatch.cli.main import main; sys.exit(main(['ticket']))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=dict(os.environ, PYTHONPATH=ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert (done.returncode, done.stderr) == (0, b"") and NAME.encode() in done.stdout
