"""One change of a site: the bytes and everything around them, and when it is refused."""

import os
import shutil
import stat

import pytest

from jhpatch.errors import Failed
from jhpatch.transaction.transaction import FileChange, locked, needs_clean_up, sync_finished
from tests.transaction.small_site import (
    APPLY,
    KEEP,
    NEW,
    OLD,
    apply,
    changes,
    contents,
    revert,
    write,
)


def test_there_and_back(site):
    """Each file has its new bytes after apply, and its old bytes alone after revert."""
    apply(site)
    assert contents(site) == NEW
    revert(site)
    assert contents(site) == OLD and not (site / ".jhpatch").exists()


def test_a_hardlinked_sibling_keeps_everything(site):
    """An environment that shares a file (uv, conda) sees no new byte, mode, time or inode."""
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
    """The new file has the mode, the owner and the extended attributes of the old one."""
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
    """With umask 077 saved files have mode 0644 in 0755, and the lock 0600, as with any other."""
    old = os.umask(0o077)
    try:
        apply(site)
    finally:
        os.umask(old)
    directory = site / ".jhpatch"
    modes = {
        name: stat.S_IMODE(os.stat(str(directory / name)).st_mode)
        for name in ("", "lock", "state.json", "originals")
    }
    assert modes == {"": 0o755, "lock": 0o600, "state.json": 0o644, "originals": 0o755}
    assert stat.S_IMODE(os.stat(str(site / "app/helper.py")).st_mode) == 0o644


def test_the_whole_second_of_the_mtime_differs(site):
    """Python takes a .pyc for fresh by size and second: the second differs after each change."""
    path = str(site / "app/a.py")
    seconds = [int(os.stat(path).st_mtime)]
    apply(site)
    seconds.append(int(os.stat(path).st_mtime))
    revert(site)
    seconds.append(int(os.stat(path).st_mtime))
    assert seconds[0] != seconds[1] != seconds[2]


def test_every_pyc_of_a_changed_module_is_removed(site):
    """The .pyc files of all interpreters and levels, and a legacy one; those of others stay."""
    cache = site / "app/__pycache__"
    cache.mkdir()
    gone = ["a.cpython-36.pyc", "a.cpython-313.opt-1.pyc", "a.cpython-311.opt-2.pyc"]
    for name in gone + ["ab.cpython-36.pyc", "c.cpython-36.pyc"]:
        (cache / name).write_bytes(b"stale")
    (site / "app/a.pyc").write_bytes(b"stale")
    dropped = []
    with locked(str(site)) as transaction:
        transaction.commit(changes(APPLY, OLD, NEW), rebuild=dropped.extend)
    assert sorted(os.listdir(str(cache))) == ["ab.cpython-36.pyc", "c.cpython-36.pyc"]
    assert not (site / "app/a.pyc").exists()
    assert sorted(dropped) == sorted(["app/__pycache__/" + name for name in gone] + ["app/a.pyc"])


def test_a_file_that_is_not_as_planned_is_refused(site):
    """A file with other bytes than the plan's: nothing is changed, and nothing of ours is left."""
    (site / "app/sub/b.py").write_bytes(b"edited\n")
    with pytest.raises(Failed):
        apply(site)
    assert contents(site) == dict(OLD, **{"app/sub/b.py": b"edited\n"})
    assert not (site / ".jhpatch").exists()


def test_a_file_that_changes_meanwhile_is_rolled_back(site):
    """Each file is read again right before its rename."""

    def step(label):
        if label == "replace app/sub/b.py":
            (site / "app/sub/b.py").write_bytes(b"edited\n")

    with pytest.raises(Failed) as failed:
        apply(site, step)
    assert failed.value.path == str(site / "app/sub/b.py")
    assert contents(site) == dict(OLD, **{"app/sub/b.py": b"edited\n"})


def test_a_file_that_changes_right_after_is_a_failure(site):
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
    """A plan with a path outside of the site is refused before the first write."""
    with pytest.raises(Failed), locked(str(site)) as transaction:
        transaction.commit([FileChange(path, None, b"x")])
    assert sorted(os.listdir(str(site.parent))) == ["site"]


def test_a_plan_names_a_file_once(site):
    """The same path twice is refused before the first write."""
    with pytest.raises(Failed), locked(str(site)) as transaction:
        transaction.commit(2 * [FileChange("app/c.py", None, b"1")])
    assert contents(site) == OLD


def test_a_directory_that_is_a_symlink_is_not_followed(site, tmp_path):
    """Neither one that is a link from the start, nor one that turns into a link.

    A temporary file waits on the other side, so that only the check of the link stops the run.
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


def test_originals_stay_where_a_revert_needs_them(site):
    """``keep`` names the saved originals that stay; a revert leaves none."""
    apply(site)
    assert sorted(os.listdir(str(site / ".jhpatch/originals"))) == sorted(KEEP)
    assert not needs_clean_up(str(site), KEEP) and needs_clean_up(str(site), KEEP[1:])
    with locked(str(site)) as transaction:
        transaction.prune(KEEP[1:])
    assert sorted(os.listdir(str(site / ".jhpatch/originals"))) == sorted(KEEP[1:])


def test_rebuild_gets_what_was_removed_and_may_fail(site):
    """A .pyc that cannot be rebuilt is no failure: the next import writes it."""
    (site / "app/__pycache__").mkdir()
    (site / "app/__pycache__/a.cpython-36.pyc").write_bytes(b"stale")

    def rebuild(paths):
        assert paths == ["app/__pycache__/a.cpython-36.pyc"]
        raise OSError("no")

    with locked(str(site)) as transaction:
        transaction.commit(changes(APPLY, OLD, NEW), keep=KEEP, rebuild=rebuild)
    assert contents(site) == NEW


@pytest.mark.parametrize("adds", [False, True])
def test_a_file_that_another_one_replaces_is_removed_later(site, adds):
    """An import that has found the old file can still open it; a mere removal does not wait."""
    apply(site)
    seen = []
    change = [FileChange("app/other.py", None, b"other = 1\n")] if adds else []
    change.append(FileChange("app/helper.py", NEW["app/helper.py"], None))
    with locked(str(site), step=seen.append, sleep=lambda seconds: seen.append("wait")) as run:
        run.commit(change)
    steps = [label for label in seen if label.startswith(("replace", "wait"))]
    assert steps == ["replace app/other.py", "wait", "replace app/helper.py"][0 if adds else 2 :]


def test_a_finished_site_can_be_synced(site):
    """``sync_finished`` takes a patched site, an unpatched one and one that is gone."""
    for path in (site, site.parent / "gone"):
        sync_finished(str(path))
    apply(site)
    sync_finished(str(site))
    assert contents(site) == NEW


@pytest.mark.parametrize("change", [apply, revert])
def test_the_end_of_the_journal_is_synced(site, monkeypatch, change):
    """A power cut after a change that has ended does not undo it: its journal is gone."""
    if change is revert:
        apply(site)
    directory, synced = str(site / ".jhpatch"), []

    def fsync(fd):
        if os.path.realpath("/proc/self/fd/%d" % fd) == directory:
            synced.append(os.path.exists(directory + "/journal.json"))

    monkeypatch.setattr(os, "fsync", fsync)
    change(site)
    assert synced[-1] is False
