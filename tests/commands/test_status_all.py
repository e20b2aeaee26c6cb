"""``jhpatch status --all``: the environments of running servers, each inspected as its owner."""

import argparse
import functools
import json
import os
import pty
import shutil
import signal
import subprocess
import sys

import pytest

from jhpatch.cli.main import main
from jhpatch.commands import status
from jhpatch.patchset.catalog import Catalog, own_patch_dir
from jhpatch.report import packing
from jhpatch.system import become_user, processes
from testing import ROOT

NOBODY = 65534
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become a user")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """``run(env, "jupyterhub")`` starts a process that looks like that program of an environment.

    What others run on this machine meanwhile, such as other tests, is not in its /proc.
    """
    children = []
    proc = tmp_path / "proc"
    proc.mkdir()
    seen = functools.partial(processes.interpreters, str(proc))
    monkeypatch.setattr(processes, "interpreters", seen)

    def start(env, name, uid=None):
        script = os.path.join(env.prefix, "bin", name)
        with open(script, "w") as file:
            file.write("echo up\nread line\n")

        def become():
            if uid:
                os.setgid(uid)
                os.setuid(uid)

        # By its arguments it is that Python; the tests' own may lie where a user cannot go.
        child = subprocess.Popen(
            [env.python, script],
            executable="/bin/sh",
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=become,
        )
        children.append(child)
        assert child.stdout.readline() == b"up\n"
        (proc / str(child.pid)).symlink_to("/proc/%d" % child.pid)
        return child

    yield start
    for child in children:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


@pytest.fixture
def two(tmp_path, make_site):
    """A hub's environment, and that of a user's server."""
    hub = make_site(tmp_path, [("jupyterhub", "0.9.6")], slim=True, name="hub")
    own = make_site(tmp_path, [("jupyter_server", "2.21.1")], slim=True, name="own")
    for folder in [str(tmp_path)] + [str(parent) for parent in tmp_path.parents]:
        if os.stat(folder).st_uid == os.geteuid() and folder != "/":
            os.chmod(folder, os.stat(folder).st_mode | 0o055)
    return hub, own


def states(answer, env):
    """The states in the row of an environment."""
    sites = answer.document["sites"]
    found = [one for one in sites if one["site"] == env.site]
    assert len(found) == 1, [(one["site"], one["error"]) for one in sites]
    (site,) = found
    return {one["patch"]: one["state"] for one in site["patches"] if one["state"] != "absent"}


def test_running_servers_are_found(two, run, jhpatch, monkeypatch, capsys):
    """The hub and a server are found, also among all processes; the next command names both."""
    hub, own = two
    run(hub, "jupyterhub")
    run(own, "jupyterhub-singleuser")
    assert jhpatch(hub, "apply").code == 0
    answer = jhpatch(None, "status", "--all")
    assert len(answer.document["sites"]) == 2 and answer.code == 3
    main(["status", "--all"])
    last = capsys.readouterr().out.splitlines()[-1]
    assert " apply " in last and hub.python in last and own.python in last
    monkeypatch.undo()
    for seen in (answer, jhpatch(None, "status", "--all")):
        assert states(seen, hub) == {"jupyterhub/kerberos-login": "applied"}
        assert states(seen, own) == {"jupyter_server/kerberos-contents": "pristine"}


def test_named_patches_among_all(two, run, jhpatch, monkeypatch, capsys):
    """Those alone, in the next command too; an unknown one is refused once, for all."""
    hub = two[0]
    run(hub, "jupyterhub")
    answer = jhpatch(None, "status", "--all", "jupyterhub/kerberos-login")
    (site,) = answer.document["sites"]
    assert [one["patch"] for one in site["patches"]] == ["jupyterhub/kerberos-login"]
    main(["status", "--all", "JupyterHub/kerberos-login"])
    last = capsys.readouterr().out.splitlines()[-1]
    assert "apply" in last and last.endswith(" jupyterhub/kerberos-login")
    answer = jhpatch(None, "status", "--all", "nope")
    assert answer.code == 2 and answer.error["code"] == "usage"
    answer = jhpatch(None, "status", "--all", "jupyter_server/kerberos-contents")
    assert answer.code == 5 and answer.error["code"] == "refused"


@ROOT_ONLY
def test_a_users_environment_is_inspected_as_that_user(two, run, jhpatch, monkeypatch):
    """A directory that only its owner can enter is read, and root itself opens nothing of it."""
    own = two[1]
    subprocess.run(["chown", "-R", str(NOBODY), own.prefix], check=True)
    run(own, "jupyterhub-singleuser", NOBODY)
    # The tests' own Python may lie where nobody can go; which one it is does not count here.
    os.unlink(own.python)
    os.mknod(own.python, 0o100755)
    opened = []
    real = os.open

    def spy(path, *rest, **more):
        if isinstance(path, str) and path.startswith(own.prefix):
            opened.append((os.geteuid(), path))
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", spy)
    answer = jhpatch(None, "status", "--all")
    assert states(answer, own) == {"jupyter_server/kerberos-contents": "pristine"}
    assert opened == []


@ROOT_ONLY
@pytest.mark.parametrize("trap", ["fifo", "loop", "huge"])
def test_a_users_trap_is_their_row_and_no_more(two, run, jhpatch, trap):
    """A FIFO, a loop of links or a huge file in a user's environment stops no other row."""
    hub, own = two
    run(hub, "jupyterhub")
    run(own, "jupyterhub-singleuser", NOBODY)
    target = own.prefix + "/pyvenv.cfg"
    os.unlink(target)
    if trap == "fifo":
        os.mkfifo(target)
    elif trap == "loop":
        os.symlink(target, target)
    else:
        with open(target, "wb") as file:
            file.truncate(1 << 33)
    subprocess.run(["chown", "-hR", str(NOBODY), own.prefix], check=True)
    answer = jhpatch(None, "status", "--all")
    assert states(answer, hub) == {"jupyterhub/kerberos-login": "pristine"}


