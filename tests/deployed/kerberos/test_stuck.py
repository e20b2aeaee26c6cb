"""Children that SIGKILL does not end: some of a user, and no more."""

import os
import subprocess
import time

import pytest

from jhpatch.deployed.kerberos import stuck
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.kinit import Kinit
from jhpatch.deployed.kerberos.process import Child
from jhpatch.deployed.kerberos.settings import Settings
from testing.users import ROOT_ONLY
from testing.waiting import until
from tests.deployed.tickets import NOBODY, wanted


def test_a_killed_session_is_not_stuck():
    """Its processes are gone, or are only waiting to be reaped: neither counts."""
    child = Child(
        ["/bin/sh", "-c", "sleep 60 & sleep 60"], {"PATH": "/bin"}, time.monotonic() + 300
    )
    with child:
        pass
    until(lambda: not child.is_stuck())


def test_a_process_that_lives_on_is_stuck():
    """One that SIGKILL does not end; here it is started after that, in the same group."""
    child = Child(["/bin/cat"], {"PATH": "/bin"}, time.monotonic() + 300)
    group = child._popen.pid
    other = subprocess.Popen(
        ["/bin/sleep", "60"], preexec_fn=lambda: os.setpgid(0, 0), start_new_session=False
    )
    try:
        with child:
            pass
        child._popen.pid = other.pid
        assert child.is_stuck()
        other.kill()
        until(lambda: not child.is_stuck())
    finally:
        child._popen.pid = group
        other.wait()


def test_they_are_forgotten_after_some_time(monkeypatch):
    """Their ids may be those of other processes then."""
    children = stuck.StuckChildren()
    monkeypatch.setattr(Child, "is_stuck", lambda self: True)
    for _ in range(3):
        argv = ["/bin/true"]
        with children.watched(NOBODY, Child(argv, {}, time.monotonic() + 300)):
            pass
    with pytest.raises(Problem):
        children.refuse(NOBODY)
    monkeypatch.setattr(stuck, "_KEPT", 0)
    children.refuse(NOBODY)
    assert children._children == {}


@ROOT_ONLY
def test_children_that_cannot_be_killed_do_not_pile_up(script, caches, monkeypatch):
    """A file system of the user's own that never answers can hold three of them, no more."""
    service = Kinit(Settings(kinit=script("exit 1\n")), {})
    monkeypatch.setattr(Child, "is_stuck", lambda self: True)
    for number in range(5):
        with pytest.raises(Problem) as problem:
            service.ensure(NOBODY, wanted("/k", caches))
        assert ("cannot be killed" in str(problem.value)) is (number >= 3)
    monkeypatch.setattr(Child, "is_stuck", lambda self: False)
    with pytest.raises(Problem) as problem:
        service.ensure(NOBODY, wanted("/k", caches))
    assert "cannot be killed" not in str(problem.value)


@ROOT_ONLY
def test_one_users_stuck_children_are_no_others_trouble(script, caches, monkeypatch):
    """They are counted by uid."""
    service = Kinit(Settings(kinit=script("exit 1\n")), {})
    monkeypatch.setattr(Child, "is_stuck", lambda self: True)
    for _ in range(3):
        with pytest.raises(Problem):
            service.ensure(NOBODY, wanted("/k", caches))
    other = NOBODY._replace(name="daemon", uid=1, gid=1)
    with pytest.raises(Problem) as problem:
        service.ensure(other, wanted("/k", caches))
    assert "cannot be killed" not in str(problem.value)
