"""What a process reads itself."""

import os
import stat

import pytest

from jhpatch.deployed.kerberos.ccache import SIZE_CAP
from jhpatch.deployed.kerberos.store import read_own, usable


@pytest.mark.parametrize("kind", ["file", "symlink", "fifo", "directory", "absent", "socket"])
def test_only_a_plain_file_of_ones_own_is_read(tmp_path, kind):
    """A server's renewer looks at each open: a FIFO in the cache's place must not hold it."""
    path = tmp_path / "cc"
    if kind == "symlink":
        (tmp_path / "real").write_bytes(b"x")
        path.symlink_to(tmp_path / "real")
    elif kind == "fifo":
        os.mkfifo(str(path))
    elif kind == "directory":
        path.mkdir()
    elif kind == "socket":
        os.mknod(str(path), stat.S_IFSOCK | 0o600)
    elif kind == "file":
        path.write_bytes(b"x")
    before = os.listdir("/proc/self/fd")
    assert read_own(str(path), os.geteuid()) == (b"x" if kind == "file" else b"")
    assert read_own(str(path), os.geteuid() + 1) == b""
    assert not set(os.listdir("/proc/self/fd")) - set(before)


def test_a_huge_cache_is_read_to_the_cap(tmp_path):
    """A sparse file of 1 GiB is no usable cache."""
    path = tmp_path / "cc"
    with open(str(path), "wb") as file:
        file.truncate(1 << 30)
    data = read_own(str(path), os.geteuid())
    assert len(data) == SIZE_CAP + 1 and usable(data) is None
    assert usable(b"") is None and usable(b"\x05\x04rubbish") is None
