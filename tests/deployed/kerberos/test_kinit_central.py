"""Central keytabs: root obtains the ticket, the user's own child stores it."""

import os
import re
import subprocess
import sys

import pytest

from jhpatch.deployed.kerberos import temporary
from jhpatch.deployed.kerberos.account import Account
from jhpatch.deployed.kerberos.errors import Problem, Unresponsive
from jhpatch.deployed.kerberos.kinit import Kinit, NotRenewed
from jhpatch.deployed.kerberos.settings import Settings, is_root_only
from testing import ROOT
from testing.kdc import SilentKdc
from testing.users import ROOT_ONLY
from tests.deployed.tickets import NOBODY, PRINCIPAL, given_up, wanted

pytestmark = ROOT_ONLY


@pytest.fixture
def central(kdc, keytab):
    """A keytab that root alone can read, in a directory that only root can write."""
    directory = "/run/jhpatch-test-central-%d" % os.getpid()
    os.mkdir(directory, 0o755)
    path = os.path.join(directory, "alice.keytab")
    with open(keytab, "rb") as source, open(path, "wb") as target:
        target.write(source.read())
    os.chmod(path, 0o600)
    yield path
    subprocess.run(["rm", "-rf", directory, directory + "-real"], check=True)


@pytest.fixture
def top(tmp_path, monkeypatch):
    """The place of root's temporary directories, for this test alone."""
    place = tmp_path / "run"
    place.mkdir()
    real = temporary.root_directory
    monkeypatch.setattr(
        "jhpatch.deployed.kerberos.kinit.root_directory", lambda timeout: real(timeout, str(place))
    )
    return place


def central_spec(keytab, caches, name="cc"):
    """The ticket of nobody, whose keytab is central."""
    return wanted(keytab, caches, name=name)._replace(central=True)


def test_a_central_keytab(service, central, caches, top):
    """The cache is the user's, and nothing of root's is left."""
    outcome = service.ensure(NOBODY, central_spec(central, caches))
    status = os.lstat(str(caches / "cc"))
    assert outcome.is_new and outcome.ticket.principal == PRINCIPAL
    assert status.st_uid == status.st_gid == 65534 and status.st_mode & 0o777 == 0o600
    assert os.listdir(str(caches)) == ["cc"] and os.listdir(str(top)) == []
    second = service.ensure(NOBODY, central_spec(central, caches))
    assert (second.ticket, second.is_new) == (outcome.ticket, False)


@pytest.mark.parametrize("how", ["no keys", "silent", "no cache", "flood"])
def test_nothing_of_roots_is_left_after_a_failure(
    central, kdc, caches, top, tmp_path, script, how
):
    """Wrong keys, a KDC that does not answer, a kinit that makes no cache or too much text."""
    environ, settings = kdc.env(), Settings()
    keytab = os.path.join(kdc.folder, "bob.keytab") if how == "no keys" else central
    if how == "no cache":
        settings = Settings(kinit=script("exit 0\n"))
    elif how == "flood":
        settings = Settings(kinit=script("echo >cc; tr '\\0' x </dev/zero\n"))
    with SilentKdc(str(tmp_path)) as silent:
        if how == "silent":
            environ = {"KRB5_CONFIG": silent.krb5_conf}

        def ensure(timeout):
            chosen = settings._replace(timeout=timeout if how == "silent" else 300.0)
            Kinit(chosen, environ).ensure(NOBODY, central_spec(keytab, caches))

        assert isinstance(given_up(ensure), Unresponsive) == (how == "silent")
    assert os.listdir(str(caches)) == [] and os.listdir(str(top)) == []


def test_a_full_run_leaves_a_valid_ticket_valid(service, central, caches, top, at):
    """The failure is a Problem with the ticket in it, never an OSError."""
    ticket = service.ensure(NOBODY, central_spec(central, caches)).ticket
    at(ticket.start + 0.7 * (ticket.end - ticket.start))
    top.rmdir()
    with pytest.raises(NotRenewed) as problem:
        service.ensure(NOBODY, central_spec(central, caches))
    assert problem.value.ticket == ticket and str(top) in str(problem.value)


def test_a_keytab_of_wrong_keys_is_reported_behind_kinit_r(kdc, central, caches, top, at):
    """The user's child renews the old ticket; the outcome says why."""
    service = Kinit(Settings(lifetime="1h"), kdc.env())
    ticket = service.ensure(NOBODY, central_spec(central, caches)).ticket
    with open(os.path.join(kdc.folder, "bob.keytab"), "rb") as source:
        with open(central, "wb") as target:
            target.write(source.read())
    at(ticket.start + 1900)
    outcome = service.ensure(NOBODY, central_spec(central, caches))
    assert outcome.is_new and "no suitable keys" in outcome.keytab_problem
    assert os.listdir(str(caches)) == ["cc"] and os.listdir(str(top)) == []


