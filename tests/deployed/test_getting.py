"""Getting a ticket as root for a user: a real KDC, real kinit, and a user who is hostile."""

import os
import stat
import time

import pytest

from jhpatch.deployed import kerberos
from jhpatch.deployed.kerberos import Account, Getter, KerberosTicket, Problem, Wanted

NOBODY = Account("nobody", 65534, 65534, "/nonexistent")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to become a user")
PRINCIPAL = "alice/service@EXAMPLE.TEST"


@pytest.fixture
def getter(kdc):
    """A getter with default settings, in the environment of the test's realm."""
    return Getter(KerberosTicket(), kdc.env())


def wanted(keytab, caches, principal="alice/service", name="cc"):
    """The ticket that is wanted."""
    return Wanted(principal, str(keytab), str(caches / name))


def test_a_ticket_is_the_users_own(getter, keytab, caches):
    """The right principal, mode 0600, owned by the user; nothing else is left in the folder."""
    ticket, got = getter.ensure(NOBODY, wanted(keytab, caches))
    assert got and ticket.principal == PRINCIPAL and ticket.end > time.time() + 3600
    found = os.lstat(str(caches / "cc"))
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o600, 65534, 65534)
    assert os.listdir(str(caches)) == ["cc"]


def test_a_fresh_ticket_is_left_alone(getter, keytab, caches):
    """The second time nothing is asked of the KDC, and the file keeps its inode."""
    first, _ = getter.ensure(NOBODY, wanted(keytab, caches))
    inode = os.stat(str(caches / "cc")).st_ino
    second, got = getter.ensure(NOBODY, wanted(keytab, caches))
    assert (second, got) == (first, False)
    assert os.stat(str(caches / "cc")).st_ino == inode


def test_half_of_its_life_is_enough(getter, keytab, caches, monkeypatch):
    """A ticket of which half has passed is renewed, though it is valid still."""
    ticket, _ = getter.ensure(NOBODY, wanted(keytab, caches))
    middle = (ticket.start + ticket.end) / 2
    for when, expected in ((middle - 60, False), (middle + 60, True)):
        monkeypatch.setattr(kerberos.time, "time", lambda when=when: when)
        assert getter.ensure(NOBODY, wanted(keytab, caches))[1] is expected


def test_somebody_elses_valid_ticket_is_left_alone(getter, kdc, keytab, caches):
    """The user has run a kinit of his own as another principal: it stays, and is said."""
    bob = os.path.join(kdc.folder, "bob.keytab")
    getter.ensure(NOBODY, wanted(bob, caches, "bob"))
    before = (caches / "cc").read_bytes()
    with pytest.raises(Problem) as problem:
        getter.ensure(NOBODY, wanted(keytab, caches))
    assert "bob@EXAMPLE.TEST" in str(problem.value)
    assert (caches / "cc").read_bytes() == before


def test_without_a_keytab_the_reason_is_one_line(getter, caches):
    """kinit's own words, on one line."""
    with pytest.raises(Problem) as problem:
        getter.ensure(NOBODY, wanted("/nowhere/bob.keytab", caches))
    assert "/nowhere/bob.keytab" in str(problem.value) and "\n" not in str(problem.value)
    assert os.listdir(str(caches)) == []


def picture(path):
    """What must not change of a file of root's."""
    found = os.stat(path)
    with open(path, "rb") as file:
        return found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns, file.read()


@pytest.fixture
def treasure(tmp_path):
    """A file of root's that nobody else may read."""
    path = tmp_path / "treasure"
    path.write_text("root's secret")
    path.chmod(0o600)
    return str(path)


def plant(kind, caches, treasure):
    """What a hostile user puts where the cache goes."""
    path = str(caches / "cc")
    if kind == "symlink":
        os.symlink(treasure, path)
        os.lchown(path, 65534, 65534)
    elif kind == "hardlink":
        os.link(treasure, path)
    elif kind == "fifo":
        os.mkfifo(path)
        os.chown(path, 65534, 65534)
    elif kind == "folder":
        os.mkdir(path)
        os.chown(path, 65534, 65534)
    elif kind == "huge":
        with open(path, "wb") as file:
            file.truncate(1 << 30)
        os.chown(path, 65534, 65534)
    elif kind == "foreign":
        with open(path, "wb") as file:
            file.write(b"x")
        os.chown(path, 1234, 1234)
    elif kind == "rubbish":
        with open(path, "wb") as file:
            file.write(b"\x05\x04rubbish")
        os.chown(path, 65534, 65534)


