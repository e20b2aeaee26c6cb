"""``jhpatch doctor``: each finding made to happen on this host, with a real KDC."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

from jhpatch.commands import doctor
from jhpatch.kerberos import findings
from jhpatch.spark import checks as spark_checks
from jhpatch.system import become_user
from testing import ROOT, ports
from testing.pages import documented, table_of
from testing.trees import times
from testing.users import make_reachable

USER, UID = "nobody", 65534
FIELDS = {"code", "severity", "message", "path", "why", "next", "user"}
NAME = "alice/service@EXAMPLE.TEST"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")


@pytest.fixture
def keytab(kdc, tmp_path):
    """A keytab of alice/service that nobody owns, in a folder that nobody owns."""
    home = tmp_path / "home"
    home.mkdir()
    path = home / "nobody.keytab"
    shutil.copy(os.path.join(kdc.folder, "alice.keytab"), str(path))
    path.chmod(0o600)
    for one in (home, path):
        os.chown(str(one), UID, UID)
    make_reachable(str(tmp_path))
    return path


@pytest.fixture
def doctor_of(jhpatch, kdc, monkeypatch):
    """``doctor_of("--user", "nobody")``: the answer, with krb5.conf of the KDC."""
    for name in ("KRB5CCNAME", "KRB5_CLIENT_KTNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)

    def call(*arguments):
        return jhpatch(None, "doctor", *arguments)

    return call


@pytest.fixture
def of_user(doctor_of, keytab):
    """The answer about a user whose keytab, principal and cache are well set, but for options."""

    def call(*arguments):
        options = ["--user", USER, "--keytab", str(keytab.parent / "{username}.keytab")]
        options += ["--principal", "alice/service", "--ccache", "/tmp/krb5cc_{uid}"]
        return doctor_of(*options, *arguments)

    return call


def found(answer, *severities):
    """The codes of an answer's findings, errors and warnings if nothing else is named."""
    wanted = severities or ("error", "warning")
    rows = answer.document["findings"]
    return {row["code"] for row in rows if row["severity"] in wanted}


def row(answer, code):
    """The one finding of a code."""
    (one,) = [row for row in answer.document["findings"] if row["code"] == code]
    return one


def conf(tmp_path, text):
    """A krb5.conf that all can read."""
    path = tmp_path / "krb5.conf"
    path.write_text(text)
    path.chmod(0o644)
    make_reachable(str(tmp_path))
    return str(path)


# a host


def test_a_good_host(of_user, keytab):
    """Exit 0; a ticket was really got, and nothing on the disk has changed."""
    before = times(str(keytab.parent))
    cache = os.path.lexists("/tmp/krb5cc_%d" % UID)
    answer = of_user()
    assert (answer.code, found(answer)) == (0, set())
    assert {"kdc-answers", "kinit", "keytab", "kinit-works", "ccache"} <= found(answer, "note")
    assert all(set(one) == FIELDS for one in answer.document["findings"])
    assert "kvno 1" in row(answer, "keytab")["message"]
    assert times(str(keytab.parent)) == before
    assert os.path.lexists("/tmp/krb5cc_%d" % UID) == cache


def test_without_a_user(doctor_of):
    """Host and KDC are looked at, and it says what was not."""
    answer = doctor_of()
    assert answer.code == 0 and row(answer, "no-user")["next"].endswith("doctor --user NAME")


