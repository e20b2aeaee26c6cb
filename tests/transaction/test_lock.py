"""The lock of a site: one run at a time, and readers that need none."""

import errno
import fcntl
import os
import stat

import pytest

from jhpatch.errors import Failed, Locked, Untrusted
from jhpatch.system.rooted_files import RootDir
from jhpatch.transaction import lock
from jhpatch.transaction.transaction import locked
from tests.transaction.small_site import (
    APPLY,
    KEEP,
    NEW,
    OLD,
    RECORD,
    REVERT,
    assert_nothing_temporary,
    changes,
    contents,
)


def test_a_second_run_waits_then_gives_up(site):
    """The lock is tried until the deadline, then Locked; the refused run leaves nothing behind."""
    now, pauses = [0.0], []

    def sleep(seconds):
        pauses.append(seconds)
        now[0] += seconds

    with locked(str(site)), RootDir(str(site)) as root:
        with pytest.raises(Locked) as refused:
            # flock(2) is of an open file: a second one in this process is another's.
            lock.acquire(root, 1.0, lambda: now[0], sleep)
        assert refused.value.path == str(site / ".jhpatch/lock")
    assert 1.0 <= now[0] < 1.2 and max(pauses) < 0.2
    assert not (site / ".jhpatch").exists()


def test_the_process_that_holds_the_lock(site):
    """Its row in /proc/locks has the device and the inode; a run that waits has another row."""
    with locked(str(site)):
        status = os.stat(str(site / ".jhpatch/lock"))
    place = "%02x:%02x:%d" % (os.major(status.st_dev), os.minor(status.st_dev), status.st_ino)
    rows = "1: POSIX  ADVISORY  WRITE 11 %s 0 EOF\n2: -> FLOCK  ADVISORY  WRITE 12 %s 0 EOF\n"
    rows += "3: FLOCK  ADVISORY  WRITE 13 %s0 0 EOF\n"
    rows %= (place,) * 3
    assert lock.holder_of(status, "") is lock.holder_of(status, rows) is None
    for pid, holder in ((14, 14), (0, None), (-1, None)):
        row = "4: FLOCK  ADVISORY  WRITE %d %s 0 EOF\n" % (pid, place)
        assert lock.holder_of(status, rows + row) == holder


def test_a_run_takes_the_lock_when_it_is_free(site):
    """A run that waits goes on as soon as the other one has ended."""
    with RootDir(str(site)) as root:
        held = lock.acquire(root, 0, lambda: 0.0, None)
        fd = lock.acquire(root, 1.0, lambda: 0.0, lambda seconds: os.close(held))
        os.close(fd)


def test_a_lock_file_that_was_removed_is_no_lock(site, monkeypatch):
    """The last revert removes the file between our open and our flock: a new one is locked."""
    real = fcntl.flock
    seen = []

    def flock(fd, how):
        if not seen:
            os.unlink(str(site / ".jhpatch/lock"))
            os.rmdir(str(site / ".jhpatch"))
        seen.append(fd)
        real(fd, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with locked(str(site)):
        held = os.stat(str(site / ".jhpatch/lock"))
        assert held.st_ino == os.fstat(seen[-1]).st_ino
        assert stat.S_IMODE(held.st_mode) == 0o600
    assert len(seen) == 2


def test_a_file_system_without_locks(site, monkeypatch):
    """The error names the lock and the reason, and no descriptor stays open."""

    def flock(fd, how):
        assert os.fstat(fd)
        tried.append(fd)
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    tried = []
    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(Failed) as failed, locked(str(site)):
        pass
    assert failed.value.path == str(site / ".jhpatch/lock")
    with pytest.raises(OSError):
        os.fstat(tried[0])


@pytest.mark.parametrize("kind", ["a FIFO", "a symlink", "a directory"])
def test_only_a_regular_file_is_locked(site, kind):
    """A lock that jhpatch did not make is Untrusted, and nothing waits for it."""
    (site / ".jhpatch").mkdir()
    path = site / ".jhpatch/lock"
    if kind == "a FIFO":
        os.mkfifo(str(path))
    elif kind == "a symlink":
        path.symlink_to("/etc/passwd")
    else:
        path.mkdir()
    with pytest.raises(Untrusted), locked(str(site)):
        pass


def test_a_site_that_is_not_writable_says_whose_it_is(site):
    """The error has the path, the owner, the mode and a next step."""
    error = lock.not_writable(str(site), os.stat(str(site)))
    assert isinstance(error, Failed) and error.path == str(site) and error.next is not None
    assert error.found == "owner uid %d, mode 0755" % os.geteuid()


def test_many_at_once_see_whole_sites_only(site):
    """While eight processes apply and revert, a reader sees each file old or new."""
    pids = {_apply_and_revert(site) for _ in range(8)}
    codes = []
    while pids:
        for path in ("app/a.py", "app/sub/b.py", RECORD):
            with open(str(site / path), "rb") as file:
                assert file.read() in (OLD[path], NEW[path])
        for pid in list(pids):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                pids.remove(pid)
                codes.append(os.WEXITSTATUS(status))
    assert codes == [0] * 8
    with locked(str(site)):
        pass
    assert contents(site) in (OLD, NEW)
    assert_nothing_temporary(site)


def _apply_and_revert(site):
    """Start a child that makes five changes, each from the state that it finds."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        for _ in range(5):
            with locked(str(site), timeout=600) as transaction:
                if contents(site)["app/a.py"] == OLD["app/a.py"]:
                    transaction.commit(changes(APPLY, OLD, NEW), keep=KEEP)
                else:
                    transaction.commit(changes(REVERT, NEW, OLD))
        code = 0
    finally:
        os._exit(code)