@pytest.mark.parametrize(
    "kind", ["symlink", "hardlink", "fifo", "folder", "huge", "foreign", "rubbish"]
)
def test_nothing_at_the_cache_path_hurts_root(getter, keytab, caches, treasure, kind):
    """No file of root's changes owner, mode or content; another user's file is never used."""
    before = picture(treasure)
    plant(kind, caches, treasure)
    try:
        ticket, _ = getter.ensure(NOBODY, wanted(keytab, caches))
        assert kind in ("symlink", "huge", "rubbish")
        assert ticket.principal == PRINCIPAL
        assert stat.S_ISREG(os.lstat(str(caches / "cc")).st_mode)
    except Problem as problem:
        words = {"fifo": "no regular file", "folder": "no regular file"}
        owned = {"hardlink": "belongs to root", "foreign": "belongs to "}
        assert dict(words, **owned)[kind] in str(problem)
    assert picture(treasure) == before
    assert [name for name in os.listdir(str(caches)) if name != "cc"] == []


@pytest.mark.parametrize("kind", ["fifo", "symlink to shadow"])
def test_a_hostile_keytab_hurts_nobody(kdc, caches, tmp_path, kind):
    """A FIFO ends at the timeout; a link to /etc/shadow is not read for the user."""
    keytab = tmp_path / "keytab"
    if kind == "fifo":
        os.mkfifo(str(keytab), 0o666)
        os.chmod(str(keytab), 0o666)
    else:
        os.symlink("/etc/shadow", str(keytab))
    settings = KerberosTicket(timeout=0.5)
    with pytest.raises(Problem) as problem:
        Getter(settings, kdc.env()).ensure(NOBODY, wanted(keytab, caches))
    assert "root:" not in str(problem.value)


def test_a_timeout_kills_the_whole_session(caches, script, tmp_path):
    """A kinit that hangs, and the child that it has started, are gone after the timeout."""
    pids = tmp_path / "pids"
    pids.write_text("")
    pids.chmod(0o666)
    kinit = script("sleep 600 & echo $! >> %s; echo $$ >> %s; wait\n" % (pids, pids))
    getter = Getter(KerberosTicket(kinit=kinit, timeout=2.5), {})
    with pytest.raises(Problem) as problem:
        getter.ensure(NOBODY, wanted("/k", caches))
    assert "2.5 s" in str(problem.value)
    time.sleep(0.2)
    running = pids.read_text().split()
    assert len(running) == 2
    for pid in running:
        assert not os.path.exists("/proc/%s/exe" % pid) or _is_zombie(pid)


def _is_zombie(pid):
    with open("/proc/%s/stat" % pid) as file:
        return file.read().rpartition(")")[2].split()[0] == "Z"


def test_children_are_the_user_with_a_clean_environment(caches, script, tmp_path):
    """uid, gid and groups; the hub's cache, keytab and secrets do not travel; cwd is /."""
    told = tmp_path / "told"
    told.write_text("")
    told.chmod(0o666)
    kinit = script("{ id; env; pwd; } > %s; exit 1\n" % told)
    environ = {
        "KRB5CCNAME": "FILE:/root/cc",
        "KRB5_CLIENT_KTNAME": "/root/keytab",
        "KRB5_CONFIG": "/somewhere/krb5.conf",
        "CONFIGPROXY_AUTH_TOKEN": "secret",
        "LD_PRELOAD": "/tmp/evil.so",
    }
    with pytest.raises(Problem):
        Getter(KerberosTicket(kinit=kinit), environ).ensure(NOBODY, wanted("/k", caches))
    text = told.read_text()
    assert "uid=65534" in text and "gid=65534" in text and "=0(" not in text
    assert "KRB5_CONFIG=/somewhere/krb5.conf" in text
    for word in ("/root/cc", "/root/keytab", "secret", "evil"):
        assert word not in text
    assert text.splitlines()[-1] == "/"


def test_kinit_is_told_what_the_settings_say(caches, script, tmp_path):
    """Options in an argv list, the principal behind ``--``; the temporary name is not krb5cc's."""
    told = tmp_path / "told"
    told.write_text("")
    told.chmod(0o666)
    kinit = script('for word; do echo "$word"; done > %s; exit 1\n' % told)
    settings = KerberosTicket(kinit=kinit, lifetime="10h", renewable="7d")
    with pytest.raises(Problem):
        Getter(settings, {}).ensure(NOBODY, wanted("/a keytab", caches, "-evil; rm"))
    words = told.read_text().splitlines()
    assert words[-2:] == ["--", "-evil; rm"]
    assert words[2:] == ["-k", "-t", "/a keytab", "-l", "10h", "-r", "7d", "--", "-evil; rm"]
    assert words[1].startswith("FILE:%s/.jhpatch-cc-65534-" % caches)


