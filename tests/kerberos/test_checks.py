"""The list of checks, and what one of them costs the others."""

import os
import threading

import pytest

from jhpatch.checks import runner
from jhpatch.deployed.kerberos.account import Account
from jhpatch.kerberos import checks, facts, krb5_conf
from jhpatch.kerberos.facts import DoctorOptions
from jhpatch.kerberos.krb5_conf import Profile
from jhpatch.kerberos.krb5_conf_text import ConfigFile, ParsedText

HOST = ["krb5.conf", "KDC", "kinit", "configuration"]


@pytest.fixture
def options(tmp_path):
    """Options for a host without any file."""
    return DoctorOptions(
        environ={"KRB5_CONFIG": str(tmp_path / "krb5.conf")},
        unit_directories=(str(tmp_path),),
    )


def test_without_a_user_the_host_is_checked(options):
    """A note says that no user was checked, and that check does not count as passed."""
    rows = checks.checks(facts.Facts(options))
    assert [check.name for check in rows] == [*HOST, "unit", "user"]
    (row,) = runner.run_checks(rows[-1:])
    assert [(one.code, one.severity) for one in row.findings] == [("no-user", "note")]
    assert not row.is_run


def test_each_user_has_checks_of_their_own(options):
    """Once, in the order of the users, before the unit that all share."""
    rows = checks.checks(facts.Facts(options._replace(users=("alice", "bob", "alice"))))
    kinds = ("user ", "keytab of ", "cache of ", "ticket of ")
    users = [kind + user for user in ("alice", "bob") for kind in kinds]
    assert [check.name for check in rows] == [*HOST, *users, "unit"]


def test_a_user_who_cannot_be_checked_has_one_finding(options):
    """An unknown user has no finding about a keytab, a cache or a ticket."""
    rows = checks.checks(facts.Facts(options._replace(users=("no-such-user",))))
    first, *others = runner.run_checks(rows[4:8])
    assert [row.code for row in first.findings] == ["no-account"]
    assert [(row.findings, row.is_run) for row in others] == [((), False)] * 3


def test_what_a_user_name_means_is_checked(options, monkeypatch):
    """A full name of SSSD, with the default principal."""
    account = Account("alice@corp.example.test", os.geteuid(), os.getegid(), "/home/alice")
    monkeypatch.setattr(facts, "_find_account", lambda name: account)
    check = checks.checks(facts.Facts(options._replace(users=(account.name,))))[4]
    codes = [row.code for row in runner.findings_of(runner.run_checks([check]))]
    assert "user-name-has-domain" in codes


@pytest.mark.parametrize(
    "setting, first",
    [
        ("c.KerberosTicket.keytab = lambda name: name", 5),
        ("c.KerberosTicket.principal = find()", 5),
        ("c.KerberosTicket.ccache = find()", 6),
    ],
)
def test_an_unknown_setting_gives_no_error(options, monkeypatch, tmp_path, setting, first):
    """What depends on it is not checked; a note says why."""
    account = Account("alice", os.geteuid(), os.getegid(), str(tmp_path))
    monkeypatch.setattr(facts, "_find_account", lambda name: account)
    (tmp_path / "c.py").write_text(setting + "\n")
    chosen = options._replace(users=("alice",), config_paths=(str(tmp_path / "c.py"),))
    rows = checks.checks(facts.Facts(chosen))
    (configuration,) = runner.run_checks(rows[3:4])
    assert [row.code for row in configuration.findings] == ["setting-not-literal"]
    done = runner.run_checks(rows[first:8])
    assert not any(row.is_run or row.findings for row in done)


@pytest.mark.parametrize("printed, shown", [("", "no output"), (" a\n  b", "a b")])
def test_neither_the_settings_nor_klist_name_a_keytab(
    options, monkeypatch, tmp_path, printed, shown
):
    """The finding has what klist printed, on one line."""
    account = Account("alice", os.geteuid(), os.getegid(), str(tmp_path))
    monkeypatch.setattr(facts, "_find_account", lambda name: account)
    for name, text in (("kinit", ""), ("klist", "printf '%s'" % printed)):
        (tmp_path / name).write_text("#!/bin/sh\n" + text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "c.py").write_text("c.KerberosTicket.kinit = %r\n" % str(tmp_path / "kinit"))
    chosen = options._replace(users=("alice",), config_paths=(str(tmp_path / "c.py"),))
    (row,) = runner.findings_of(runner.run_checks(checks.checks(facts.Facts(chosen))[5:6]))
    assert (row.code, row.user) == ("keytab-missing", "alice")
    assert row.message == "alice: no keytab is set, and klist names none: " + shown


