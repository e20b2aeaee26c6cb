"""The fork server's side of the socket."""

import array
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from jhpatch.deployed.kerberos import forked_process
from testing.users import ROOT_ONLY

pytestmark = ROOT_ONLY


@pytest.fixture
def served():
    """A socket to a fork server, as the hub has it, and its process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    argv = [sys.executable, "-I", "-S", forked_process._PROGRAM]
    process = subprocess.Popen(argv, stdin=theirs.fileno())
    theirs.close()
    ours.settimeout(300)  # a hang
    yield ours, process
    ours.close()
    assert process.wait() == 0


@pytest.fixture
def hub(served):
    """The socket alone."""
    return served[0]


def asked(hub, **request):
    """The answer to a request."""
    hub.send(json.dumps(request).encode())
    return json.loads(hub.recv(65536).decode())


def test_a_process_that_is_not_its_own_has_no_exit_code(hub):
    """It is an error, and the server goes on."""
    for _ in range(2):
        assert "error" in asked(hub, wait=os.getpid())


def test_ids_that_cannot_be_taken_are_the_childs_end(hub):
    """Never a child that stays root: it says why on its standard error."""
    read, write = os.pipe()
    request = dict(user="nobody", uid=2**32 - 1, gid=65534, environment={}, options="{}")
    files = array.array("i", 3 * [write])
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)]
    hub.sendmsg([json.dumps(request).encode()], control)
    pid = json.loads(hub.recv(65536).decode())["pid"]
    os.close(write)
    with os.fdopen(read, "rb") as errors:
        assert b"cannot become the user" in errors.read()
    code = None
    while code is None:
        code = asked(hub, wait=pid)["code"]
    assert code == 1


def test_systemd_stops_it_last(served):
    """SIGTERM reaches each process of a unit; the hub still ends its children then."""
    hub, server = served
    assert "error" in asked(hub, wait=os.getpid())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        server.send_signal(number)
    assert "error" in asked(hub, wait=os.getpid())
