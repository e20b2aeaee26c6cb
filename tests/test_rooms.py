"""bytecode.py, processes.py, trust.py: the rooms that meet the operating system."""

import glob
import os
import py_compile
import shutil
import subprocess
import sys
import time

import pytest

from jhpatch.errors import Failed, Refused
from jhpatch.installer import bytecode
from jhpatch.system import become_user, path_owners, processes, timestamps
from testing import ROOT

# bytecode


@pytest.fixture(params=["ourselves", "the same program", "a child"])
def python(request, tmp_path_factory):
    """A site's Python, as it may be: None for our own; a copy of it is another program."""
    if request.param == "a child":
        child = tmp_path_factory.mktemp("child") / "python"
        child.write_text('#!/bin/sh\nexec "%s" "$@"\n' % sys.executable)
        child.chmod(0o755)
        return str(child)
    if request.param == "ourselves":
        return None
    link = tmp_path_factory.mktemp("link") / "python"
    link.symlink_to(sys.executable)
    return str(link)


def test_the_program_that_runs_us_is_not_started_again(tmp_path, monkeypatch):
    """The Python of an environment beside ours: a third of an apply's time."""
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    (tmp_path / "a.py").write_text("a = 1\n")
    monkeypatch.setattr(subprocess, "run", None)
    code = bytecode.check(str(link), {"a.py": b"a = 1\n"})
    bytecode.rebuilder(str(link), str(tmp_path), code)(["__pycache__/a.%s.pyc" % code.tag])
    with pytest.raises(Failed) as failed:
        bytecode.check(str(link), {"a.py": b"a = = 1\n"})
    assert str(link) in failed.value.expected


def test_a_source_that_does_not_compile_is_named(python):
    """By the interpreter that will import it."""
    bytecode.check(
        python, {"a.py": b"a = 1\n", "b.py": b"# -*- coding: utf-8 -*-\nb = '\xc3\xa4'\n"}
    )
    with pytest.raises(Failed) as failed:
        bytecode.check(python, {"a.py": b"a = 1\n", "b.py": b"b = = 1\n"})
    assert failed.value.path == "b.py"


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho nonsense\n", "nothing"])
def test_an_interpreter_that_does_not_work_is_an_error(tmp_path, text):
    """One that fails, one that says something else, one that cannot be run."""
    python = tmp_path / "python"
    python.write_text(text)
    python.chmod(0o755)
    with pytest.raises(Failed) as failed:
        bytecode.check(str(python), {"a.py": b""})
    assert failed.value.path == str(python)


def test_a_pyc_is_rebuilt_only_where_there_was_one(tmp_path, python):
    """For the tag of the site's own Python, at the levels that there were."""
    tag = sys.implementation.cache_tag
    (tmp_path / "app/__pycache__").mkdir(parents=True)
    (tmp_path / "app/a.py").write_text("a = 1\n")
    (tmp_path / "app/b.py").write_text("b = 1\n")
    names = ["a.%s.pyc" % tag, "a.%s.opt-1.pyc" % tag, "a.other-27.pyc"]
    rebuild = bytecode.rebuilder(python, str(tmp_path))
    rebuild(["app/__pycache__/" + name for name in names] + ["app/gone.pyc"])
    assert sorted(os.listdir(str(tmp_path / "app/__pycache__"))) == sorted(names[:2])


def test_another_minor_rebuilds_its_own(tmp_path):
    """A site of another Python gets that Python's .pyc."""
    others = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3.[0-9]*")))
    others = [path for path in others if path[-1].isdigit()]
    if not others:
        pytest.skip("no other Python here")
    (tmp_path / "app/__pycache__").mkdir(parents=True)
    (tmp_path / "app/a.py").write_text("a = 1\n")
    tag = "cpython-" + os.path.basename(others[0])[len("python") :].replace(".", "")
    bytecode.rebuilder(others[0], str(tmp_path))(["app/__pycache__/a.%s.pyc" % tag])
    assert os.listdir(str(tmp_path / "app/__pycache__")) == ["a.%s.pyc" % tag]