def test_the_text_says_what_where_why_and_next(kdc, keytab):
    """In a pipe, under LC_ALL=C, without colour."""
    keytab.unlink()
    argv = ["--user", USER, "--keytab", str(keytab), "--principal", "\u00e4"]
    done = subprocess.run(
        [sys.executable, "-m", "jhpatch", "doctor", *argv],
        cwd="/",
        env=dict(kdc.env(), PYTHONPATH=ROOT, PATH=os.defpath, LC_ALL="C", PYTHONUTF8="0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    lines = done.stdout.decode("ascii", "strict" if b"\xc3" not in done.stdout else "replace")
    assert done.returncode == 3 and done.stderr == b"" and "\x1b" not in lines
    for words in ("error    keytab-missing", "where: " + str(keytab), "why:   ", "next:  ls -l "):
        assert words in lines
    assert re.search(r"^\d+ checks: 1 error, ", lines, re.M)


# krb5.conf and the KDC


@pytest.mark.parametrize(
    "text, code",
    [
        (None, "krb5-conf-missing"),
        ("[libdefaults\n", "krb5-conf-syntax"),
        ("[libdefaults]\n default_realm\n", "krb5-conf-syntax"),
        ("include /nowhere/at/all\n[libdefaults]\n", "krb5-conf-include"),
        ("includedir /nowhere/at/all\n[libdefaults]\n", "krb5-conf-include"),
        ("[realms]\n X = {\n kdc = a\n }\n", "no-default-realm"),
        ("[libdefaults]\n default_realm = X\n dns_lookup_kdc = false\n", "no-kdc"),
    ],
)
def test_krb5_conf(doctor_of, tmp_path, monkeypatch, text, code):
    """What libkrb5 cannot read, or what it lacks, with the file and the line."""
    path = conf(tmp_path, text or "")
    if text is None:
        os.unlink(path)
    monkeypatch.setenv("KRB5_CONFIG", path)
    answer = doctor_of()
    assert answer.code == 3 and code in found(answer)
    if code.startswith("krb5-conf-s"):
        assert row(answer, code)["path"] == path and "line " in row(answer, code)["message"]


@pytest.mark.parametrize(
    "mode, owner, code",
    [(0o600, 0, "unreadable"), (0o646, 0, "writable"), (0o644, UID, "writable")],
)
def test_krb5_conf_is_for_all_and_of_root(
    doctor_of, kdc, tmp_path, monkeypatch, mode, owner, code
):
    """One that others can write is not even read by root."""
    path = conf(tmp_path, open(kdc.krb5_conf).read())
    os.chmod(path, mode)
    os.chown(path, owner, owner)
    monkeypatch.setenv("KRB5_CONFIG", path)
    answer = doctor_of()
    assert "krb5-conf-" + code in found(answer)
    assert ("kdc-answers" in found(answer, "note")) == (code == "unreadable")


def test_an_included_realm_counts(doctor_of, kdc, tmp_path, monkeypatch):
    """As libkrb5 reads it: included folders, names that it passes over."""
    text = open(kdc.krb5_conf).read()
    (tmp_path / "d").mkdir()
    (tmp_path / "d/realm.conf").write_text(text[text.index("[realms]") :])
    (tmp_path / "d/realm.rpmnew").write_text("[broken\n")
    head = "includedir %s/d\n[libdefaults]\n default_realm = EXAMPLE.TEST\n" % tmp_path
    monkeypatch.setenv("KRB5_CONFIG", conf(tmp_path, head))
    answer = doctor_of()
    assert "kdc-answers" in found(answer, "note") and found(answer) == set()


def realm(*servers):
    """A krb5.conf with these KDCs."""
    lines = "".join("  kdc = %s\n" % one for one in servers)
    head = "[libdefaults]\n default_realm = EXAMPLE.TEST\n dns_lookup_kdc = false\n"
    return head + "[realms]\n EXAMPLE.TEST = {\n%s }\n" % lines


def address(kdc):
    """Where the KDC listens."""
    return re.search(r"^ +kdc = (\S+)", open(kdc.krb5_conf).read(), re.M).group(1)


def test_a_dead_kdc(of_user, tmp_path, monkeypatch):
    """Nobody listens: an error about the KDC, and kinit's words in an administrator's."""
    (port,) = ports.free(1)
    monkeypatch.setenv("KRB5_CONFIG", conf(tmp_path, realm("127.0.0.1:%d" % port)))
    answer = of_user()
    assert answer.code == 3 and found(answer) == {"kdc-unreachable", "kinit-no-kdc"}
    assert row(answer, "kdc-unreachable")["next"] == "nc -vz 127.0.0.1 %d" % port


@pytest.fixture
def silent():
    """A port that takes everything and says nothing."""
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        (port,) = ports.free(1)
        tcp.bind(("127.0.0.1", port))
        tcp.listen(16)
        udp.bind(("127.0.0.1", port))
        yield "127.0.0.1:%d" % port


def test_a_silent_kdc_is_given_up(of_user, tmp_path, monkeypatch, silent):
    """Each check has its 5 s; kinit is killed."""
    monkeypatch.setenv("KRB5_CONFIG", conf(tmp_path, realm(silent)))
    begun = time.monotonic()
    answer = of_user()
    assert time.monotonic() - begun < 12
    assert {"kdc-unreachable", "kinit-timeout"} <= found(answer)


def test_one_of_several_kdcs(doctor_of, kdc, tmp_path, monkeypatch, silent):
    """The realm works, and each kinit may wait: a warning; so is a name without an address."""
    text = realm(silent, address(kdc), "kdc.invalid")
    monkeypatch.setenv("KRB5_CONFIG", conf(tmp_path, text))
    assert found(doctor_of()) == {"kdc-silent", "kdc-name-unknown"}


# a keytab


def change_of(name):
    """What breaks a keytab, by the code of what is found then."""

    def folder(path, mode, uid):
        os.chmod(str(path.parent), mode)
        os.chown(str(path.parent), uid, uid)

    def fifo(path):
        path.unlink()
        os.mkfifo(str(path))
        os.chown(str(path), UID, UID)

    def weak(path):
        path.write_bytes(b"")

    return {
        "keytab-missing": lambda path: path.unlink(),
        "keytab-not-regular": fifo,
        "keytab-unreachable": lambda path: folder(path, 0o700, 1),
        "keytab-unreadable": lambda path: os.chown(str(path), 0, 0),
        "keytab-exposed": lambda path: path.chmod(0o644),
        "keytab-replaceable": lambda path: folder(path, 0o777, 0),
        "keytab-malformed": weak,
    }[name]


@pytest.mark.parametrize(
    "code",
    [
        *("keytab-missing", "keytab-not-regular", "keytab-unreachable", "keytab-unreadable"),
        *("keytab-exposed", "keytab-replaceable", "keytab-malformed"),
    ],
)
def test_a_keytab(of_user, keytab, code):
    """Each way in which it is not for its user alone, named with its path and the next step."""
    change_of(code)(keytab)
    answer = of_user()
    assert answer.code == 3 and found(answer) == {code}
    where = keytab.parent if code in ("keytab-unreachable", "keytab-replaceable") else keytab
    assert row(answer, code)["path"] == str(where) and row(answer, code)["user"] == USER
    works = code in ("keytab-exposed", "keytab-replaceable")
    assert ("kinit-works" in found(answer, "note")) == works


def test_a_keytab_without_the_principal(of_user, kdc, keytab):
    """It says whom it is for."""
    shutil.copy(os.path.join(kdc.folder, "bob.keytab"), str(keytab))
    answer = of_user()
    assert found(answer) == {"keytab-lacks-principal"}
    assert "bob@EXAMPLE.TEST" in row(answer, "keytab-lacks-principal")["message"]


def test_a_keytab_with_an_old_key(of_user, kdc, keytab):
    """kinit's "Preauthentication failed" is said as what it is."""
    keytab.unlink()
    kdc.add_principal("carol", keytab=str(keytab))
    os.chown(str(keytab), UID, UID)
    kdc._call("kadmin.local", "-q", "cpw -randkey carol")
    answer = of_user("--principal", "carol")
    assert found(answer) == {"kinit-key-wrong"}
    assert "reauthentication failed" in row(answer, "kinit-key-wrong")["message"]


def test_a_principal_that_the_realm_lost(of_user, kdc, keytab):
    """A keytab outlives its principal; one that is locked is another matter."""
    keytab.unlink()
    kdc.add_principal("dave", keytab=str(keytab))
    os.chown(str(keytab), UID, UID)
    kdc._call("kadmin.local", "-q", "modprinc -allow_tix dave")
    assert found(of_user("--principal", "dave")) == {"kinit-client-locked"}
    kdc._call("kadmin.local", "-q", "delprinc -force dave")
    assert found(of_user("--principal", "dave")) == {"kinit-client-unknown"}


def test_root_never_reads_what_a_user_points_at(of_user, kdc, keytab):
    """A symlink to a keytab that is root's own is not followed with root's rights."""
    secret = os.path.join(kdc.folder, "root.keytab")
    shutil.copy(os.path.join(kdc.folder, "alice.keytab"), secret)
    os.chmod(secret, 0o600)
    keytab.unlink()
    os.symlink(secret, str(keytab))
    answer = of_user()
    assert found(answer) == {"keytab-unreadable"}
    assert not {"keytab", "kinit-works"} & found(answer, "note")


def test_a_central_keytab(of_user, kdc):
    """Root's, in folders of root's alone: root looks, and gets the ticket into memory."""
    folder = tempfile.mkdtemp(prefix="jhpatch-doctor-", dir="/run")
    try:
        path = os.path.join(folder, "nobody.keytab")
        shutil.copy(os.path.join(kdc.folder, "alice.keytab"), path)
        os.chmod(path, 0o600)
        answer = of_user("--keytab", path)
        assert found(answer) == set()
        assert {"keytab-central", "kinit-works"} <= found(answer, "note")
        assert found(of_user("--keytab", path + ".gone")) == {"keytab-missing"}
    finally:
        shutil.rmtree(folder)


def test_the_client_keytab(doctor_of, kdc, keytab, tmp_path, monkeypatch):
    """Where none is set, krb5.conf's counts, as klist names it."""
    text = open(kdc.krb5_conf).read()
    line = "[libdefaults]\n default_client_keytab_name = FILE:%s\n" % keytab
    path = conf(tmp_path, text.replace("[libdefaults]\n", line))
    monkeypatch.setenv("KRB5_CONFIG", path)
    answer = doctor_of("--user", USER, "--principal", "alice/service")
    assert found(answer) == set() and row(answer, "keytab")["path"] == str(keytab)


def test_users_that_get_no_ticket(doctor_of, kdc):
    """A name that is none, and root."""
    answer = doctor_of("--user", "no-such-user", "--user", "root")
    assert {"no-account", "below-min-uid"} <= found(answer)


def test_as_a_user(doctor_of, kdc, keytab):
    """One's own things are looked at; another's need root, and that is no finding."""
    arguments = ["--user", USER, "--user", "daemon", "--keytab", str(keytab)]
    arguments += ["--principal", "alice/service"]
    doctor_of(*arguments)  # loads all that the child will need

    def job():
        import argparse

        parser = argparse.ArgumentParser()
        doctor.add_arguments(parser)
        parsed = parser.parse_args(arguments)
        parsed.environ = dict(kdc.env(), PATH=os.defpath)
        parsed.step = len
        result = doctor.run(parsed)
        return [[row.code, row.user] for row in result.content.findings], result.exit_code

    rows, _ = become_user.run_as(UID, job)
    assert ["kinit-works", USER] in rows and ["needs-root", "daemon"] in rows
    assert not [row for row in rows if row[1] == "daemon" and row[0] != "needs-root"]


# a cache


@pytest.mark.parametrize(
    "cache, code",
    [
        ("DIR:/tmp/krb5cc_{uid}_dir", "ccache-hidden-from-jvm"),
        ("KEYRING:persistent:{uid}", "ccache-hidden-from-jvm"),
        ("KCM:", "ccache-hidden-from-jvm"),
        ("KEYRING:session:{uid}", "ccache-unsupported"),
        ("MEMORY:x", "ccache-unsupported"),
        ("/nowhere/at/all/{uid}", "ccache-folder"),
        ("/etc/krb5cc_{uid}", "ccache-folder"),
        ("FILE:/tmp/krb5cc_{uid}", None),
    ],
)
def test_a_cache(of_user, cache, code):
    """Whether the servers, and a JVM in them, see it."""
    assert found(of_user("--ccache", cache)) == ({code} if code else set())


def test_a_cache_of_another(of_user, tmp_path):
    """It is never used: the error names it."""
    folder = tmp_path / "caches"
    folder.mkdir()
    folder.chmod(0o1777)
    (folder / "cc").write_text("")
    answer = of_user("--ccache", str(folder / "cc"))
    assert found(answer) == {"ccache-foreign"}


@pytest.mark.parametrize(
    "name, code",
    [
        ("FILE:/tmp/krb5cc_%{uid}", None),
        ("FILE:/var/tmp/krb5cc_%{uid}", "ccache-hidden-from-jvm"),
        ("DIR:/tmp/krb5cc_%{uid}_dir", "ccache-hidden-from-jvm"),
        ("KEYRING:persistent:%{uid}", "ccache-hidden-from-jvm"),
    ],
)
def test_the_default_cache(doctor_of, keytab, kdc, tmp_path, monkeypatch, name, code):
    """A JVM ignores default_ccache_name: what libkrb5 names is compared with what a JVM reads."""
    text = open(kdc.krb5_conf).read()
    line = "[libdefaults]\n default_ccache_name = %s\n" % name
    path = conf(tmp_path, text.replace("[libdefaults]\n", line))
    monkeypatch.setenv("KRB5_CONFIG", path)
    options = ["--keytab", str(keytab), "--principal", "alice/service"]
    assert found(doctor_of("--user", USER, *options)) == ({code} if code else set())
    assert not os.path.exists("/tmp/krb5cc_%d_dir" % UID)  # klist would make it


# kinit, the configuration, the processes


def test_a_kinit_that_others_can_write(doctor_of, tmp_path, monkeypatch):
    """Root names it, and it is not run, by anybody."""
    folder = tmp_path / "bin"
    folder.mkdir()
    make_reachable(str(folder))
    tmp_path.chmod(0o1777)
    for name in ("kinit", "klist"):
        (folder / name).write_text("#!/bin/sh\ntouch %s/ran\n" % tmp_path)
        (folder / name).chmod(0o777)
    monkeypatch.setenv("PATH", "%s:%s" % (folder, os.defpath))
    config = tmp_path / "config.py"
    config.write_text("c.KerberosTicket.kinit = '%s/kinit'\n" % folder)
    for options in ([], ["--config", str(config)]):
        answer = doctor_of("--user", USER, *options)
        assert {"kinit-writable", "kinit-several"} <= found(answer)
        assert "config-writable" not in found(answer)
        assert not (tmp_path / "ran").exists()


def test_kinits_of_others(doctor_of, tmp_path, monkeypatch):
    """Heimdal's and conda's are told by what they say and where they lie."""
    config = tmp_path / "config.py"
    for kind, program, words in (
        ("heimdal", "kinit", "kinit (Heimdal 7.8.0)"),
        ("conda", "klist", "Kerberos 5 version 1.21.3"),
    ):
        folder = tmp_path / kind / "bin"
        folder.mkdir(parents=True)
        (tmp_path / kind / ("conda-meta" if kind == "conda" else "etc")).mkdir()
        for name in ("kinit", "klist"):
            text = "echo '%s'" % words if name == program else "exit 1"
            (folder / name).write_text("#!/bin/sh\n%s\n" % text)
            (folder / name).chmod(0o755)
        make_reachable(str(folder))
        config.write_text("c.KerberosTicket.kinit = '%s/kinit'\n" % folder)
        answer = doctor_of("--config", str(config))
        assert "kinit-" + kind in found(answer)


CONFIG = """
import os
os.mkdir({ran!r})
c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.JupyterHub.authenticator_class = "oauthenticator.GitHubOAuthenticator"
c.GitHubOAuthenticator.client_secret = "5ecret"
c.KerberosTicket.keytab = {keytab!r}
c.KerberosTicket.principal = "bob"
c.KerberosTicket.principal = "alice/service"
c.KerberosTicket.ccache = os.environ["CACHE"]
"""


def test_a_configuration_is_read_and_never_run(doctor_of, keytab, tmp_path):
    """Its literals count, the last of each; what is none is named; no secret is shown."""
    path = tmp_path / "jupyterhub_config.py"
    path.write_text(CONFIG.format(ran=str(tmp_path / "ran"), keytab=str(keytab)))
    answer = doctor_of("--user", USER, "--config", str(path))
    assert found(answer) == {"spawner-not-covered", "authenticator-bypasses-pam"}
    assert {"kinit-works", "setting-not-literal"} <= found(answer, "note")
    assert not (tmp_path / "ran").exists()
    assert "5ecret" not in json.dumps(answer.document)


@pytest.mark.parametrize("kind", ["missing", "writable", "syntax", "template", "folder"])
def test_a_configuration_that_is_wrong(doctor_of, tmp_path, kind):
    """Missing, of somebody else, not Python, or with a template that is none."""
    path = tmp_path / "jupyterhub_config.py"
    path.write_text(
        "c.KerberosTicket.keytab = '{nonsense}'\n" if kind == "template" else "c = = 1\n"
    )
    if kind == "missing":
        path.unlink()
    if kind == "writable":
        path.chmod(0o666)
    if kind == "folder":
        path.unlink()
        path.mkdir()
    code = {"missing": "config-unreadable", "folder": "config-unreadable"}.get(kind)
    code = code or {"template": "setting-wrong"}.get(kind, "config-" + kind)
    answer = doctor_of("--user", USER, "--config", str(path))
    assert code in found(answer) and row(answer, code)["path"] == str(path)


def test_a_mapped_principal(doctor_of, keytab, tmp_path):
    """principal_map counts before the template."""
    mapping = tmp_path / "principals"
    mapping.write_text("# names\nnobody alice/service\n")
    path = tmp_path / "jupyterhub_config.py"
    text = "c.KerberosTicket.keytab = %r\nc.KerberosTicket.principal_map = %r\n"
    path.write_text(text % (str(keytab), str(mapping)))
    answer = doctor_of("--user", USER, "--config", str(path))
    assert found(answer) == set() and NAME in row(answer, "keytab")["message"]


def test_a_server_from_before_the_patches(doctor_of, jhpatch, make_site, tmp_path):
    """It is named, as status names it."""
    env = make_site(tmp_path, [("notebook", "5.7.9")], slim=True)
    script = os.path.join(env.prefix, "bin", "jupyter-notebook")
    with open(script, "w") as file:
        file.write("import time; print('up', flush=True); time.sleep(60)\n")
    old = subprocess.Popen([env.python, script], stdout=subprocess.PIPE)
    try:
        old.stdout.readline()
        time.sleep(0.1)
        assert jhpatch(env, "apply").code == 0
        answer = doctor_of("--python", env.python)
        assert answer.code == 3 and found(answer) == {"restart-needed"}
        assert str(old.pid) in row(answer, "restart-needed")["message"]
    finally:
        old.send_signal(signal.SIGKILL)
        old.wait()
        old.stdout.close()


# the table


KINDS = dict(findings.TABLE.kinds, **spark_checks.TABLE.kinds)


def test_the_documented_table_is_the_code():
    """docs/doctor.md has each finding with its severity, its meaning and its next step."""
    assert table_of("doctor.md") == documented(KINDS)


def test_each_finding_can_be_had():
    """No row of the table without code that finds it."""
    source = ""
    for folder in ("kerberos", "checks", "spark", "commands"):
        for name in os.listdir(os.path.join(ROOT, "jhpatch", folder)):
            if name.endswith(".py") and name != "findings.py":
                with open(os.path.join(ROOT, "jhpatch", folder, name), encoding="utf-8") as file:
                    source += file.read()
    for code in KINDS:
        last = code.replace("krb5-conf-", "", 1)
        assert '"%s"' % code in source or '"%s"' % last in source, code
