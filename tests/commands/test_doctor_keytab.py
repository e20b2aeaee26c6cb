"""``jhpatch doctor``: keytabs, principals, and the caches of tickets."""

import os
import shutil
import subprocess
import tempfile

import pytest

from jhpatch.deployed.kerberos.account import find_account
from jhpatch.deployed.kerberos.kinit import Kinit
from jhpatch.deployed.kerberos.settings import Settings, TicketSpec
from testing.doctor import USER, codes, finding, krb5_conf
from testing.users import NOBODY, ROOT_ONLY

pytestmark = ROOT_ONLY


def change_of(name):
    """What breaks a keytab, by the code of the finding."""

    def directory(path, mode, uid):
        os.chmod(str(path.parent), mode)
        os.chown(str(path.parent), uid, uid)

    def fifo(path):
        path.unlink()
        os.mkfifo(str(path))
        os.chown(str(path), NOBODY, NOBODY)

    def weak(path):
        path.write_bytes(b"")

    return {
        "keytab-missing": lambda path: path.unlink(),
        "keytab-not-regular": fifo,
        "keytab-unreachable": lambda path: directory(path, 0o700, 1),
        "keytab-unreadable": lambda path: os.chown(str(path), 0, 0),
        "keytab-exposed": lambda path: path.chmod(0o644),
        "keytab-replaceable": lambda path: directory(path, 0o777, 0),
        "keytab-malformed": weak,
    }[name]


@pytest.mark.parametrize(
    "code",
    [
        *("keytab-missing", "keytab-not-regular", "keytab-unreachable", "keytab-unreadable"),
        *("keytab-exposed", "keytab-replaceable", "keytab-malformed"),
    ],
)
def test_a_keytab_that_does_not_work(of_user, users_keytab, code):
    """A keytab that is not for its user alone is named with its path and the next step."""
    change_of(code)(users_keytab)
    answer = of_user()
    assert answer.code == 3 and codes(answer) == {code}
    is_above = code in ("keytab-unreachable", "keytab-replaceable")
    where = users_keytab.parent if is_above else users_keytab
    assert finding(answer, code)["path"] == str(where) and finding(answer, code)["user"] == USER
    works = code in ("keytab-exposed", "keytab-replaceable")
    assert ("kinit-works" in codes(answer, "note")) == works


@pytest.mark.parametrize(
    "code, mode, uid",
    [("keytab-exposed", 0o644, NOBODY), ("keytab-replaceable", 0o620, NOBODY)]
    + [("keytab-unreadable", 0o000, NOBODY)],
)
def test_a_command_that_changes_a_file_removes_the_fault(of_user, users_keytab, code, mode, uid):
    """It is carried out as it is printed, by root: the finding is gone, and nothing else came."""
    os.chown(str(users_keytab), uid, 1)
    users_keytab.chmod(mode)
    answer = of_user()
    assert code in codes(answer)
    command = finding(answer, code)["next"]
    assert command.startswith("runuser -u nobody -- chmod ")
    subprocess.run(command, shell=True, check=True, cwd="/")
    assert codes(of_user()) == set()
    assert os.stat(str(users_keytab)).st_uid == uid


def test_a_keytab_without_the_principal(of_user, kdc, users_keytab):
    """The error says whose keys the users_keytab has."""
    shutil.copy(os.path.join(kdc.folder, "bob.keytab"), str(users_keytab))
    answer = of_user()
    assert codes(answer) == {"keytab-lacks-principal"}
    assert "bob@EXAMPLE.TEST" in finding(answer, "keytab-lacks-principal")["message"]


def test_a_keytab_with_an_old_key(of_user, kdc, users_keytab):
    """kinit's "Preauthentication failed" is reported as an outdated key."""
    users_keytab.unlink()
    kdc.add_principal("carol", keytab=str(users_keytab))
    os.chown(str(users_keytab), NOBODY, NOBODY)
    kdc._call("kadmin.local", "-q", "cpw -randkey carol")
    answer = of_user("--principal", "carol")
    assert codes(answer) == {"kinit-key-wrong"}
    assert "reauthentication failed" in finding(answer, "kinit-key-wrong")["message"]


def test_a_principal_that_the_realm_does_not_serve(of_user, kdc, users_keytab):
    """A principal that was removed and one that is locked are told apart."""
    users_keytab.unlink()
    kdc.add_principal("dave", keytab=str(users_keytab))
    os.chown(str(users_keytab), NOBODY, NOBODY)
    kdc._call("kadmin.local", "-q", "modprinc -allow_tix dave")
    assert codes(of_user("--principal", "dave")) == {"kinit-client-locked"}
    kdc._call("kadmin.local", "-q", "delprinc -force dave")
    assert codes(of_user("--principal", "dave")) == {"kinit-client-unknown"}


def test_root_never_reads_what_a_user_points_at(of_user, kdc, users_keytab):
    """A symlink to a keytab of root's is not followed with root's rights."""
    secret = os.path.join(kdc.folder, "root.keytab")
    shutil.copy(os.path.join(kdc.folder, "alice.keytab"), secret)
    os.chmod(secret, 0o600)
    users_keytab.unlink()
    os.symlink(secret, str(users_keytab))
    answer = of_user()
    assert codes(answer) == {"keytab-unreadable"}
    assert not {"keytab", "kinit-works"} & codes(answer, "note")


