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
from tests.commands.conftest import reachable

USER, UID = "nobody", 65534
FIELDS = {"code", "severity", "message", "path", "why", "next", "user"}
NAME = "alice/service@EXAMPLE.TEST"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="takes root")


@pytest.fixture
def keytab(kdc, tmp_path):
    """A keytab of alice/service that the user owns, in a home that they own."""
    home = tmp_path / "home"
    home.mkdir()
    path = home / "nobody.keytab"
    shutil.copy(os.path.join(kdc.folder, "alice.keytab"), str(path))
    path.chmod(0o600)
    for owned in (home, path):
        os.chown(str(owned), UID, UID)
    reachable(str(tmp_path))
    return path


@pytest.fixture
def doctor_of(jhpatch, kdc, monkeypatch):
    """Run doctor with krb5.conf of the KDC: ``doctor_of("--user", "nobody")``."""
    for name in ("KRB5CCNAME", "KRB5_CLIENT_KTNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)

    def call(*arguments):
        return jhpatch(None, "doctor", *arguments)

    return call


@pytest.fixture
def of_user(doctor_of, keytab):
    """Run doctor for a user whose settings are right, apart from further options."""

    def call(*arguments):
        options = ["--user", USER, "--keytab", str(keytab.parent / "{username}.keytab")]
        options += ["--principal", "alice/service", "--ccache", "/tmp/krb5cc_{uid}"]
        return doctor_of(*options, *arguments)

    return call


def codes(answer, *severities):
    """Return the codes of an answer's findings, of errors and warnings if nothing is named."""
    wanted = severities or ("error", "warning")
    rows = answer.document["findings"]
    return {row["code"] for row in rows if row["severity"] in wanted}


def row(answer, code):
    """Return the one finding of a code."""
    (finding,) = [row for row in answer.document["findings"] if row["code"] == code]
    return finding


def conf(tmp_path, text):
    """Write a krb5.conf that all users can read; return its path."""
    path = tmp_path / "krb5.conf"
    path.write_text(text)
    path.chmod(0o644)
    reachable(str(tmp_path))
    return str(path)


# a host


def test_a_good_host(of_user, keytab):
    """A ticket is really obtained, and nothing on the disk changes: exit 0."""
    before = times(str(keytab.parent))
    cache = os.path.lexists("/tmp/krb5cc_%d" % UID)
    answer = of_user()
    assert (answer.code, codes(answer)) == (0, set())
    assert {"kdc-answers", "kinit", "keytab", "kinit-works", "ccache"} <= codes(answer, "note")
    assert all(set(finding) == FIELDS for finding in answer.document["findings"])
    assert "kvno 1" in row(answer, "keytab")["message"]
    assert times(str(keytab.parent)) == before
    assert os.path.lexists("/tmp/krb5cc_%d" % UID) == cache


def test_without_a_user(doctor_of):
    """Host and KDC are checked, and a note says what was not."""
    answer = doctor_of()
    assert answer.code == 0 and row(answer, "no-user")["next"].endswith("doctor --user NAME")


def test_the_text_of_a_finding(kdc, keytab):
    """It says what, where, why and what next, without colour in a pipe under LC_ALL=C."""
    keytab.unlink()
    argv = ["--user", USER, "--keytab", str(keytab), "--principal", "\u00e4"]
    completed = subprocess.run(
        [sys.executable, "-m", "jhpatch", "doctor", *argv],
        cwd="/",
        env=dict(kdc.env(), PYTHONPATH=ROOT, PATH=os.defpath, LC_ALL="C", PYTHONUTF8="0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    is_ascii = b"\xc3" not in completed.stdout
    lines = completed.stdout.decode("ascii", "strict" if is_ascii else "replace")
    assert completed.returncode == 3 and completed.stderr == b"" and "\x1b" not in lines
    for words in ("error    keytab-missing", "where: " + str(keytab), "why:   ", "next:  ls -l "):
        assert words in lines
    assert re.search(r"^\d+ checks: 1 error, ", lines, re.M)


READS = """
import collections, json, os, sys
from jhpatch.cli import main

opened, started = collections.Counter(), collections.Counter()

def count(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        opened[arguments[0]] += 1
    elif event == "subprocess.Popen":
        started[" ".join(arguments[1])] += 1

sys.addaudithook(count)
sys.stdout = open(os.devnull, "w")
main.main(["doctor", *sys.argv[1:]])
print(json.dumps([opened, started]), file=sys.stderr)
"""


@pytest.mark.skipif(not hasattr(sys, "addaudithook"), reason="takes Python 3.8")
def test_each_file_is_read_once(kdc, keytab, tmp_path):
    """For three users each file is read once, and each program runs once for each of them."""
    text = open(kdc.krb5_conf).read()
    line = "[libdefaults]\n default_client_keytab_name = FILE:%s\n" % keytab
    krb5_conf = conf(tmp_path, text.replace("[libdefaults]\n", line))
    keytab.chmod(0o644)
    files = {"config": tmp_path / "jupyterhub_config.py", "map": tmp_path / "principals"}
    files["config"].write_text("c.KerberosTicket.principal_map = %r\n" % str(files["map"]))
    files["map"].write_text("nobody alice/service\ndaemon alice/service\nmail alice/service\n")
    arguments = ["--config", str(files["config"])]
    for user in ("nobody", "daemon", "mail"):
        arguments += ["--user", user]
    completed = subprocess.run(
        [sys.executable, "-c", READS, *arguments],
        env=dict(kdc.env(), KRB5_CONFIG=krb5_conf, PYTHONPATH=ROOT),
        cwd="/",
        stderr=subprocess.PIPE,
    )
    opened, started = json.loads(completed.stderr.decode())
    for path in (krb5_conf, *map(str, files.values()), "/proc/mounts"):
        assert opened[path] == 1, path
    assert set(started.values()) == {1}, started
    for program in ("klist -k -i", "klist -ke", "kinit -k"):
        assert sum(program in command for command in started) == 3, (program, started)


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
    """What libkrb5 cannot read is named with its file and its line, and so is what it lacks."""
    path = conf(tmp_path, text or "")
    if text is None:
        os.unlink(path)
    monkeypatch.setenv("KRB5_CONFIG", path)
    answer = doctor_of()
    assert answer.code == 3 and code in codes(answer)
    if code.startswith("krb5-conf-s"):
        assert row(answer, code)["path"] == path and "line " in row(answer, code)["message"]


@pytest.mark.parametrize(
    "mode, owner, code",
    [(0o600, 0, "unreadable"), (0o646, 0, "writable"), (0o644, UID, "writable")],
)
def test_who_can_read_and_write_krb5_conf(
    doctor_of, kdc, tmp_path, monkeypatch, mode, owner, code
):
    """All users must be able to read it; root does not read one that others can write."""
    path = conf(tmp_path, open(kdc.krb5_conf).read())
    os.chmod(path, mode)
    os.chown(path, owner, owner)
    monkeypatch.setenv("KRB5_CONFIG", path)
    answer = doctor_of()
    assert "krb5-conf-" + code in codes(answer)
    assert ("kdc-answers" in codes(answer, "note")) == (code == "unreadable")


def test_an_included_realm_counts(doctor_of, kdc, tmp_path, monkeypatch):
    """Included directories are read as libkrb5 reads them, which ignores some names."""
    text = open(kdc.krb5_conf).read()
    (tmp_path / "d").mkdir()
    (tmp_path / "d/realm.conf").write_text(text[text.index("[realms]") :])
    (tmp_path / "d/realm.rpmnew").write_text("[broken\n")
    head = "includedir %s/d\n[libdefaults]\n default_realm = EXAMPLE.TEST\n" % tmp_path
    monkeypatch.setenv("KRB5_CONFIG", conf(tmp_path, head))
    answer = doctor_of()
    assert "kdc-answers" in codes(answer, "note") and codes(answer) == set()


def realm(*servers):
    """Return a krb5.conf with these KDCs."""
    lines = "".join("  kdc = %s\n" % server for server in servers)
    head = "[libdefaults]\n default_realm = EXAMPLE.TEST\n dns_lookup_kdc = false\n"
    return head + "[realms]\n EXAMPLE.TEST = {\n%s }\n" % lines


def address(kdc):
    """Return where the KDC listens."""
    return re.search(r"^ +kdc = (\S+)", open(kdc.krb5_conf).read(), re.M).group(1)


def test_a_dead_kdc(of_user, tmp_path, monkeypatch):
    """If no program listens, both the KDC and kinit's failure are errors."""
    (port,) = ports.free(1)
    monkeypatch.setenv("KRB5_CONFIG", conf(tmp_path, realm("127.0.0.1:%d" % port)))
    answer = of_user()
    assert answer.code == 3 and codes(answer) == {"kdc-unreachable", "kinit-no-kdc"}
    assert row(answer, "kdc-unreachable")["next"] == "nc -vz 127.0.0.1 %d" % port


@pytest.fixture
def silent():
    """A port that accepts everything and never answers."""
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        (port,) = ports.free(1)
        tcp.bind(("127.0.0.1", port))
        tcp.listen(16)
        udp.bind(("127.0.0.1", port))
        yield "127.0.0.1:%d" % port


def test_an_unresponsive_kdc(of_user, tmp_path, monkeypatch, silent):
    """Each check ends after its 5 s, and kinit is killed."""
    monkeypatch.setenv("KRB5_CONFIG", conf(tmp_path, realm(silent)))
    begun = time.monotonic()
    answer = of_user()
    assert time.monotonic() - begun < 12
    assert {"kdc-unreachable", "kinit-timeout"} <= codes(answer)


def test_one_of_several_kdcs(doctor_of, kdc, tmp_path, monkeypatch, silent):
    """One that does not answer, or has no address, is a warning: each kinit may wait for it."""
    text = realm(silent, address(kdc), "kdc.invalid")
    monkeypatch.setenv("KRB5_CONFIG", conf(tmp_path, text))
    assert codes(doctor_of()) == {"kdc-silent", "kdc-name-unknown"}


# a keytab


def change_of(name):
    """Return what breaks a keytab, by the code of the finding."""

    def directory(path, mode, uid):
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
def test_a_keytab(of_user, keytab, code):
    """Each way in which it is not for its user alone is named, with its path."""
    change_of(code)(keytab)
    answer = of_user()
    assert answer.code == 3 and codes(answer) == {code}
    where = keytab.parent if code in ("keytab-unreachable", "keytab-replaceable") else keytab
    assert row(answer, code)["path"] == str(where) and row(answer, code)["user"] == USER
    works = code in ("keytab-exposed", "keytab-replaceable")
    assert ("kinit-works" in codes(answer, "note")) == works


def test_a_keytab_without_the_principal(of_user, kdc, keytab):
    """The message names the principals that it has."""
    shutil.copy(os.path.join(kdc.folder, "bob.keytab"), str(keytab))
    answer = of_user()
    assert codes(answer) == {"keytab-lacks-principal"}
    assert "bob@EXAMPLE.TEST" in row(answer, "keytab-lacks-principal")["message"]


def test_a_keytab_with_an_old_key(of_user, kdc, keytab):
    """kinit's "Preauthentication failed" means that the key was changed."""
    keytab.unlink()
    kdc.add_principal("carol", keytab=str(keytab))
    os.chown(str(keytab), UID, UID)
    kdc._call("kadmin.local", "-q", "cpw -randkey carol")
    answer = of_user("--principal", "carol")
    assert codes(answer) == {"kinit-key-wrong"}
    assert "reauthentication failed" in row(answer, "kinit-key-wrong")["message"]


def test_a_principal_that_the_realm_lost(of_user, kdc, keytab):
    """A keytab outlives its principal; a locked principal is another finding."""
    keytab.unlink()
    kdc.add_principal("dave", keytab=str(keytab))
    os.chown(str(keytab), UID, UID)
    kdc._call("kadmin.local", "-q", "modprinc -allow_tix dave")
    assert codes(of_user("--principal", "dave")) == {"kinit-client-locked"}
    kdc._call("kadmin.local", "-q", "delprinc -force dave")
    assert codes(of_user("--principal", "dave")) == {"kinit-client-unknown"}


def test_root_never_reads_what_a_user_links_to(of_user, kdc, keytab):
    """A symlink to a keytab of root is not followed with root's rights."""
    secret = os.path.join(kdc.folder, "root.keytab")
    shutil.copy(os.path.join(kdc.folder, "alice.keytab"), secret)
    os.chmod(secret, 0o600)
    keytab.unlink()
    os.symlink(secret, str(keytab))
    answer = of_user()
    assert codes(answer) == {"keytab-unreadable"}
    assert not {"keytab", "kinit-works"} & codes(answer, "note")


def test_a_central_keytab(of_user, kdc):
    """Root reads a keytab that root alone can read, and obtains the ticket into memory."""
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


def test_the_client_keytab(doctor_of, kdc, keytab, tmp_path, monkeypatch):
    """If no keytab is set, krb5.conf's client keytab counts, as klist names it."""
    text = open(kdc.krb5_conf).read()
    line = "[libdefaults]\n default_client_keytab_name = FILE:%s\n" % keytab
    path = conf(tmp_path, text.replace("[libdefaults]\n", line))
    monkeypatch.setenv("KRB5_CONFIG", path)
    answer = doctor_of("--user", USER, "--principal", "alice/service")
    assert codes(answer) == set() and row(answer, "keytab")["path"] == str(keytab)


def test_users_that_get_no_ticket(doctor_of, kdc):
    """An unknown name and root are errors."""
    answer = doctor_of("--user", "no-such-user", "--user", "root")
    assert {"no-account", "below-min-uid"} <= codes(answer)


def test_as_a_user(doctor_of, kdc, keytab):
    """A user's own keytab is checked; another's needs root, and that is a note."""
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
    """A cache that servers, or a JVM in them, cannot see is reported."""
    assert codes(of_user("--ccache", cache)) == ({code} if code else set())


def test_a_cache_of_another(of_user, tmp_path):
    """It is never used, and the error names it."""
    caches = tmp_path / "caches"
    caches.mkdir()
    caches.chmod(0o1777)
    (caches / "cc").write_text("")
    answer = of_user("--ccache", str(caches / "cc"))
    assert codes(answer) == {"ccache-foreign"}


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
    assert codes(doctor_of("--user", USER, *options)) == ({code} if code else set())
    assert not os.path.exists("/tmp/krb5cc_%d_dir" % UID)  # klist would make it


# kinit, the configuration, the processes


def test_a_kinit_that_others_can_write(doctor_of, tmp_path, monkeypatch):
    """It is named, and neither it nor the klist beside it is run."""
    directory = tmp_path / "bin"
    directory.mkdir()
    reachable(str(directory))
    tmp_path.chmod(0o1777)
    for name in ("kinit", "klist"):
        (directory / name).write_text("#!/bin/sh\ntouch %s/ran\n" % tmp_path)
        (directory / name).chmod(0o777)
    monkeypatch.setenv("PATH", "%s:%s" % (directory, os.defpath))
    config = tmp_path / "config.py"
    config.write_text("c.KerberosTicket.kinit = '%s/kinit'\n" % directory)
    for options in ([], ["--config", str(config)]):
        answer = doctor_of("--user", USER, *options)
        assert {"kinit-writable", "kinit-several"} <= codes(answer)
        assert "config-writable" not in codes(answer)
        assert not (tmp_path / "ran").exists()


def test_kinits_of_others(doctor_of, tmp_path, monkeypatch):
    """Heimdal's and conda's are recognised by what they print and by their directory."""
    config = tmp_path / "config.py"
    for kind, program, words in (
        ("heimdal", "kinit", "kinit (Heimdal 7.8.0)"),
        ("conda", "klist", "Kerberos 5 version 1.21.3"),
    ):
        directory = tmp_path / kind / "bin"
        directory.mkdir(parents=True)
        (tmp_path / kind / ("conda-meta" if kind == "conda" else "etc")).mkdir()
        for name in ("kinit", "klist"):
            text = "echo '%s'" % words if name == program else "exit 1"
            (directory / name).write_text("#!/bin/sh\n%s\n" % text)
            (directory / name).chmod(0o755)
        reachable(str(directory))
        config.write_text("c.KerberosTicket.kinit = '%s/kinit'\n" % directory)
        answer = doctor_of("--config", str(config))
        assert "kinit-" + kind in codes(answer)


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
    """The last literal of each setting counts, others are named, and no secret is shown."""
    path = tmp_path / "jupyterhub_config.py"
    path.write_text(CONFIG.format(ran=str(tmp_path / "ran"), keytab=str(keytab)))
    answer = doctor_of("--user", USER, "--config", str(path))
    assert codes(answer) == {"spawner-not-covered", "authenticator-bypasses-pam"}
    assert {"kinit-works", "setting-not-literal"} <= codes(answer, "note")
    assert not (tmp_path / "ran").exists()
    assert "5ecret" not in json.dumps(answer.document)


@pytest.mark.parametrize("kind", ["missing", "writable", "syntax", "template", "directory"])
def test_a_configuration_that_is_wrong(doctor_of, tmp_path, kind):
    """It is missing, writable by others, not Python, no file, or has a wrong template."""
    path = tmp_path / "jupyterhub_config.py"
    path.write_text(
        "c.KerberosTicket.keytab = '{nonsense}'\n" if kind == "template" else "c = = 1\n"
    )
    if kind == "missing":
        path.unlink()
    if kind == "writable":
        path.chmod(0o666)
    if kind == "directory":
        path.unlink()
        path.mkdir()
    code = {"missing": "config-unreadable", "directory": "config-unreadable"}.get(kind)
    code = code or {"template": "setting-wrong"}.get(kind, "config-" + kind)
    answer = doctor_of("--user", USER, "--config", str(path))
    assert code in codes(answer) and row(answer, code)["path"] == str(path)


def test_a_mapped_principal(doctor_of, keytab, tmp_path):
    """principal_map comes before the template."""
    mapping = tmp_path / "principals"
    mapping.write_text("# names\nnobody alice/service\n")
    path = tmp_path / "jupyterhub_config.py"
    text = "c.KerberosTicket.keytab = %r\nc.KerberosTicket.principal_map = %r\n"
    path.write_text(text % (str(keytab), str(mapping)))
    answer = doctor_of("--user", USER, "--config", str(path))
    assert codes(answer) == set() and NAME in row(answer, "keytab")["message"]


def test_a_server_from_before_the_patches(doctor_of, jhpatch, make_site, tmp_path):
    """A process that runs the code from before the patches is named."""
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
        assert answer.code == 3 and codes(answer) == {"restart-needed"}
        assert str(old.pid) in row(answer, "restart-needed")["message"]
    finally:
        old.send_signal(signal.SIGKILL)
        old.wait()
        old.stdout.close()


# the table


KINDS = dict(findings.TABLE.kinds, **spark_checks.TABLE.kinds)


def test_the_documented_table_is_the_code():
    """docs/doctor.md has each finding with its severity, its reason and its next step."""
    assert table_of("doctor.md") == documented(KINDS)


def test_each_finding_has_code_that_finds_it():
    """No row of the table is left over."""
    source = ""
    for directory in ("kerberos", "checks", "spark", "commands"):
        for name in os.listdir(os.path.join(ROOT, "jhpatch", directory)):
            if name.endswith(".py") and name != "findings.py":
                with open(
                    os.path.join(ROOT, "jhpatch", directory, name), encoding="utf-8"
                ) as file:
                    source += file.read()
    for code in KINDS:
        last = code.replace("krb5-conf-", "", 1)
        assert '"%s"' % code in source or '"%s"' % last in source, code
