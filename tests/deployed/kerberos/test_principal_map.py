"""principal_map: its lines, who may write it, and when it is read again."""

import os
import threading

import pytest

from jhpatch.deployed.kerberos import principal_map
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.principal_map import PrincipalMap, read_map
from jhpatch.deployed.kerberos.settings import check
from testing.users import ROOT_ONLY


@pytest.fixture
def path(tmp_path):
    """The path of a map: ``write`` fills it."""
    return tmp_path / "principals"


def write(path, text, mode=0o644):
    """A map of root's."""
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    path.chmod(mode)
    return str(path)


def test_lines_of_a_map(path):
    """Comments, empty lines, blanks and line ends of any kind."""
    text = "# user principal\nnobody  alice/service@R  # a comment\n\n\tbob\tb@R\r\n  \nz z@R"
    assert read_map(write(path, text)) == {"nobody": "alice/service@R", "bob": "b@R", "z": "z@R"}
    assert read_map(write(path, "")) == {}


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_a_comment_ends_at_the_line_end_alone(path, separator):
    """Not at what Unicode counts as one."""
    assert read_map(write(path, "a a@R # x%smallory admin@R\n" % separator)) == {"a": "a@R"}


@pytest.mark.parametrize(
    "text, number",
    [("one\n", 1), ("a b c\n", 1), ("a b\n\na c\n", 3), ("a b\0\n", 1), ("# \0\n", None)],
)
def test_a_wrong_line_is_named(path, text, number):
    """With its number; a NUL in a comment is none of a principal."""
    if number is None:
        assert read_map(write(path, text)) == {}
        return
    with pytest.raises(Problem) as problem:
        read_map(write(path, text))
    assert str(problem.value).startswith("%s:%d: " % (path, number))


@pytest.mark.parametrize("kind", ["absent", "directory", "fifo", "not utf-8", "huge", "device"])
def test_what_is_no_map_is_a_problem(path, kind):
    """It holds nobody up."""
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(str(path), 0o644)
    elif kind == "not utf-8":
        write(path, "a \udcff\n")
    elif kind == "huge":
        write(path, "")
        os.truncate(str(path), principal_map._CAP + 1)
    name = "/dev/zero" if kind == "device" else str(path)
    before = os.listdir("/proc/self/fd")
    for call in (read_map, lambda name: check("principal_map", name)):
        with pytest.raises(Problem) as problem:
            call(name)
        assert name in str(problem.value)
    assert not set(os.listdir("/proc/self/fd")) - set(before)


@ROOT_ONLY
def test_roots_own_group_counts_as_root(path):
    """A umask of 002 gives root's files this mode."""
    assert read_map(write(path, "a b\n", 0o664)) == {"a": "b"}
    os.chown(str(path), 0, 65534)
    with pytest.raises(Problem):
        read_map(str(path))


@pytest.mark.parametrize("mode", [0o646, 0o666])
def test_a_map_that_others_can_write_is_refused(path, mode):
    """They would receive everybody's tickets."""
    with pytest.raises(Problem) as problem:
        read_map(write(path, "a b\n", mode))
    values = (os.geteuid(), mode)
    assert "another user can write it (owner uid %d, mode %04o)" % values in str(problem.value)


@ROOT_ONLY
def test_a_map_of_somebody_elses_is_refused(path):
    """Only root's, or that of this process's user."""
    write(path, "a b\n")
    os.chown(str(path), 65534, 65534)
    with pytest.raises(Problem):
        read_map(str(path))


# While a hub runs.


@pytest.fixture
def principals(path):
    """A map that keeps its warnings: ``(map, warnings)``."""
    warnings = []
    return PrincipalMap(str(path), warnings.append), warnings


def test_a_map_is_read_again_when_it_changes(path, principals):
    """And kept while it cannot be read, with one warning for each problem."""
    principals, warnings = principals
    write(path, "a first@R\n")
    assert principals.read() == {"a": "first@R"}
    write(path, "a second@R\n")
    assert principals.read() == {"a": "second@R"}
    write(path, "a\n")
    assert [principals.read() for _ in range(3)] == [{"a": "second@R"}] * 3
    path.unlink()
    assert [principals.read() for _ in range(3)] == [{"a": "second@R"}] * 3
    assert len(warnings) == 2 and "%s:1" % path in warnings[0]
    write(path, "a third@R\n")
    assert principals.read() == {"a": "third@R"} and len(warnings) == 2
    assert PrincipalMap("", warnings.append).read() == {}


def test_a_map_whose_mode_was_repaired_counts(path, principals):
    """chmod(1) changes no bytes and no mtime."""
    principals, warnings = principals
    write(path, "a first@R\n")
    principals.read()
    write(path, "a second@R\n", 0o666)
    assert principals.read() == {"a": "first@R"} and len(warnings) == 1
    path.chmod(0o644)
    assert principals.read() == {"a": "second@R"}


def test_a_map_is_parsed_once_as_long_as_it_stays(path, principals, monkeypatch):
    """A right one and a wrong one: 16 MiB at each login would be felt."""
    principals, _ = principals
    calls = []
    monkeypatch.setattr(
        principal_map, "read_map", lambda path: calls.append(path) or read_map(path)
    )
    for text in ("a b\n", "a\n"):
        write(path, text)
        del calls[:]
        for _ in range(5):
            principals.read()
        assert len(calls) == 1


def test_a_map_that_cannot_be_opened_is_tried_again(path, principals, monkeypatch):
    """No descriptor was free: nothing about the file changes when one is."""
    principals, warnings = principals
    write(path, "a b\n")

    def fail(*arguments):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(principal_map, "_open_at_once", fail)
    assert principals.read() == {} and "Too many open files" in warnings[0]
    monkeypatch.undo()
    assert principals.read() == {"a": "b"}


def test_one_reader_at_a_time_finds_the_map_whole(path, principals):
    """Under the lock that the hub has: the old one or the new one, never an empty one."""
    principals, _ = principals
    lock, found = threading.Lock(), set()
    write(path, "".join("u%d first@R\n" % number for number in range(20000)))

    def read():
        for _ in range(20):
            with lock:
                found.add(principals.read().get("u0"))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    other = path.parent / "new"
    write(other, "".join("u%d second@R\n" % number for number in range(20000)))
    os.rename(str(other), str(path))
    for thread in threads:
        thread.join()
    assert found <= {"first@R", "second@R"}
