"""One user cannot slow another: floods, FIFOs as keytabs, hung homes, the end of the process."""

import os
import signal
import subprocess
import sys

from jhpatch.deployed.kerberos import process
from jhpatch.deployed.kerberos.hub import HubTickets
from jhpatch.deployed.kerberos.settings import Settings
from testing import ROOT
from testing.users import ROOT_ONLY
from testing.waiting import LIMIT, until


@ROOT_ONLY
def test_a_flood_of_one_user_delays_no_other(log, hub_settings, fifo, keytab):
    """Forty logins whose kinit hangs on a FIFO: the others are done while all of them hang."""
    hub_settings.update(
        keytab=lambda name: fifo if name == "daemon" else keytab, timeout=LIMIT, retry=600.0
    )
    hub = HubTickets(Settings(**hub_settings), log)
    flood = [hub.request("daemon", "login") for _ in range(40)]
    flood += [hub.request("daemon", "login %d" % number) for number in range(40)]
    until(lambda: process._running)
    for name in ("nobody", "bin", "sys"):
        hub.request(name, "login").result(LIMIT)
    assert not any(future.done() for future in flood)
    hub.requests.close()
    assert all(future.exception(LIMIT) or future.result() for future in flood)
    assert not process._running


_LOGINS = """
import os, signal, sys, threading, time, logging
sys.path.insert(0, %(root)r)
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
from jhpatch.deployed.kerberos import hub, process
from jhpatch.deployed.kerberos.settings import Settings
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
hub.account_of = lambda name, _: hub.Account(name, os.geteuid(), os.getegid(), "/")
tickets = hub.HubTickets(
    Settings(kinit=%(kinit)r, keytab="/x", principal="x", ccache=%(caches)r + "/{username}",
             timeout=3600.0), logging.getLogger())
futures = [tickets.request("user%%d" %% number, "login") for number in range(24)]
futures += [tickets.request("late%%d" %% number, "login") for number in range(16)]
while len(os.listdir(%(caches)r)) < 24:
    time.sleep(0.02)
print("hung", flush=True)
while True:
    time.sleep(3600)
"""


def test_a_process_ends_at_once_while_requests_hang(caches, script):
    """24 run and 16 wait: after SIGTERM it ends, quietly, and so do their children."""
    kinit = script("echo $$ > %s/pid-$$; exec sleep 3600\n" % caches)
    # Each kinit writes its pid where the temporary directories of caches are made.
    text = _LOGINS % dict(root=ROOT, kinit=kinit, caches=str(caches))
    child = subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout.readline() == b"hung\n", child.stderr.read()
    pids = lambda: [name for name in os.listdir(str(caches)) if name.startswith("pid-")]  # noqa: E731
    until(lambda: len(pids()) == 24)
    child.send_signal(signal.SIGTERM)
    _, errors = child.communicate(timeout=LIMIT)
    assert child.returncode == 0, errors
    assert b"Fatal" not in errors and b"Traceback" not in errors and b"No Kerberos" not in errors
    for name in pids():
        until(lambda pid=name[4:]: not os.path.exists("/proc/" + pid))


@ROOT_ONLY
def test_who_ends_while_logging_leaves_no_lock(caches, script):
    """Ten times: no "could not acquire lock … at interpreter shutdown" of a daemon thread."""
    kinit = script("exit 1\n")
    text = _LOGINS.replace("while len", "while 0 and len").replace(
        "while True:\n    time.sleep(3600)", "time.sleep(0.03)"
    )
    text = text % dict(root=ROOT, kinit=kinit, caches=str(caches))
    for _ in range(10):
        child = subprocess.run(
            [sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert child.returncode == 0 and b"Fatal" not in child.stderr, child.stderr


@ROOT_ONLY
def test_logins_of_many_users_run_side_by_side(log, caches, script):
    """No kinit ends before all of 24 run."""
    kinit = script(
        "cd %s; : > ran-$$; while [ ! -e seen ]; do sleep 0.02; done; exit 1\n" % caches
    )
    hub = HubTickets(
        Settings(kinit=kinit, ccache=str(caches / "cc_{username}"), timeout=LIMIT), log
    )
    names = ["nobody", "daemon", "bin", "sys", "games", "man", "lp", "mail", "news", "uucp"]
    futures = [hub.request(name, "login") for name in names]
    ran = lambda: [name for name in os.listdir(str(caches)) if name.startswith("ran-")]  # noqa: E731
    until(lambda: len(ran()) == len(names))
    open(str(caches / "seen"), "w").close()
    for future in futures:
        assert future.result(LIMIT)
