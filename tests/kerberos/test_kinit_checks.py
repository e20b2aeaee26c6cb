"""The checks that run kinit share one run."""

import os

import pytest

from jhpatch.checks.runner import Deadline, NotRun
from jhpatch.deployed.kerberos.account import find_account
from jhpatch.kerberos import facts as facts_module
from jhpatch.kerberos import kinit_checks, kinit_run
from jhpatch.kerberos.facts import DoctorOptions, Facts
from testing.users import NOBODY, ROOT_ONLY, make_reachable
from tests.kerberos.findings_of import codes

pytestmark = ROOT_ONLY


@pytest.fixture
def keytab(kdc, tmp_path):
    """A keytab of alice/service in a directory of nobody, who owns both."""
    (tmp_path / "home").mkdir()
    os.chown(str(tmp_path / "home"), NOBODY, NOBODY)
    path = tmp_path / "home" / "nobody.keytab"
    with open(os.path.join(kdc.folder, "alice.keytab"), "rb") as file:
        path.write_bytes(file.read())
    path.chmod(0o600)
    os.chown(str(path), NOBODY, NOBODY)
    make_reachable(str(tmp_path))
    return path


@pytest.fixture
def facts(kdc, keytab):
    """What is known of a host with the realm's krb5.conf and one user."""
    templates = {"keytab": str(keytab), "principal": "alice/service@" + kdc.realm}
    options = DoctorOptions(
        environ=kdc.env(), users=("nobody",), templates=templates, unit_directories=()
    )
    return Facts(options)


@pytest.fixture
def runs(monkeypatch):
    """What kinit was run for."""
    names, ask, request = [], kinit_run.ask_kdc, facts_module.request_ticket

    def record_ask(*arguments):
        names.append("probe")
        return ask(*arguments)

    def record_request(*arguments, **named):
        names.append("ticket")
        return request(*arguments, **named)

    monkeypatch.setattr(kinit_run, "ask_kdc", record_ask)
    monkeypatch.setattr(facts_module, "request_ticket", record_request)
    return names


def ticket(facts, seconds=60):
    """The findings about the user's ticket."""
    account = find_account("nobody")
    spec, _ = facts.ticket_spec(account)
    return list(kinit_checks.probe_ticket(facts, account, spec, Deadline(seconds)))


def test_one_run_answers_both(facts, runs):
    """The KDC's check has the user's ticket tried, and their own check has the same run."""
    assert codes(kinit_checks.probe_kdcs(facts, Deadline(300)), "note") == {"kdc-answers"}
    assert codes(ticket(facts), "note") == {"kinit-works"}
    assert runs == ["ticket"]


def test_without_a_key_a_principal_of_no_realm_is_tried(facts, runs, kdc, keytab):
    """So a request is sent in any case, as nobody."""
    keytab.unlink()
    assert codes(kinit_checks.probe_kdcs(facts, Deadline(300)), "note") == {"kdc-answers"}
    assert runs == ["probe"]
    with pytest.raises(NotRun):
        ticket(facts)


def test_a_keytab_that_is_of_no_use(facts, runs, kdc, keytab):
    """kinit asks no KDC then, and the other principal is tried too."""
    keytab.write_bytes(b"\x05\x02")
    assert codes(kinit_checks.probe_kdcs(facts, Deadline(300)), "note") == {"kdc-answers"}
    assert runs == ["ticket", "probe"]


def test_root_runs_no_kinit_by_a_users_krb5_conf(facts, runs, kdc, keytab, tmp_path):
    """libkrb5 would load a module that it names: the user's own kinit is run, and nobody's."""
    path = tmp_path / "krb5.conf"
    with open(kdc.krb5_conf) as file:
        path.write_text(file.read())
    os.chown(str(path), NOBODY, NOBODY)
    options = facts.options._replace(environ={"KRB5_CONFIG": str(path)})
    facts = Facts(options)
    assert not facts.profile.is_trusted
    assert codes(ticket(facts), "note") == {"kinit-works"}
    os.chown(str(keytab), 0, 0)
    facts = Facts(options)
    account = find_account("nobody")
    spec = facts.ticket_spec(account)[0]._replace(central=True)
    with pytest.raises(NotRun):
        list(kinit_checks.probe_ticket(facts, account, spec, Deadline(300)))
    keytab, _ = facts.keytab(account, spec, Deadline(300))
    assert "doctor does not run klist or kinit as root" in facts.keytab_listing(keytab, 60).stderr
    assert runs == ["ticket"]


