"""The hub's fork server, seen from the hub: processes that are a user's, and end by themselves."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from jhpatch.deployed.kerberos import forked_process, identity
from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.store import Store
from testing import ROOT
from testing.users import ROOT_ONLY
from testing.waiting import until
from tests.deployed.tickets import NOBODY

pytestmark = ROOT_ONLY
LONG = 60.0  # seconds; a limit that only a hang reaches


@pytest.fixture(autouse=True)
def server(monkeypatch):
    """A fork server of this test's own."""
    monkeypatch.setattr(forked_process, "_running", None)
    running = forked_process.start_server()
    yield running
    running._popen.kill()
    running._popen.wait()


def opened(caches, kinit, account=NOBODY, name="cc", **environment):
    """A process of the user; ``kinit`` is a shell script."""
    environment = dict(identity.environment_of(account, {}), **environment)
    argv = ["/bin/sh", "-c", kinit, "kinit"]
    end = time.monotonic() + LONG
    return Store(account, str(caches / name), "", argv, environment, end)


def printed(caches, kinit, *account, **environment):
    """What a script in place of kinit writes into the cache."""
    with opened(caches, kinit, *account, **environment) as child:
        assert child.cache() == b""
        return child.kinit("kinit").decode()


def state(pid):
    """The state of a process, as proc(5) has it; "" if there is none."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def test_a_process_is_the_users_and_has_no_way_back(caches):
    """Each of its ids, its groups, its capabilities; and a session of its own."""
    status = printed(caches, "cat /proc/self/status >cc")
    rows = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert rows["Uid"].split() == rows["Gid"].split() == ["65534"] * 4
    assert rows["Groups"].split() == ["65534"] and rows["NoNewPrivs"] == "1"
    for kind in ("Inh", "Prm", "Eff", "Amb"):
        assert int(rows["Cap" + kind], 16) == 0
    with opened(caches, "true", name="other") as child:
        child.cache()
        assert os.getsid(child._popen.pid) == os.getpgid(child._popen.pid) == child._popen.pid


def test_the_groups_are_those_of_the_directory(caches):
    """As initgroups(3) has them for the name, and the gid that the account has."""
    account = Account("root", 1234, 5678, "/nonexistent")
    groups = printed(caches, "id -G >cc", account).split()
    assert set(groups) == {"5678", *map(str, os.getgrouplist("root", 5678))}


def test_nothing_of_the_hub_is_in_it(caches, monkeypatch):
    """No variable, no descriptor, no directory: the server is started with none of them."""
    monkeypatch.setenv("CONFIGPROXY_AUTH_TOKEN", "secret")
    monkeypatch.setattr(forked_process, "_running", None)
    script = "exec 4>cc; env >&4; ls -l /proc/self/fd >&4; umask >&4"
    text = printed(caches, script, KRB5_TRACE="/dev/null")
    variables, _, rest = text.partition("total ")
    names = {line.partition("=")[0] for line in variables.splitlines()}
    assert names - {"_", "PWD", "OLDPWD", "SHLVL"} == {"PATH", "LC_ALL", "HOME", "KRB5_TRACE"}
    descriptors = [line.split()[8] for line in rest.splitlines() if "->" in line]
    assert [fd for fd in descriptors if fd not in ("0", "1", "2", "3", "4")] == []
    assert "socket:" not in rest and rest.split()[-1] == "0077"
    with open("/proc/%d/environ" % forked_process.start_server()._popen.pid) as file:
        assert "secret" not in file.read()


@pytest.mark.parametrize("name", ["ü", "a\udcffb", "a b", "'\"\\"])
def test_any_name_is_a_name(caches, name):
    """Of a cache and in a variable: bytes, whatever the encoding of a host."""
    script = 'printf %s "$HOME" >cc'
    with opened(caches, script, name=name, HOME="/" + name) as child:
        child.cache()
        assert child.kinit("kinit") == os.fsencode("/" + name)
        child.keep()
    assert (caches / name).exists()


def test_many_at_once_are_not_mixed_up(caches):
    """Each thread talks with the process of its own user."""
    wrong = []

    def ask(uid):
        account = Account("nobody", uid, uid, "/nonexistent")
        for _turn in range(5):
            found = printed(caches, "id -u >cc; id -g >>cc", account)
            if found.split() != [str(uid)] * 2:
                wrong.append((uid, found))

    threads = [threading.Thread(target=ask, args=(20000 + number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_server_that_was_killed_is_replaced(server, caches):
    """By the next request; a child of the old one is never signalled by its number again."""
    with opened(caches, "exec sleep 600", name="old") as child:
        child.cache()
        server._popen.kill()
        server._popen.wait()
        assert child._popen.returncode is not None and child.is_over()
        assert printed(caches, "id -u >cc").split() == ["65534"]
    assert forked_process.start_server() is not server


def test_a_server_that_does_not_answer_is_replaced(server, caches, monkeypatch):
    """It is killed: a late answer would be that of another request."""
    server._socket.settimeout(0.2)
    server._popen.send_signal(signal.SIGSTOP)
    assert printed(caches, "id -u >cc").split() == ["65534"]
    assert server.is_over()


def test_a_server_that_ends_while_it_is_asked_is_replaced(caches, tmp_path, monkeypatch):
    """It has read the request and closes the socket: an empty answer is none."""
    program = tmp_path / "program.py"
    program.write_text("import os\nos.read(0, 65536)\n")
    monkeypatch.setattr(forked_process, "_running", None)
    with monkeypatch.context() as patched:
        patched.setattr(forked_process, "_PROGRAM", str(program))
        ending = forked_process.start_server()
    assert printed(caches, "id -u >cc").split() == ["65534"]
    assert ending.is_over() and forked_process.start_server() is not ending


def test_no_server_at_all_is_a_problem(server, caches, monkeypatch):
    """With its reason, and no descriptor is left open."""
    server._popen.kill()
    server._popen.wait()
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(Problem) as problem:
        opened(caches, "true")
    assert str(problem.value).startswith("cannot start a process for nobody: ")
    assert not set(os.listdir("/proc/self/fd")) - set(before)


def test_a_process_that_nobody_waits_for_is_reaped(server, caches):
    """By the next start."""
    with opened(caches, "true") as child:
        child.cache()
        pid = child._popen.pid
        os.kill(pid, signal.SIGKILL)
        until(lambda: state(pid) == "Z")
        child._popen._server.abandoned.append(pid)
        child._popen._code = -9
    printed(caches, "true", name="next")
    assert state(pid) == ""


def test_it_ends_with_the_hub(tmp_path):
    """Killed by SIGKILL too: its socket is closed then."""
    text = "from jhpatch.deployed.kerberos import forked_process as f\nimport time\n"
    text += "print(f.start_server()._popen.pid, flush=True)\ntime.sleep(600)\n"
    argv = [sys.executable, "-c", text]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT) as hub:
        pid = int(hub.stdout.readline())
        until(lambda: state(pid) == "S")
        os.kill(pid, signal.SIGTERM)  # systemd sends it to each process of a unit
        hub.kill()
    until(lambda: state(pid) in ("", "Z"))


def test_a_fork_of_the_hub_has_a_server_of_its_own(server, caches):
    """Two processes on one socket would read each other's answers."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            found = printed(caches, "id -u >cc", name="fork").split()
            is_other = forked_process.start_server() is not server
            code = 0 if found == ["65534"] and is_other else 2
        finally:
            os._exit(code)
    os.close(read), os.close(write)
    assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 0
    assert printed(caches, "id -u >cc").split() == ["65534"]
