"""Root's own temporary directory: private, and gone at the end."""

import os
import stat
import time
import types

import pytest

from jhpatch.deployed.kerberos import temporary
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.temporary import root_directory
from testing.users import ROOT_ONLY


def test_roots_directory_is_private_and_goes(tmp_path):
    """Mode 0700, an unpredictable name; removed with what is in it, after an error too."""
    made = []
    for error in (None, RuntimeError("a bug")):
        try:
            with root_directory(5, str(tmp_path)) as directory:
                made.append(directory)
                assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
                open(directory + "/cc", "w").close()
                if error:
                    raise error
        except RuntimeError:
            pass
    assert os.listdir(str(tmp_path)) == [] and len(set(made)) == 2


@ROOT_ONLY
def test_stale_directories_of_root_go(tmp_path):
    """Those of a hub that was killed; not young ones, and not what others have put there."""
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    (treasure / "file").write_text("root's")
    prefix = temporary._ROOT_PREFIX
    names = {name: tmp_path / (prefix + name) for name in ("old", "young", "theirs")}
    for path in names.values():
        path.mkdir(0o700)
        (path / "cc").write_text("x")
    os.chown(str(names["theirs"]), 65534, 65534)
    link = tmp_path / (prefix + "link")
    link.symlink_to(treasure)
    (names["old"] / "link").symlink_to(treasure)
    file = tmp_path / (prefix + "file")
    file.write_text("x")
    old = time.time() - 600
    for path in (names["old"], names["theirs"], treasure, file):
        os.utime(str(path), (old, old))
    os.utime(str(link), (old, old), follow_symlinks=False)
    with root_directory(5, str(tmp_path)):
        pass
    left = {path.name[len(prefix) :] for path in tmp_path.iterdir()} - {""}
    assert left == {"young", "theirs", "link", "file"}
    assert (treasure / "file").read_text() == "root's"


@ROOT_ONLY
def test_stale_directories_are_looked_for_again(tmp_path, monkeypatch):
    """One that was too young at the hub's first look goes at a later one, and not before."""
    clock = [1000.0]
    stand_in = types.SimpleNamespace(monotonic=lambda: clock[0], time=time.time)
    monkeypatch.setattr(temporary, "time", stand_in)
    path = tmp_path / (temporary._ROOT_PREFIX + "left")
    path.mkdir(0o700)

    def is_there_after(seconds):
        clock[0] += seconds
        with root_directory(5, str(tmp_path)):
            return path.exists()

    assert is_there_after(0)
    old = time.time() - 600
    os.utime(str(path), (old, old))
    assert is_there_after(64)
    assert not is_there_after(2)


def test_a_place_that_is_full_is_a_problem(tmp_path):
    """Not an OSError, behind which a valid ticket would not count."""
    with pytest.raises(Problem) as problem:
        with root_directory(5, str(tmp_path / "absent")):
            pass
    assert "absent" in str(problem.value)