def test_a_failure_quotes_the_trace(facts, kdc, tmp_path):
    """An error about KDCs is never the only explanation."""
    path = tmp_path / "krb5.conf"
    path.write_text(
        "[libdefaults]\n dns_lookup_kdc = false\n dns_uri_lookup = false\n[realms]\n"
        " EXAMPLE.TEST = {\n  kdc = tcp/127.0.0.1\n }\n"
    )
    path.chmod(0o644)
    facts = Facts(facts.options._replace(environ={"KRB5_CONFIG": str(path)}))
    (row,) = ticket(facts)
    assert row.code == "kinit-no-kdc" and "Cannot contact any KDC" in row.message
    assert "Resolving hostname tcp/127.0.0.1" in row.message and "this is Heim" in row.message


def test_no_time_is_left(facts, runs):
    """kinit is not started then, and no KDC is blamed."""
    assert codes(kinit_checks.probe_kdcs(facts, Deadline(2))) == {"check-left-out"}
    account = find_account("nobody")
    probe = kinit_checks.probe_ticket(facts, account, facts.ticket_spec(account)[0], Deadline(2))
    assert next(probe).code == "check-left-out"
    with pytest.raises(NotRun):
        next(probe)
    assert runs == []
    assert codes(ticket(facts), "note") == codes(ticket(facts, 0), "note") == {"kinit-works"}
    assert runs == ["ticket"]


def test_the_command_that_repeats_the_request(facts, keytab, tmp_path):
    """It has the configured kinit and the hub's krb5.conf, and root runs it as the user."""
    kinit = tmp_path / "kinit"
    kinit.write_text("#!/bin/sh\necho it fails >&2\nexit 1\n")
    kinit.chmod(0o755)
    (tmp_path / "hub.py").write_text("c.KerberosTicket.kinit = %r\n" % str(kinit))
    templates = dict(facts.options.templates, ccache="/tmp/krb5cc_{uid}")
    paths = (str(tmp_path / "hub.py"),)
    facts = Facts(facts.options._replace(config_paths=paths, templates=templates))
    (row,) = ticket(facts)
    (command,) = row.next.parts
    assert row.code == "kinit-failed" and command.startswith("runuser -u nobody -- sh -c ")
    assert "%s -k -t %s -c MEMORY: -- " % (kinit, keytab) in command
    assert "KRB5_CONFIG=%s " % facts.environ["KRB5_CONFIG"] in command


def test_a_kinit_that_the_user_cannot_start(facts, tmp_path):
    """The keytab has no part in it."""
    (tmp_path / "opt").mkdir(mode=0o700)
    os.symlink("/usr/bin/kinit", str(tmp_path / "opt" / "kinit"))
    (tmp_path / "hub.py").write_text("c.KerberosTicket.kinit = '%s/opt/kinit'\n" % tmp_path)
    templates = dict(facts.options.templates, ccache="/tmp/krb5cc_{uid}")
    paths = (str(tmp_path / "hub.py"),)
    facts = Facts(facts.options._replace(config_paths=paths, templates=templates))
    (row,) = ticket(facts)
    assert row.code == "kinit-not-started", row.message


def test_a_cache_that_fails(facts):
    """The finding has no path: the keytab has no part in it."""
    templates = dict(facts.options.templates, ccache="KCM:{uid}")
    (row,) = ticket(Facts(facts.options._replace(templates=templates)))
    assert (row.code, row.path) == ("ccache-fails", None)
