"""Small files and programs of a host: read and asked, without an error and without a wait."""

import os

import pytest

from jhpatch.deployed import host_files


def test_what_cannot_be_read_is_empty(tmp_path):
    """A file that is not there, a directory, and a FIFO that nobody writes to."""
    os.mkfifo(str(tmp_path / "fifo"))
    for name in ("absent", ".", "fifo"):
        assert host_files.text_of(str(tmp_path / name)) == ""
    with pytest.raises(OSError):
        host_files.bytes_of(str(tmp_path / "fifo"), 10)
    (tmp_path / "file").write_bytes(b"a\xff" + b"x" * 100000)
    assert host_files.text_of(str(tmp_path / "file")).startswith("a\ufffdx")
    assert host_files.bytes_of(str(tmp_path / "file"), 1) == b"a"


def test_what_a_program_prints(script):
    """On both its streams; nothing from one that is not there."""
    assert host_files.ran([script("echo a; echo b >&2")], {}) == "a\nb\n"
    assert host_files.ran(["/nowhere/program"], {}) == ""
