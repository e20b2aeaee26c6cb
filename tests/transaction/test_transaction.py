"""transaction.py: all changes or none, whatever happens, wherever it happens."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest

from jhpatch.errors import Failed, Locked, Untrusted
from jhpatch.system.rooted_files import Dir
from jhpatch.transaction.change import FileChange
from jhpatch.transaction.transaction import locked
from testing.trees import tree

RECORD = "app-1.dist-info/RECORD"
OLD = {
    RECORD: b"app/a.py,sha256=x,1\r\n",
    "app/a.py": b"a = 'old'\n",
    "app/sub/b.py": b"b = 'old'\n",
}
NEW = {
    RECORD: b"app/a.py,sha256=y,2\r\napp/helper.py,sha256=z,3\r\n",
    "app/helper.py": b"helper = 1\n",
    "app/a.py": b"from app import helper\na = 'new'\n",
    "app/sub/b.py": b"from app import helper\nb = 'new'\n",
    ".jhpatch/state.json": b"{}\n",
}
APPLY = [RECORD, "app/helper.py", "app/a.py", "app/sub/b.py", ".jhpatch/state.json"]
REVERT = ["app/a.py", "app/sub/b.py", "app/helper.py", RECORD, ".jhpatch/state.json"]
KEEP = [hashlib.sha256(data).hexdigest() for data in OLD.values()]


def changes(order, before, after):
    """FileChanges from one picture to another."""
    guards = {"app/helper.py": RECORD}
    return [FileChange(p, before.get(p), after.get(p), guards.get(p)) for p in order]


def write(site, files):
    """Files into a new folder, as pip would leave them."""
    for path, data in files.items():
        full = os.path.join(str(site), path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(data)


def contents(site):
    """All files of a site but those of .jhpatch that are not state."""
    found = {}
    for folder, _, names in os.walk(str(site)):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), str(site))
            if not path.startswith(".jhpatch/") or path == ".jhpatch/state.json":
                with open(os.path.join(folder, name), "rb") as file:
                    found[path] = file.read()
    return found


@pytest.fixture
def site(tmp_path):
    """A site with one small distribution."""
    folder = tmp_path / "site"
    write(folder, OLD)
    return folder


def apply(site, step=lambda label: None):
    """Old to new."""
    with locked(str(site), step=step) as t:
        t.commit(changes(APPLY, OLD, NEW), keep=KEEP)


def revert(site, step=lambda label: None):
    """New to old."""
    with locked(str(site), step=step) as t:
        t.commit(changes(REVERT, NEW, OLD))


def labels_of(job, site):
    """The steps that a job takes."""
    labels = []
    job(site, labels.append)
    return labels


def killed_at(number, job, site):
    """Runs ``job`` in a child that dies like kill -9 at its step ``number``."""
    pid = os.fork()
    if pid == 0:
        count = [0]

        def step(label):
            if count[0] == number:
                os._exit(9)
            count[0] += 1

        try:
            job(site, step)
        finally:
            os._exit(0)
    return os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 9


def no_leftovers(site):
    """No temporary file and no journal."""
    for _folder, _, names in os.walk(str(site)):
        for name in names:
            assert not name.startswith(".jhpatch-"), name
            assert not name.endswith(".new"), name
            assert name != "journal.json"


@pytest.mark.parametrize(
    "job, start, end", [(apply, OLD, NEW), (revert, NEW, OLD)], ids=["apply", "revert"]
)
def test_a_kill_between_every_two_steps_recovers(tmp_path, job, start, end):
    """After a kill each file is exactly before or after; the next run makes the whole so."""
    points = 0
    while True:
        site = tmp_path / ("site-%d" % points)
        write(site, OLD)
        if start is NEW:
            apply(site)
        if not killed_at(points, job, site):
            break
        for path, data in contents(site).items():
            if not os.path.basename(path).startswith(".jhpatch-"):
                assert data in (start.get(path), end.get(path)), (points, path)
        with locked(str(site)):
            pass
        assert contents(site) in (start, end), points
        no_leftovers(site)
        assert (site / ".jhpatch").exists() == (".jhpatch/state.json" in contents(site))
        if contents(site) == start:
            job(site)
        if contents(site) == NEW:
            revert(site)
        assert contents(site) == OLD
        assert not (site / ".jhpatch").exists()
        points += 1
    assert points > 20, points


def test_a_kill_in_the_recovery_recovers_too(tmp_path):
    """A crash at each step of the recovery, and at each step of the next one."""

    def recover(site, step=lambda label: None):
        with locked(str(site), step=step):
            pass

    apply_steps = labels_of(apply, _fresh(tmp_path / "count"))
    crash = apply_steps.index("replace app/sub/b.py") + 1
    number = 0
    while True:
        site = _fresh(tmp_path / ("site-%d" % number))
        assert killed_at(crash, apply, site)
        first = killed_at(number, recover, site)
        second = killed_at(max(0, number - 2), recover, site)
        recover(site)
        assert contents(site) == OLD, number
        no_leftovers(site)
        if not first:
            assert not second or number
            break
        number += 1
    assert number > 5, number


def _fresh(folder):
    write(folder, OLD)
    return folder


@pytest.mark.parametrize("job", [apply, revert], ids=["apply", "revert"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
def test_an_error_at_every_step_is_rolled_back(tmp_path, job, code):
    """A full or broken disk at any step: one clear error, and the site exactly before."""
    start = OLD if job is apply else NEW
    number = 0
    while True:
        site = _fresh(tmp_path / ("site-%d" % number))
        if start is NEW:
            apply(site)
        before = tree(str(site))
        count = [0]

        def step(label, count=count, number=number):
            count[0] += 1
            if count[0] - 1 == number and not label.startswith(("undo", "prune")):
                raise OSError(code, os.strerror(code))

        try:
            job(site, step)
        except Failed as error:
            assert os.strerror(code) in error.message
        except OSError:
            pass  # at the commit point itself: cli.py words it, the next run recovers
        if count[0] <= number:
            break
        if contents(site) == start:
            after = tree(str(site))
            assert {p: v for p, v in after.items() if not p.startswith(".jhpatch")} == {
                p: v for p, v in before.items() if not p.startswith(".jhpatch")
            }
        with locked(str(site)):
            pass
        assert contents(site) in (OLD, NEW)
        no_leftovers(site)
        number += 1
    assert number > 15


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk takes root")
def test_a_disk_that_is_really_full(tmp_path):
    """On a tmpfs of a few pages apply fails with one error, and nothing has changed."""
    site = tmp_path / "small"
    site.mkdir()
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", str(site)]
    if subprocess.run(["mount"] + options, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no right to mount")
    try:
        write(site, OLD)
        big = dict(NEW, **{"app/a.py": b"a = 1\n" * 20000})
        with pytest.raises(Failed) as failed, locked(str(site)) as t:
            t.commit(changes(APPLY, OLD, big))
        assert "No space left" in failed.value.message
        assert contents(site) == OLD
        no_leftovers(site)
    finally:
        subprocess.run(["umount", str(site)], check=True)


def interrupted(site):
    """A site where apply died after the first module."""
    steps = labels_of(apply, _fresh(site.parent / "steps"))
    assert killed_at(steps.index("replace app/sub/b.py"), apply, site)
    assert contents(site)["app/a.py"] == NEW["app/a.py"]


def test_recovery_leaves_what_pip_put_there_in_between(site):
    """Other bytes, and files that are gone, are left as they are, and reported."""
    interrupted(site)
    (site / "app/a.py").write_bytes(b"a = 'of a newer release'\n")
    (site / RECORD).unlink()
    with locked(str(site)) as t:
        assert set(t.recovery.foreign) == {"app/a.py", RECORD}
    assert (site / "app/a.py").read_bytes() == b"a = 'of a newer release'\n"
    assert not (site / RECORD).exists()
    assert not (site / "app/helper.py").exists()


def test_recovery_creates_no_folder(site):
    """A distribution that pip has taken away does not come back as a phantom."""
    import shutil

    interrupted(site)
    shutil.rmtree(str(site / "app"))
    shutil.rmtree(str(site / "app-1.dist-info"))
    with locked(str(site)):
        pass
    assert os.listdir(str(site)) == []


@pytest.mark.parametrize("reinstalled", [False, True], ids=["ours", "reinstalled"])
def test_a_missing_helper_comes_back_only_into_its_own_distribution(site, reinstalled):
    """Undoing a revert restores the helper, unless RECORD says that another release is there."""
    apply(site)
    steps = labels_of(revert, _applied(site.parent / "steps"))
    assert killed_at(steps.index("replace " + RECORD), revert, site)
    assert not (site / "app/helper.py").exists()
    if reinstalled:
        (site / RECORD).write_bytes(b"another release\n")
    with locked(str(site)):
        pass
    assert (site / "app/helper.py").exists() == (not reinstalled)


def _applied(folder):
    write(folder, OLD)
    apply(folder)
    return folder


def test_a_hardlinked_sibling_keeps_everything(site):
    """An environment that shares the file (uv, conda) sees no new byte, mode, time or inode."""
    sibling = site.parent / "sibling.py"
    os.link(str(site / "app/a.py"), str(sibling))
    before = os.stat(str(sibling))
    apply(site)
    after = os.stat(str(sibling))
    assert sibling.read_bytes() == OLD["app/a.py"]
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (
        before.st_ino,
        before.st_mode,
        before.st_mtime_ns,
    )


def test_mode_owner_and_attributes_are_kept(site):
    """The new file has the old one's mode, owner and extended attributes."""
    path = str(site / "app/a.py")
    os.chmod(path, 0o640)
    if os.geteuid() == 0:
        os.chown(path, 1234, 2345)
    try:
        os.setxattr(path, "user.origin", b"kept")
    except OSError:
        pytest.skip("no extended attributes on this file system")
    before = os.stat(path)
    apply(site)
    after = os.stat(path)
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert os.getxattr(path, "user.origin") == b"kept"
    assert after.st_ino != before.st_ino


