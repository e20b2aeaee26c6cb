"""Finding the Jupyter processes of an environment in /proc."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from jhpatch.system import processes, timestamps
from testing import ROOT
from testing.users import ROOT_ONLY


@pytest.fixture
def server(tmp_path):
    """A process that looks like a hub of the environment ``tmp_path``, with a secret argument."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin/jupyterhub"
    script.write_text("import time; print('up', flush=True); time.sleep(60)\n")
    argv = [sys.executable, str(script), "--token=secret"]
    began = time.time()
    child = subprocess.Popen(argv, stdout=subprocess.PIPE)
    child.stdout.readline()
    child.began = began
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_a_server_that_started_before_is_listed(tmp_path, server):
    """An older server is listed with pid, name and start, without its arguments."""
    (process,) = processes.older_than(time.time(), processes.servers_of(str(tmp_path), None))
    assert (process.pid, process.command) == (server.pid, "jupyterhub")
    started = timestamps.seconds_of(process.started)
    assert server.began - 2 < started < time.time() + 2


def test_a_server_that_started_after_is_not_listed(tmp_path, server):
    """A server that started after the change runs the new code and is not listed."""
    assert processes.older_than(time.time() - 60, processes.servers_of(str(tmp_path), None)) == ()


def test_a_server_of_another_environment_is_not_listed(tmp_path, server):
    """A prefix is a whole directory name, not the start of one."""
    assert processes.servers_of(str(tmp_path)[:-1], None) == ()


@pytest.fixture
def nameless():
    """A process that was started as ``jupyterhub`` without a path: only its executable tells."""
    argv = ["jupyterhub", "-c", "echo up; read line"]
    child = subprocess.Popen(
        argv, executable="/bin/sh", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    child.stdout.readline()
    yield child
    child.stdin.close()
    child.wait()
    child.stdout.close()


def test_the_executable_decides_for_a_name_without_a_path(tmp_path, nameless):
    """A process without a path counts by its executable; one that has ended does not count."""
    shell = os.readlink("/proc/%d/exe" % nameless.pid)
    names = ("cmdline", "stat", "status")
    for pid in (1, nameless.pid):
        (tmp_path / str(pid)).mkdir()
        for name in names:
            shutil.copy("/proc/%d/%s" % (nameless.pid, name), str(tmp_path / str(pid)))
    os.symlink(shell, str(tmp_path / str(nameless.pid) / "exe"))

    def pids(python):
        answer = processes.servers_of("/nowhere", python, str(tmp_path))
        return [server.info.pid for server in answer]

    assert pids(shell) == [nameless.pid]
    assert pids(sys.executable) == pids(None) == []
    os.unlink(str(tmp_path / str(nameless.pid) / "exe"))
    assert pids(shell) == []


_AS_NOBODY = """
import sys, time
from jhpatch.system import processes
from jhpatch.system.become_user import run_as
look = lambda: processes.servers_of("/nowhere", sys.executable)
print(look() is None, run_as(65534, look) is None, run_as(65534, lambda: 1))
"""


@ROOT_ONLY
@pytest.mark.parametrize("hidden", [False, True])
def test_processes_that_are_hidden_are_unknown(nameless, hidden):
    """Where /proc hides the executable or the process (hidepid=2), the answer is None."""
    script = ("mount -t proc -o hidepid=2 proc /proc && " if hidden else "") + 'exec "$@"'
    argv = ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, "-c", _AS_NOBODY]
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if b"not permitted" in done.stderr:
        pytest.skip("no mounts here")
    assert done.stdout.decode() == "False True 1\n", done.stderr


def test_a_process_has_its_start_and_its_user():
    """A start time is given for a process of that user alone."""
    own = os.getpid()
    assert processes.started(own, os.geteuid()) < time.time() + 2
    assert processes.started(own, os.geteuid() + 1) is None
    assert processes.started(2**22 + 1, os.geteuid()) is None  # above the largest pid (proc(5))


def test_interpreters_of_running_servers(tmp_path, server):
    """A running server names its Python and the uid of its process, each pair once."""
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / str(server.pid)).symlink_to("/proc/%d" % server.pid)
    assert list(processes.interpreters(str(proc))) == [(sys.executable, os.getuid())]


@pytest.mark.parametrize("how", ["cwd", "PATH"])
def test_a_python_that_was_started_by_a_relative_name(tmp_path, how):
    """bin/python and python: they are found as the shell found them."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(sys.executable)
    (tmp_path / "bin/jupyterhub").write_text("print('up', flush=True); input()\n")
    name = "bin/python" if how == "cwd" else "python"
    child = subprocess.Popen(
        [name, "bin/jupyterhub"],
        executable=sys.executable,
        cwd=str(tmp_path),
        env=dict(os.environ, PATH="%s/bin" % tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    proc = tmp_path / "proc"
    proc.mkdir()
    with child:
        assert child.stdout.readline() == b"up\n"
        (proc / str(child.pid)).symlink_to("/proc/%d" % child.pid)
        found = list(processes.interpreters(str(proc)))
        child.communicate(b"\n")
    assert found == [("%s/bin/python" % tmp_path, os.getuid())]


def test_another_program_with_a_servers_name_has_no_interpreter(tmp_path):
    """A shell or an editor with a server's file among its arguments names no environment."""
    proc = tmp_path / "proc"
    proc.mkdir()
    argv = ["/bin/sh", "-c", "echo up; read line", "jupyterhub"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(argv, **pipes) as shell:
        assert shell.stdout.readline() == b"up\n"
        (proc / str(shell.pid)).symlink_to("/proc/%d" % shell.pid)
        found = list(processes.interpreters(str(proc)))
        shell.communicate(b"\n")
    assert found == []


def test_the_program_of_a_process(server, nameless):
    """A program is named where the process was started by its path."""
    assert processes.program_of(server.pid) == sys.executable
    assert processes.program_of(nameless.pid) is None
