"""Reading up to a cap and writing by rename, for files outside of sites."""

import errno
import os
import stat

import pytest

from jhpatch.system import files


@pytest.fixture
def path(tmp_path):
    """The path of a file of five bytes."""
    (tmp_path / "file").write_bytes(b"12345")
    return str(tmp_path / "file")


def test_a_file_is_read_with_its_stat(path):
    """A regular file gives its bytes and the stat of the very file that was read."""
    content = files.read_file(path, cap=5)
    assert content.data == b"12345" and content.stat.st_ino == os.stat(path).st_ino


def test_a_file_above_the_cap_is_an_error(path):
    """A file that is larger than the cap is EFBIG; its head can be read."""
    with pytest.raises(OSError) as error:
        files.read_file(path, cap=4)
    assert (error.value.errno, error.value.filename) == (errno.EFBIG, path)
    assert files.read_head(path, 2) == b"12"


def test_a_symlink_is_followed_only_where_that_is_allowed(path):
    """A symlink is read by default, and ELOOP with ``follow=False``."""
    os.symlink(path, path + ".link")
    assert files.read_file(path + ".link", cap=5).data == b"12345"
    with pytest.raises(OSError) as error:
        files.read_file(path + ".link", cap=5, follow=False)
    assert error.value.errno == errno.ELOOP


@pytest.mark.parametrize("kind", ["a FIFO", "a directory", "a device"])
def test_what_is_no_regular_file_is_an_error_at_once(tmp_path, kind):
    """A FIFO without a writer, a directory and a device are errors; nothing waits."""
    path = str(tmp_path / "odd")
    if kind == "a FIFO":
        os.mkfifo(path)
    elif kind == "a directory":
        os.mkdir(path)
    else:
        path = "/dev/zero"
    with pytest.raises(OSError) as error:
        files.read_file(path, cap=5)
    assert error.value.errno in (errno.EINVAL, errno.EISDIR)


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_mode_does_not_depend_on_the_umask(tmp_path, umask):
    """A written file has the mode that was asked for, and nothing else lies beside it."""
    old = os.umask(umask)
    try:
        files.write_file(str(tmp_path / "file"), b"new", mode=0o640)
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.stat(str(tmp_path / "file")).st_mode) == 0o640
    assert os.listdir(str(tmp_path)) == ["file"]


def test_a_file_is_replaced_and_not_written_into(path):
    """A hard link to the old file keeps the old bytes."""
    os.link(path, path + ".link")
    files.write_file(path, b"new")
    with open(path, "rb") as new, open(path + ".link", "rb") as old:
        assert (new.read(), old.read()) == (b"new", b"12345")


def test_a_new_file_replaces_none(path):
    """With ``is_new`` an existing file is FileExistsError and keeps its bytes."""
    with pytest.raises(FileExistsError):
        files.write_file(path, b"new", is_new=True)
    assert files.read_file(path, cap=5).data == b"12345"
    files.write_file(path + ".new", b"new", is_new=True)
    assert sorted(os.listdir(os.path.dirname(path))) == ["file", "file.new"]


def test_a_check_that_fails_leaves_everything_as_it_was(path):
    """The check runs right before the rename: its error leaves the old file and no other."""

    def check():
        assert len(os.listdir(os.path.dirname(path))) == 2  # the new bytes wait beside it
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        files.write_file(path, b"new", check=check)
    assert files.read_file(path, cap=5).data == b"12345"
    assert os.listdir(os.path.dirname(path)) == ["file"]
