"""The list of checks, and what one of them costs the others."""

import os
import threading

import pytest

from jhpatch.checks import runner
from jhpatch.kerberos import checks, krb5_conf
from jhpatch.kerberos.facts import DoctorOptions
from jhpatch.kerberos.krb5_conf import Profile

HOST = ["krb5.conf", "KDC", "kinit", "configuration"]


@pytest.fixture
def options(tmp_path):
    """Options for a host without any file."""
    return DoctorOptions(
        environ={"KRB5_CONFIG": str(tmp_path / "krb5.conf")},
        unit_directories=(str(tmp_path),),
        resolv_conf=str(tmp_path / "resolv.conf"),
    )


def test_without_a_user_the_host_is_checked(options):
    """A note says what was left out."""
    rows = checks.checks(options)
    assert [check.name for check in rows] == [*HOST, "unit", "user"]
    (note,) = rows[-1].probe(runner.Deadline(5))
    assert (note.code, note.severity) == ("no-user", "note")


def test_each_user_has_checks_of_their_own(options):
    """They come in the order of the users, before the unit that all share."""
    rows = checks.checks(options._replace(users=("alice", "bob")))
    kinds = ("user ", "keytab of ", "cache of ", "ticket of ")
    users = [kind + user for user in ("alice", "bob") for kind in kinds]
    assert [check.name for check in rows] == [*HOST, *users, "unit"]


def test_a_user_who_cannot_be_checked_has_one_finding(options):
    """An unknown user has no finding about a keytab, a cache or a ticket."""
    rows = checks.checks(options._replace(users=("no-such-user",)))
    found = {check.name: list(check.probe(runner.Deadline(5))) for check in rows[4:8]}
    assert [row.code for row in found.pop("user no-such-user")] == ["no-account"]
    assert set(map(tuple, found.values())) == {()}


@pytest.mark.skipif(os.geteuid() == 0, reason="root can become every user")
def test_another_user_needs_root(options):
    """That is a note, and nothing of theirs is checked."""
    rows = checks.checks(options._replace(users=("root",)))
    found = [row.code for check in rows[4:8] for row in check.probe(runner.Deadline(5))]
    assert found == ["below-min-uid", "needs-root"]


@pytest.mark.slow
@pytest.mark.parametrize("is_late", [False, True])
def test_a_read_that_hangs_ends_each_check_at_its_own_limit(options, monkeypatch, is_late):
    """No check waits longer than its limit, and a value that comes late is still used."""
    release, reads, names = threading.Event(), [], []

    def read_profile(environ):
        reads.append(environ)
        release.wait()
        return Profile(files=("/late",))

    def begin(name):
        names.append(name)
        if is_late and name == "KDC":
            release.set()

    monkeypatch.setattr(krb5_conf, "read_profile", read_profile)
    rows = [check for check in checks.checks(options) if check.name != "unit"]
    findings = runner.run_checks([*rows, *rows[:1]], each=0.5, step=begin)
    late = [row.message.partition(":")[0] for row in findings if row.code == "check-timeout"]
    assert late == (["krb5.conf"] if is_late else ["krb5.conf", "KDC", "krb5.conf"])
    assert ("no-default-realm" in [row.code for row in findings]) == is_late
    assert len(reads) == 1 and names == [check.name for check in rows] + ["krb5.conf"]
    release.set()