def test_the_default_cache_is_what_libkrb5_says(kdc, keytab, caches, monkeypatch):
    """Without a setting: krb5.conf's, asked as the user, absent or there."""
    conf = os.path.join(str(caches.parent), "krb5.conf")
    with open(kdc.krb5_conf) as source, open(conf, "w") as target:
        text = source.read()
        place = "[libdefaults]\n default_ccache_name = FILE:%s/own-%%{uid}\n" % caches
        target.write(text.replace("[libdefaults]\n", place))
    getter = Getter(KerberosTicket(), {"KRB5_CONFIG": conf})
    for got in (True, False):
        assert getter.ensure(NOBODY, Wanted("alice/service", keytab, ""))[1] is got
        assert os.listdir(str(caches)) == ["own-65534"]


CACHES = {
    "/tmp/cc": ("FILE:/tmp/cc", "/tmp/cc"),
    "FILE:/tmp/cc": ("FILE:/tmp/cc", "/tmp/cc"),
    "DIR:/tmp/x": ("DIR::/tmp/x/tktjhpatch", "/tmp/x/tktjhpatch"),
    "DIR:/tmp/x/": ("DIR::/tmp/x/tktjhpatch", "/tmp/x/tktjhpatch"),
    "DIR::/tmp/x/tkt": ("DIR::/tmp/x/tkt", "/tmp/x/tkt"),
    "KCM:": ("KCM:7:jhpatch", ""),
    "KCM:7": ("KCM:7:jhpatch", ""),
    "KCM:7:31": ("KCM:7:31", ""),
    "KEYRING:persistent": ("KEYRING:persistent:7:jhpatch", ""),
    "KEYRING:persistent:7": ("KEYRING:persistent:7:jhpatch", ""),
    "KEYRING:persistent:7:krb_ccache": ("KEYRING:persistent:7:krb_ccache", ""),
}


@pytest.mark.parametrize("text", sorted(CACHES))
def test_the_types_of_caches(text):
    """Of a collection a subsidiary of ours, unless one is named: kinit leaves the primary."""
    assert tuple(kerberos.cache_of(text, 7)) == CACHES[text]


@pytest.mark.parametrize(
    "text",
    ["KEYRING:session:x", "KEYRING:user:x", "KEYRING:x", "MEMORY:x", "API:x", "cc", "FILE:cc"]
    + ["DIR:x", "DIR::/tmp/x/other", "SRVTAB:/x", ""],
)
def test_other_cache_types_are_named(text):
    """Not supported: said with the name, never half done."""
    with pytest.raises(Problem) as problem:
        kerberos.cache_of(text, 7)
    assert text in str(problem.value)


@pytest.mark.parametrize(
    "name", ["", "-x", "../alice", "a/b", ".", "..", "a\nb", "a:b", "a\0b", "no such user"]
)
def test_names_are_checked_before_they_reach_a_path(name):
    """Against the password database, and for what no path may hold."""
    with pytest.raises(Problem):
        kerberos.account_of(name, 1)


def test_root_never_gets_a_ticket():
    """Nor does anybody below min_uid."""
    with pytest.raises(Problem):
        kerberos.account_of("root", 0)
    with pytest.raises(Problem):
        kerberos.account_of("nobody", 70000)
    assert kerberos.account_of("nobody", 1).uid == 65534


def test_one_refresh_in_flight_per_user(kdc, keytab, caches):
    """Twenty logins of one user at once ask the KDC once."""
    import concurrent.futures

    getter = Getter(KerberosTicket(), kdc.env())
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        jobs = [pool.submit(getter.ensure, NOBODY, wanted(keytab, caches)) for _ in range(20)]
        assert sum(job.result()[1] for job in jobs) == 1


def test_destroy_takes_the_cache_away(getter, keytab, caches):
    """kdestroy, as the user."""
    getter.ensure(NOBODY, wanted(keytab, caches))
    getter.destroy(NOBODY, wanted(keytab, caches))
    assert os.listdir(str(caches)) == []
