"""Checks and programs are bounded; a program runs as its user, with a clean environment."""

import os
import time

import pytest

from jhpatch.checks import runner
from jhpatch.checks.runner import Check
from jhpatch.kerberos.findings import finding


def codes(*checks, **limits):
    """The codes of what the checks find."""
    return [one.code for one in runner.run_checks(checks, **limits)]


def good(deadline):
    """A check that finds something."""
    yield finding("kinit", "x")


def slow(deadline):
    """A check that never ends after its first finding."""
    yield finding("ccache", "x")
    time.sleep(60)


def test_a_check_that_never_ends():
    """It is given up, what it found is kept, and the next one runs."""
    begun = time.monotonic()
    found = codes(Check("slow", slow), Check("good", good), each=0.3)
    assert found == ["ccache", "check-timeout", "kinit"] and time.monotonic() - begun < 2


def test_checks_for_which_no_time_is_left():
    """They are named, and that is no success."""
    found = codes(Check("slow", slow), Check("good", good), each=0.3, total=0.2)
    assert found == ["ccache", "check-timeout", "check-left-out"]


def test_a_mistake_of_ours_is_a_finding():
    """It ends its check alone."""

    def broken(deadline):
        yield finding("kinit", "x")
        raise RuntimeError("oops")

    rows = runner.run_checks([Check("broken", broken), Check("good", good)])
    assert [one.code for one in rows] == ["kinit", "check-failed", "kinit"]
    assert "oops" in rows[1].message


def test_a_program_is_killed_with_its_children(tmp_path):
    """At its time; nothing of it goes on."""
    begun = time.monotonic()
    script = "sleep 41 & echo $! > %s/pid; sleep 41" % tmp_path
    done = runner.run(["/bin/sh", "-c", script], {}, 0.3)
    assert done.code is None and "no answer" in done.words and time.monotonic() - begun < 2
    stat = "/proc/%s/stat" % (tmp_path / "pid").read_text().strip()
    while os.path.exists(stat) and open(stat).read().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() - begun < 5
    assert runner.run(["/nowhere/at/all"], {}, 1).code is None


def test_the_environment_is_clean():
    """Nothing of root's own cache or secrets; krb5.conf is passed on."""
    environ = {"KRB5_CONFIG": "/k", "KRB5CCNAME": "FILE:/r", "SECRET": "x", "LD_PRELOAD": ""}
    said = runner.run(["/usr/bin/env"], environ, 2).out
    assert "KRB5_CONFIG=/k" in said and "LC_ALL=C" in said
    assert "SECRET" not in said and "KRB5CCNAME" not in said and "LD_PRELOAD" not in said


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_a_program_becomes_the_user():
    """uid, gid and groups; without a way back."""
    account = runner.account_of("nobody")
    said = runner.run(["/bin/cat", "/proc/self/status"], {}, 2, account).out
    fields = dict(line.split(":", 1) for line in said.split("\n") if ":" in line)
    assert set(fields["Uid"].split()) == {str(account.uid)}
    assert set(fields["Gid"].split()) == {str(account.gid)}
    assert fields["Groups"].split() == [str(gid) for gid in account.groups]
    assert (fields["NoNewPrivs"].strip(), int(fields["CapEff"], 16)) == ("1", 0)


def test_accounts():
    """Of the password database; None for what is no user."""
    assert runner.account_of("root").uid == 0
    for name in ("no-such-user", "", "a\0b", "../x"):
        assert runner.account_of(name) is None