def test_modes_do_not_depend_on_the_umask(site):
    """With umask 077 saved files are 0644 in 0755, and the lock 0600, as with any other."""
    old = os.umask(0o077)
    try:
        apply(site)
    finally:
        os.umask(old)
    folder = site / ".jhpatch"
    modes = {
        name: stat.S_IMODE(os.stat(str(folder / name)).st_mode)
        for name in ("", "lock", "state.json", "originals")
    }
    assert modes == {"": 0o755, "lock": 0o600, "state.json": 0o644, "originals": 0o755}
    assert stat.S_IMODE(os.stat(str(site / "app/helper.py")).st_mode) == 0o644


def test_the_whole_second_of_the_mtime_differs(site):
    """Python takes a .pyc for fresh by size and second: both ways, in the same second."""
    path = str(site / "app/a.py")
    seconds = [int(os.stat(path).st_mtime)]
    apply(site)
    seconds.append(int(os.stat(path).st_mtime))
    revert(site)
    seconds.append(int(os.stat(path).st_mtime))
    assert seconds[0] != seconds[1] != seconds[2]


def test_every_pyc_of_a_changed_module_goes(site):
    """Those of all interpreters and levels, and a legacy one; others stay."""
    cache = site / "app/__pycache__"
    cache.mkdir()
    gone = ["a.cpython-36.pyc", "a.cpython-313.opt-1.pyc", "a.cpython-311.opt-2.pyc"]
    for name in gone + ["ab.cpython-36.pyc", "c.cpython-36.pyc"]:
        (cache / name).write_bytes(b"stale")
    (site / "app/a.pyc").write_bytes(b"stale")
    dropped = []
    with locked(str(site)) as t:
        t.commit(changes(APPLY, OLD, NEW), rebuild=dropped.extend)
    assert sorted(os.listdir(str(cache))) == ["ab.cpython-36.pyc", "c.cpython-36.pyc"]
    assert not (site / "app/a.pyc").exists()
    assert sorted(dropped) == sorted(["app/__pycache__/" + name for name in gone] + ["app/a.pyc"])


