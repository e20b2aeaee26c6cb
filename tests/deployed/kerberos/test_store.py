"""The child that stores a cache: a private directory, whatever happens, and orders."""

import fcntl
import os
import signal
import stat
import subprocess
import time

import pytest

from jhpatch.deployed.kerberos import identity, store
from jhpatch.deployed.kerberos.errors import Problem, Unresponsive
from jhpatch.deployed.kerberos.process import TooMuchOutput
from jhpatch.deployed.kerberos.store import Changed, KinitFailed, Store
from testing.users import ROOT_ONLY
from testing.waiting import until
from tests.deployed.tickets import NOBODY

pytestmark = ROOT_ONLY
LONG = 60.0  # seconds; a limit that only a hang reaches


@pytest.fixture
def opened(caches):
    """Start a store as nobody: ``opened("kinit's script", ...)``."""

    def start(kinit="printf new >cc", path=None, seconds=LONG, **options):
        environment = identity.environment_of(NOBODY, {})
        argv = ["/bin/sh", "-c", kinit, "kinit"]
        path = str(caches / "cc") if path is None else path
        klist = options.pop("klist", "")
        end = time.monotonic() + seconds
        return Store(NOBODY, path, klist, argv, environment, end, **options)

    return start


def put(path, text=b"old", uid=NOBODY.uid, mode=0o600):
    """A file of a user's."""
    path.write_bytes(text)
    path.chmod(mode)
    os.chown(str(path), uid, uid)


def names(directory):
    """What lies in a directory."""
    return sorted(os.listdir(str(directory)))


# Orders.


def test_a_new_cache_is_stored_over_the_old_one(opened, caches):
    """Read, obtained, read again, renamed: the user's, mode 0600, and nothing beside it."""
    put(caches / "cc")
    with opened() as child:
        assert child.cache() == b"old"
        assert child.kinit("kinit") == b"new"
        assert (caches / "cc").read_bytes() == b"old"
        child.keep()
    status = os.lstat(str(caches / "cc"))
    assert (caches / "cc").read_bytes() == b"new" and names(caches) == ["cc"]
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (65534, 65534, 0o600)


def test_a_line_that_is_no_cache():
    """The process is the user's: what it prints is unusable then, and no error."""
    assert store._decoded(b"YQ==") == b"a" and store._decoded(b"YQ=") == b""


@pytest.mark.parametrize("size", [0, 1, 65536, 500000])
def test_a_cache_is_given(opened, caches, size):
    """Any bytes, of any size that a cache has."""
    data = os.urandom(size)
    with opened() as child:
        assert child.cache() == b""
        child.give(data)
    assert (caches / "cc").read_bytes() == data and names(caches) == ["cc"]


def test_half_a_cache_is_not_stored(opened, caches):
    """A hub that is killed while it gives one leaves the old one in its place."""
    put(caches / "cc")
    with opened() as child:
        child.cache()
        child.send(b"give 5000\n" + b"x" * 4000, close=True)
        child.finish()
    assert (caches / "cc").read_bytes() == b"old" and names(caches) == ["cc"]


def test_a_kinit_that_prints_is_no_cache(opened):
    """A wrapper's greeting on standard output is a message, not the cache."""
    with opened("echo aGVsbG8=; echo hello >&2; printf new >cc") as child:
        child.cache()
        assert child.kinit("kinit") == b"new"
        child.keep()


def test_kinits_failure_has_its_words(opened, caches):
    """On one line, with what it printed; or its exit code."""
    put(caches / "cc")
    with opened('case "$1" in "") echo "no  keytab" >&2; exit 3;; *) exit 4;; esac') as child:
        child.cache()
        with pytest.raises(KinitFailed) as problem:
            child.kinit("kinit")
        assert str(problem.value) == "no keytab"
    assert (caches / "cc").read_bytes() == b"old" and names(caches) == ["cc"]


def test_a_renewal_begins_with_a_copy_of_the_cache(opened, caches):
    """kinit -R reads and replaces one file."""
    put(caches / "cc")
    kinit = caches / "kinit"
    put(kinit, b'#!/bin/sh\necho "$@" >&2; printf "+" >>cc\n', mode=0o755)
    with opened() as child:
        child.cache()
    environment = identity.environment_of(NOBODY, {})
    end = time.monotonic() + LONG
    path = str(caches / "cc")
    with Store(NOBODY, path, "", [str(kinit)], environment, end) as child:
        child.cache()
        assert child.kinit("renew") == b"old+"
        child.keep()
    assert (caches / "cc").read_bytes() == b"old+" and names(caches) == ["cc", "kinit"]


def test_klist_names_the_cache(opened, caches):
    """Its output to the last line, also without a line end; then the path is chosen."""
    put(caches / "cc")
    klist = caches / "klist"
    put(klist, b"#!/bin/sh\necho out; printf err >&2\n", mode=0o755)
    with opened(path="", klist=str(klist)) as child:
        assert child.klist().split() == ["out", "err"]
        child.choose(str(caches / "cc"))
        assert child.cache() == b"old"


def test_a_directory_is_made_for_a_collection(opened, caches):
    """DIR: the user's, 0700; of one level."""
    with opened(path=str(caches / "collection" / "tkt")) as child:
        child.cache()
        child.kinit("kinit")
        child.keep()
    status = os.stat(str(caches / "collection"))
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (65534, 0o700)
    assert names(caches / "collection") == ["tkt"]


