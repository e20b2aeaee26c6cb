"""Caches of other types, renewal, and one refresh in flight: real kinit, a real KDC."""

import fcntl
import os
import re
import subprocess
import sys
import time

import pytest

from jhpatch.deployed import kerberos
from jhpatch.deployed.kerberos import Account, Getter, KerberosTicket, Problem, Wanted
from tests.deployed.tickets import NOBODY, PRINCIPAL, wanted

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become a user")


@pytest.fixture
def getter(kdc):
    """A getter with default settings, in the environment of the test's realm."""
    return Getter(KerberosTicket(), kdc.env())


def klist(kdc, name, *more):
    """What klist(1) says as nobody."""
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "klist", *more]
    done = subprocess.run(
        argv + (["-c", name] if name else []),
        env=dict(kdc.env(), PATH="/usr/bin:/bin", TZ="UTC", LC_ALL="C"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return done.stdout.decode()


def test_a_collection_gets_a_cache_of_ours(getter, kdc, keytab, caches):
    """DIR: a subsidiary beside the user's own; which one is primary stays as it was."""
    folder = caches / "collection"
    mine = Wanted("bob", os.path.join(kdc.folder, "bob.keytab"), "DIR::%s/tkt" % folder)
    getter.ensure(NOBODY, mine)
    (folder / "primary").write_text("tkt\n")
    ours = Wanted("alice/service", keytab, "DIR:%s" % folder)
    ticket, got = getter.ensure(NOBODY, ours)
    assert got and ticket.principal == PRINCIPAL
    assert (folder / "primary").read_text() == "tkt\n"
    assert sorted(os.listdir(str(folder))) == ["primary", "tkt", "tktjhpatch"]
    assert "Default principal: bob@" in klist(kdc, "DIR:%s" % folder)
    assert PRINCIPAL in klist(kdc, "DIR::%s/tktjhpatch" % folder)
    assert getter.ensure(NOBODY, ours) == (ticket, False)


@pytest.fixture
def keyring(kdc):
    """The name of a persistent keyring of nobody's, empty.

    The kernel keeps it for the uid, whoever asks: other runs of the tests take another name.
    """
    name = "KEYRING:persistent:65534:jhpatch-test-%d" % os.getpid()
    if "not permitted" in klist(kdc, name) or "not supported" in klist(kdc, name):
        pytest.skip("no persistent keyrings here")
    yield name
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "kdestroy", "-q"]
    subprocess.run(argv + ["-c", name], env=dict(kdc.env(), PATH="/usr/bin:/bin"))


def test_a_persistent_keyring(getter, keytab, keyring):
    """No file: klist reads it, kinit replaces it, and a fresh ticket is left alone."""
    ours = Wanted("alice/service", keytab, keyring)
    try:
        ticket, got = getter.ensure(NOBODY, ours)
    except Problem as problem:
        pytest.skip("no persistent keyrings here: %s" % problem)
    assert got and ticket.principal == PRINCIPAL
    assert abs(ticket.end - ticket.start - 36000) < 5 and abs(ticket.start - time.time()) < 60
    assert ticket.renew_till > ticket.end
    assert getter.ensure(NOBODY, ours) == (ticket, False)
    getter.destroy(NOBODY, ours)
    assert getter.look(NOBODY, kerberos.cache_of(keyring, 65534)) is None


def test_a_keyring_that_is_the_default(kdc, keytab, keyring, caches):
    """As on RHEL: krb5.conf's default, absent and then there; klist tells its name by halves."""
    conf = caches.parent / "keyring.conf"
    with open(kdc.krb5_conf) as source:
        text = source.read()
    place = "[libdefaults]\n default_ccache_name = %s\n" % keyring
    conf.write_text(text.replace("[libdefaults]\n", place))
    getter = Getter(KerberosTicket(), {"KRB5_CONFIG": str(conf)})
    for got in (True, False):
        ticket, new = getter.ensure(NOBODY, Wanted("alice/service", keytab, ""))
        assert (ticket.principal, new) == (PRINCIPAL, got)
    assert getter.default_cache(NOBODY).name == keyring


def test_a_kcm_cache(getter, kdc, keytab, kcm):
    """Of the daemon, in a subsidiary of ours; the user's own cache and primary stay."""
    bob = os.path.join(kdc.folder, "bob.keytab")
    getter.ensure(NOBODY, Wanted("bob", bob, "KCM:65534:own"))
    ours = Wanted("alice/service", keytab, "KCM:")
    ticket, got = getter.ensure(NOBODY, ours)
    assert got and ticket.principal == PRINCIPAL
    assert abs(ticket.end - ticket.start - 36000) < 5 and abs(ticket.start - time.time()) < 60
    assert getter.ensure(NOBODY, ours) == (ticket, False)
    assert "bob@" in klist(kdc, "KCM:65534:own")
    for name in ("KCM:", "KCM:65534:own"):
        getter.destroy(NOBODY, ours._replace(ccache=name))


KLIST = """Ticket cache: KCM:1000
Default principal: alice@EXAMPLE.TEST

Valid starting     Expires            Service principal
11/26/26 04:37:44  11/26/26 14:37:44  krbtgt/EXAMPLE.TEST@EXAMPLE.TEST
\trenew until 12/03/26 04:37:44
11/26/26 04:38:44  11/26/26 15:37:44  HTTP/web.example.test@EXAMPLE.TEST
11/26/26 04:39:44  11/26/26 13:37:44  krbtgt/OTHER.TEST@EXAMPLE.TEST
"""


def test_klist_is_read():
    """The TGT of the own realm, in UTC; other tickets and other years are no matter."""
    start = 1795667864
    expected = ("alice@EXAMPLE.TEST", start, start + 36000, start + 7 * 86400)
    assert tuple(kerberos.read_klist(KLIST)) == expected
    assert tuple(kerberos.read_klist(re.sub("/26 ", "/2026 ", KLIST))) == expected
    assert kerberos.read_klist(KLIST.replace("\trenew until 12/03/26 04:37:44\n", ""))[3] == 0
    for text in ("", "klist: No credentials cache found", KLIST.replace("krbtgt", "host")):
        assert kerberos.read_klist(text) is None


# Renewal.


@pytest.mark.slow
def test_without_a_keytab_the_ticket_is_renewed(kdc, keytab, caches):
    """kinit -R while it may still be renewed; then kinit's own reason."""
    first = Getter(KerberosTicket(lifetime="1h"), kdc.env())
    ticket, _ = first.ensure(NOBODY, wanted(keytab, caches))
    time.sleep(1.1)
    getter = Getter(KerberosTicket(refresh_at=0.05), kdc.env())
    none = wanted("/nowhere/keytab", caches)
    kerberos.time, clock = Later(ticket.start + 600), kerberos.time
    try:
        renewed, got = getter.ensure(NOBODY, none)
    finally:
        kerberos.time = clock
    assert got and renewed.start > ticket.start and renewed.principal == PRINCIPAL
    assert renewed.renew_till == ticket.renew_till
    assert os.listdir(str(caches)) == ["cc"]


class Later:
    """The module ``time``, with another time of day."""

    def __init__(self, now):
        self.time = lambda: now

    def __getattr__(self, name):
        return getattr(time, name)


def test_what_cannot_be_renewed_is_said(kdc, keytab, caches):
    """A ticket that is not renewable: the reason is the keytab's."""
    getter = Getter(KerberosTicket(renewable="", lifetime="1h"), kdc.env())
    ticket, _ = getter.ensure(NOBODY, wanted(keytab, caches))
    kerberos.time, clock = Later(ticket.start + 3000), kerberos.time
    try:
        with pytest.raises(Problem) as problem:
            getter.ensure(NOBODY, wanted("/nowhere/keytab", caches))
    finally:
        kerberos.time = clock
    assert "/nowhere/keytab" in str(problem.value) and "kinit -R" not in str(problem.value)


def test_a_ticket_of_the_future_is_replaced(kdc, keytab, caches):
    """The clock was stepped back by an hour: what looks fresh is not to be used."""
    getter = Getter(KerberosTicket(), kdc.env())
    ticket, _ = getter.ensure(NOBODY, wanted(keytab, caches))
    kerberos.time, clock = Later(ticket.start - 3600), kerberos.time
    try:
        assert getter.ensure(NOBODY, wanted(keytab, caches))[1]
    finally:
        kerberos.time = clock


# One refresh in flight.

_REFRESH = """
import os, sys
sys.path.insert(0, %r)
from jhpatch.deployed.kerberos import Account, Getter, KerberosTicket, Wanted
os.umask(0o022)
settings = KerberosTicket(refresh_at=0.05, renewable="", timeout=60)
account = Account("nobody", 65534, 65534, "/")
getter = Getter(settings, {"KRB5_CONFIG": %r})
sys.stdin.readline()
print(getter.ensure(account, Wanted("alice/service", %r, %r), float(sys.argv[1]))[1])
"""


@pytest.mark.slow
def test_processes_refresh_a_cache_once(getter, kdc, keytab, caches):
    """Named servers, the hub and a terminal at the same time: one of them asks the KDC."""
    mine = wanted(keytab, caches)
    getter.ensure(NOBODY, mine)
    time.sleep(4)
    asked = requests(kdc)
    code = _REFRESH % (os.getcwd(), kdc.krb5_conf, mine.keytab, mine.ccache)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, "0.0001"],  # due is what is older than 3.6 s
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(6)
    ]
    for child in children:
        child.stdin.write(b"\n")
        child.stdin.flush()
    got = [child.communicate()[0].strip() == b"True" for child in children]
    assert sum(got) == 1, got
    assert requests(kdc) - asked == 2  # the first is answered: preauthentication required


