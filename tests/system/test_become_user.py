"""Working as another user in a child process."""

import os

import pytest

from jhpatch.errors import Failed, Refused, jhpatch_command
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


def test_an_unknown_uid_is_an_error():
    """A uid without an entry in the password database cannot be become."""
    with pytest.raises(Failed) as failed:
        become_user.run_as(4242424, lambda: None)
    assert failed.value.found == "none"