@pytest.mark.parametrize(
    "name", ["a b", "-rf", "a\nb", "*", "$(id)", "'", '"', "\\c", "a\tb ", "ü"]
)
def test_any_name_is_a_name(opened, caches, name):
    """Of the cache and of its directory: spaces, line ends, dashes, patterns."""
    directory = caches / name
    directory.mkdir()
    directory.chmod(0o1777)
    put(directory / name)
    with opened(path=str(directory / name), is_cleaned=True) as child:
        assert child.cache() == b"old"
        assert child.kinit("kinit") == b"new"
        child.keep()
    assert (directory / name).read_bytes() == b"new"
    assert names(directory) == [name] and names(caches) == [name]


# What stands in the cache's place.


@pytest.mark.parametrize("kind", ["fifo", "directory", "foreign", "link to foreign"])
def test_what_is_no_cache_of_the_user_is_refused(opened, caches, tmp_path, kind):
    """With the reason; nothing is read, replaced or left."""
    path = caches / "cc"
    if kind == "fifo":
        os.mkfifo(str(path))
        os.chown(str(path), 65534, 65534)
    elif kind == "directory":
        path.mkdir()
        os.chown(str(path), 65534, 65534)
    elif kind == "foreign":
        put(path, uid=1234, mode=0o644)
    else:
        put(tmp_path / "foreign", uid=1234, mode=0o644)
        path.symlink_to(tmp_path / "foreign")
        os.lchown(str(path), 1234, 1234)
    expected = {"foreign": "belongs to ", "link to foreign": "Operation not permitted"}
    with opened() as child:
        assert child.cache() == b""
        with pytest.raises(Problem) as problem:
            child.kinit("kinit")
            child.keep()
        assert expected.get(kind, "not a regular file") in str(problem.value)
    assert names(caches) == ["cc"]


@pytest.mark.parametrize("how", ["replaced", "appeared"])
def test_a_cache_that_another_process_has_replaced_is_read_again(opened, caches, how):
    """Between the look and the lock: Changed, and nothing is stored."""
    if how == "replaced":
        put(caches / "cc")
    with opened() as child:
        child.cache()
        put(caches / "new", b"other")
        os.rename(str(caches / "new"), str(caches / "cc"))
        with pytest.raises(Changed):
            child.kinit("kinit")
    assert (caches / "cc").read_bytes() == b"other" and names(caches) == ["cc"]


def test_who_holds_the_lock_delays_a_refresh_and_no_more(opened, caches):
    """A user who locks their own cache for ever: it is replaced, within the deadline."""
    put(caches / "cc")
    with open(str(caches / "cc"), "rb") as held, opened(seconds=2) as child:
        fcntl.flock(held, fcntl.LOCK_EX)
        child.cache()
        assert child.kinit("kinit") == b"new"
        child.keep()


def test_a_full_disk_is_a_problem(opened, tmp_path):
    """The old cache stays as it was."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "mode=1777,size=16k", "tmpfs", str(disk)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no mounts here")
    try:
        put(disk / "cc")
        with opened(path=str(disk / "cc")) as child:
            child.cache()
            with pytest.raises(Problem) as problem:
                child.give(b"x" * 100000)
            assert "No space left" in str(problem.value)
        assert (disk / "cc").read_bytes() == b"old" and names(disk) == ["cc"]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


# Nothing is left.

KINITS = {
    "failure": ("printf secret >cc; exit 1", KinitFailed),
    "deadline": ("printf secret >cc; : >../ran; exec sleep 600", Unresponsive),
    "flood": ("printf secret >cc; tr '\\0' x </dev/zero", TooMuchOutput),
}


@pytest.mark.parametrize("end", sorted(KINITS))
def test_nothing_is_left_after(opened, caches, end):
    """A failure, a kinit that hangs with the ticket written, one that floods."""
    text, expected = KINITS[end]
    with pytest.raises(expected):
        with opened(text, seconds=LONG if end != "deadline" else 1.5) as child:
            child.cache()
            child.kinit("kinit")
    assert [name for name in names(caches) if name != "ran"] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("moment", ["kinit", "read"])
def test_nothing_is_left_after_a_signal(opened, caches, number, moment):
    """systemd stops a hub: SIGTERM to each process, while kinit runs or the hub reads."""
    kinit = "printf secret >cc; : >../ran; " + ("exec sleep 600" if moment == "kinit" else "")
    with opened(kinit) as child:
        child.cache()
        child.send(b"kinit\n")
        until((caches / "ran").exists)
        if moment == "read":
            child.line()
        os.killpg(child._popen.pid, number)
        until(child.is_over)
        assert names(caches) == ["ran"]


@pytest.mark.slow
def test_what_sigkill_leaves_goes_with_the_next_ticket(opened, caches):
    """Once it is older than the timeout; also the files of the helper before this one."""
    with opened("printf secret >cc; : >../ran; exec sleep 600") as child:
        child.cache()
        child.send(b"kinit\n")
        until((caches / "ran").exists)
        os.killpg(child._popen.pid, signal.SIGKILL)
    (left,) = [name for name in names(caches) if name.startswith(".jhpatch-cc-65534-")]
    for name in (".jhpatch-cc-65534-0a1b2c3d", ".jhpatch-cc-65534-young", ".jhpatch-cc-6553-x"):
        put(caches / name)
    put(caches / ".jhpatch-cc-65534-foreign", uid=1234)
    old = time.time() - 600
    for name in names(caches):
        if not name.endswith("young"):
            os.utime(str(caches / name), (old, old))
    kept = [".jhpatch-cc-6553-x", ".jhpatch-cc-65534-foreign", ".jhpatch-cc-65534-young"]
    for is_cleaned in (False, True):
        with opened(seconds=5, is_cleaned=is_cleaned) as child:
            child.cache()
            child.kinit("kinit")
            child.keep()
        found = [name for name in names(caches) if name.startswith(".")]
        expected = kept if is_cleaned else kept + [left, ".jhpatch-cc-65534-0a1b2c3d"]
        assert sorted(found) == sorted(expected)
