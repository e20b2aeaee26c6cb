"""A user, or another one, who is hostile while root obtains a ticket."""

import os
import stat
import subprocess

import pytest

from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.kinit import Kinit
from jhpatch.deployed.kerberos.process import TooMuchOutput
from jhpatch.deployed.kerberos.settings import Settings
from testing.users import ROOT_ONLY
from testing.waiting import until
from tests.deployed.tickets import NOBODY, PRINCIPAL, wanted

pytestmark = ROOT_ONLY


def picture(path):
    """What must not change of a file of root's."""
    status = os.stat(path)
    with open(path, "rb") as file:
        return status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, file.read()


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
    owner = {"foreign": 1234, "hardlink": 0}.get(kind, 65534)
    if kind == "symlink":
        os.symlink(treasure, path)
    elif kind == "hardlink":
        os.link(treasure, path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        os.mkdir(path)
    else:
        with open(path, "wb") as file:
            file.write({"rubbish": b"\x05\x04rubbish", "foreign": b"x"}.get(kind, b""))
            file.truncate({"huge": 1 << 30, "large": 3 << 20}.get(kind, 4))
    os.lchown(path, owner, owner)


@pytest.mark.parametrize(
    "kind",
    ["symlink", "hardlink", "fifo", "directory", "huge", "large", "foreign", "rubbish"],
)
def test_nothing_at_the_cache_path_hurts_root(service, keytab, caches, treasure, kind):
    """No file of root's changes owner, mode or content; another user's file is never used."""
    before = picture(treasure)
    plant(kind, caches, treasure)
    try:
        ticket = service.ensure(NOBODY, wanted(keytab, caches)).ticket
        assert kind in ("symlink", "huge", "large", "rubbish")
        assert ticket.principal == PRINCIPAL
        assert stat.S_ISREG(os.lstat(str(caches / "cc")).st_mode)
    except Problem as problem:
        reasons = dict.fromkeys(("fifo", "directory"), "not a regular file")
        reasons.update(hardlink="belongs to root (uid 0)", foreign="uid 1234")
        assert reasons[kind] in str(problem)
    assert picture(treasure) == before
    assert [name for name in os.listdir(str(caches)) if name != "cc"] == []


@pytest.mark.parametrize("kind", ["fifo", "symlink to shadow", "directory"])
def test_a_hostile_keytab_hurts_nobody(kdc, caches, tmp_path, kind):
    """A FIFO ends at the timeout; a link to /etc/shadow is not read for the user."""
    keytab = tmp_path / "keytab"
    if kind == "fifo":
        os.mkfifo(str(keytab))
        keytab.chmod(0o666)
    elif kind == "directory":
        keytab.mkdir()
    else:
        keytab.symlink_to("/etc/shadow")
    with pytest.raises(Problem) as problem:
        Kinit(Settings(timeout=0.5), kdc.env()).ensure(NOBODY, wanted(keytab, caches))
    assert "root:" not in str(problem.value)
    assert os.listdir(str(caches)) == []


def open_to_all(path):
    """A file that any user can write."""
    path.write_text("")
    path.chmod(0o666)
    return path


@pytest.mark.slow
def test_a_timeout_kills_the_whole_session(caches, script, tmp_path):
    """A kinit that hangs, and the child that it has started, are gone after the timeout."""
    pids = open_to_all(tmp_path / "pids")
    kinit = script("sleep 600 & echo $! >> %s; echo $$ >> %s; wait\n" % (pids, pids))
    with pytest.raises(Problem) as problem:
        Kinit(Settings(kinit=kinit, timeout=2.5), {}).ensure(NOBODY, wanted("/k", caches))
    assert "no answer within " in str(problem.value)
    running = pids.read_text().split()
    assert len(running) == 2
    until(lambda: not any(os.path.exists("/proc/%s/exe" % pid) for pid in running))


def test_children_are_the_user_with_a_clean_environment(caches, script, tmp_path):
    """uid, gid and groups; the hub's cache, keytab and secrets do not travel."""
    told = open_to_all(tmp_path / "told")
    kinit = script("{ id; env; pwd; } > %s; exit 1\n" % told)
    environ = {
        "KRB5CCNAME": "FILE:/root/cc",
        "KRB5_CLIENT_KTNAME": "/root/keytab",
        "KRB5_CONFIG": "/somewhere/krb5.conf",
        "CONFIGPROXY_AUTH_TOKEN": "secret",
        "LD_PRELOAD": "/tmp/evil.so",
    }
    with pytest.raises(Problem):
        Kinit(Settings(kinit=kinit), environ).ensure(NOBODY, wanted("/k", caches))
    text = told.read_text()
    assert "uid=65534" in text and "gid=65534" in text and "=0(" not in text
    assert "KRB5_CONFIG=/somewhere/krb5.conf" in text
    for word in ("/root/cc", "/root/keytab", "secret", "evil"):
        assert word not in text
    assert text.splitlines()[-1].startswith("%s/.jhpatch-cc-65534-" % caches)


def test_kinit_is_told_what_the_settings_say(caches, script, tmp_path):
    """Options in an argv list, the principal behind ``--``; a cache without a directory."""
    told = open_to_all(tmp_path / "told")
    kinit = script('for word; do echo "$word"; done > %s; exit 1\n' % told)
    settings = Settings(kinit=kinit, lifetime="10h", renewable="7d")
    with pytest.raises(Problem):
        Kinit(settings, {}).ensure(NOBODY, wanted("/a keytab", caches, "-evil; rm"))
    assert told.read_text().splitlines() == [
        *("-c", "FILE:cc", "-k", "-t", "/a keytab"),
        *("-l", "10h", "-r", "7d", "--", "-evil; rm"),
    ]


# Temporary caches.

_WATCH = r"""
import os, sys
caches, end, found = sys.argv[1].encode(), sys.argv[2], set()
print("ready", flush=True)
while not os.path.exists(end):
    found |= {name for name in os.listdir(caches) if name.startswith(b".jhpatch-cc-")}
    for process in os.listdir("/proc"):
        try:
            with open("/proc/%s/cmdline" % process, "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if words[0] not in (b"rmdir", b"rm") and any(n in word for n in found for word in words):
            print("argv", words, flush=True)
    for name in found:  # what a thief tries with each name
        path = caches + b"/" + name
        for attempt in (
            lambda: os.open(path + b"/cc", os.O_RDWR),
            lambda: os.open(path + b"/cc", os.O_RDWR | os.O_CREAT),
            lambda: os.mkdir(path + b"/cc"),
            lambda: os.rename(path, caches + b"/stolen"),
        ):
            try:
                if os.stat(path).st_uid != os.getuid():
                    attempt()
                    print("done", path, flush=True)
            except OSError:
                pass
print("seen", len(found), flush=True)
"""


@pytest.mark.slow
def test_another_user_cannot_take_or_stop_a_ticket(kdc, keytab, caches, script, tmp_path):
    """Who watches /proc and the directory: no argv has the name while it counts; it is shut.

    Each kinit waits, so that the thief has seen its directory, and tried.
    """
    end = tmp_path / "end"
    kinit = script('sleep 0.5\nexec /usr/bin/kinit "$@"\n')
    thief = subprocess.Popen(
        ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "/usr/bin/python3", "-c"]
        + [_WATCH, str(caches), str(end)],
        stdout=subprocess.PIPE,
    )
    try:
        assert thief.stdout.readline() == b"ready\n"
        service = Kinit(Settings(kinit=kinit), kdc.env())
        for _ in range(5):
            assert service.ensure(NOBODY, wanted(keytab, caches)).is_new
            (caches / "cc").unlink()
        end.write_text("")
        lines = thief.stdout.read().decode().splitlines()
    finally:
        thief.kill()
        thief.wait()
    assert lines == ["seen 5"]
    assert os.listdir(str(caches)) == []


