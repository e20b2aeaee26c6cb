"""Children of a user that lie or print without end; programs that fail."""

import os
import time

import pytest

from jhpatch.deployed.kerberos import kinit as module
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.kinit import Kinit
from jhpatch.deployed.kerberos.settings import Settings, TicketSpec
from testing.users import ROOT_ONLY
from tests.deployed.tickets import NOBODY, wanted

pytestmark = ROOT_ONLY


def beside(kinit, name, text):
    """Put a program beside a stand-in for kinit."""
    path = os.path.join(os.path.dirname(kinit), name)
    os.unlink(path)
    with open(path, "w") as file:
        file.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)


@pytest.mark.parametrize("name", ["33", "root", "daemon", "65534x"])
def test_a_lie_of_the_users_klist_makes_no_directory(script, monkeypatch, name):
    """Only /run/jhpatch/UID of their own uid; the setting alone may name another."""
    made = []
    monkeypatch.setattr(module, "make_private_directory", lambda *words: made.append(words))
    kinit = script("exit 1\n")
    beside(kinit, "klist", "echo 'Ticket cache: FILE:/run/jhpatch/%s/cc'\n" % name)
    with pytest.raises(Problem):
        Kinit(Settings(kinit=kinit), {}).ensure(NOBODY, TicketSpec("x", "/k", ""))
    assert made == []


def test_a_klist_that_prints_lines_without_end_is_cut(script, caches):
    """A user can write into its pipe: a thousand lines are read."""
    kinit = script("exit 1\n")
    beside(kinit, "klist", "exec yes ''\n")
    with pytest.raises(Problem) as problem:
        Kinit(Settings(kinit=kinit, timeout=300.0), {}).ensure(NOBODY, TicketSpec("x", "/k", ""))
    assert "more than 1000 lines" in str(problem.value)


@pytest.mark.parametrize(
    "text, words", [("echo no >&2; exit 1\n", "no"), ("exec sleep 60\n", "did not finish in time")]
)
def test_a_kdestroy_that_fails_says_so(script, caches, text, words):
    """And speaks of no KDC."""
    kinit = script("exit 0\n")
    beside(kinit, "kdestroy", text)
    spec = TicketSpec("x", "", "FILE:%s/cc" % caches)
    with pytest.raises(Problem) as problem:
        Kinit(Settings(kinit=kinit, timeout=1.0), {}).destroy(NOBODY, spec)
    assert words in str(problem.value) and "KDC" not in str(problem.value)


def test_a_long_error_message_is_read_to_a_cap(script, caches):
    """Two megabytes of it: a line for the log, and no time of the interpreter."""
    kinit = script("yes word | tr '\\n' ' ' | head -c 1900000 >&2; exit 1\n")
    before = time.monotonic()
    with pytest.raises(Problem) as problem:
        Kinit(Settings(kinit=kinit, timeout=300.0), {}).ensure(NOBODY, wanted("/k", caches))
    assert len(str(problem.value)) <= 500 and time.monotonic() - before < 60