def test_bytecode_is_looked_for_once_in_a_folder(site, monkeypatch):
    """However many of its files change: 1,000 files shall not list it 1,000 times."""
    listed = []
    real = Dir.names
    monkeypatch.setattr(Dir, "names", lambda self: listed.append(self) or real(self))
    new = [FileChange("app/n%d.py" % number, None, b"x = 1\n") for number in range(50)]
    with locked(str(site)) as t:
        t.commit(new)
    assert len(listed) < 20


def test_a_before_that_has_changed_is_refused(site):
    """A file that is not as it was planned: nothing is changed."""
    (site / "app/sub/b.py").write_bytes(b"edited\n")
    with pytest.raises(Failed):
        apply(site)
    assert contents(site) == dict(OLD, **{"app/sub/b.py": b"edited\n"})
    assert not (site / ".jhpatch").exists()


def test_a_before_that_changes_under_our_hands_is_rolled_back(site):
    """Each file is read again right ahead of its rename."""

    def step(label):
        if label == "replace app/sub/b.py":
            (site / "app/sub/b.py").write_bytes(b"edited\n")

    with pytest.raises(Failed) as failed:
        apply(site, step)
    assert failed.value.path == str(site / "app/sub/b.py")
    assert contents(site) == dict(OLD, **{"app/sub/b.py": b"edited\n"})


