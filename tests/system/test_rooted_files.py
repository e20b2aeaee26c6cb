"""Files beneath a root directory, never outside of it and never through a symlink."""

import errno
import os

import pytest

from jhpatch.system import rooted_files
from jhpatch.system.rooted_files import RootDir, UnsafePath, is_relative, is_sha256
from testing.trees import tree
from testing.users import NOBODY, ROOT_ONLY


@pytest.fixture
def site(tmp_path):
    """A root with ``app/a.py``; beside it ``outside/a.py``."""
    for name in ("site/app", "outside"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.py").write_bytes(b"a = 1\n")
    return tmp_path / "site"


@pytest.fixture
def root(site):
    """That root, opened."""
    with RootDir(str(site)) as opened:
        yield opened


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a\0b", "a" * 256, "a/" * 2048 + "a"],
)
def test_a_path_in_another_form_is_not_relative(root, path):
    """Only the one normal form of a path beneath the root is accepted, by each function."""
    assert is_relative("a/b-1.0/c.py") and not is_relative(path)
    with pytest.raises(UnsafePath):
        root.parent(path)


def test_a_lone_surrogate_is_no_path():
    """A name that no file can have is refused before it reaches the kernel."""
    assert not is_relative("a/\ud800") and is_relative(os.fsdecode(b"a/\xff"))


@pytest.mark.parametrize("value", [None, 7, "", "a" * 63, "A" * 64, "g" * 64, "a" * 65])
def test_a_sha256_is_64_lower_case_digits(value):
    """Nothing else is taken for a hash."""
    assert is_sha256("0123456789abcdef" * 4) and not is_sha256(value)


def test_a_file_is_read(root):
    """A regular file gives its bytes; a missing file or directory gives None."""
    assert root.read("app/a.py").data == b"a = 1\n"
    assert root.read("app/b.py") is root.read("gone/b.py") is None


@pytest.mark.parametrize("kind", ["a file", "a directory", "absolute"])
def test_no_symlink_is_followed(root, site, kind):
    """A link in the place of a file or of a directory on the way is UnsafePath."""
    outside = "../outside" if kind != "absolute" else str(site.parent / "outside")
    if kind == "a file":
        (site / "app/link.py").symlink_to("../../outside/a.py")
        path = "app/link.py"
    else:
        (site / "link").symlink_to(outside)
        path = "link/a.py"
    with pytest.raises(UnsafePath):
        root.read(path)
    assert root.has_directory_of("app/x.py") and not root.has_directory_of("gone/x.py")
    assert root.has_directory_of(path) == (kind == "a file")


@pytest.mark.parametrize(
    "path, above, rest",
    [
        ("app/a.py", "app", "a.py"),
        ("app/new/a.py", "app", "new/a.py"),
        ("new/deep/a.py", "", "new/deep/a.py"),
        ("a.py", "", "a.py"),
    ],
)
def test_the_nearest_directory_that_exists(root, site, path, above, rest):
    """It is opened, and what is below it is returned."""
    directory, found = root.nearest_parent(path)
    with directory:
        status = os.stat(str(site / above))
        assert os.path.samestat(os.fstat(directory.fd), status) and found == rest


@pytest.mark.parametrize("path", ["../x/a.py", "/x/a.py", "app/../x/a.py", "", "app/a.py/x/y"])
def test_the_nearest_directory_is_never_outside(root, path):
    """A path that leaves the root, or runs through a file, is refused."""
    with pytest.raises(UnsafePath):
        root.nearest_parent(path)


def test_only_an_empty_directory_is_removed(root, site):
    """One with a file, a file and a missing one are no error."""
    (site / "empty").mkdir()
    (site / "file").touch()
    with root.directory("") as directory:
        for name in ("empty", "app", "file", "gone"):
            directory.rmdir_if_empty(name)
    assert not (site / "empty").exists()
    assert (site / "app/a.py").exists() and (site / "file").exists()


