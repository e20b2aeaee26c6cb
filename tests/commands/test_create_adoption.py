"""A patch of ``create`` that the edited site cannot record: nothing is left of it."""

import os

import pytest

from jhpatch.errors import Failed, Refused, same_command
from jhpatch.transaction import transaction
from testing.packages import edit
from testing.trees import tree


@pytest.fixture
def create(jhpatch, new_env, packages, tmp_path):
    """``create(…)`` of ``pure/try``, from an edit in a new environment."""
    env = new_env("env")
    edit(env, "pure/a.py", b"line_9 = 9\n", b"")

    def call(*arguments):
        words = ["--description", "d", "--wheel", packages.wheel("pure")]
        words += ["--patches", str(tmp_path / "p"), "--lock-timeout", "0.01"]
        return jhpatch(env, "create", "pure/try", *words, *arguments)

    call.env = env
    return call


def failing(error):
    """A commit that fails."""

    def commit(*arguments):
        raise error

    return commit


ERRORS = {
    1: Failed("cannot write here", next=same_command("sudo", "-H")),
    5: Refused("this user cannot replace a file", next=same_command("sudo", "-H", "-u", "#7")),
}


@pytest.mark.parametrize("code", sorted(ERRORS))
@pytest.mark.parametrize("kind", ["no directory", "an empty directory", "an older version"])
def test_a_site_that_cannot_be_changed(create, tmp_path, monkeypatch, code, kind):
    """The patch directory is as before, and the output says so.

    The next step is no sudo: root would refuse the patch directory of a user.
    """
    top = tmp_path / "p"
    if kind == "an empty directory":
        top.mkdir()
    elif kind == "an older version":
        create()
        edit(create.env, "pure/a.py", b"line_20 = 20\n", b"")
    before = tree(str(top)) if top.exists() else None
    with monkeypatch.context() as patched:
        patched.setattr(transaction.Transaction, "commit", failing(ERRORS[code]))
        answer = create()
    assert (answer.code, answer.document["changed"]) == (code, False), answer
    assert (tree(str(top)) if top.exists() else None) == before
    assert answer.document["notes"] == ["nothing was written"]
    (site,) = answer.document["sites"]
    assert site["patches"] == []
    assert site["error"]["next"].startswith("run the same command as the owner")
    assert create().states == {"pure/try": "applied"}


def test_a_lock_that_another_run_holds(create, tmp_path):
    """As for a site that cannot be changed."""
    with transaction.locked(create.env.site, 0):
        answer = create()
    assert (answer.code, answer.document["notes"]) == (4, ["nothing was written"]), answer
    assert not os.path.exists(str(tmp_path / "p"))
    assert create().states == {"pure/try": "applied"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("is_late", [False, True])
def test_an_interrupt_leaves_both_or_neither(create, tmp_path, monkeypatch, error, is_late):
    """The patch file stays only if the site has recorded the patch."""
    commit = transaction.Transaction.commit

    def interrupted(*arguments):
        if is_late:
            commit(*arguments)
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(transaction.Transaction, "commit", interrupted)
        answer = create()
    assert (answer.code, "no site is half changed" in answer.error["message"]) == (1, True)
    assert os.path.exists(str(tmp_path / "p")) == is_late
    assert create().states == {"pure/try": "applied"}
