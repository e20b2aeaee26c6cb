"""Programs are bounded in time; each runs as its user, with a clean environment."""

import os
import time

import pytest

from jhpatch.deployed.kerberos.account import find_account
from jhpatch.kerberos import programs


def test_a_program_is_killed_with_its_children(tmp_path):
    """At its limit the whole session ends."""
    script = "sleep 41 & echo $! > %s/pid; sleep 41" % tmp_path
    completed = programs.run_program(["/bin/sh", "-c", script], {}, 0.3)
    assert completed[:2] == (None, "") and completed[2].startswith("no answer within ")
    stat = "/proc/%s/stat" % (tmp_path / "pid").read_text().strip()
    end = time.monotonic() + 30
    while os.path.exists(stat) and open(stat).read().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < end


def test_a_program_that_is_not_there():
    """It has no exit code; the message names it."""
    completed = programs.run_program(["/nowhere/at/all"], {}, 1)
    assert completed.exit_code is None and "/nowhere/at/all" in completed.message


def test_what_a_program_printed():
    """Both streams and the exit code; as a message they are one line."""
    script = "printf 'a\\n b\\n'; printf 'c\\377\\n' >&2; exit 3"
    completed = programs.run_program(["/bin/sh", "-c", script], {}, 5)
    assert completed == (3, "a\n b\n", "c\ufffd")
    assert completed.message == "c\ufffd a b"


def test_the_environment_is_clean():
    """Root's own cache and secrets are not passed on; krb5.conf's place is."""
    environ = {"KRB5_CONFIG": "/k", "KRB5CCNAME": "FILE:/r", "SECRET": "x", "LD_PRELOAD": ""}
    lines = programs.run_program(["/usr/bin/env"], environ, 5).stdout.split("\n")
    assert {"KRB5_CONFIG=/k", "LC_ALL=C", "PATH=" + programs.SEARCH_PATH} <= set(lines)
    names = {line.partition("=")[0] for line in lines}
    assert not names & {"SECRET", "KRB5CCNAME", "LD_PRELOAD"}


def test_the_users_own_variables_are_kept():
    """A program that runs as the caller has the caller's cache, client keytab and home."""
    account = find_account("root")._replace(uid=os.geteuid(), home="/h")
    environ = {"KRB5CCNAME": "FILE:/r", "KRB5_CLIENT_KTNAME": "/k"}
    lines = programs.run_program(["/usr/bin/env"], environ, 5, account).stdout.split("\n")
    assert {"KRB5CCNAME=FILE:/r", "KRB5_CLIENT_KTNAME=/k", "HOME=/h"} <= set(lines)


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_a_program_becomes_the_user():
    """It has the user's uid, gid and groups, and cannot gain privileges again."""
    account = find_account("nobody")
    text = programs.run_program(["/bin/cat", "/proc/self/status"], {}, 5, account).stdout
    fields = dict(line.split(":", 1) for line in text.split("\n") if ":" in line)
    assert set(fields["Uid"].split()) == {str(account.uid)}
    assert set(fields["Gid"].split()) == {str(account.gid)}
    groups = {int(gid) for gid in fields["Groups"].split()}
    assert groups == set(os.getgrouplist(account.name, account.gid))
    assert (fields["NoNewPrivs"].strip(), int(fields["CapEff"], 16)) == ("1", 0)


def test_whom_a_process_can_become():
    """Root can become every user, another user themselves alone."""
    account = find_account("root")._replace(uid=os.geteuid())
    assert programs.can_become(account)
    assert programs.can_become(account._replace(uid=54321)) == (os.geteuid() == 0)


def test_where_a_program_is(tmp_path):
    """The first directory that has it counts; a file that cannot be executed does not."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tool").write_text("")
    (tmp_path / "two/tool").chmod(0o755)
    search_path = "%s/one:%s/two" % (tmp_path, tmp_path)
    assert programs.find_program("tool", search_path) == str(tmp_path / "two/tool")
    assert programs.find_program("no-such-tool") is None