def test_a_directory_that_turns_into_a_symlink_leads_nowhere(root, site):
    """A directory that was opened stays that directory when its name is replaced."""
    directory, name = root.parent("app/a.py")
    with directory:
        os.rename(str(site / "app"), str(site / "moved"))
        os.symlink("../outside", str(site / "app"))
        directory.write_new("b.py", b"b = 1\n", lambda fd: None)
        directory.rename("b.py", name)
    assert (site / "moved/a.py").read_bytes() == b"b = 1\n"
    assert (site.parent / "outside/a.py").read_bytes() == b"a = 1\n"


@pytest.mark.parametrize("kind", ["a FIFO", "a directory", "a socket"])
def test_only_regular_files_are_read(root, site, kind):
    """A FIFO, a directory and a socket are UnsafePath, and nothing waits for a writer."""
    path = site / "app/odd"
    if kind == "a FIFO":
        os.mkfifo(str(path))
    elif kind == "a directory":
        path.mkdir()
    else:
        os.mknod(str(path), 0o140644)
    with pytest.raises(UnsafePath):
        root.read("app/odd")


def test_a_file_above_the_cap_is_not_read(root, site):
    """A sparse file of a gigabyte is EFBIG."""
    with open(str(site / "app/large"), "wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(UnsafePath) as error:
        root.read("app/large")
    assert error.value.errno == errno.EFBIG and error.value.filename == "app/large"


def test_a_file_that_grows_is_cut_off(root, site, monkeypatch):
    """A file that grows while it is read ends as too large, not in endless reading."""
    real, reads = os.read, []

    def grows(fd, size):
        reads.append(size)
        assert len(reads) < 100
        with open(str(site / "app/a.py"), "ab") as file:
            file.write(b"#" * 4096)
        return real(fd, size)

    monkeypatch.setattr(rooted_files.os, "read", grows)
    with pytest.raises(UnsafePath):
        root.read("app/a.py", cap=8192)


def test_a_new_file_replaces_none(root, site):
    """``write_new`` raises FileExistsError and leaves what is there."""
    before = tree(str(site))
    with root.directory("app") as directory, pytest.raises(FileExistsError):
        directory.write_new("a.py", b"b", lambda fd: None)
    assert tree(str(site)) == before


def test_unlinking_tells_whether_there_was_a_file(root):
    """The second time there is none."""
    with root.directory("app") as directory:
        assert directory.unlink("a.py") and not directory.unlink("a.py")
        assert directory.lstat("a.py") is None and directory.names() == []


def test_extended_attributes_are_copied(root, site):
    """A new file has the attributes of the other one, and no others."""
    path = str(site / "app/a.py")
    try:
        os.setxattr(path, "user.origin", b"kept")
    except OSError:
        pytest.skip("no extended attributes on this file system")
    with root.directory("app") as directory:

        def dress(fd):
            os.setxattr(fd, "user.other", b"its own")
            directory.copy_attributes("a.py", fd)

        directory.write_new("b.py", b"", dress)
    other = str(site / "app/b.py")
    assert os.getxattr(other, "user.origin") == b"kept"
    assert "user.other" not in os.listxattr(other)


def test_a_root_may_be_closed_twice(site):
    """Closing again does nothing, and its descriptor is not another file's by then."""
    root = RootDir(str(site))
    root.close()
    with open(str(site / "app/a.py"), "rb") as file:  # takes the descriptor
        root.close()
        assert file.read() == b"a = 1\n"


@ROOT_ONLY
@pytest.mark.parametrize("closed", ["app", "app/a.py"])
def test_an_error_of_the_system_names_the_whole_path(site, root, closed):
    """Not the last part of it, which is relative to a directory that the reader cannot know."""
    (site / closed).chmod(0)
    os.seteuid(NOBODY)
    try:
        with pytest.raises(PermissionError) as error:
            root.read("app/a.py")
    finally:
        os.seteuid(0)
    assert error.value.filename == str(site / closed)
