"""The file that ``--output`` names: written whole, and never over another's work."""

import os

import pytest

from jhpatch.errors import Failed, Refused
from jhpatch.nginx import output
from jhpatch.system import files


def test_a_new_file(tmp_path):
    """Mode 0644, whatever the umask; the existing file's mode is kept."""
    path = tmp_path / "hub.conf"
    umask = os.umask(0o077)
    try:
        assert output.read(str(path)) is None
        output.write(str(path), b"one", None)
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(0o600)
    output.write(str(path), b"two", output.read(str(path)))
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", 0o600)
    assert os.listdir(str(tmp_path)) == ["hub.conf"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_writes_in_a_users_directory_as_the_user(tmp_path):
    """The file is theirs; a directory that everybody can write is refused."""
    for above in [tmp_path, *tmp_path.parents]:
        if above != above.parent:
            above.chmod(above.stat().st_mode | 0o055)
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(str(folder), 4321, 4321)
    path = folder / "hub.conf"
    output.write(str(path), b"one", output.read(str(path)))
    assert (path.read_bytes(), path.stat().st_uid) == (b"one", 4321)
    output.write(str(path), b"two", output.read(str(path)))
    assert (path.read_bytes(), path.stat().st_uid) == (b"two", 4321)
    os.chown(str(folder), 0, 0)
    folder.chmod(0o777)
    with pytest.raises(Refused):
        output.write(str(path), b"three", b"two")


@pytest.mark.parametrize("before", [None, b"ours"])
def test_a_concurrent_change_is_not_overwritten(tmp_path, before):
    """Between the read and the write somebody else has created or changed the file."""
    path = tmp_path / "hub.conf"
    path.write_text("theirs")
    with pytest.raises(Refused):
        output.write(str(path), b"new", before)
    assert path.read_text() == "theirs" and os.listdir(str(tmp_path)) == ["hub.conf"]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    """And no part of a new one beside it."""
    path = tmp_path / "hub.conf"
    path.write_text("ours")

    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(Failed) as failed:
        output.write(str(path), b"new", b"ours")
    assert "No space left" in failed.value.message
    assert path.read_text() == "ours" and os.listdir(str(tmp_path)) == ["hub.conf"]


def test_what_is_no_regular_file_is_refused(tmp_path):
    """A symlink with its target as the next step, a FIFO without waiting, a file too large."""
    os.symlink("hub", str(tmp_path / "link"))
    os.mkfifo(str(tmp_path / "fifo"))
    (tmp_path / "large").write_bytes(b"x" * (2 << 20))
    refusals = {}
    for name in ("link", "fifo", "large"):
        with pytest.raises(Refused) as refused:
            output.read(str(tmp_path / name))
        refusals[name] = refused.value
    assert refusals["link"].found == "a symlink to %s" % (tmp_path / "hub")
    assert refusals["link"].next.parts[1].arguments == ("--output", str(tmp_path / "hub"))
    assert refusals["large"].found == "more than 1048576 bytes"