def test_a_path_that_was_not_inspected_in_time_is_no_missing_one(options, monkeypatch, tmp_path):
    """On a busy host, the keytab and the cache are not checked; nothing is wrong with them."""
    account = Account("alice", os.geteuid(), os.getegid(), str(tmp_path))
    monkeypatch.setattr(facts, "_find_account", lambda name: account)
    monkeypatch.setattr(facts.Facts, "components", lambda *_: ())
    (tmp_path / "c.py").write_text("c.KerberosTicket.ccache = '/tmp/krb5cc_{uid}'\n")
    chosen = options._replace(
        users=("alice",),
        config_paths=(str(tmp_path / "c.py"),),
        templates={"keytab": str(tmp_path / "k")},
    )
    rows = runner.findings_of(runner.run_checks(checks.checks(facts.Facts(chosen))[5:7]))
    assert {row.code for row in rows if row.severity != "note"} == {"check-timeout"}


def test_mounts_that_cannot_be_read(options, monkeypatch, tmp_path):
    """As without /proc: the check of the mounts is left out, and no other one of the user."""
    account = Account("alice@corp.example.test", os.geteuid(), os.getegid(), "/home/alice")
    monkeypatch.setattr(facts, "_find_account", lambda name: account)
    chosen = options._replace(users=(account.name,), mounts_path=str(tmp_path / "none"))
    rows = runner.findings_of(runner.run_checks(checks.checks(facts.Facts(chosen))[4:5]))
    found = {row.code for row in rows}
    assert "check-failed" not in found and "user-name-has-domain" in found


@pytest.mark.skipif(os.geteuid() == 0, reason="root can become every user")
def test_another_user_needs_root(options):
    """That is a note, and nothing of theirs is checked."""
    rows = checks.checks(facts.Facts(options._replace(users=("root",))))
    found = [row.code for row in runner.findings_of(runner.run_checks(rows[4:8]))]
    assert found == ["below-min-uid", "needs-root"]


@pytest.mark.parametrize(
    "line, words",
    [
        (None, "used"),
        ("PassEnvironment=KRB5_CONFIG", "used"),
        ("User=root", "did not use"),
        ("Environment=KRB5_CONFIG=/other", "did not use"),
    ],
)
def test_krb5_config_of_the_shell_is_named(options, tmp_path, line, words):
    """It can stand in for the hub's: whether it does is a note."""
    if line:
        (tmp_path / "jupyterhub.service").write_text("[Service]\n%s\n" % line)
    rows = runner.findings_of(runner.run_checks(checks.checks(facts.Facts(options))[4:5]))
    (message,) = [row.message for row in rows if row.code == "shell-krb5-config"]
    assert message.startswith("doctor %s KRB5_CONFIG=%s of" % (words, tmp_path / "krb5.conf"))


@pytest.mark.slow
@pytest.mark.parametrize("is_late", [False, True])
def test_a_read_that_hangs_ends_each_check_at_its_own_limit(options, monkeypatch, is_late):
    """No check waits longer than its limit, and a value that comes late is still used."""
    release, reads, names = threading.Event(), [], []

    def read_profile(environ):
        reads.append(environ)
        release.wait()
        return Profile(sources=(ConfigFile("/late", ParsedText(())),))

    def begin(name):
        names.append(name)
        if is_late and name == "KDC":
            release.set()

    monkeypatch.setattr(krb5_conf, "read_profile", read_profile)
    rows = [check for check in checks.checks(facts.Facts(options)) if check.name != "unit"]
    findings = runner.findings_of(runner.run_checks([*rows, *rows[:1]], each=0.5, step=begin))
    late = [row.message.partition(":")[0] for row in findings if row.code == "check-timeout"]
    assert late == (["krb5.conf"] if is_late else ["krb5.conf", "KDC", "krb5.conf"])
    assert ("no-default-realm" in [row.code for row in findings]) == is_late
    assert len(reads) == 1 and names == [check.name for check in rows] + ["krb5.conf"]
    release.set()