def requests(kdc):
    """How many AS-REQ the KDC has had."""
    with open(kdc.log) as file:
        return sum("AS_REQ" in line for line in file)


@pytest.mark.slow
def test_who_holds_the_lock_delays_a_refresh_and_no_more(kdc, keytab, caches):
    """A user who locks their own cache for ever: it is refreshed, within the timeout."""
    getter = Getter(KerberosTicket(refresh_at=0.05), kdc.env())
    ticket, _ = getter.ensure(NOBODY, wanted(keytab, caches))
    with open(str(caches / "cc"), "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        kerberos.time, clock = Later(ticket.start + 20000), kerberos.time
        try:
            began = time.monotonic()
            assert getter.ensure(NOBODY, wanted(keytab, caches))[1]
            assert time.monotonic() - began < 5
        finally:
            kerberos.time = clock


def test_nobody_else_can_lock_a_cache(getter, keytab, caches):
    """It is the user's, mode 0600: another user cannot open what the lock is on."""
    getter.ensure(NOBODY, wanted(keytab, caches))
    argv = ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "flock", "-n"]
    assert subprocess.run(
        argv + [str(caches / "cc"), "true"], stderr=subprocess.DEVNULL
    ).returncode


@pytest.mark.slow
def test_what_another_has_refreshed_meanwhile_is_taken(kdc, keytab, caches, monkeypatch):
    """Between the look and the lock: the second look finds it, and the KDC is not asked."""
    getter = Getter(KerberosTicket(), kdc.env())
    other = Getter(KerberosTicket(refresh_at=0.05), kdc.env())
    ticket, _ = getter.ensure(NOBODY, wanted(keytab, caches))
    time.sleep(1.1)
    seen = getter._seen
    looks = []

    def look(account, cache):
        found = seen(account, cache)
        looks.append(found)
        if len(looks) == 1:
            stale = ticket._replace(start=ticket.start - 30000, end=ticket.end - 30000)
            os.unlink(cache.path)
            other.ensure(NOBODY, wanted(keytab, caches))
            return stale, found[1]
        return found

    monkeypatch.setattr(getter, "_seen", look)
    before = requests(kdc)
    fresh, got = getter.ensure(NOBODY, wanted(keytab, caches))
    assert not got and len(looks) == 2 and fresh.start > ticket.start
    assert requests(kdc) - before == 2  # the other's


