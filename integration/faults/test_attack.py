"""Root changes the site of a user who works against him: nothing of root's is ever written."""

import fcntl
import os
import pwd
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import pytest

from integration.faults.children import run_in_child
from jhpatch.system import path_owners
from testing import ROOT
from testing.sites import make_environment
from testing.trees import times, tree
from testing.wheels import PYTHON

RELEASE = ("notebook", "5.7.9")
INFO = "notebook-5.7.9.dist-info"
# What the user swaps for symlinks, from the site's root; "" is the site itself.
SWAPPED = (
    *("notebook", "notebook/notebook", "notebook/services", "notebook/services/contents"),
    *(INFO, ".jhpatch", ".jhpatch/originals", "notebook/__pycache__", ""),
)
USER = next((name for name in ("nobody", "games") if shutil.which("id")), "nobody")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")


class Victim(NamedTuple):
    """A user's environment, and what is root's."""

    prefix: str
    site: str
    sentinel: str
    """Root's folder, with the same names and bytes as the site: a write would fit there."""
    ran: str
    """Each line the uid as which the user's interpreter has run."""
    uid: int

    @property
    def where(self):
        """The options that name the environment."""
        return ("--python", os.path.join(self.prefix, "bin", "python"))


@pytest.fixture
def victim(tmp_path):
    """An environment of a user, in a folder that he can reach, and a folder of root's."""
    try:
        user = pwd.getpwnam(USER)
    except KeyError:
        pytest.skip("no user " + USER)
    top = tempfile.mkdtemp(prefix="jhpatch-attack-")
    os.chmod(top, 0o755)
    try:
        if path_owners.writer_of(top):
            pytest.skip("the temporary folder can be written by others")
        yield _built(top, user)
    finally:
        shutil.rmtree(top)


def _built(top, user):
    prefix, sentinel = os.path.join(top, "venv"), os.path.join(top, "sentinel")
    env = make_environment(prefix, [RELEASE], slim=True)
    # As patched, so that there is more than one state for a file to be taken for.
    shutil.copytree(env.site, sentinel)
    assert run_in_child("apply", "--site", sentinel)[0] == 0
    ran = os.path.join(top, "ran")
    with open(ran, "w"):
        os.chmod(ran, 0o666)
    os.unlink(env.python)
    with open(env.python, "w") as file:
        file.write(INTERPRETER % {"ran": ran, "sentinel": sentinel})
    os.chmod(env.python, 0o755)
    subprocess.run(["chown", "-hR", "%d:%d" % user[2:4], prefix], check=True)
    return Victim(prefix, env.site, sentinel, ran, user.pw_uid)


# His interpreter is a program that he wrote: it says who runs it, and writes where it can.
INTERPRETER = """#!/bin/sh
id -u >> %(ran)s
( echo owned > %(sentinel)s/owned; echo owned >> %(sentinel)s/notebook/__init__.py
  chmod 777 %(sentinel)s ) 2>/dev/null
cat > /dev/null
echo '{"bad": [], "tag": "cpython-311", "head": "", "code": {}}'
"""


def as_user(uid, job):
    """``job()`` in a child that is the user; gives its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            job()
            os._exit(0)
        finally:
            os._exit(1)
    return pid


def swaps(victim, seed):
    """For ever: a folder of the user's is one of root's for a moment, and his own again."""
    chance = random.Random(seed)
    counter = os.open(os.path.join(victim.prefix, "swaps"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while True:
        name = chance.choice(SWAPPED)
        path, real = os.path.join(victim.site, name).rstrip("/"), None
        real = path + ".real"
        try:
            os.rename(path, real)
        except OSError:
            continue
        try:
            os.symlink(os.path.join(victim.sentinel, name).rstrip("/"), path)
            time.sleep(chance.random() * 0.004)
            os.unlink(path)
            os.write(counter, b".")
        except OSError:  # jhpatch has made a folder there: it has his way
            shutil.rmtree(path, ignore_errors=True)
        os.rename(real, path)
        time.sleep(chance.random() * 0.02)


def stop(pid):
    """Ends a child that was started here."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def given_back(victim):
    """Everything that the user has swapped is in its place again."""
    for name in SWAPPED:
        path = os.path.join(victim.site, name).rstrip("/")
        if os.path.lexists(path + ".real"):
            if os.path.islink(path):
                os.unlink(path)
            elif os.path.isdir(path):
                shutil.rmtree(path)
            os.rename(path + ".real", path)


