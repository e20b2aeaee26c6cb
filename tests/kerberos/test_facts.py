"""Each part of the host is read once, as it was when a check first needed it."""

import os
import subprocess
import time

import pytest

from jhpatch.checks.runner import Deadline
from jhpatch.deployed.kerberos.account import Account, find_account
from jhpatch.deployed.kerberos.ccache import cache_of
from jhpatch.kerberos.ccache import usual_path
from jhpatch.kerberos.facts import DoctorOptions, Facts
from jhpatch.kerberos.programs import Completed
from jhpatch.kerberos.ticket_spec import TicketSpec
from testing.kdc import SilentKdc
from testing.tickets import is_after

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

    return find_account(pwd.getpwuid(os.geteuid()).pw_name)


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
    (tmp_path / "mounts").write_text("nas:/one /one nfs rw 0 0\n")
    (tmp_path / "principals").write_text("alice one\n")
    text = "c.KerberosTicket.principal_map = %r\nc.KerberosTicket.kinit = %r\n"
    text %= (str(tmp_path / "principals"), str(tmp_path / "bin/kinit"))
    (tmp_path / "config.py").write_text(text)
    options = DoctorOptions(
        environ={"KRB5_CONFIG": str(tmp_path / "krb5.conf")},
        config_paths=(str(tmp_path / "config.py"),),
        mounts_path=str(tmp_path / "mounts"),
        unit_directories=(str(tmp_path),),
        unit="test",
    )
    return Facts(options)


def test_a_file_is_read_once(facts, account, tmp_path):
    """A file that changes, or vanishes, between two checks is not read again."""

    def read():
        mounts = [mount.path for mount in facts.mounts]
        spec = facts.ticket_spec(account._replace(name="alice"))[0]
        return (facts.profile.realm, mounts, spec.principal)

    before = ("ONE", ["/one"], "one@ONE")
    assert read() == before
    for name in ("krb5.conf", "mounts", "principals", "config.py"):
        (tmp_path / name).unlink()
    assert read() == before and facts.hub_config_file[1] == ()


def test_nothing_is_read_in_advance(tmp_path):
    """Facts of files that do not exist can be made; each is missed where it is needed."""
    options = DoctorOptions(
        environ={"KRB5_CONFIG": str(tmp_path / "krb5.conf")},
        config_paths=(str(tmp_path / "config.py"),),
        mounts_path=str(tmp_path / "mounts"),
    )
    facts = Facts(options)
    assert [error.kind for error in facts.profile.errors] == ["missing"]
    assert facts.hub_config_file[1][0].code == "config-unreadable"
    assert facts.mounts == ()


def test_templates_of_the_command_line_come_first(facts, account):
    """A template replaces the configuration's, and a principal the map."""
    options = facts.options._replace(templates={"principal": "bob", "keytab": None})
    facts = Facts(options)
    assert facts.hub_config.ticket_setting("principal") == "bob"
    assert facts.ticket_spec(account)[0].principal == "bob@ONE"


def test_a_ticket_is_specified_by_the_facts(facts, account):
    """The principal has the realm of krb5.conf and the map's name, if it has one."""
    spec, findings = facts.ticket_spec(account._replace(name="alice"))
    assert (spec, findings) == (TicketSpec("one@ONE", "", ""), ())
    spec, findings = facts.ticket_spec(account._replace(name="bob"))
    assert spec.principal == "bob@ONE"


def test_an_account_is_looked_up_once(facts, account, monkeypatch):
    """Also a name without an account."""
    names = []
    monkeypatch.setattr("jhpatch.kerberos.facts._find_account", names.append)
    assert [facts.account(name) for name in ("a", "b", "a", "b")] == [None] * 4
    assert names == ["a", "b"]


