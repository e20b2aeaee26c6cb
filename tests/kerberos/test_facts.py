"""Each part of the host is read once, as it was when a check first needed it."""

import os

import pytest

from jhpatch.checks.accounts import account_of
from jhpatch.checks.runner import Deadline
from jhpatch.kerberos.facts import DoctorOptions, Facts
from jhpatch.kerberos.ticket_spec import TicketSpec

KRB5_CONF = "[libdefaults]\n default_realm = %s\n"
KLIST = """#!/bin/sh
echo "$@" >> {log}
case $1 in
  -k) echo "Keytab name: FILE:{log}.keytab" ;;
  -ke) echo "   1 alice@X (aes256-cts-hmac-sha1-96) " ;;
esac
"""


@pytest.fixture
def account():
    """The account that runs the tests."""
    import pwd

    return account_of(pwd.getpwuid(os.geteuid()).pw_name)


@pytest.fixture
def log(tmp_path):
    """A kinit with a klist that logs its arguments."""
    log = tmp_path / "log"
    (tmp_path / "bin").mkdir()
    for name, text in (("kinit", "#!/bin/sh\n"), ("klist", KLIST.format(log=log))):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    log.write_text("")
    return log


@pytest.fixture
def facts(tmp_path, log):
    """The facts of a host whose files are all below tmp_path."""
    (tmp_path / "krb5.conf").write_text(KRB5_CONF % "ONE")
    (tmp_path / "resolv.conf").write_text("nameserver 10.0.0.1\n")
    (tmp_path / "mounts").write_text("nas:/one /one nfs rw 0 0\n")
    (tmp_path / "principals").write_text("alice one\n")
    text = "c.KerberosTicket.principal_map = %r\nc.KerberosTicket.kinit = %r\n"
    text %= (str(tmp_path / "principals"), str(tmp_path / "bin/kinit"))
    (tmp_path / "config.py").write_text(text)
    options = DoctorOptions(
        environ={"KRB5_CONFIG": str(tmp_path / "krb5.conf")},
        config_path=str(tmp_path / "config.py"),
        mounts_path=str(tmp_path / "mounts"),
        resolv_conf=str(tmp_path / "resolv.conf"),
        unit_directories=(str(tmp_path),),
        unit="test",
    )
    return Facts(options)


def test_a_file_is_read_once(facts, tmp_path):
    """A file that changes, or vanishes, between two checks is not read again."""

    def read():
        mounts = [mount.path for mount in facts.mounts]
        return (facts.profile.realm, facts.name_servers, mounts, dict(facts.principal_map))

    before = ("ONE", ("10.0.0.1",), ["/one"], {"alice": "one"})
    assert read() == before
    for name in ("krb5.conf", "resolv.conf", "mounts", "principals", "config.py"):
        (tmp_path / name).unlink()
    assert read() == before and facts.hub_config_file[1] == ()


def test_nothing_is_read_in_advance(tmp_path):
    """Facts of files that do not exist can be made; each is missed where it is needed."""
    paths = {name: str(tmp_path / name) for name in ("config_path", "mounts_path", "resolv_conf")}
    facts = Facts(DoctorOptions(environ={"KRB5_CONFIG": str(tmp_path / "krb5.conf")}, **paths))
    assert [error.kind for error in facts.profile.errors] == ["missing"]
    assert facts.name_servers == ("127.0.0.1",)
    assert facts.hub_config_file[1][0].code == "config-unreadable"
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            facts.mounts  # noqa: B018


def test_templates_of_the_command_line_come_first(facts):
    """A template replaces the configuration's, and a principal the map."""
    options = facts.options._replace(templates={"principal": "bob", "keytab": None})
    facts = Facts(options)
    assert facts.hub_config.ticket_setting("principal") == "bob"
    assert facts.principal_map == {}