def owners(folder):
    """Who owns what lies in a folder."""
    return {row[2] for row in tree(folder).values()}


def test_folders_that_turn_into_symlinks_while_root_works(victim, tally, thorough):
    """Applies and reverts under a user's hands: nothing of root's is changed or runs."""
    before = tree(victim.sentinel), times(victim.sentinel)
    codes, seed = [], int(time.time())
    attacker = as_user(victim.uid, lambda: swaps(victim, seed))
    try:
        begun, done = time.monotonic(), []
        # On a busy host it takes longer until one gets through.
        while time.monotonic() < begun + (300 if thorough else 8 if done else 240):
            for command in ("apply", "revert", "status"):
                code, document = run_in_child(command, *victim.where, *_short(command))
                codes.append((command, code, document))
                done += [document] * (code == 0 and bool(document["changed"]))
    finally:
        stop(attacker)
    assert (tree(victim.sentinel), times(victim.sentinel)) == before, seed
    assert _uids(victim) == {str(victim.uid)}, seed
    assert owners(victim.prefix) == {victim.uid}, seed
    assert done, "never was there a time to do the work"
    swapped = os.stat(os.path.join(victim.prefix, "swaps")).st_size
    assert swapped > 50, swapped
    assert {code for _, code, _ in codes} <= {0, 1, 3, 4, 5}
    given_back(victim)
    tally("attack on a user's site", len(codes))


def _short(command):
    return () if command == "status" else ("--lock-timeout", "0.2")


def _uids(victim):
    with open(victim.ran) as file:
        return set(file.read().split())


@pytest.mark.parametrize("command", ["status", "list", "diff", "apply --dry-run", "revert"])
def test_who_only_looks_runs_nothing(victim, command, tally):
    """An interpreter is started for a change alone; to look, root reads files."""
    assert run_in_child(*command.split(), *victim.where)[0] in (0, 3)
    assert _uids(victim) == set()
    tally("attack on a user's site")


def test_one_change_is_made_as_the_user(victim, tally):
    """What is written is his, his interpreter runs as he, and revert gives all back."""
    before, roots = tree(victim.site), times(victim.sentinel)
    assert run_in_child("apply", *victim.where)[0] == 0
    assert tree(victim.site) != before and owners(victim.prefix) == {victim.uid}
    assert run_in_child("revert", *victim.where)[0] == 0
    assert tree(victim.site) == before
    assert _uids(victim) == {str(victim.uid)}
    assert times(victim.sentinel) == roots
    tally("attack on a user's site")


