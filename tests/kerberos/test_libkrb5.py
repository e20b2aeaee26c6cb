"""The profile functions of the libkrb5 of this host."""

import pytest

from jhpatch.kerberos import libkrb5
from jhpatch.kerberos.libkrb5 import read_configuration

pytestmark = pytest.mark.skipif(not libkrb5.is_available(), reason="no libkrb5")


def put(tmp_path, data, name="krb5.conf"):
    """Write a file; return its path."""
    (tmp_path / name).write_bytes(data)
    return str(tmp_path / name)


def test_all_relations(tmp_path):
    """Each value of each tag comes with its sections, over all files, whatever its bytes."""
    data = b"[a]\n b = 1\n b = 2\n c = {\n d = {\n e = \xe9\n }\n }\n[f g]\n h =\n {\n }\n"
    first, second = put(tmp_path, data), put(tmp_path, b"[a]\n b = 3\n", "second")
    configuration = read_configuration("%s:/nowhere:%s" % (first, second))
    assert configuration == (
        (
            (("a", "b"), "1"),
            (("a", "b"), "2"),
            (("a", "b"), "3"),
            (("a", "c", "d", "e"), "\udce9"),
        ),
        None,
    )


@pytest.mark.parametrize(
    "data, kind, message",
    [
        (b"[a\n", "syntax", "Syntax error in profile section header"),
        (b"[a]\n}\n", "syntax", "Extra closing brace in profile"),
        (b"include /nowhere/x\n", "include", "Included profile file could not be read"),
        (b"includedir /nowhere\n", "include", "Included profile directory could not be read"),
        (b"module /nowhere/x.so:x\n", "module", "Unexpected module declaration in profile"),
    ],
)
def test_what_libkrb5_refuses(tmp_path, data, kind, message):
    """Its own message says why; a module is refused, not loaded."""
    assert read_configuration(put(tmp_path, data)) == ((), (kind, message))


def test_a_file_that_does_not_exist(tmp_path):
    """That is an error of its own; no file at all is none."""
    failure = read_configuration(str(tmp_path / "none")).failure
    assert failure == ("missing", "No such file or directory")
    assert read_configuration("") == ((), None)


@pytest.mark.parametrize("data", [b"[a]\n b = 1\n", b"[a\n"])
def test_what_libkrb5_opens_is_closed(tmp_path, monkeypatch, data):
    """A profile that was read is released; one that was refused has been already."""

    class Recorded:
        def __getattr__(self, name):
            called.append(name)
            return getattr(library, name)

    called, library = [], libkrb5._load()
    monkeypatch.setattr(libkrb5, "_load", Recorded)
    failure = read_configuration(put(tmp_path, data)).failure
    assert called.count("profile_release") == (0 if failure else 1)
    assert called.count("profile_init_path") == 1


def test_a_host_without_libkrb5(monkeypatch):
    """The caller reads the file itself then."""
    for name in ("libnone.so", "libc.so.6"):
        monkeypatch.setattr(libkrb5, "_LIBRARY", name)
        with pytest.raises(libkrb5.Unavailable):
            read_configuration("")
        assert not libkrb5.is_available()