def test_a_ticket_is_specified_by_the_facts(facts, account):
    """The principal has the realm of krb5.conf and the map's name, if it has one."""
    spec, findings = facts.ticket_spec(account._replace(name="alice"))
    assert (spec, findings) == (TicketSpec("one@ONE", "", "", False), ())
    spec, findings = facts.ticket_spec(account._replace(name="bob"))
    assert spec.principal == "bob@ONE"


def test_an_account_is_looked_up_once(facts, account, monkeypatch):
    """Also a name without an account."""
    names = []
    monkeypatch.setattr(
        "jhpatch.checks.accounts.account_of", lambda name: names.append(name) or None
    )
    assert [facts.account(name) for name in ("a", "b", "a", "b")] == [None] * 4
    assert names == ["a", "b"]


def test_klist_is_run_once(facts, account, log):
    """Two checks that need a user's keytab and its keys run klist twice, not four times."""
    spec = TicketSpec("alice@X", "", "", False)
    for _ in range(2):
        keytab, output = facts.keytab(account, spec, Deadline(10))
        assert keytab.path == str(log) + ".keytab" and output.startswith("Keytab name")
        assert facts.keytab_listing(keytab, 5).exit_code == 0
    assert log.read_text().split("\n")[:-1] == ["-k -i", "-ke %s.keytab" % log]


def test_klist_is_run_for_each_user(facts, account, log):
    """What one user sees is not taken for what another sees."""
    facts.run([facts.krb5_program("klist"), "-k"], 5, account)
    facts.run([facts.krb5_program("klist"), "-k"], 5, None)
    facts.run([facts.krb5_program("klist"), "-k"], 5, account._replace(home="/"))
    assert log.read_text() == "-k\n" * 3


def test_a_program_that_was_killed_is_run_again(facts, tmp_path, account):
    """The next check may have more time for it; one that failed is not run again."""
    script = "echo x >> %s/runs; test -e %s/quick || sleep 60; exit 3" % (tmp_path, tmp_path)
    argv = ["/bin/sh", "-c", script]
    assert facts.run(argv, 0.3, account).exit_code is None
    (tmp_path / "quick").write_text("")
    assert [facts.run(argv, 30, account).exit_code for _ in range(3)] == [3, 3, 3]
    assert (tmp_path / "runs").read_text() == "x\n" * 2


def test_a_keytab_that_is_set_needs_no_klist(facts, account, log, tmp_path):
    """The setting comes before krb5.conf's client keytab."""
    spec = TicketSpec("alice@X", str(tmp_path / "set.keytab"), "", False)
    keytab, output = facts.keytab(account, spec, Deadline(10))
    assert (keytab.path, output) == (spec.keytab, "") and log.read_text() == ""


def test_klist_that_names_no_keytab(facts, account, tmp_path):
    """There is no keytab then, and what klist printed is known."""
    (tmp_path / "bin/klist").write_text("#!/bin/sh\necho nothing\n")
    spec = TicketSpec("alice@X", "", "", False)
    assert facts.keytab(account, spec, Deadline(10)) == (None, "nothing\n")


def test_klist_lies_beside_the_kinit_that_is_used(facts, tmp_path):
    """So it has the same libkrb5; without a kinit it is searched for."""
    assert facts.krb5_program("klist") == str(tmp_path / "bin/klist")
    assert facts.kinits(Deadline(10))[0].path == str(tmp_path / "bin/kinit")


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_root_runs_no_klist_beside_a_kinit_that_others_can_write(facts, tmp_path):
    """Then it is the one of a system directory."""
    (tmp_path / "bin/kinit").chmod(0o777)
    assert not facts.krb5_program("klist").startswith(str(tmp_path))


def test_the_unit_is_the_one_that_is_asked_for(facts, tmp_path):
    """Its files are read in the directories of the options."""
    (tmp_path / "test.service").write_text("[Service]\nUser=root\n")
    assert facts.unit(Deadline(10)).settings == {"User": "root"}