# Central keytabs.


@pytest.fixture
def central(kdc, keytab):
    """A keytab that root alone can read, in a folder that root alone can write."""
    folder = "/run/jhpatch-test-%d" % os.getpid()
    os.mkdir(folder, 0o755)
    path = os.path.join(folder, "alice.keytab")
    with open(keytab, "rb") as source, open(path, "wb") as target:
        target.write(source.read())
    os.chmod(path, 0o600)
    yield path
    subprocess.run(["rm", "-rf", folder])


def ours(keytab, caches, name="cc"):
    """What is wanted where the keytab is central."""
    return Wanted("alice/service", keytab, str(caches / name), kerberos.is_central(keytab, NOBODY))


def test_a_central_keytab(getter, central, caches, monkeypatch):
    """Root gets the ticket, the user's own child writes it, and nothing of root's is left."""
    made = []
    mkdtemp = kerberos.tempfile.mkdtemp

    def watched(**options):
        made.append(mkdtemp(**options))
        return made[-1]

    monkeypatch.setattr(kerberos.tempfile, "mkdtemp", watched)
    mine = ours(central, caches)
    assert mine.central
    ticket, got = getter.ensure(NOBODY, mine)
    found = os.lstat(str(caches / "cc"))
    assert got and ticket.principal == PRINCIPAL and found.st_uid == found.st_gid == 65534
    assert os.listdir(str(caches)) == ["cc"]
    assert len(made) == 1 and not os.path.exists(made[0])
    assert getter.ensure(NOBODY, mine) == (ticket, False)


