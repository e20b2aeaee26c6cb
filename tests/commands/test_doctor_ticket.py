"""``jhpatch doctor``: a ticket is there if the ticket service obtains one, and only then."""

import os
import shutil
import subprocess
import tempfile

import pytest

from jhpatch.deployed.kerberos import identity, settings
from jhpatch.deployed.kerberos.account import find_account
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.kinit import Kinit
from jhpatch.deployed.kerberos.settings import Settings
from testing.doctor import USER, as_nobody, codes, finding, krb5_conf
from testing.users import NOBODY, ROOT_ONLY
from tests.deployed.tickets import AS_NOBODY

pytestmark = ROOT_ONLY
NO_KCM = not os.path.exists("/run/.heim_org.h5l.kcm-socket")


@pytest.fixture
def central(kdc):
    """The template of keytabs that only root can read; the one of nobody is there."""
    directory = tempfile.mkdtemp(prefix="jhpatch-test-", dir="/run")
    os.chmod(directory, 0o755)
    path = os.path.join(directory, "nobody.keytab")
    shutil.copy(os.path.join(kdc.folder, "alice.keytab"), path)
    os.chmod(path, 0o600)
    yield os.path.join(directory, "{username}.keytab")
    shutil.rmtree(directory)


@pytest.fixture
def with_line(kdc, tmp_path, monkeypatch):
    """Add a line to the krb5.conf of the realm, below [libdefaults]."""

    def call(line):
        with open(kdc.krb5_conf) as file:
            text = file.read()
        path = krb5_conf(tmp_path, text.replace("[libdefaults]\n", "[libdefaults]\n %s\n" % line))
        monkeypatch.setenv("KRB5_CONFIG", path)

    return call


def problem_of_service(caches, **templates):
    """Why the service obtains no ticket for nobody; the cache's directory is the test's."""
    account = find_account(USER)
    values = Settings(**templates)
    spec = settings.spec_of(values, account, identity.can_read)
    if spec.ccache.startswith(("FILE:/", "DIR:")):
        spec = spec._replace(ccache="FILE:%s/cc" % caches)
    try:
        Kinit(values).ensure(account, spec)
    except Problem as problem:
        return str(problem)
    return None


@pytest.mark.parametrize(
    "keytab, ccache, line",
    [
        ("{home}", "/tmp/krb5cc_{uid}", "ccache_type = 1"),
        ("{home}", "/tmp/krb5cc_{uid}", "ccache_type = 2"),
        ("{home}", "/tmp/krb5cc_{uid}", "ccache_type = 3"),
        ("FILE:{central}", "/tmp/krb5cc_{uid}", ""),
        ("{central}", "/run/jhpatch/{uid}/cc", ""),
        ("", "/tmp/krb5cc_{uid}", "default_client_keytab_name = {krb5}"),
        ("{home}", "KEYRING:persistent:%{uid}", ""),
        pytest.param("{home}", "KCM:", "", marks=pytest.mark.skipif(not NO_KCM, reason="a KCM")),
        ("{central}", "KCM:", ""),
        ("{home}", "/tmp/krb5cc_{uid}", "permitted_enctypes = aes128-cts"),
    ],
)
def test_the_same_answer_as_the_service(
    doctor_of, users_keytab, central, caches, with_line, keytab, ccache, line
):
    """An error, with what the service logs, if it obtains no ticket; else a ticket."""
    keytab = keytab.replace("{home}", str(users_keytab)).replace("{central}", central)
    with_line(line.format(krb5=central.replace("{username}", "%{username}")))
    templates = dict(principal="alice/service", keytab=keytab, ccache=ccache)
    problem = problem_of_service(caches, **templates)
    options = [word for name in templates for word in ("--" + name, templates[name])]
    answer = doctor_of("--user", USER, *options)
    assert (problem is None) == ("kinit-works" in codes(answer, "note"))
    assert (problem is None) == (codes(answer, "error") == set())
    if problem and keytab:
        text = " ".join(row["message"] for row in answer.document["findings"])
        assert "No Kerberos ticket for nobody (uid 65534) from keytab " in text
        assert problem.split(" while")[0][-30:] in text


