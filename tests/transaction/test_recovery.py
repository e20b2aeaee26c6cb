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


def recover(site, step=lambda label: None):
    """Open a site as the next run does."""
    with locked(str(site), step=step):
        pass


some_or_every_step = pytest.mark.parametrize(
    "stride", [4, pytest.param(1, marks=pytest.mark.slow)], ids=["some steps", "every step"]
)


@some_or_every_step
@pytest.mark.parametrize(
    "job, start, end", [(apply, OLD, NEW), (revert, NEW, OLD)], ids=["apply", "revert"]
)
def test_a_kill_between_two_steps_recovers(tmp_path, job, start, end, stride):
    """After a kill each file is exactly before or after; the next run makes the whole so."""

    def made(name):
        return applied(tmp_path / name) if start is NEW else fresh(tmp_path / name)

    steps = labels_of(job, made("steps"))
    assert len(steps) > 20
    for number in range(0, len(steps), stride):
        site = made("site-%d" % number)
        assert killed_at(number, job, site)
        for path, data in contents(site).items():
            if not os.path.basename(path).startswith(".jhpatch-") and not path.endswith("/"):
                assert data in (start.get(path), end.get(path)), (steps[number], path)
        recover(site)
        assert contents(site) in (start, end), steps[number]
        assert_nothing_temporary(site)
        assert (site / ".jhpatch").exists() == (".jhpatch/state.json" in contents(site))
        if contents(site) == start:
            job(site)
        if contents(site) == NEW:
            revert(site)
        assert contents(site) == OLD
        assert not (site / ".jhpatch").exists()


@some_or_every_step
def test_a_kill_in_the_recovery_recovers_too(tmp_path, stride):
    """A kill at a step of the recovery, and one in the next recovery, are recovered."""
    crash = labels_of(apply, fresh(tmp_path / "steps")).index("replace app/sub/b.py") + 1
    assert killed_at(crash, apply, fresh(tmp_path / "count"))
    count = len(labels_of(recover, tmp_path / "count"))
    assert count > 5
    for number in range(0, count, stride):
        site = fresh(tmp_path / ("site-%d" % number))
        assert killed_at(crash, apply, site)
        assert killed_at(number, recover, site)
        killed_at(max(0, number - 2), recover, site)
        recover(site)
        assert contents(site) == OLD, number
        assert_nothing_temporary(site)


@some_or_every_step
@pytest.mark.parametrize("job", [apply, revert], ids=["apply", "revert"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["ENOSPC", "EIO"])
def test_an_error_at_a_step_is_rolled_back(tmp_path, job, code, stride):
    """A full or broken disk at a step is one clear error, and the site is exactly as before."""

    def made(name):
        return applied(tmp_path / name) if job is revert else fresh(tmp_path / name)

    def rows(site):
        return {p: row for p, row in tree(str(site)).items() if not p.startswith(".jhpatch")}

    steps = labels_of(job, made("steps"))
    assert len(steps) > 15
    for number in range(0, len(steps), stride):
        site = made("site-%d" % number)
        start, before = contents(site), rows(site)
        seen = []

        def step(label, seen=seen, number=number):
            seen.append(label)
            if len(seen) - 1 == number and not label.startswith(("undo", "prune")):
                raise OSError(code, os.strerror(code))

        try:
            job(site, step)
        except Failed as error:
            assert os.strerror(code) in error.message
        except OSError:
            pass  # at the commit point itself: cli.main words it, the next run recovers
        assert len(seen) > number
        if contents(site) == start:
            assert rows(site) == before
        recover(site)
        assert contents(site) in (OLD, NEW)
        assert_nothing_temporary(site)


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
        assert transaction.recovery.left == ()
    assert (site / "app/a.py").read_bytes() == b"a = 'of a newer release'\n"
    assert not (site / RECORD).exists()
    assert not (site / "app/helper.py").exists()


def test_recovery_names_a_file_of_ours_that_it_leaves(site):
    """An added file with other bytes than jhpatch's is not removed."""
    interrupt(site)
    (site / "app/helper.py").write_bytes(b"edited\n")
    with locked(str(site)) as transaction:
        assert transaction.recovery.left == ("app/helper.py",)
        assert transaction.recovery.foreign == ("app/helper.py",)
    assert (site / "app/helper.py").read_bytes() == b"edited\n"


def test_recovery_removes_bytecode_of_what_it_restores(site):
    """A .pyc that Python made of the new bytes meanwhile is removed with them."""
    interrupt(site)
    (site / "app/__pycache__").mkdir()
    for name in ("a.cpython-36.pyc", "other.cpython-36.pyc"):
        (site / "app/__pycache__" / name).touch()
    recover(site)
    assert os.listdir(str(site / "app/__pycache__")) == ["other.cpython-36.pyc"]


def test_recovery_creates_no_directory(site):
    """A distribution that pip has removed does not come back as an empty package."""
    interrupt(site)
    shutil.rmtree(str(site / "app"))
    shutil.rmtree(str(site / "app-1.dist-info"))
    recover(site)
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
    recover(site)
    assert (site / "app/helper.py").exists() == (not reinstalled)


@some_or_every_step
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_waits_until_the_site_is_whole(site, number, stride):
    """Ctrl-C and a polite kill at a step leave the site exactly before or exactly after."""
    for at in range(0, len(labels_of(apply, site)), stride):
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