@pytest.mark.slow
def test_the_user_never_sees_a_central_keytab(central, caches, kdc):
    """No process of the user has it open, as an argument or as a descriptor."""
    log = str(caches.parent / "trace")
    code = (
        "from jhpatch.deployed.kerberos.account import Account\n"
        "from jhpatch.deployed.kerberos.kinit import Kinit\n"
        "from jhpatch.deployed.kerberos.settings import Settings, TicketSpec\n"
        "Kinit(Settings(timeout=300.0), {'KRB5_CONFIG': %r}).ensure(\n"
        "    Account('nobody', 65534, 65534, '/'),\n"
        "    TicketSpec('alice/service', %r, 'FILE:%s', True))"
        % (kdc.krb5_conf, central, str(caches / "cc"))
    )
    if subprocess.run(["strace", "-V"], stdout=subprocess.DEVNULL).returncode:
        pytest.skip("no strace")
    argv = ["strace", "-f", "-ff", "-o", log, "-e", "trace=open,openat,execve,setresuid"]
    environment = dict(os.environ, PYTHONPATH=ROOT)
    assert not subprocess.run([*argv, sys.executable, "-c", code], env=environment).returncode
    opened = became = 0
    for name in os.listdir(str(caches.parent)):
        if name.startswith("trace."):
            text = (caches.parent / name).read_text()
            user = re.search(r"setresuid\(65534", text)
            became += bool(user)
            opened += central in text
            assert not (user and central in text[user.start() :])
    assert opened and became


@pytest.mark.parametrize("plant", ["symlink", "hardlink", "foreign", "directory"])
def test_a_central_ticket_goes_where_the_user_may_write(service, central, caches, tmp_path, plant):
    """What a hostile user puts at the cache's path hurts nobody, here too."""
    treasure = tmp_path / "treasure"
    treasure.write_text("root's")
    path, before = str(caches / "cc"), os.stat(str(treasure))
    if plant == "directory":
        os.mkdir(path)
    elif plant == "hardlink":
        os.link(str(treasure), path)
        before = os.stat(str(treasure))
    elif plant == "symlink":
        os.symlink(str(treasure), path)
        os.lchown(path, 65534, 65534)
    else:
        (caches / "cc").write_text("x")
    try:
        service.ensure(NOBODY, central_spec(central, caches))
        assert plant == "symlink"
    except Problem:
        assert plant != "symlink"
    after = os.stat(str(treasure))
    assert treasure.read_text() == "root's" and after[:5] == before[:5]
    assert after.st_mtime_ns == before.st_mtime_ns


def test_a_central_keytab_needs_a_file(service, central, caches):
    """A keyring that only the user's own kinit could fill is refused with the reason."""
    spec = central_spec(central, caches)
    with pytest.raises(Problem) as problem:
        service.ensure(NOBODY, spec._replace(ccache="KEYRING:persistent:65534:jhpatch-test"))
    assert "FILE or DIR" in str(problem.value)


def _spoil(how, path):
    directory = os.path.dirname(path)
    if how == "a directory that a group can write":
        os.chmod(directory, 0o775)
    elif how == "a directory of the user's":
        os.chown(directory, 65534, 0)
    elif how == "a directory behind a link":
        os.rename(directory, directory + "-real")
        os.symlink(directory + "-real", directory)
    elif how == "a link":
        os.rename(path, path + "-real")
        os.symlink(path + "-real", path)
    elif how == "the user's":
        os.chown(path, 65534, 0)
    elif how == "writable by all":
        os.chmod(path, 0o602)
    else:
        os.unlink(path)
        if how == "no file":
            os.mkfifo(path, 0o600)


@pytest.mark.parametrize(
    "how",
    ["a directory that a group can write", "a directory of the user's"]
    + [
        "a directory behind a link",
        "a link",
        "the user's",
        "writable by all",
        "no file",
    ],
)
def test_what_is_not_roots_alone_is_not_central(central, how):
    """Root opens a keytab only where nobody else had a hand in its path."""
    assert is_root_only(central, NOBODY) and is_root_only("FILE:" + central, NOBODY)
    _spoil(how, central)
    assert not is_root_only(central, NOBODY)


def test_a_keytab_that_is_missing_is_roots_to_report(central):
    """Where only root can write, root is told what is missing, and not the user."""
    os.unlink(central)
    assert is_root_only(central, NOBODY)


@pytest.mark.parametrize("path", ["", "keytab", "/run/../etc/shadow", "/nowhere/x", "FILE:", "/"])
def test_odd_paths_are_not_central(path):
    """Relative, upward, absent, a directory; and root's own account has no central one."""
    assert not is_root_only(path, NOBODY)
    assert not is_root_only("/etc/shadow", Account("root", 0, 0, "/root"))