@pytest.mark.slow
def test_the_user_never_sees_a_central_keytab(central, caches, kdc):
    """No process of the user has it open, as an argument or as a descriptor."""
    log = str(caches.parent / "trace")
    code = (
        "import os; from jhpatch.deployed.kerberos import *\n"
        "account = Account('nobody', 65534, 65534, '/')\n"
        "Getter(KerberosTicket(), {'KRB5_CONFIG': %r}).ensure(\n"
        "    account, Wanted('alice/service', %r, %r, True))"
        % (kdc.krb5_conf, central, str(caches / "cc"))
    )
    if subprocess.run(["strace", "-V"], stdout=subprocess.DEVNULL).returncode:
        pytest.skip("no strace")
    argv = ["strace", "-f", "-ff", "-o", log, "-e", "trace=open,openat,execve,setresuid"]
    assert not subprocess.run(argv + [sys.executable, "-c", code]).returncode
    opened = became = 0
    for name in os.listdir(str(caches.parent)):
        if not name.startswith("trace."):
            continue
        text = (caches.parent / name).read_text()
        user = re.search(r"setresuid\(65534", text)
        became += bool(user)
        opened += central in text
        assert not (user and central in text[user.start() :])
    assert opened and became


@pytest.mark.parametrize("plant", ["symlink", "hardlink", "foreign", "folder"])
def test_a_central_ticket_goes_where_the_user_may_write(getter, central, caches, tmp_path, plant):
    """What a hostile user puts at the cache's path hurts nobody, here too."""
    treasure = tmp_path / "treasure"
    treasure.write_text("root's")
    before = os.stat(str(treasure))
    path = str(caches / "cc")
    if plant == "folder":
        os.mkdir(path)
    elif plant == "hardlink":
        os.link(str(treasure), path)
    elif plant == "symlink":
        os.symlink(str(treasure), path)
        os.lchown(path, 65534, 65534)
    else:
        (caches / "cc").write_text("x")
    try:
        getter.ensure(NOBODY, ours(central, caches))
        assert plant == "symlink"
    except Problem:
        assert plant != "symlink"
    after = os.stat(str(treasure))
    assert treasure.read_text() == "root's"
    assert (after.st_mode, after.st_uid, after.st_mtime) == (
        before.st_mode,
        before.st_uid,
        before.st_mtime,
    )


def test_a_central_keytab_needs_a_file(getter, central, caches):
    """A keyring that only the user's own kinit could fill is refused with the reason."""
    mine = ours(central, caches)._replace(ccache="KEYRING:persistent:65534:jhpatch-test")
    with pytest.raises(Problem) as problem:
        getter.ensure(NOBODY, mine)
    assert "FILE or DIR" in str(problem.value)


def _spoil(how, path):
    folder = os.path.dirname(path)
    if how == "a folder that a group can write":
        os.chmod(folder, 0o775)
    elif how == "a folder of the user's":
        os.chown(folder, 65534, 0)
    elif how == "a folder behind a link":
        os.rename(folder, folder + "-real")
        os.symlink(folder + "-real", folder)
    elif how == "a link":
        os.rename(path, path + "-real")
        os.symlink(path + "-real", path)
    elif how == "the user's":
        os.chown(path, 65534, 0)
    elif how == "readable by all":
        os.chmod(path, 0o644)
    elif how == "readable by their group":
        os.chown(path, 0, 65534)
        os.chmod(path, 0o640)
    elif how == "no file":
        os.unlink(path)
        os.mkfifo(path, 0o600)
    elif how == "absent":
        os.unlink(path)


@pytest.mark.parametrize(
    "how",
    ["a folder that a group can write", "a folder of the user's", "a folder behind a link"]
    + ["a link", "the user's", "readable by all", "readable by their group", "no file", "absent"],
)
def test_what_is_not_central_is_the_users_own_to_open(central, how):
    """Root opens a keytab only where nobody else had a hand in its path."""
    assert kerberos.is_central(central, NOBODY)
    _spoil(how, central)
    try:
        assert not kerberos.is_central(central, NOBODY)
    finally:
        folder = os.path.dirname(central)
        subprocess.run(["rm", "-rf", folder + "-real"])
        if os.path.islink(folder):
            os.unlink(folder)


@pytest.mark.parametrize("path", ["", "keytab", "/run/../etc/shadow", "/nowhere/x"])
def test_odd_paths_are_not_central(path):
    """Relative, upward, absent."""
    assert not kerberos.is_central(path, NOBODY)


@pytest.mark.slow
def test_a_server_cannot_use_a_central_keytab(kdc, central, caches):
    """It renews what the hub has got, and says who has the keytab when it cannot."""
    own = Account("root", os.geteuid(), os.getegid(), "/")
    mine = Wanted("alice/service", central, str(caches / "cc"), True)
    server = Getter(KerberosTicket(), kdc.env())
    with pytest.raises(Problem) as problem:
        server.ensure(own, mine)
    assert "the hub has this keytab" in str(problem.value)
    hub = Getter(KerberosTicket(lifetime="1h"), kdc.env())
    ticket, _ = hub.ensure(own, mine._replace(central=False))
    time.sleep(1.1)
    kerberos.time, clock = Later(ticket.start + 3000), kerberos.time
    try:
        renewed, got = server.ensure(own, mine)
    finally:
        kerberos.time = clock
    assert got and renewed.start > ticket.start