@ROOT_ONLY
def test_a_user_who_stops_root_is_waited_for_once(
    two, run, jhpatch, make_site, monkeypatch, tmp_path
):
    """SIGSTOP to the child that became this user ends with the limit, and is a row."""
    hub, own = two
    more = make_site(tmp_path, [("jupyter_server", "2.21.1")], slim=True, name="more")
    for env in (own, more):
        run(env, "jupyterhub-singleuser", NOBODY)
        subprocess.run(["chown", "-R", str(NOBODY), env.prefix], check=True)
    run(hub, "jupyterhub")
    monkeypatch.setattr(status, "_LIMIT", 0.5)
    monkeypatch.setattr(status, "_packed", lambda *_: os.kill(os.getpid(), signal.SIGSTOP))
    answer = jhpatch(None, "status", "--all")
    assert states(answer, hub) == {"jupyterhub/kerberos-login": "pristine"}
    errors = [row["error"]["message"] for row in answer.document["sites"] if row["error"]]
    assert ["did not finish within 0.5 s" in one for one in errors].count(True) == 1
    assert ["not inspected" in one for one in errors].count(True) == 1 and len(errors) == 2


@ROOT_ONLY
def test_a_user_replaces_no_row_of_root(two, run, jhpatch, monkeypatch):
    """The child that became a user reports what that user wants, also of the hub's site."""
    hub, own = two
    run(own, "jupyterhub-singleuser", NOBODY)
    run(hub, "jupyterhub")
    subprocess.run(["chown", "-R", str(NOBODY), own.prefix], check=True)
    (honest,) = status._packed(hub.python, Catalog([own_patch_dir()]), frozenset())
    lie = json.loads(json.dumps(honest).replace("pristine", "applied"))
    assert lie != honest
    monkeypatch.setattr(status, "_packed", lambda *_: [lie])
    answer = jhpatch(None, "status", "--all")
    assert states(answer, hub) == {"jupyterhub/kerberos-login": "pristine"}


def test_an_environment_that_was_removed(two, run, jhpatch, tmp_path):
    """It is a row with an error about that server, not about options that were not typed."""
    hub, own = two
    run(hub, "jupyterhub")
    run(own, "jupyterhub-singleuser")
    shutil.move(own.prefix, str(tmp_path / "away"))
    answer = jhpatch(None, "status", "--all")
    assert states(answer, hub)
    (row,) = [one for one in answer.document["sites"] if one["error"]]
    assert row["site"] == row["error"]["path"] == own.python
    assert row["error"]["code"] == "failed" and answer.code == row["exit_code"] == 1
    assert "running server" in row["error"]["message"] and row["error"]["found"] == "nothing"
    assert "restart" in row["error"]["next"] and "--" not in row["error"]["next"]


def test_the_next_command_names_readable_environments(two, run, jhpatch, tmp_path, capsys):
    """The next command leaves out an environment that could not be inspected."""
    hub, own = two
    run(hub, "jupyterhub")
    run(own, "jupyterhub-singleuser")
    shutil.move(own.prefix, str(tmp_path / "away"))
    jhpatch(None, "status", "--all")
    assert main(["status", "--all"]) == 1
    out, err = capsys.readouterr()
    assert own.python in err and "--python" not in err
    steps = [line for line in out.splitlines() if line.startswith("next:")]
    assert all(hub.python in line and own.python not in line for line in steps)