def test_a_client_keytab_that_only_root_can_read(doctor_of, central, with_line):
    """The cause is that no setting names it."""
    with_line("default_client_keytab_name = FILE:%s" % central.replace("{u", "%{u"))
    answer = doctor_of("--user", USER, "--principal", "alice/service")
    assert codes(answer) == {"keytab-client-central"}
    assert "c.KerberosTicket.keytab" in finding(answer, "keytab-client-central")["next"]


@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_a_central_keytab_for_its_user(of_user, kdc, central, caches, mode):
    """As the user: a note that only root can check it; the ticket there is not the last."""
    os.chmod(os.path.dirname(central), mode)
    cache = str(caches / "cc")
    argv = [*AS_NOBODY, "kinit", "-k", "-t", os.path.join(kdc.folder, "alice.keytab"), "-c", cache]
    environ = dict(kdc.env(), PATH=os.defpath)
    subprocess.run([*argv, "alice/service"], env=environ, check=True)
    options = ["--keytab", central, "--principal", "alice/service", "--ccache", cache]
    of_user(*options)  # loads all that the child will need
    rows, summary = as_nobody(kdc.env(), "--user", USER, *options)
    found = {code for code, _ in rows}
    assert {"keytab-central-unread", "ticket"} <= found and "ticket-not-renewed" not in found
    assert summary.endswith("1 not run")


def test_a_central_keytab_that_a_group_can_read(of_user, central):
    """It is exposed to that group; the next step is words, as the file is not the user's."""
    path = central.format(username=USER)
    os.chown(path, 0, 1)
    os.chmod(path, 0o440)
    answer = of_user("--keytab", central)
    assert codes(answer) == {"keytab-exposed"}
    row = finding(answer, "keytab-exposed")
    assert (
        "the mode lets the group with gid 1 read the file" in row["message"]
        and "chmod" not in row["next"]
    )
    assert "only root" not in finding(answer, "keytab-central")["message"]


def test_a_realm_that_is_not_set(of_user, kdc, tmp_path, monkeypatch):
    """A template with {realm}: the service is disabled where libkrb5 has no default realm."""
    with open(kdc.krb5_conf) as file:
        text = file.read().replace(" default_realm = ", " #default_realm = ")
    monkeypatch.setenv("KRB5_CONFIG", krb5_conf(tmp_path, text))
    answer = of_user("--principal", "{username}@{realm}")
    assert "realm-unset" in codes(answer) and "kinit-works" not in codes(answer, "note")


def test_a_principal_without_a_realm(of_user, kdc, tmp_path, monkeypatch):
    """Without a default realm the cause is kinit's own message, and no key that is missing."""
    with open(kdc.krb5_conf) as file:
        text = file.read().replace(" default_realm = ", " #default_realm = ")
    monkeypatch.setenv("KRB5_CONFIG", krb5_conf(tmp_path, text))
    answer = of_user()
    assert codes(answer, "error") == {"kinit-failed"}
    assert "does not specify default realm" in finding(answer, "kinit-failed")["message"]


@pytest.fixture
def password_ticket(kdc, caches):
    """The template of a cache in which nobody has a ticket by password: not renewable."""
    name = "dora%d" % os.getpid()
    if not os.path.exists(os.path.join(kdc.folder, name)):
        kdc.add_principal(name, password="secret")
        open(os.path.join(kdc.folder, name), "w").close()
    template = "%s/krb5cc_{uid}" % caches
    argv = [*AS_NOBODY, "kinit", "-c", template.format(uid=NOBODY), "-l", "1h", name]
    environ = dict(kdc.env(), PATH=os.defpath)
    subprocess.run(argv, input=b"secret\n", env=environ, check=True, stdout=subprocess.DEVNULL)
    return template


def test_a_ticket_by_password(of_user, users_keytab, password_ticket):
    """It is named with its end, and that nothing renews it where there is no keytab."""
    own = ("--principal", "dora%d" % os.getpid(), "--ccache", password_ticket)
    with_keytab = of_user(*own)
    assert "not renewable" in finding(with_keytab, "ticket")["message"]
    assert "ticket-not-renewed" not in codes(with_keytab)
    users_keytab.unlink()
    answer = of_user(*own)
    assert codes(answer) == {"keytab-missing", "ticket-not-renewed"}
    message = finding(answer, "ticket-not-renewed")["message"]
    assert "not renewable; no keytab was found" in message and "expires at " in message


