"""All changes or none: kills, errors and signals at every step, and what the next run restores."""

import errno
import os
import shutil
import signal
import subprocess

import pytest

from jhpatch.errors import Failed
from jhpatch.transaction.transaction import locked
from testing.trees import tree
from testing.users import ROOT_ONLY
from tests.transaction.small_site import (
    APPLY,
    NEW,
    OLD,
    RECORD,
    applied,
    apply,
    assert_nothing_temporary,
    changes,
    contents,
    fresh,
    interrupt,
    killed_at,
    labels_of,
    revert,
    write,
)


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
        assert_nothing_temporary(site)
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
    """A kill at each step of the recovery, and one in the next recovery, are recovered."""

    def recover(site, step=lambda label: None):
        with locked(str(site), step=step):
            pass

    apply_steps = labels_of(apply, fresh(tmp_path / "count"))
    crash = apply_steps.index("replace app/sub/b.py") + 1
    number = 0
    while True:
        site = fresh(tmp_path / ("site-%d" % number))
        assert killed_at(crash, apply, site)
        first = killed_at(number, recover, site)
        second = killed_at(max(0, number - 2), recover, site)
        recover(site)
        assert contents(site) == OLD, number
        assert_nothing_temporary(site)
        if not first:
            assert not second or number
            break
        number += 1
    assert number > 5, number


@pytest.mark.parametrize("job", [apply, revert], ids=["apply", "revert"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
def test_an_error_at_every_step_is_rolled_back(tmp_path, job, code):
    """A full or broken disk at any step is one clear error, and the site is exactly as before."""
    start = OLD if job is apply else NEW
    number = 0
    while True:
        site = fresh(tmp_path / ("site-%d" % number))
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
        assert_nothing_temporary(site)
        number += 1
    assert number > 15


@ROOT_ONLY
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
        with pytest.raises(Failed) as failed, locked(str(site)) as transaction:
            transaction.commit(changes(APPLY, OLD, big))
        assert "No space left" in failed.value.message
        assert contents(site) == OLD
        assert_nothing_temporary(site)
    finally:
        subprocess.run(["umount", str(site)], check=True)


def test_recovery_leaves_what_pip_put_there_in_between(site):
    """Files that pip has replaced or removed since are left as they are, and reported."""
    interrupt(site)
    (site / "app/a.py").write_bytes(b"a = 'of a newer release'\n")
    (site / RECORD).unlink()
    with locked(str(site)) as transaction:
        assert set(transaction.recovery.foreign) == {"app/a.py", RECORD}
    assert (site / "app/a.py").read_bytes() == b"a = 'of a newer release'\n"
    assert not (site / RECORD).exists()
    assert not (site / "app/helper.py").exists()


def test_recovery_creates_no_directory(site):
    """A distribution that pip has removed does not come back as an empty package."""
    interrupt(site)
    shutil.rmtree(str(site / "app"))
    shutil.rmtree(str(site / "app-1.dist-info"))
    with locked(str(site)):
        pass
    assert os.listdir(str(site)) == []


@pytest.mark.parametrize("reinstalled", [False, True], ids=["ours", "reinstalled"])
def test_a_missing_helper_comes_back_only_into_its_own_distribution(site, reinstalled):
    """Undoing a revert restores the added file, unless RECORD is another release's."""
    apply(site)
    steps = labels_of(revert, applied(site.parent / "steps"))
    assert killed_at(steps.index("replace " + RECORD), revert, site)
    assert not (site / "app/helper.py").exists()
    if reinstalled:
        (site / RECORD).write_bytes(b"another release\n")
    with locked(str(site)):
        pass
    assert (site / "app/helper.py").exists() == (not reinstalled)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_waits_until_the_site_is_whole(site, number):
    """Ctrl-C and a polite kill at each step leave the site exactly before or exactly after."""
    for at in range(len(labels_of(apply, site))):
        revert(site)
        assert _signalled_at(at, site, number)
        assert contents(site) == NEW
        assert_nothing_temporary(site)


def _signalled_at(at, site, number):
    """Apply in a child that gets a signal at a step; whether it died of the signal."""
    pid = os.fork()
    if pid == 0:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_DFL)  # nohup(1) leaves SIGHUP ignored
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