def test_arguments_of_a_process_that_are_no_python(two, run, jhpatch, monkeypatch):
    """What a process names instead is its row: exit code 2 is for what a user typed."""
    hub, own = two
    with open(own.python + "-config", "w") as file:
        file.write("#!%s\n" % hub.python)
    both = ((own.python + "-config", os.geteuid()), (hub.python, os.geteuid()))
    monkeypatch.setattr(processes, "interpreters", lambda: iter(both))
    answer = jhpatch(None, "status", "--all")
    assert answer.code == 1 and states(answer, hub)
    (row,) = [one for one in answer.document["sites"] if one["error"]]
    assert row["error"]["code"] == "failed" and "--" not in row["error"]["message"]


@ROOT_ONLY
def test_an_environment_that_may_not_be_read(two, jhpatch, monkeypatch):
    """Permission denied is its row, and the other environments are inspected."""
    hub, own = two
    os.chmod(own.prefix, 0o700)
    both = ((own.python, 0), (hub.python, 0))
    monkeypatch.setattr(processes, "interpreters", lambda: iter(both))
    jhpatch(None, "status", "--all")  # loads what the child, who may not read it, needs
    catalog = Catalog((own_patch_dir(),), whole=False)

    def job():
        rows = status._all_sites(argparse.Namespace(python=[]), catalog, frozenset())
        return packing.packed(rows)

    rows = packing.unpacked(become_user.run_as(NOBODY, job))
    (failed,) = [row for row in rows if row.error]
    assert (failed.site, failed.exit_code) == (own.python, 1)
    assert failed.error.found == "permission denied" and failed.error.code == "failed"
    assert failed.error.message == "an environment cannot be read"
    (other,) = [row for row in rows if row.site == hub.site]
    assert {patch.state for patch in other.patches} >= {"pristine"}


def test_nothing_runs(jhpatch, monkeypatch):
    """Without a running server: refused, with the command that names an environment."""
    monkeypatch.setattr(processes, "interpreters", lambda: iter(()))
    answer = jhpatch(None, "status", "--all")
    assert answer.code == 5 and "status --python" in answer.error["next"]


def test_many_environments_in_one_document(tmp_path, make_site, jhpatch):
    """One document has a site for each, in the order in which they were named."""
    first = make_site(tmp_path, [("notebook", "5.7.9")], slim=True)
    folders = [str(tmp_path / ("copy%d" % number)) for number in range(19)]
    for folder in folders:
        shutil.copytree(first.prefix, folder, symlinks=True)
    sites = [first.site] + [folder + first.site[len(first.prefix) :] for folder in folders]
    where = [word for folder in [first.prefix] + folders for word in ("--python", folder)]
    assert jhpatch(None, "apply", "--python", folders[7]).code == 0
    answer = jhpatch(None, "status", *where)
    assert [site["site"] for site in answer.document["sites"]] == sites
    states = ["applied" if number == 8 else "pristine" for number in range(20)]
    for site, state in zip(answer.document["sites"], states):
        found = {one["state"] for one in site["patches"] if one["state"] != "absent"}
        assert found == {state}
    assert answer.code == 3


def test_many_environments_are_one_table(tmp_path, make_site, capsys):
    """A line for each patch, its Python last; in columns on a terminal."""
    envs = [
        make_site(tmp_path, [("notebook", "5.7.9")], slim=True, name="env%d" % number)
        for number in range(3)
    ]
    where = [word for env in envs for word in ("--python", env.python)]
    assert main(["apply", "--python", envs[1].python]) == 0
    capsys.readouterr()
    assert main(["status"] + where) == 3
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows[:-1]] == ["unpatched"] * 2 + ["applied"] * 2 + ["unpatched"] * 2
    assert [row[3] for row in rows[:-1]] == [env.python for env in envs for _ in range(2)]
    assert all(env.python in rows[-1][0] for env in envs)
    master, slave = pty.openpty()
    argv = [sys.executable, "-m", "jhpatch", "status"] + where
    subprocess.call(argv, env={"PYTHONPATH": ROOT, "NO_COLOR": "1"}, cwd="/", stdout=slave)
    os.close(slave)
    shown = os.read(master, 65536).decode().splitlines()
    os.close(master)
    assert len({line.index("notebook/") for line in shown if "notebook/" in line}) == 1


@pytest.mark.parametrize("option", ["--python", "--site"])
def test_all_and_a_named_environment(env, jhpatch, option):
    """Two answers to one question: exit code 2, and the command without the option."""
    named = {"--python": env.python, "--site": env.site}[option]
    answer = jhpatch(None, "status", "--all", option, named)
    assert (answer.code, answer.error["code"]) == (2, "usage")
    assert answer.error["found"] == "--all with " + option
    assert answer.error["next"].endswith(" -m jhpatch status --all")
