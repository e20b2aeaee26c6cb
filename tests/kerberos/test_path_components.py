"""The components of a path are read as the user sees them."""

import functools
import os
import stat
import struct

import pytest

from jhpatch.checks.runner import Deadline
from jhpatch.deployed.kerberos.account import Account, find_account
from jhpatch.kerberos import path_components, programs
from jhpatch.kerberos.path_components import PathComponent
from testing.users import make_reachable


def run(argv, seconds, account):
    """Run a program with an empty environment."""
    return programs.run_program(argv, {}, seconds, account)


def test_the_script_output_is_parsed():
    """Each component counts once; spaces belong to its name."""
    text = "81a4 0 0 .r+ /a b/c\n41ed 0 0 .rx /a b\n- - - - /a b/gone\n41ed 0 0 .rx /a b\n"
    assert path_components.parse_components(text) == (
        PathComponent("/a b/c", 0o100644, 0, 0, "r", True),
        PathComponent("/a b", 0o40755, 0, 0, "rx"),
        PathComponent("/a b/gone", None),
    )


@pytest.mark.parametrize("is_missing", [False, True])
def test_a_path_is_read_from_its_end(tmp_path, is_missing):
    """The last component comes first; one that does not exist has no mode."""
    path = tmp_path / "a 'b'"
    if not is_missing:
        path.write_text("")
        path.chmod(0o640)
    account = find_account("root")._replace(uid=os.geteuid())
    components = path_components.read_components(str(path), account, run, Deadline(300))
    assert [component.path for component in components[:2]] == [str(path), str(tmp_path)]
    assert components[-1].path == "/" and components[0].is_regular != is_missing
    assert components[0].mode == (None if is_missing else stat.S_IFREG | 0o640)


def test_an_access_control_list(tmp_path):
    """A file of the same mode with and without one."""
    entries = ((1, 6, -1), (2, 4, 1), (4, 0, -1), (16, 4, -1), (32, 0, -1))  # acl(5): user 1 reads
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    account = find_account("root")._replace(uid=os.geteuid())
    has_acl = {}
    for name in ("with", "without"):
        path = tmp_path / name
        path.write_text("")
        path.chmod(0o640)
        if name == "with":
            try:
                os.setxattr(str(path), "system.posix_acl_access", acl)
            except OSError as error:
                pytest.skip("no access control lists here: %s" % error)
        file = path_components.read_components(str(path), account, run, Deadline(300))[0]
        assert stat.S_IMODE(file.mode) == 0o640
        has_acl[name] = file.has_acl
    assert has_acl == {"with": True, "without": False}


def test_a_link_is_followed(tmp_path):
    """The components of where it leads come first, then those of the path itself."""
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    path = str(tmp_path / "link/file")
    account = find_account("root")._replace(uid=os.geteuid())
    components = path_components.read_components(path, account, run, Deadline(300))
    paths = [component.path for component in components]
    assert paths[0] == str(tmp_path / "target/file") and {path, str(tmp_path / "link")} < set(
        paths
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_the_rights_are_the_users(tmp_path):
    """Another user cannot reach what root can."""
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed/file").write_text("")
    (tmp_path / "closed").chmod(0o700)
    make_reachable(str(tmp_path))
    path = str(tmp_path / "closed/file")
    read = functools.partial(path_components.read_components, path)
    file, directory = read(find_account("nobody"), run, Deadline(300))[:2]
    assert (file.mode, directory.rights) == (None, "")
    file, directory = read(find_account("root"), run, Deadline(300))[:2]
    assert file.is_regular and "r" in file.rights and directory.rights == "rwx"


def test_a_program_that_does_not_end_reads_nothing():
    """The result is empty, as no component is known."""
    account = Account("alice", os.geteuid(), 0, "/")

    def hanging(argv, seconds, account):
        return programs.Completed(None, "", "no answer within 3.0 s")

    assert path_components.read_components("/a", account, hanging, Deadline(300)) == ()


def test_kinds_of_components():
    """A sticky directory protects what is in it; a sticky file does not."""
    assert PathComponent("/tmp", stat.S_IFDIR | 0o1777).is_sticky
    assert not PathComponent("/tmp", stat.S_IFDIR | 0o777).is_sticky
    assert not PathComponent("/f", stat.S_IFREG | 0o1777).is_sticky
    assert PathComponent("/f", stat.S_IFREG | 0o600).is_regular
    assert not PathComponent("/f", None).is_regular and not PathComponent("/f", None).is_sticky
