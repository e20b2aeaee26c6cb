"""Who can read a keytab, and which keys it holds."""

import os
import stat

import pytest

from jhpatch.kerberos import keytab
from jhpatch.kerberos.keytab import Keytab, KeytabEntry
from jhpatch.kerberos.path_components import PathComponent
from tests.kerberos.findings_of import ALICE, KEYTAB, codes

HOME = PathComponent("/home", stat.S_IFDIR | 0o755, 0, 0, "rx")
OWN = PathComponent("/home/alice", stat.S_IFDIR | 0o700, 1001, 1001, "rwx")
FILE = PathComponent(KEYTAB, stat.S_IFREG | 0o600, 1001, 1001, "rw")
GOOD = (FILE, OWN, HOME)


def with_file(**changes):
    """Return the good components, with the keytab itself changed."""
    return (FILE._replace(**changes), OWN, HOME)


@pytest.mark.parametrize(
    "components, expected",
    [
        (GOOD, set()),
        (with_file(mode=stat.S_IFREG | 0o640), set()),
        (with_file(mode=stat.S_IFREG | 0o640, gid=100), {"keytab-exposed"}),
        (with_file(mode=stat.S_IFREG | 0o604), {"keytab-exposed"}),
        (with_file(mode=stat.S_IFREG | 0o620, gid=100), {"keytab-replaceable"}),
        (with_file(mode=stat.S_IFREG | 0o400, uid=0, rights=""), {"keytab-unreadable"}),
        (with_file(uid=1002, rights="r"), {"keytab-foreign"}),
        (with_file(mode=stat.S_IFDIR | 0o700), {"keytab-not-regular"}),
        (with_file(mode=None), {"keytab-missing"}),
        ((), {"keytab-missing"}),
        ((PathComponent(KEYTAB, None), OWN._replace(rights="r"), HOME), {"keytab-unreachable"}),
        ((FILE, OWN._replace(mode=stat.S_IFDIR | 0o770, gid=100)), {"keytab-replaceable"}),
        ((FILE, OWN._replace(uid=1002)), {"keytab-replaceable"}),
        ((FILE, OWN._replace(mode=stat.S_IFDIR | 0o1777, uid=0)), set()),
        ((FILE, OWN._replace(mode=stat.S_IFLNK | 0o777, uid=0)), set()),
    ],
)
def test_who_can_read_and_replace_a_keytab(components, expected):
    """Its user alone is right; everything else is named."""
    findings = keytab.check_keytab_path(ALICE, KEYTAB, components, (0, 1001))
    assert codes(findings) == expected


@pytest.mark.parametrize(
    "components, reader, expected",
    [
        (GOOD, ALICE, True),
        (GOOD, None, True),
        ((), None, True),
        ((), ALICE, False),
        (with_file(rights=""), ALICE, False),
        (with_file(mode=stat.S_IFIFO | 0o600), ALICE, False),
        (with_file(mode=None), ALICE, False),
    ],
)
def test_whether_a_keytab_is_readable(components, reader, expected):
    """A user needs a regular file and the right to read it; root reads a central keytab."""
    assert Keytab(KEYTAB, components, reader).is_readable is expected


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_what_root_alone_can_write(tmp_path):
    """A file that does not exist yet counts; a link, or a directory of another user, does not."""
    directory = os.path.realpath("/run")
    assert keytab.is_root_only(directory + "/no-such.keytab")
    assert not keytab.is_root_only(directory + "/no-such-directory/no-such.keytab")
    assert not keytab.is_root_only(directory + "/../etc/no-such.keytab")
    assert not keytab.is_root_only("/tmp/no-such.keytab")
    home = tmp_path / "home"
    home.mkdir()
    os.chown(str(home), 1001, 1001)
    assert not keytab.is_root_only(str(home / "no-such.keytab"))


def test_which_groups_are_private():
    """Root's is; one without a name is; a user's needs their gid and their name."""
    assert keytab.is_private_group(0, ALICE)
    assert keytab.is_private_group(54321, ALICE)
    assert not keytab.is_private_group(1, ALICE)


KLIST = """Keytab name: FILE:/home/alice/alice.keytab
KVNO Principal
---- --------------------------------------------------------------------------
   1 alice@X (aes256-cts-hmac-sha1-96) 
   2 alice@X (DEPRECATED:arcfour-hmac) 
   3 bob/with a@X (des3-cbc-sha1)
"""  # noqa: W291
ENTRIES = (
    KeytabEntry(1, "alice@X", "aes256-cts-hmac-sha1-96"),
    KeytabEntry(2, "alice@X", "DEPRECATED:arcfour-hmac"),
)


def test_klist_is_parsed():
    """Key versions, principals and types are read; any other line is ignored."""
    assert keytab.parse_entries(KLIST) == ENTRIES
    assert keytab.parse_keytab_name(KLIST) == KEYTAB
    assert keytab.parse_keytab_name("nothing") is None


@pytest.mark.parametrize(
    "principal, entries, expected",
    [
        ("alice@X", ENTRIES, {"keytab-weak"}),
        ("alice@X", ENTRIES[:1], set()),
        ("carol@X", ENTRIES, {"keytab-lacks-principal"}),
        ("alice@X", (), {"keytab-lacks-principal"}),
    ],
)
def test_keys_of_the_principal(principal, entries, expected):
    """The newest keys count: none, or weak ones alone, is a finding."""
    findings = keytab.check_keytab_entries("alice", KEYTAB, principal, entries)
    assert codes(findings) == expected


def test_at_most_five_principals_are_named():
    """A keytab with many principals does not fill the screen."""
    entries = tuple(KeytabEntry(1, "u%d@X" % number, "aes") for number in range(7))
    (finding,) = keytab.check_keytab_entries("alice", KEYTAB, "alice@X", entries)
    assert finding.message.endswith("it has u0@X, u1@X, u2@X, u3@X, u4@X and 2 more")