def test_a_central_keytab(of_user, kdc):
    """Root reads a keytab of its own and obtains the ticket in memory."""
    directory = tempfile.mkdtemp(prefix="jhpatch-doctor-", dir="/run")
    try:
        path = os.path.join(directory, "nobody.keytab")
        shutil.copy(os.path.join(kdc.folder, "alice.keytab"), path)
        os.chmod(path, 0o600)
        answer = of_user("--keytab", path)
        assert codes(answer) == set()
        assert {"keytab-central", "kinit-works"} <= codes(answer, "note")
        assert codes(of_user("--keytab", path + ".gone")) == {"keytab-missing"}
    finally:
        shutil.rmtree(directory)


def test_the_client_keytab(doctor_of, kdc, users_keytab, tmp_path, monkeypatch):
    """Where no keytab is set, krb5.conf's counts, as klist names it."""
    text = open(kdc.krb5_conf).read()
    line = "[libdefaults]\n default_client_keytab_name = FILE:%s\n" % users_keytab
    path = krb5_conf(tmp_path, text.replace("[libdefaults]\n", line))
    monkeypatch.setenv("KRB5_CONFIG", path)
    answer = doctor_of("--user", USER, "--principal", "alice/service")
    assert codes(answer) == set() and finding(answer, "keytab")["path"] == str(users_keytab)


@pytest.mark.parametrize(
    "cache, code",
    [
        ("DIR:/tmp/krb5cc_{uid}_dir", "ccache-hidden-from-jvm"),
        ("KEYRING:persistent:{uid}", "ccache-hidden-from-jvm"),
        ("KEYRING:session:{uid}", "ccache-unsupported"),
        ("MEMORY:x", "ccache-unsupported"),
        ("/nowhere/at/all/{uid}", "ccache-folder"),
        ("/etc/krb5cc_{uid}", "ccache-folder"),
        ("FILE:/tmp/krb5cc_{uid}", None),
    ],
)
def test_a_cache_that_does_not_work(of_user, cache, code):
    """Each type of cache that the servers, or a JVM in them, cannot use is a finding."""
    assert codes(of_user("--ccache", cache)) == ({code} if code else set())


def test_a_cache_of_another_user(of_user, tmp_path):
    """A cache that another user owns is an error that names it."""
    directory = tmp_path / "caches"
    directory.mkdir()
    directory.chmod(0o1777)
    (directory / ("cc%d" % NOBODY)).write_text("")
    answer = of_user("--ccache", str(directory / "cc{uid}"))
    assert codes(answer) == {"ccache-foreign"}
    assert "rm" not in finding(answer, "ccache-foreign")["next"].split()


@pytest.mark.parametrize(
    "name, code",
    [
        ("FILE:/tmp/krb5cc_%{uid}", None),
        ("FILE:/var/tmp/krb5cc_%{uid}", "ccache-hidden-from-jvm"),
        ("DIR:/tmp/krb5cc_%{uid}_dir", "ccache-hidden-from-jvm"),
        ("KEYRING:persistent:%{uid}", "ccache-hidden-from-jvm"),
        ("KEYRING:persistent", "ccache-unknown"),
        ("FILE:/tmp/x_%{uid", "ccache-unknown"),
    ],
)
def test_the_default_cache(doctor_of, users_keytab, kdc, tmp_path, monkeypatch, name, code):
    """A JVM ignores default_ccache_name: what libkrb5 names must be what a JVM reads."""
    text = open(kdc.krb5_conf).read()
    line = "[libdefaults]\n default_ccache_name = %s\n" % name
    path = krb5_conf(tmp_path, text.replace("[libdefaults]\n", line))
    monkeypatch.setenv("KRB5_CONFIG", path)
    options = ["--keytab", str(users_keytab), "--principal", "alice/service"]
    answer = doctor_of("--user", USER, *options)
    assert codes(answer) == ({code} if code else set())
    assert codes(answer, "error") == {code} - {None, "ccache-hidden-from-jvm"}
    assert not os.path.exists("/tmp/krb5cc_%d_dir" % NOBODY)  # klist would make it


@pytest.mark.parametrize("name", ["svc account%d", "a%d\\@corp.example"])
def test_a_principal_with_a_blank_or_an_escape(of_user, kdc, users_keytab, caches, name):
    """With and without a realm; the ticket that the service has stored is of this principal."""
    name %= os.getpid()
    kdc._call("kadmin.local", "addprinc", "-randkey", name)
    users_keytab.unlink()
    kdc._call("kadmin.local", "ktadd", "-k", str(users_keytab), "-norandkey", name)
    os.chown(str(users_keytab), NOBODY, NOBODY)
    for number, principal in enumerate((name, name + "@" + kdc.realm)):
        template = "FILE:%s/%d-{uid}" % (caches, number)
        cache = template.format(uid=NOBODY)
        Kinit(Settings(), kdc.env()).ensure(
            find_account(USER), TicketSpec(principal, str(users_keytab), cache)
        )
        answer = of_user("--principal", principal, "--ccache", template)
        assert codes(answer) == set() and "kinit-works" in codes(answer, "note")
