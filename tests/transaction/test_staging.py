"""Single steps on the files of a site: temporary files, bytecode, empty directories."""

import os
import stat

import pytest

from jhpatch.system.rooted_files import Dir, RootDir
from jhpatch.system.sha256 import sha256
from jhpatch.transaction import staging
from jhpatch.transaction.change import FileChange
from jhpatch.transaction.journal import Row
from jhpatch.transaction.transaction import locked

TEMP = ".jhpatch-0123456789abcdef-0"


@pytest.fixture
def root(site):
    """The site, opened."""
    with RootDir(str(site)) as opened:
        yield opened


def row_of(path, mode=0o644):
    """The row of a file with a mode, owned by the one who runs the tests."""
    return Row(path, "0" * 64, "1" * 64, TEMP, mode, os.geteuid(), os.getegid(), None)


def test_the_hash_of_a_file(root, site):
    """A file gives its SHA-256, a missing one None, and anything else the empty text."""
    (site / "link").symlink_to("app/a.py")
    assert staging.hash_of(root, "app/a.py") == sha256((site / "app/a.py").read_bytes())
    assert staging.hash_of(root, "app/gone.py") is None
    assert staging.hash_of(root, "link") == staging.hash_of(root, "app/sub") == ""


def test_a_temporary_file_lies_beside_its_target(root, site):
    """It has the mode of the row, and its whole second differs from the target's."""
    path = site / "app/a.py"
    now = os.stat(str(path)).st_mtime_ns
    staging.write_temp(root, row_of("app/a.py", 0o640), b"new\n")
    made = os.stat(str(site / "app" / TEMP))
    assert (site / "app" / TEMP).read_bytes() == b"new\n" and path.read_bytes() != b"new\n"
    assert stat.S_IMODE(made.st_mode) == 0o640
    assert made.st_mtime_ns // 10**9 != now // 10**9
    staging.drop_temp(root, row_of("app/a.py"))
    staging.drop_temp(root, row_of("gone/a.py"))
    assert TEMP not in os.listdir(str(site / "app"))


def test_bytecode_of_a_module_alone_is_removed(root, site):
    """The .pyc files of one module, of every interpreter and level, and a legacy one."""
    cache = site / "app/__pycache__"
    cache.mkdir()
    ours = ["a.cpython-36.pyc", "a.cpython-313.opt-2.pyc"]
    for name in [*ours, "ab.cpython-36.pyc", "a.cpython-36.pyc.txt"]:
        (cache / name).touch()
    (site / "app/a.pyc").touch()
    bytecode = staging.Bytecode(root)
    removed = bytecode.drop("app/a.py")
    assert set(removed) == {"app/__pycache__/" + name for name in ours} | {"app/a.pyc"}
    assert sorted(os.listdir(str(cache))) == ["a.cpython-36.pyc.txt", "ab.cpython-36.pyc"]
    assert bytecode.drop("app/data.txt") == bytecode.drop("gone/a.py") == []


def test_bytecode_is_listed_once_in_a_directory(site, monkeypatch):
    """However many of its files change: 1,000 files do not list their directory 1,000 times."""
    listed = []
    real = Dir.names
    monkeypatch.setattr(Dir, "names", lambda self: listed.append(self) or real(self))
    new = [FileChange("app/n%d.py" % number, None, b"x = 1\n") for number in range(50)]
    with locked(str(site)) as transaction:
        transaction.commit(new)
    assert len(listed) < 20


def test_empty_directories_are_removed_upwards(root, site):
    """Those above a path where nothing is left but an empty __pycache__; no other."""
    (site / "new/deep/__pycache__").mkdir(parents=True)
    (site / "kept/deep").mkdir(parents=True)
    (site / "kept/file").touch()
    staging.remove_empty_directories(root, ["new/deep/a.py", "new/deep/b.py", "kept/deep/a.py"])
    assert not (site / "new").exists() and not (site / "kept/deep").exists()
    assert (site / "kept/file").exists()


def test_directories_of_rows_are_synced_once(root, site, monkeypatch):
    """In order, each once; the root is the empty text, and one that is gone is passed over."""
    rows = [row_of("b/a.py"), row_of("b/c.py"), row_of("a.py"), row_of("gone/a.py")]
    (site / "b").mkdir(exist_ok=True)
    seen, synced = [], []
    monkeypatch.setattr(
        os, "fsync", lambda fd: synced.append(os.readlink("/proc/self/fd/%d" % fd))
    )
    staging.sync_directories(root, rows, lambda doing, path: seen.append((doing, path)))
    assert seen == [("sync", ""), ("sync", "b"), ("sync", "gone")]
    assert synced == [str(site), str(site / "b")]