def test_what_was_compiled_ahead_is_not_compiled_again(tmp_path, monkeypatch, python):
    """Its .pyc is the one that py_compile makes, and no process is started for it."""
    tag = sys.implementation.cache_tag
    names = ["app/__pycache__/%s.%s.pyc" % (module, tag) for module in "abc"]
    (tmp_path / "app/__pycache__").mkdir(parents=True)
    sources = {"app/%s.py" % module: b"def f():\n    return 1\n" for module in "abc"}
    for path, data in sources.items():
        (tmp_path / path).write_bytes(data)
    code = bytecode.check(python, sources, str(tmp_path))
    rebuild = bytecode.rebuilder(python, str(tmp_path), code)
    with monkeypatch.context() as patched:
        patched.setattr(bytecode, "_ask", None)
        patched.setattr(bytecode.compiler, "rebuild", None)
        rebuild(names[:2] + ["app/__pycache__/a.other-27.pyc"])
    assert len(os.listdir(str(tmp_path / "app/__pycache__"))) == 2
    for name, module in zip(names, "ab"):
        made = (tmp_path / name).read_bytes()
        py_compile.compile(str(tmp_path / ("app/%s.py" % module)), str(tmp_path / name))
        assert made == (tmp_path / name).read_bytes()
    (tmp_path / "app/c.py").write_bytes(b"changed = since\n")
    rebuild(names[2:])
    assert b"since" in (tmp_path / names[2]).read_bytes()


# processes


@pytest.fixture
def server(tmp_path):
    """A process that looks like a hub of the environment ``tmp_path``, with a secret argument."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin/jupyterhub"
    script.write_text("import time; print('up', flush=True); time.sleep(60)\n")
    argv = [sys.executable, str(script), "--token=secret"]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE)
    child.stdout.readline()
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_a_server_that_started_before_is_listed(tmp_path, server):
    """With pid, name and start; without its arguments, which may hold a token."""
    (found,) = processes.older_than(time.time(), str(tmp_path), None)
    assert (found.pid, found.command) == (server.pid, "jupyterhub")
    assert abs(timestamps.seconds_of(found.started) - time.time()) < 30


def test_one_that_started_after_is_not(tmp_path, server):
    """It runs the new code."""
    assert processes.older_than(time.time() - 60, str(tmp_path), None) == ()


def test_one_of_another_environment_is_not(tmp_path, server):
    """A prefix is a folder, not the beginning of a name."""
    assert processes.older_than(time.time(), str(tmp_path)[:-1], None) == ()


@pytest.fixture
def nameless():
    """A process that was started as ``jupyterhub``, from no folder: its executable must tell."""
    argv = ["jupyterhub", "-c", "echo up; read line"]
    child = subprocess.Popen(
        argv, executable="/bin/sh", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    child.stdout.readline()
    yield child
    child.stdin.close()
    child.wait()
    child.stdout.close()


def test_one_whose_executable_tells(tmp_path, nameless):
    """It counts where it is that Python; where it has ended meanwhile, a zombie for one, not."""
    shell = os.readlink("/proc/%d/exe" % nameless.pid)
    names = ("cmdline", "stat", "status")
    for pid in (1, nameless.pid):
        (tmp_path / str(pid)).mkdir()
        for name in names:
            shutil.copy("/proc/%d/%s" % (nameless.pid, name), str(tmp_path / str(pid)))
    os.symlink(shell, str(tmp_path / str(nameless.pid) / "exe"))

    def found(python):
        answer = processes.older_than(time.time() + 60, "/nowhere", python, str(tmp_path))
        return [one.pid for one in answer]

    assert found(shell) == [nameless.pid]
    assert found(sys.executable) == found(None) == []
    os.unlink(str(tmp_path / str(nameless.pid) / "exe"))
    assert found(shell) == []


_AS_NOBODY = """
import sys, time
from jhpatch.system import processes
from jhpatch.system.become_user import run_as
look = lambda: processes.older_than(time.time(), "/nowhere", sys.executable)
print(look() is None, run_as(65534, look) is None, run_as(65534, lambda: 1))
"""


@pytest.mark.parametrize("hidden", [False, True])
def test_what_may_not_be_seen_is_not_taken_for_nothing(nameless, hidden):
    """A user asks: of root's process no executable is shown, or none at all (hidepid=2)."""
    if os.geteuid() != 0:
        pytest.skip("takes root")
    script = ("mount -t proc -o hidepid=2 proc /proc && " if hidden else "") + 'exec "$@"'
    argv = ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, "-c", _AS_NOBODY]
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if b"not permitted" in done.stderr:
        pytest.skip("no mounts here")
    assert done.stdout.decode() == "False True 1\n", done.stderr


