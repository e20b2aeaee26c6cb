"""Who can read a keytab, and which keys it holds."""

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
        (with_file(mode=stat.S_IFREG | 0o640, has_acl=True), {"keytab-exposed"}),
        (with_file(mode=stat.S_IFREG | 0o620, has_acl=True), {"keytab-replaceable"}),
        (with_file(has_acl=True), set()),
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


ETC = PathComponent("/etc/keytabs", stat.S_IFDIR | 0o755, 0, 0, "rx")
CENTRAL = PathComponent("/etc/keytabs/alice.keytab", stat.S_IFREG | 0o600, 0, 0, "")
HIDDEN = (CENTRAL._replace(mode=None), ETC._replace(mode=stat.S_IFDIR | 0o700, rights=""))


@pytest.mark.parametrize(
    "components, is_central",
    [
        ((CENTRAL, ETC), True),
        (HIDDEN, True),
        ((CENTRAL._replace(rights="r"), ETC), False),
        ((CENTRAL, ETC._replace(mode=stat.S_IFDIR | 0o775)), False),
        ((CENTRAL, ETC._replace(uid=1002)), False),
        ((CENTRAL._replace(uid=1001), ETC), False),
        ((CENTRAL._replace(mode=None), ETC), False),
        ((CENTRAL._replace(mode=stat.S_IFIFO | 0o600), ETC), False),
        ((), False),
    ],
)
def test_what_may_be_a_central_keytab(components, is_central):
    """For the user it is a note: only root can check it; root itself decides by its rights."""
    findings = list(keytab.check_keytab_path(ALICE, CENTRAL.path, components, (0,), 1001))
    assert (codes(findings, "note") == {"keytab-central-unread"}) is is_central
    assert not is_central or codes(findings) == set()
    by_root = keytab.check_keytab_path(ALICE, CENTRAL.path, components, (0,), 0)
    assert codes(by_root, "note") == set()


@pytest.mark.parametrize(
    "reader, is_set, expected",
    [
        (ALICE, False, {"keytab-client-central"}),
        (ALICE, True, {"keytab-unreadable"}),
        (None, True, set()),
    ],
)
def test_a_keytab_that_root_alone_can_read(monkeypatch, reader, is_set, expected):
    """The hub reads it as root only if it is set; krb5.conf's is read by the user's kinit."""
    monkeypatch.setattr(keytab.os, "geteuid", lambda: 0)
    one = Keytab(CENTRAL.path, (CENTRAL, ETC), reader)
    assert codes(keytab.check_keytab_place(ALICE, one, is_set)) == expected


@pytest.mark.parametrize(
    "mode, gid, directory, expected",
    [
        (0o440, 54, 0o755, {"keytab-exposed"}),
        (0o604, 0, 0o755, {"keytab-exposed"}),
        (0o440, 0, 0o755, set()),
        (0o440, 54, 0o700, set()),
    ],
)
def test_a_central_keytab_that_a_group_can_read(monkeypatch, mode, gid, directory, expected):
    """It is exposed to the group, unless no one but root can pass a directory above it."""
    monkeypatch.setattr(keytab, "is_private_group", lambda gid, account: gid == 0)
    file = CENTRAL._replace(mode=stat.S_IFREG | mode, gid=gid, rights="rw")
    one = Keytab(file.path, (file, ETC._replace(mode=stat.S_IFDIR | directory)), None)
    assert codes(keytab.check_keytab_place(ALICE, one, True)) == expected


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
   three bob@X (des3-cbc-sha1)
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


@pytest.mark.parametrize("name", ["svc account@X", "a\\@corp.example@X", "a (b)@X"])
def test_a_name_with_a_blank_or_an_escape(name):
    """klist prints it as kinit takes it."""
    (entry,) = keytab.parse_entries("   2 %s (aes256-cts-hmac-sha1-96) \n" % name)
    assert entry == (2, name, "aes256-cts-hmac-sha1-96")


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