def test_names_that_look_like_ours_stop_nobody(service, keytab, caches):
    """Files, directories, links and FIFOs of another user, by the hundred."""
    for number in range(100):
        base = str(caches / (".jhpatch-cc-65534-%010d" % number))
        os.mkdir(base)
        os.symlink("/etc", base + "l")
        os.mkfifo(base + "f")
        for path in (base, base + "l", base + "f"):
            os.lchown(path, 1234, 1234)
            os.utime(path, (1, 1), follow_symlinks=False)
    before = set(os.listdir(str(caches)))
    assert service.ensure(NOBODY, wanted(keytab, caches)).is_new
    assert set(os.listdir(str(caches))) == before | {"cc"} and os.path.isdir("/etc")


@pytest.mark.parametrize("to", ["1", "2"])
def test_a_child_that_floods_while_kinit_is_awaited(caches, script, to):
    """The cap ends it; nothing is left."""
    kinit = script("tr '\\0' x </dev/zero >&%s\n" % to)
    with pytest.raises(TooMuchOutput):
        Kinit(Settings(kinit=kinit, timeout=300.0), {}).ensure(NOBODY, wanted("/k", caches))
    assert os.listdir(str(caches)) == []


_INTO_PIPE = r"""
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
with open("/proc/%d/stat" % os.getppid()) as file:
    shell = int(file.read().rpartition(")")[2].split()[1])
pipe = libc.syscall(438, libc.syscall(434, shell, 0), 1, 0)  # pidfd_open, pidfd_getfd
if pipe < 0:
    sys.exit("no pidfd_getfd here")
while True:
    os.write(pipe, b"x" * 65536)
"""


def test_a_user_who_writes_into_the_pipe_fills_no_hub(caches, script, tmp_path):
    """Any process of the user's can take the pipe of their child, while kinit is awaited."""
    code = tmp_path / "code.py"
    code.write_text(_INTO_PIPE)
    code.chmod(0o644)
    kinit = script("/usr/bin/python3 %s || exit; exec sleep 600\n" % code)
    with pytest.raises(Problem) as problem:
        Kinit(Settings(kinit=kinit, timeout=300.0), {}).ensure(NOBODY, wanted("/k", caches))
    if "no pidfd_getfd" in str(problem.value):
        pytest.skip("Linux before 5.6, or Yama")
    assert isinstance(problem.value, TooMuchOutput)
    assert os.listdir(str(caches)) == []


def test_a_forged_line_is_the_users_own_trouble(caches, script, kdc):
    """What is no cache in base64 is no ticket: a Problem, never another exception."""
    for text in ("printf '!failed \\377\\n' >&%d", "echo ==== >&%d", "echo '!' >&%d"):
        kinit = script("for fd in 1 2; do %s; done; exit 1\n" % (text.replace("%d", "$fd")))
        with pytest.raises(Problem) as problem:
            Kinit(Settings(kinit=kinit), kdc.env()).ensure(NOBODY, wanted("/k", caches))
        assert str(problem.value).isprintable()
    assert os.listdir(str(caches)) == []