def test_another_principals_valid_ticket(of_user, users_keytab, password_ticket):
    """The service leaves it alone: its words are an error, although kinit works."""
    account = find_account(USER)
    values = Settings(principal="alice/service", keytab=str(users_keytab), ccache=password_ticket)
    with pytest.raises(Problem) as refused:
        Kinit(values).ensure(account, settings.spec_of(values, account, identity.can_read))
    answer = of_user("--ccache", password_ticket)
    assert codes(answer) == {"ticket-of-another"} and "kinit-works" in codes(answer, "note")
    assert finding(answer, "ticket-of-another")["message"] == "%s: %s" % (USER, refused.value)


def test_a_cache_that_the_service_replaces(of_user, caches):
    """Garbage, and a symlink of the user: a note that says what is there."""
    path = caches / ("cc%d" % NOBODY)
    path.write_text("# no cache\n")
    os.chown(str(path), NOBODY, NOBODY)
    garbage = of_user("--ccache", str(caches / "cc{uid}"))
    path.unlink()
    os.symlink("/etc/passwd", str(path))
    os.chown(str(path), NOBODY, NOBODY, follow_symlinks=False)
    link = of_user("--ccache", str(caches / "cc{uid}"))
    assert codes(garbage) == codes(link) == set()
    assert "unknown version" in finding(garbage, "ccache-replaced")["message"]
    assert "symlink" in finding(link, "ccache-replaced")["message"]


@pytest.mark.parametrize("ccache", ["/run/krb5cc_{uid}", "/krb5cc_{uid}", "/var/lib/cc_{uid}"])
def test_a_directory_of_the_system(of_user, ccache):
    """Another path is advised, and no change of the directory."""
    answer = of_user("--ccache", ccache)
    assert codes(answer) == {"ccache-folder"}
    assert finding(answer, "ccache-folder")["next"].startswith("choose another path")


def test_one_cache_for_all(of_user):
    """A template without {uid} or {username} is an error."""
    assert "ccache-shared" in codes(of_user("--ccache", "/tmp/krb5cc"))


def test_one_default_cache_for_all(doctor_of, with_line):
    """Nor may krb5.conf name one, unless a setting comes before it."""
    with_line("default_ccache_name = FILE:/tmp/krb5cc_shared")
    assert "ccache-shared" in codes(doctor_of())
    assert "ccache-shared" not in codes(doctor_of("--ccache", "/tmp/krb5cc_{uid}"))


def test_a_default_cache_with_a_blank_in_its_name(of_user, with_line):
    """klist names it whole."""
    with_line("default_ccache_name = FILE:/tmp/sp ace_%{uid}")
    answer = of_user("--ccache", "")
    assert codes(answer, "error") == set() and "kinit-works" in codes(answer, "note")
    assert finding(answer, "ccache")["path"] == "/tmp/sp ace_%d" % NOBODY


def test_a_file_system_that_is_full(of_user, caches):
    """The service stores no ticket there, although kinit works elsewhere."""
    options = ["-t", "tmpfs", "-o", "size=16k,mode=1777", "tmpfs", str(caches)]
    if subprocess.run(["mount", *options], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        answer = of_user("--ccache", "%s/cc{uid}" % caches)
    finally:
        subprocess.run(["umount", str(caches)], check=True)
    assert codes(answer) == {"ccache-full"}


def test_a_central_keytab_that_is_missing(of_user, central):
    """One finding, of the check of the keytab."""
    os.unlink(central.format(username=USER))
    answer = of_user("--keytab", central)
    assert [row["code"] for row in answer.document["findings"]].count("keytab-missing") == 1
    assert codes(answer) == {"keytab-missing"}


def test_no_kdc_answers(of_user, tmp_path, monkeypatch):
    """The check of the KDCs quotes kinit: nobody has logged in."""
    text = "[libdefaults]\n default_realm = EXAMPLE.TEST\n dns_lookup_kdc = false\n"
    text += "[realms]\n EXAMPLE.TEST = {\n  kdc = 127.0.0.1:1\n }\n"
    monkeypatch.setenv("KRB5_CONFIG", krb5_conf(tmp_path, text))
    message = finding(of_user(), "kdc-unreachable")["message"]
    assert "Cannot contact any KDC" in message and "at login" not in message