def test_times_come_back():
    """What the state keeps is read back to the hundredth, at the ends of months and years."""
    for seconds in (0, 951782399, 951868800, 1709164800, 1709251199, 4102444799, 1e9 + 0.25):
        assert abs(timestamps.seconds_of(timestamps.now(seconds)) - seconds) < 0.011
    for text in ("", "yesterday", "2026-01-01", "2026-01-01T00:00:00"):
        assert timestamps.seconds_of(text) == 0.0


# trust


@pytest.fixture
def safe(tmp_path):
    """A folder that only root can write, all the way down."""
    if os.geteuid() != 0:
        pytest.skip("takes root")
    if path_owners.writer_of(str(tmp_path)):
        pytest.skip("the tests' own folder can be written by others")
    return tmp_path


def test_a_safe_path_has_no_other_writer(safe):
    """Root's folders in root's folders; a sticky /tmp on the way is safe."""
    (safe / "site").mkdir()
    assert path_owners.writer_of(str(safe / "site")) is None
    assert path_owners.owner_to_become([str(safe / "site")]) is None


def test_a_users_folder_on_the_way_counts(safe):
    """Who can replace a folder can replace all below it."""
    (safe / "home/venv/site").mkdir(parents=True)
    os.chown(str(safe / "home"), 1234, 1234)
    assert path_owners.writer_of(str(safe / "home/venv/site")).path == str(safe / "home")
    assert path_owners.owner_to_become([str(safe / "home/venv/site")]) == 1234


def test_a_symlink_is_followed_and_each_step_counts(safe):
    """A link of root's that leads into a user's folder, and a link that is a user's own."""
    (safe / "home").mkdir()
    (safe / "home/python").write_text("")
    os.chown(str(safe / "home"), 1234, 1234)
    os.symlink("home/python", str(safe / "python"))
    assert path_owners.writer_of(str(safe / "python")).uid == 1234
    (safe / "target").write_text("")
    os.symlink("target", str(safe / "link"))
    os.lchown(str(safe / "link"), 1234, 1234)
    assert path_owners.writer_of(str(safe / "link")).uid == 1234


@pytest.mark.parametrize("mode", [0o777, 0o772, 0o757])
def test_what_everybody_can_write_is_refused(safe, mode):
    """There is no single user to become."""
    (safe / "site").mkdir()
    (safe / "site").chmod(mode)
    with pytest.raises(Refused) as refused:
        path_owners.owner_to_become([str(safe / "site")])
    assert "%o" % mode in refused.value.found


def test_two_users_are_refused(safe):
    """A site of one user with the interpreter of another."""
    for name, uid in (("one", 1234), ("two", 1235)):
        (safe / name).mkdir()
        os.chown(str(safe / name), uid, uid)
    with pytest.raises(Refused):
        path_owners.owner_to_become([str(safe / "one"), str(safe / "two")])


def test_a_child_really_becomes_the_user(safe):
    """uid, gid, groups and environment are the user's; the answer comes back."""
    os.environ["SECRET_OF_ROOT"] = "x"

    def job():
        ids = [os.getresuid(), os.getresgid(), os.getgroups()]
        return [list(one) for one in ids] + ["SECRET_OF_ROOT" in os.environ, os.getcwd()]

    uids, gids, groups, leaked, folder = become_user.run_as(65534, job)
    assert (set(uids), leaked, folder) == ({65534}, False, "/")
    assert 0 not in gids and 0 not in groups
    with pytest.raises(Failed):
        become_user.run_as(65534, lambda: os._exit(3))
    with pytest.raises(Failed):
        become_user.run_as(4242424, lambda: None)
