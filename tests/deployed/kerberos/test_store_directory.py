"""A directory that is another user's: who owns it can replace all that is in it."""

import os
import time
import types

import pytest

from jhpatch.deployed.kerberos import cache_child, identity
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.kinit import Kinit
from jhpatch.deployed.kerberos.settings import Settings
from jhpatch.deployed.kerberos.store import Store
from testing.users import ROOT_ONLY
from testing.waiting import until
from tests.deployed.tickets import NOBODY, wanted

pytestmark = ROOT_ONLY
MALLORY = 1234


class _Forked:
    """What ``Child`` uses of subprocess.Popen."""

    def __init__(self, pid):
        self.pid, self.returncode = pid, None

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.WEXITSTATUS(status) if pid else None
        return self.returncode


class Interrupted(Store):
    """A store whose process calls ``after_mkdir(path)`` as soon as its directory is made."""

    after_mkdir = None

    def _start(self, argv, environment, cwd, files):
        pid = os.fork()
        if pid:
            return _Forked(pid)
        try:
            os.setsid()
            for number, fd in enumerate(files):
                os.dup2(fd, number)
            os.setgroups([])
            os.setresgid(*3 * (NOBODY.gid,))
            os.setresuid(*3 * (NOBODY.uid,))
            mkdir = os.mkdir

            def made(path, mode):
                mkdir(path, mode)
                self.after_mkdir(os.fsdecode(path))

            if self.after_mkdir:
                cache_child.os = types.SimpleNamespace(**dict(vars(os), mkdir=made))
            os._exit(cache_child.run(cache_child.decoded(self._options)))
        finally:
            os._exit(99)


def opened(cache, kinit="printf new >cc", after_mkdir=None):
    """The child that stores a cache."""
    environment = identity.environment_of(NOBODY, {})
    argv = ["/bin/sh", "-c", kinit, "kinit"]
    kind = type("Store", (Interrupted if after_mkdir else Store,), {})
    if after_mkdir:
        kind.after_mkdir = staticmethod(after_mkdir)
    return kind(NOBODY, str(cache), "", argv, environment, time.monotonic() + 300)


def replaced_by(directory):
    """Has another directory put in the place of a new one."""

    def replace(path):
        os.rmdir(path)
        os.rename(str(directory), path)

    return replace


@pytest.fixture
def theirs(caches):
    """A directory of another user, in which everybody can write."""
    directory = caches / "theirs"
    directory.mkdir()
    directory.chmod(0o777)
    os.chown(str(directory), MALLORY, MALLORY)
    return directory


@pytest.mark.parametrize("order", ["kinit", "renew", "give"])
def test_no_ticket_is_stored_in_a_directory_of_another_user(theirs, order):
    """A DIR collection below /tmp that somebody else has made first: nothing is written."""
    cache = theirs / "cc"
    cache.write_bytes(b"old")
    os.chown(str(cache), NOBODY.uid, NOBODY.uid)
    with opened(cache) as child:
        child.cache()
        with pytest.raises(Problem) as problem:
            child.give(b"data") if order == "give" else child.kinit(order)
    assert "directory of another user" in str(problem.value)
    assert cache.read_bytes() == b"old" and os.listdir(str(theirs)) == ["cc"]


def test_the_hub_refuses_it_too(theirs, keytab, kdc):
    """The reason names the path: under require that is what the user reads."""
    with pytest.raises(Problem) as problem:
        Kinit(Settings(), kdc.env()).ensure(NOBODY, wanted(keytab, theirs))
    assert "%s lies in a directory of another user" % (theirs / "cc") in str(problem.value)


@pytest.mark.parametrize("order", ["kinit", "give"])
def test_a_private_directory_that_was_replaced_is_not_used(caches, theirs, order):
    """Between mkdir and chdir the owner of the directory puts one of their own in its place."""
    caches.chmod(0o777)
    os.chown(str(theirs), MALLORY, MALLORY)
    with opened(caches / "cc", after_mkdir=replaced_by(theirs)) as child:
        child.cache()
        with pytest.raises(Problem) as problem:
            child.give(b"data") if order == "give" else child.kinit(order)
    assert "permits no private directory" in str(problem.value)
    (left,) = os.listdir(str(caches))
    assert os.stat(str(caches / left)).st_uid == MALLORY
    assert os.listdir(str(caches / left)) == []


def test_a_file_in_the_private_directory_is_not_written_through(caches, tmp_path):
    """Each file is created by the user's own process, with O_EXCL."""
    inner = caches / "inner"
    inner.mkdir()
    inner.chmod(0o700)
    victim = tmp_path / "victim"
    victim.write_text("")
    victim.chmod(0o666)
    tmp_path.chmod(0o755)
    os.symlink(str(victim), str(inner / "cc"))
    for path in (inner, inner / "cc"):
        os.lchown(str(path), NOBODY.uid, NOBODY.uid)
    with opened(caches / "cc", after_mkdir=replaced_by(inner)) as child:
        child.cache()
        child.give(b"data")
    assert victim.read_text() == "" and (caches / "cc").read_bytes() == b"data"


def test_a_hub_that_is_gone_leaves_no_ticket(caches):
    """Its pipe is closed as the new cache is printed: the child removes its directory."""
    with opened(caches / "cc", kinit="head -c 500000 /dev/zero >cc") as child:
        child.cache()
        child.send(b"kinit\n")
        child._selector.unregister(child._outputs[0])
        os.close(child._outputs.pop(0))
        until(lambda: child.is_over())
        until(lambda: os.listdir(str(caches)) == [])
