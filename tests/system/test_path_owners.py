"""Who else can write a path, and what root does about it."""

import os
import threading

import pytest

from jhpatch.errors import Failed, Refused
from jhpatch.system import path_owners
from testing.users import ROOT_ONLY

pytestmark = ROOT_ONLY
OTHER = 1234  # the uid of nobody in particular


@pytest.fixture
def safe(tmp_path):
    """A directory that only root can write, all the way down."""
    if path_owners.writer_of(str(tmp_path)):
        pytest.skip("others can write the tests' own directory")
    return tmp_path


def test_a_safe_path_has_no_other_writer(safe):
    """Root's directories have no other writer; a sticky /tmp on the way is safe."""
    (safe / "site").mkdir()
    assert path_owners.writer_of(str(safe / "site")) is None
    assert path_owners.owner_to_become([str(safe / "site")]) is None


def test_a_users_directory_on_the_way_counts(safe):
    """Who can replace a directory can replace everything below it."""
    (safe / "home/venv/site").mkdir(parents=True)
    os.chown(str(safe / "home"), OTHER, OTHER)
    assert path_owners.writer_of(str(safe / "home/venv/site")).path == str(safe / "home")
    assert path_owners.owner_to_become([str(safe / "home/venv/site")]) == OTHER


def test_a_symlink_is_followed_and_each_step_counts(safe):
    """A link into a user's directory counts, and so does a link that a user owns."""
    (safe / "home").mkdir()
    (safe / "home/python").write_text("")
    os.chown(str(safe / "home"), OTHER, OTHER)
    os.symlink("home/python", str(safe / "python"))
    assert path_owners.writer_of(str(safe / "python")).uid == OTHER
    (safe / "target").write_text("")
    os.symlink("target", str(safe / "link"))
    os.lchown(str(safe / "link"), OTHER, OTHER)
    assert path_owners.writer_of(str(safe / "link")).uid == OTHER


@pytest.mark.parametrize("mode", [0o777, 0o772, 0o757])
def test_what_everybody_can_write_is_refused(safe, mode):
    """A path that a group or everybody can write is refused: there is no single user to become."""
    (safe / "site").mkdir()
    (safe / "site").chmod(mode)
    with pytest.raises(Refused) as refused:
        path_owners.owner_to_become([str(safe / "site")])
    assert "%o" % mode in refused.value.found


def test_paths_of_two_users_are_refused(safe):
    """A site of one user with the interpreter of another is refused."""
    for name, uid in (("one", OTHER), ("two", OTHER + 1)):
        (safe / name).mkdir()
        os.chown(str(safe / name), uid, uid)
    with pytest.raises(Refused):
        path_owners.owner_to_become([str(safe / "one"), str(safe / "two")])


def test_a_directory_of_roots_own_is_trusted(safe):
    """An empty group, a link to root's file and a sticky directory above are accepted."""
    directory = safe / "patches"
    (directory / "app").mkdir(parents=True)
    (directory / "app" / "one").write_text("")
    os.symlink("/etc/hostname", str(directory / "app" / "two"))
    os.chmod(str(directory / "app" / "one"), 0o664)
    path_owners.refuse_foreign(str(directory))


def test_a_dangling_symlink_is_named(safe):
    """The error names the link in the directory, not the missing target."""
    (safe / "patches").mkdir()
    os.symlink("/nowhere", str(safe / "patches" / "link"))
    with pytest.raises(Failed) as failed:
        path_owners.refuse_foreign(str(safe / "patches"))
    assert failed.value.path == str(safe / "patches" / "link")


def test_files_may_come_and_go_meanwhile(safe):
    """A .pyc that Python writes and renames while the directory is read is no error."""
    package, stop = safe / "package", threading.Event()
    package.mkdir()

    def compiling():
        while not stop.is_set():
            for number in range(100):
                (package / ("a.pyc.%d" % number)).write_bytes(b"")
            for number in range(100):
                (package / ("a.pyc.%d" % number)).unlink()

    thread = threading.Thread(target=compiling)
    thread.start()
    try:
        for _ in range(200):
            path_owners.refuse_foreign(str(package))
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("how", ["owner", "mode", "directory", "above", "link"])
def test_a_part_that_others_can_write_is_refused(safe, how):
    """The refusal names the part, its owner and its mode, and the command that mends it."""
    directory = safe / "mine" / "patches"
    (directory / "app").mkdir(parents=True)
    part = directory / "app" / "1.patch"
    part.write_text("")
    if how == "owner":
        os.chown(str(part), OTHER, OTHER)
    elif how == "mode":
        part.chmod(0o666)
    elif how == "directory":
        part = directory / "app"
        part.chmod(0o777)
    elif how == "above":
        part = safe / "mine"
        os.chown(str(part), OTHER, OTHER)
    else:
        part = directory / "app" / "2.patch"
        part.symlink_to("/proc/self/mem")
        os.lchown(str(part), OTHER, OTHER)
    with pytest.raises(Refused) as refused:
        path_owners.refuse_foreign(str(directory))
    assert refused.value.path == str(part)
    assert "owner uid" in refused.value.found and "mode" in refused.value.found
    assert refused.value.next.parts[0].arguments == ("chown", "-h", "root", str(part))