def test_klist_is_run_once(facts, account, log):
    """Two checks that need a user's keytab and its keys run klist twice, not four times."""
    spec = TicketSpec("alice@X", "", "")
    for _ in range(2):
        keytab, output = facts.keytab(account, spec, Deadline(300))
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
    keytab, output = facts.keytab(account, spec, Deadline(300))
    assert (keytab.path, output) == (spec.keytab, "") and log.read_text() == ""


def test_klist_that_names_no_keytab(facts, account, tmp_path):
    """There is no keytab then, and what klist printed is known."""
    (tmp_path / "bin/klist").write_text("#!/bin/sh\necho nothing\n")
    spec = TicketSpec("alice@X", "", "")
    assert facts.keytab(account, spec, Deadline(300)) == (None, "nothing\n")


def test_klist_lies_beside_the_kinit_that_is_used(facts, tmp_path):
    """So it has the same libkrb5; without a kinit it is searched for."""
    assert facts.krb5_program("klist") == str(tmp_path / "bin/klist")
    assert facts.kinits(Deadline(300))[0].path == str(tmp_path / "bin/kinit")


def test_a_wrapper_of_kinit_lies_alone(facts, tmp_path):
    """It may have any name; klist is then the system's, as in the service."""
    (tmp_path / "bin/kinit").rename(tmp_path / "bin/kinit-site")
    (tmp_path / "bin/klist").unlink()
    (tmp_path / "config.py").write_text(
        "c.KerberosTicket.kinit = %r\n" % str(tmp_path / "bin/kinit-site")
    )
    assert facts.krb5_program("kinit") == str(tmp_path / "bin/kinit-site")
    assert os.access(facts.krb5_program("klist"), os.X_OK)


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_root_runs_no_klist_that_others_can_write(facts, tmp_path):
    """Even if only root can write the kinit beside it."""
    (tmp_path / "bin/klist").chmod(0o777)
    assert not facts.krb5_program("klist").startswith(str(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_root_runs_no_klist_beside_a_kinit_that_others_can_write(facts, tmp_path):
    """Then it is the one of a system directory."""
    (tmp_path / "bin/kinit").chmod(0o777)
    assert not facts.krb5_program("klist").startswith(str(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_root_runs_no_system_program_that_others_can_write(facts, tmp_path, monkeypatch):
    """Neither the one of the service nor that of a system directory: there is none then."""
    (tmp_path / "bin/kinit").chmod(0o777)
    path = str(tmp_path / "bin/kinit")
    monkeypatch.setattr("jhpatch.kerberos.programs.find_program", lambda *arguments: path)
    assert os.path.isabs(facts.krb5_program("kinit"))
    assert not os.path.exists(facts.krb5_program("kinit"))


def test_the_unit_is_the_one_that_is_asked_for(facts, tmp_path):
    """Its files are read in the directories of the options."""
    (tmp_path / "test.service").write_text("[Service]\nUser=root\n")
    assert facts.unit(Deadline(300)).settings == {"User": "root"}


def test_krb5_config_of_the_unit_counts(facts, tmp_path):
    """The hub's libkrb5 reads it, whatever the caller's environment has."""
    (tmp_path / "hub.conf").write_text(KRB5_CONF % "TWO")
    line = "Environment=KRB5_CONFIG=%s/hub.conf\n" % tmp_path
    (tmp_path / "test.service").write_text("[Service]\n" + line)
    assert facts.profile.realm == "TWO"
    assert facts.environ["KRB5_CONFIG"] == str(tmp_path / "hub.conf")
    assert facts.options.environ["KRB5_CONFIG"] == str(tmp_path / "krb5.conf")


@pytest.mark.parametrize(
    "line, is_used", [("User=root", False), ("PassEnvironment=KRB5_CONFIG", True)]
)
def test_krb5_config_of_the_shell(facts, tmp_path, line, is_used):
    """A hub whose unit sets none reads the default files, whatever the caller's shell has."""
    (tmp_path / "test.service").write_text("[Service]\n%s\n" % line)
    assert ("KRB5_CONFIG" in facts.environ) == is_used


@pytest.mark.parametrize(
    "text, is_passed",
    [
        ("c.Spawner.environment = {'KRB5_CONFIG': '/x'}\n", True),
        ("c.Spawner.env_keep = ['PATH', 'KRB5_CONFIG']\n", True),
        ("c.Spawner.environment = find()\n", True),
        ("c.Spawner.environment = dict(find())\n", True),
        ("c.Spawner.environment = {'LANG': 'C'}\n", False),
        ("", False),
    ],
)
def test_what_the_hub_passes_on(facts, tmp_path, text, is_passed):
    """Servers have a variable of the hub's only if its configuration says so."""
    (tmp_path / "config.py").write_text(text)
    assert facts.servers_have("KRB5_CONFIG") == is_passed


def test_a_cache_that_krb5_conf_names(facts, account, log, tmp_path):
    """klist is not asked, and so has no output."""
    text = KRB5_CONF % "ONE" + " default_ccache_name = FILE:/tmp/%{uid}\n"
    (tmp_path / "krb5.conf").write_text(text)
    name = "FILE:/tmp/%d" % account.uid
    spec = TicketSpec("alice", "", "")
    assert facts.cache_name(account, spec, Deadline(300)) == (name, False, "")
    assert log.read_text() == ""


def test_a_fifo_at_the_usual_path_of_the_cache(tmp_path, monkeypatch):
    """klist waits for whoever writes to it: the cache is known all the same."""
    facts = Facts(DoctorOptions(environ={"KRB5_CONFIG": str(tmp_path / "none")}))
    user = Account("nobody", 10**9 + os.getpid(), 1, "/")
    spec, path = TicketSpec("alice", "", ""), usual_path(user)
    monkeypatch.setattr(facts, "run", lambda *arguments: Completed(None, "", "no answer"))
    assert facts.cache_name(user, spec, Deadline(2))[0] is None
    os.mkfifo(path)
    try:
        assert facts.cache_name(user, spec, Deadline(2))[0] == "FILE:" + path
    finally:
        os.unlink(path)


def test_a_ticket_is_requested_once_with_the_settings(kdc, keytab, account, tmp_path):
    """The lifetime of the configuration is kinit's, and the trace of kinit is kept."""
    (tmp_path / "config.py").write_text("c.KerberosTicket.lifetime = '1h'\n")
    options = DoctorOptions(environ=kdc.env(), config_paths=(str(tmp_path / "config.py"),))
    facts = Facts(options)
    arguments = (account, TicketSpec("alice/service", keytab, ""), cache_of("/x/cc", 1))
    began = time.time()
    answer = facts.ticket_answer(*arguments, Deadline(300))
    assert is_after(answer.ticket.end, 3600, began)
    assert "Getting initial credentials" in answer.trace
    assert facts.ticket_answer(*arguments, Deadline(300)) is answer


def test_a_request_that_had_no_time_is_made_again(account, tmp_path):
    """A later check may have more time for it."""
    with SilentKdc(str(tmp_path)) as silent:
        (tmp_path / "hub.py").write_text("c.KerberosTicket.timeout = 0.5\n")
        paths = (str(tmp_path / "hub.py"),)
        environ = {"KRB5_CONFIG": silent.krb5_conf}
        facts = Facts(DoctorOptions(environ=environ, config_paths=paths))
        keytab = tmp_path / "keytab"
        text = "addent -password -p alice@EXAMPLE.TEST -k 1 -e aes256-cts\nx\nwkt %s\n" % keytab
        subprocess.run(["ktutil"], input=text.encode(), check=True, stdout=subprocess.DEVNULL)
        arguments = account, TicketSpec("alice", str(keytab), ""), cache_of("/x/cc", 1)
        assert facts.ticket_answer(*arguments, Deadline(0.5)) is None
        assert facts.ticket_answer(*arguments, Deadline(300)) is not None