def test_what_changes_right_after_is_no_success(site):
    """pip takes no lock of ours: bytes that are other than ours at the end are exit code 1."""

    def step(label):
        if label.startswith("commit"):
            (site / "app/a.py").write_bytes(b"pip was here\n")

    with pytest.raises(Failed) as failed:
        apply(site, step)
    assert failed.value.path == str(site / "app/a.py")
    assert failed.value.exit_code == 1


@pytest.mark.parametrize("path", ["../out.py", "/etc/out.py", "app/../../out.py", "app//a.py", ""])
def test_no_path_leaves_the_site(site, path):
    """A plan with such a path is refused before the first write."""
    with pytest.raises(Failed), locked(str(site)) as t:
        t.commit([FileChange(path, None, b"x")])
    assert sorted(os.listdir(str(site.parent))) == ["site"]


def test_a_folder_that_is_a_symlink_is_not_followed(site, tmp_path):
    """Neither when it is one from the start, nor when it turns into one.

    A temporary file waits on the other side, so that only the look at the link stops us.
    """
    outside = tmp_path / "outside"
    write(outside, {"b.py": OLD["app/sub/b.py"]})

    def step(label):
        if label == "replace app/sub/b.py":
            for name in os.listdir(str(site / "app/sub")):
                if name.startswith(".jhpatch"):
                    shutil.copy(str(site / "app/sub" / name), str(outside))
            os.rename(str(site / "app/sub"), str(site / "app/moved"))
            os.symlink(str(outside), str(site / "app/sub"))

    with pytest.raises(Failed):
        apply(site, step)
    assert (outside / "b.py").read_bytes() == OLD["app/sub/b.py"]
    assert len(os.listdir(str(outside))) == 2
    assert (site / "app/a.py").read_bytes() == OLD["app/a.py"]
    with pytest.raises(Failed):
        apply(site)
    assert (outside / "b.py").read_bytes() == OLD["app/sub/b.py"]


# The lock.


def test_a_second_run_waits_then_gives_up(site):
    """Locked after the time that was given; nothing is left behind by the refused run."""
    with locked(str(site)):
        start = time.monotonic()
        with pytest.raises(Locked):
            # another process: a lock is of an open file, ours would do for a thread
            _in_child(lambda: locked(str(site), timeout=0.3).__enter__())
        assert time.monotonic() - start >= 0.3
    assert not (site / ".jhpatch").exists()


def test_a_lock_that_was_taken_away_is_no_lock(site, monkeypatch):
    """The last revert removes the file between our open and our flock: another one is made."""
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


def _in_child(job):
    """Runs ``job`` in a child; raises Locked here where it raised there."""
    pid = os.fork()
    if pid == 0:
        try:
            job()
            os._exit(0)
        except Locked:
            os._exit(4)
        finally:
            os._exit(1)
    code = os.WEXITSTATUS(os.waitpid(pid, 0)[1])
    if code == 4:
        raise Locked("in the child")
    assert code == 0


def test_many_at_once_see_whole_sites_only(site):
    """Eight processes apply and revert; a reader sees each file old or new, never else."""
    end = time.monotonic() + 4
    pids = [_hammer(site, end) for _ in range(8)]
    while time.monotonic() < end:
        for path in ("app/a.py", "app/sub/b.py", RECORD):
            with open(str(site / path), "rb") as file:
                assert file.read() in (OLD[path], NEW[path])
    codes = [os.WEXITSTATUS(os.waitpid(pid, 0)[1]) for pid in pids]
    assert codes == [0] * 8
    with locked(str(site)):
        pass
    assert contents(site) in (OLD, NEW)
    no_leftovers(site)