def test_what_root_alone_can_read_is_loaded_before(victim, tmp_path, tally):
    """jhpatch below root's home: the child that has become the user needs no file of it."""
    home = tempfile.mkdtemp(prefix="jhpatch-home-")  # mode 0700
    try:
        for name in ("jhpatch", "patches"):
            shutil.copytree(os.path.join(ROOT, name), os.path.join(home, name))
        shutil.copy(os.path.join(ROOT, "setup.py"), home)
        before = tree(victim.site)
        for command in ("apply", "revert"):
            done = subprocess.run(
                [sys.executable, "-B", "-m", "jhpatch", command, *victim.where],
                env={"PYTHONPATH": home, "PATH": os.defpath},
                cwd="/",
                stderr=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
            assert done.returncode == 0, done.stderr.decode()
            assert (tree(victim.site) == before) == (command == "revert")
    finally:
        shutil.rmtree(home)
    tally("attack on a user's site")


@pytest.mark.parametrize("how", ["pth", "base", "link"])
def test_a_users_files_lead_nowhere_else(victim, how, tally):
    """A .pth, a pyvenv.cfg or a symlink of the user's that names root's site changes nothing."""
    assert run_in_child("revert", "--site", victim.sentinel)[0] == 0
    roots = times(victim.sentinel)
    for name in os.listdir(victim.site):
        shutil.rmtree(os.path.join(victim.site, name))
    if how == "pth":
        with open(os.path.join(victim.site, "x.pth"), "w") as file:
            file.write(victim.sentinel + "\n")
    elif how == "link":
        os.rmdir(victim.site)
        os.symlink(victim.sentinel, victim.site)
    else:
        base = os.path.join(os.path.dirname(victim.sentinel), "base")
        os.makedirs(os.path.join(base, "lib", PYTHON))
        os.rename(victim.sentinel, os.path.join(base, "lib", PYTHON, "site-packages"))
        os.symlink(os.path.join(base, "lib", PYTHON, "site-packages"), victim.sentinel)
        roots = times(os.path.join(base, "lib", PYTHON, "site-packages"))
        with open(os.path.join(victim.prefix, "pyvenv.cfg"), "w") as file:
            file.write("home = %s/bin\ninclude-system-site-packages = true\n" % base)
            file.write("version = %d.%d.0\n" % sys.version_info[:2])
    for command in ("revert", "apply"):
        _, document = run_in_child(command, *victim.where)
        assert not document["changed"], document
    # Not because the user may not write there: it is none of his environment's sites.
    assert how == "link" or document["exit_code"] == 5, document
    assert times(os.path.realpath(victim.sentinel)) == {
        os.path.realpath(path): row for path, row in roots.items()
    }
    assert _uids(victim) <= {str(victim.uid)}
    tally("attack on a user's site")


@pytest.mark.parametrize("path", ["notebook.dist-info/METADATA", "notebook.egg-info"])
@pytest.mark.parametrize("what", ["fifo", "zero"])
def test_metadata_that_never_ends_does_not_hold_root_up(victim, path, what, tally):
    """A FIFO, or a link to a file that has no end, in a folder whose name tells no version."""
    path = os.path.join(victim.site, path)
    shutil.rmtree(os.path.join(victim.site, INFO))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.mkfifo(path) if what == "fifo" else os.symlink("/dev/zero", path)
    done = subprocess.run(
        [sys.executable, "-m", "jhpatch", "status", *victim.where],
        env={"PYTHONPATH": ROOT, "PATH": os.defpath},
        cwd="/",
        stdout=subprocess.DEVNULL,
        timeout=300,
    )
    assert done.returncode == 3
    tally("attack on a user's site")


def test_another_user_cannot_hold_the_lock_of_roots_site(victim, tally):
    """Whatever of it he may read he locks; the lock itself he cannot open."""
    site = victim.sentinel
    assert run_in_child("revert", "--site", site)[0] == 0
    assert run_in_child("apply", "--site", site)[0] == 0
    locked = os.path.join(site, ".jhpatch/lock")
    assert stat.S_IMODE(os.stat(locked).st_mode) == 0o600
    readable = [site, os.path.dirname(locked), site + "/.jhpatch/state.json", site + "/notebook"]
    read, write = os.pipe()

    def hold():
        for path in readable:
            fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX)
        try:
            os.open(locked, os.O_RDONLY)
        except PermissionError:
            os.write(write, b"all but the lock")
        time.sleep(60)

    holder = as_user(victim.uid, hold)
    try:
        assert os.read(read, 16) == b"all but the lock"
        assert run_in_child("revert", "--site", site, "--lock-timeout", "0")[0] == 0
    finally:
        stop(holder)
    tally("attack on a user's site")


def test_a_user_may_hold_the_lock_of_his_own_site(victim, tally):
    """Root waits as long as he was told, then 4, and nothing is changed."""
    assert run_in_child("apply", *victim.where)[0] == 0
    read, write = os.pipe()

    def hold():
        fd = os.open(os.path.join(victim.site, ".jhpatch/lock"), os.O_RDWR)
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.write(write, b"held")
        time.sleep(60)

    holder = as_user(victim.uid, hold)
    before = tree(victim.site)
    try:
        assert os.read(read, 4) == b"held"
        start = time.monotonic()
        assert run_in_child("revert", *victim.where, "--lock-timeout", "0.3")[0] == 4
        assert time.monotonic() - start >= 0.3
    finally:
        stop(holder)
    assert tree(victim.site) == before
    assert run_in_child("revert", *victim.where)[0] == 0
    tally("attack on a user's site")
