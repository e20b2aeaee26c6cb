"""Working as another user in a child process."""

import os
import signal
import subprocess

import pytest

from jhpatch.errors import Failed, NextStep, Refused, jhpatch_command
from jhpatch.system import become_user
from testing.users import NOBODY, ROOT_ONLY

pytestmark = ROOT_ONLY


def test_the_child_is_the_user(monkeypatch):
    """uid, gid, groups, environment and directory are the user's; the answer comes back."""
    monkeypatch.setenv("SECRET_OF_ROOT", "x")

    def job():
        ids = [os.getresuid(), os.getresgid(), os.getgroups()]
        return [list(several) for several in ids] + ["SECRET_OF_ROOT" in os.environ, os.getcwd()]

    uids, gids, groups, leaked, directory = become_user.run_as(NOBODY, job)
    assert (set(uids), leaked, directory) == ({NOBODY}, False, "/")
    assert 0 not in gids and 0 not in groups


def test_the_child_has_a_session_of_its_own():
    """A program of the user cannot type into root's terminal (TIOCSTI, CVE-2017-5226)."""
    session = become_user.run_as(NOBODY, lambda: os.getsid(0))
    assert session != os.getsid(0)


def test_an_error_of_the_job_is_raised_here():
    """A JhpatchError keeps its class, its fields and its next command."""

    def job():
        raise Refused("no", path="/p", expected="a", found="b", next=jhpatch_command("status"))

    with pytest.raises(Refused) as refused:
        become_user.run_as(NOBODY, job)
    error = refused.value
    assert (error.message, error.path, error.expected, error.found) == ("no", "/p", "a", "b")
    assert error.next == jhpatch_command("status")


@pytest.mark.parametrize(
    "job",
    [lambda: os._exit(3), lambda: os.kill(os.getpid(), 9), lambda: object(), lambda: 1 / 0],
    ids=["exit", "signal", "no JSON", "a bug"],
)
def test_a_child_without_an_answer_is_an_error(job):
    """A child that exits, is killed, answers no JSON or raises is one error."""
    with pytest.raises(Failed):
        become_user.run_as(NOBODY, job)


def test_a_child_that_a_user_stops_ends_with_the_limit():
    """With the programs that it has started; without a limit, root waits for a change."""
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)

    def job():
        subprocess.Popen(["sleep", "600"], close_fds=False)
        os.kill(os.getpid(), signal.SIGSTOP)

    with pytest.raises(become_user.TimedOut, match=r"within 0\.5 s"):
        become_user.run_as(NOBODY, job, limit=0.5)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b""  # the program has ended
    assert become_user.run_as(NOBODY, lambda: "x" * (1 << 21), limit=60.0) == "x" * (1 << 21)


def test_a_uid_without_an_account():
    """An image's uid may have no entry here: the child has its numbers, and no other group."""

    def job():
        return [os.getresuid(), os.getresgid(), os.getgroups(), os.environ["HOME"]]

    uid = 4242424
    assert become_user.run_as(uid, job) == [[uid] * 3, [uid] * 3, [uid], "/"]
    assert become_user.run_as(uid, job, 100) == [[uid] * 3, [100] * 3, [100], "/"]


def test_a_group_by_number():
    """The group of a tree from elsewhere is added; the user's own groups stay."""
    own = become_user.run_as(NOBODY, os.getgroups)
    assert set(become_user.run_as(NOBODY, os.getgroups, 4242)) == {*own, 4242}
    assert become_user.run_as(NOBODY, os.getgid, 4242) == become_user.run_as(NOBODY, os.getgid)


def test_a_user_who_cannot_be_become(monkeypatch):
    """A user namespace without that uid: refused with the reason, not a bare errno."""

    def denied(*numbers):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setresuid", denied)
    with pytest.raises(Refused) as refused:
        become_user.run_as(NOBODY, lambda: None)
    assert "Operation not permitted" in refused.value.message
    assert refused.value.next == NextStep("run jhpatch as uid %d" % NOBODY)