def _hammer(site, end):
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        while time.monotonic() < end:
            with locked(str(site), timeout=30) as t:
                if contents(site)["app/a.py"] == OLD["app/a.py"]:
                    t.commit(changes(APPLY, OLD, NEW), keep=KEEP)
                else:
                    t.commit(changes(REVERT, NEW, OLD))
        code = 0
    finally:
        os._exit(code)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_waits_until_the_site_is_whole(site, number):
    """Ctrl-C and a polite kill at each step: exactly before or exactly after, at once."""
    for at in range(len(labels_of(apply, site))):
        revert(site)
        assert _signalled_at(at, site, number)
        assert contents(site) == NEW
        no_leftovers(site)


def _signalled_at(at, site, number):
    """Applies in a child that gets a signal at a step; says whether it died of it."""
    pid = os.fork()
    if pid == 0:
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_DFL)  # nohup(1) leaves SIGHUP ignored
        labels = []

        def step(label):
            if len(labels) == at:
                os.kill(os.getpid(), number)
            labels.append(label)

        try:
            apply(site, step)
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(pid, 0)[1]) == number


# Hostile journals and originals.

GOOD = {
    "schema": 1,
    "pid": 1,
    "started": "1",
    "boot": "b",
    "host": "h",
    "python": None,
    "rows": [
        {
            "path": "app/a.py",
            "before": "0" * 64,
            "after": "1" * 64,
            "temp": ".jhpatch-0123456789abcdef-0",
            "mode": 420,
            "uid": 0,
            "gid": 0,
            "guard": None,
        }
    ],
}


def _journal(**row):
    return json.dumps(dict(GOOD, rows=[dict(GOOD["rows"][0], **row)]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100000,
        json.dumps(dict(GOOD, schema=2)),
        json.dumps(dict(GOOD, rows=[{}])),
        _journal(path="../x"),
        _journal(path="/etc/passwd"),
        _journal(temp="../../etc/passwd"),
        _journal(temp="a.py"),
        _journal(before="zz"),
        _journal(guard="../x"),
        _journal(mode="rwx"),
        _journal(mode=-1),
        _journal(more=1),
    ],
)
def test_a_hostile_journal_writes_nothing(site, text):
    """A journal that we did not write is refused, with nothing written or removed."""
    folder = site / ".jhpatch"
    folder.mkdir()
    (folder / "journal.json").write_text(text)
    before = tree(str(site))
    with pytest.raises(Untrusted), locked(str(site)):
        pass
    after = tree(str(site))
    after.pop(".jhpatch/lock", None)
    assert after == before


def test_a_journal_that_is_huge_or_a_symlink_is_refused(site):
    """A gigabyte is not read, a symlink not followed."""
    folder = site / ".jhpatch"
    folder.mkdir()
    with open(str(folder / "journal.json"), "wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(Untrusted), locked(str(site)):
        pass
    (folder / "journal.json").unlink()
    os.symlink("/etc/passwd", str(folder / "journal.json"))
    with pytest.raises(Untrusted), locked(str(site)):
        pass


def test_a_damaged_original_is_not_restored(site):
    """Recovery proves each original by its hash before its first write."""
    interrupted(site)
    for name in os.listdir(str(site / ".jhpatch/originals")):
        (site / ".jhpatch/originals" / name).write_bytes(b"evil\n")
    before = contents(site)
    with pytest.raises(Untrusted), locked(str(site)):
        pass
    assert contents(site) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to give files away")
def test_saved_files_of_another_user_are_refused(site):
    """A .jhpatch that somebody other than the site's owner can write is not believed."""
    interrupted(site)
    os.chown(str(site / ".jhpatch/journal.json"), 1234, 1234)
    with pytest.raises(Untrusted), locked(str(site)):
        pass
    os.chown(str(site / ".jhpatch/journal.json"), 0, 0)
    os.chmod(str(site / ".jhpatch"), 0o777)
    with pytest.raises(Untrusted), locked(str(site)):
        pass


def test_a_writer_is_known_by_pid_start_and_boot():
    """The journal of a live writer is busy, of a dead one interrupted."""
    from jhpatch.transaction import journal

    mine = journal.of_this_process(None, ())
    assert journal.is_writer_alive(mine)
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert not journal.is_writer_alive(mine._replace(pid=child.pid))
    assert not journal.is_writer_alive(mine._replace(boot="another boot"))
    assert not journal.is_writer_alive(mine._replace(started="0"))
