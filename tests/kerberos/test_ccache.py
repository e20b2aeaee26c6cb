"""The name of a user's credential cache, and which programs see the cache."""

import stat

import pytest

from jhpatch.kerberos import ccache
from jhpatch.kerberos.path_components import PathComponent
from jhpatch.kerberos.programs import Completed
from tests.kerberos.findings_of import ALICE, codes


@pytest.mark.parametrize(
    "output, name",
    [
        ("Ticket cache: FILE:/tmp/krb5cc_0\nDefault principal: x\n", "FILE:/tmp/krb5cc_0"),
        ("klist: No credentials cache found (filename: /tmp/krb5cc_0)", "FILE:/tmp/krb5cc_0"),
        ("klist: No credentials cache found (ticket cache FILE:/x)", "FILE:/x"),
        ("klist: Credentials cache keyring 'persistent:0:0' not found", "KEYRING:persistent:0:0"),
        ("klist: Credentials cache 'KCM:0' not found", "KCM:0:jhpatch"),
        ("klist: No KCM server found while resolving ccache", "KCM:"),
        ("klist: something else", None),
    ],
)
def test_klist_names_a_cache(output, name):
    """The name is read whether the cache exists or not."""
    assert ccache.parse_cache_name(output, ALICE) == name


@pytest.mark.parametrize(
    "setting, name",
    [
        ("FILE:/tmp/krb5cc_%{uid}", "FILE:/tmp/krb5cc_1001"),
        ("DIR:%{TEMP}/%{username}", "DIR:/tmp/alice"),
        ("KEYRING:persistent:%{euid}", "KEYRING:persistent:1001"),
        ("FILE:%{LIBDIR}/x", None),
        ("", None),
    ],
)
def test_the_default_cache_is_expanded(setting, name):
    """A parameter that libkrb5 alone knows is left to libkrb5."""
    assert ccache.expand_default_name(setting, ALICE) == name


@pytest.mark.parametrize(
    "cache, parts",
    [
        ("/tmp/cc", ("FILE", "/tmp/cc")),
        ("FILE:/tmp/cc", ("FILE", "/tmp/cc")),
        ("KEYRING:persistent:1", ("KEYRING", "persistent:1")),
        ("KCM:", ("KCM", "")),
    ],
)
def test_a_name_is_split(cache, parts):
    """A path alone is a FILE cache, as for libkrb5."""
    assert ccache.split_name(cache) == parts


@pytest.mark.parametrize(
    "cache, is_set, expected",
    [
        ("FILE:/tmp/krb5cc_1001", False, set()),
        ("FILE:/var/cache/cc", True, set()),
        ("FILE:/var/cache/cc", False, {"ccache-hidden-from-jvm"}),
        ("DIR:/x", True, {"ccache-hidden-from-jvm"}),
        ("KEYRING:persistent:1001", True, {"ccache-hidden-from-jvm"}),
        ("KEYRING:user:x", True, {"ccache-unsupported"}),
        ("MEMORY:x", True, {"ccache-unsupported"}),
    ],
)
def test_who_sees_a_cache(cache, is_set, expected):
    """A JVM reads a file, at its one path or where KRB5CCNAME says."""
    assert codes(ccache.check_cache(ALICE, cache, is_set)) == expected


OWN = PathComponent("/run/alice", stat.S_IFDIR | 0o700, 1001, 1001, "rwx")
FILE = PathComponent("/run/alice/cc", stat.S_IFREG | 0o600, 1001, 1001, "rw")
NEW = FILE._replace(mode=None)
TMP = OWN._replace(mode=stat.S_IFDIR | 0o1777, uid=0)
RUN = PathComponent("/run", stat.S_IFDIR | 0o755, 0, 0, "rx")


@pytest.mark.parametrize(
    "components, expected",
    [
        ((FILE, OWN), set()),
        ((FILE._replace(mode=None), OWN), set()),
        ((FILE._replace(uid=0), OWN), {"ccache-foreign"}),
        ((FILE._replace(mode=stat.S_IFLNK | 0o777, uid=0), OWN), set()),
        ((FILE._replace(mode=stat.S_IFLNK | 0o777, uid=0), TMP), {"ccache-foreign"}),
        ((FILE._replace(mode=stat.S_IFLNK | 0o777), OWN), set()),
        ((FILE._replace(mode=stat.S_IFIFO | 0o600), OWN), {"ccache-not-regular"}),
        ((FILE, OWN._replace(rights="rx")), {"ccache-folder"}),
        ((FILE, OWN._replace(uid=1002)), {"ccache-folder"}),
        ((FILE, OWN._replace(mode=stat.S_IFDIR | 0o1777, uid=0)), set()),
        ((FILE._replace(mode=None), OWN._replace(mode=None, rights="")), {"ccache-folder"}),
        ((NEW, OWN._replace(mode=None), RUN), {"ccache-folder"}),
        ((NEW, OWN._replace(mode=None), RUN._replace(rights="rwx")), set()),
        ((), {"ccache-folder"}),
    ],
)
def test_where_a_cache_is_stored(components, expected):
    """The service creates the file and one directory, with the rights of the user."""
    assert codes(ccache.check_cache_path(ALICE, FILE.path, components)) == expected


def test_a_symlink_of_the_user_is_replaced():
    """The service does not follow it: a note, and no error."""
    link = FILE._replace(mode=stat.S_IFLNK | 0o777)
    findings = ccache.check_cache_path(ALICE, FILE.path, (link, OWN))
    assert codes(findings, "note") == {"ccache-replaced"}


PRIVATE = PathComponent("/run/jhpatch", stat.S_IFDIR | 0o755, 0, 0, "rx")
NONE = PathComponent("/run/jhpatch/1001/cc", None), PathComponent("/run/jhpatch/1001", None)


@pytest.mark.parametrize(
    "outer, run, expected",
    [
        (PRIVATE, RUN, set()),
        (PRIVATE._replace(mode=None), RUN, set()),
        (PRIVATE._replace(uid=1002), RUN, {"ccache-folder"}),
        (PRIVATE._replace(mode=stat.S_IFDIR | 0o775, gid=100), RUN, {"ccache-folder"}),
        (PRIVATE, RUN._replace(mode=stat.S_IFDIR | 0o1777), {"ccache-folder"}),
    ],
)
def test_a_directory_that_the_hub_makes(outer, run, expected):
    """The hub makes /run/jhpatch/UID; in a directory that others can write it does not."""
    components = (*NONE, outer, run)
    assert codes(ccache.check_cache_path(ALICE, NONE[0].path, components)) == expected


@pytest.mark.parametrize(
    "template, is_shared",
    [
        ("/tmp/krb5cc_{uid}", False),
        ("/tmp/{username}", False),
        ("FILE:{home}/cc", False),
        ("KCM:", False),
        ("KEYRING:persistent", False),
        ("/tmp/krb5cc", True),
        ("DIR:/var/cache/{host}", True),
        ("KEYRING:persistent:0", True),
    ],
)
def test_one_cache_for_all_users(template, is_shared):
    """A name that no user's own field is in is an error."""
    assert codes(ccache.check_template(template)) == ({"ccache-shared"} if is_shared else set())


@pytest.mark.parametrize(
    "name, is_shared",
    [
        ("FILE:/tmp/krb5cc_shared", True),
        ("/tmp/cc", True),
        ("KEYRING:persistent:0", True),
        ("FILE:/tmp/krb5cc_%{uid}", False),
        ("FILE:%{TEMP}/cc", True),
        ("FILE:/tmp/%{username}", False),
        ("KCM:", False),
        ("KEYRING:persistent:%{uid}", False),
        ("FILE:%{LIBDIR}/cc", False),
        ("MEMORY:x", False),
        ("", False),
    ],
)
def test_one_default_cache_for_all_users(name, is_shared):
    """krb5.conf can name one, too; what only libkrb5 can expand is no finding."""
    found = codes(ccache.check_default_name(name))
    assert found == ({"ccache-shared"} if is_shared else set())


PLACE = (
    PathComponent("/run/caches/1001/cc", None),
    PathComponent("/run/caches/1001", None),
    PathComponent("/run/caches", stat.S_IFDIR | 0o755, 0, 0, "rx"),
    PathComponent("/", stat.S_IFDIR | 0o755, 0, 0, "rx"),
)


@pytest.mark.parametrize(
    "printed, words",
    [
        ("16 4096 100 50", None),
        ("15 4096 100 50", "only 61440 bytes available"),
        ("0 4096 100 50", "only 0 bytes available"),
        ("1000 4096 100 0", "can hold no more files"),
        ("1000 4096 0 0", None),
        ("", None),
        ("1000 4096 -1 ?", None),
    ],
)
def test_a_full_file_system(printed, words):
    """The user's child asks for that of the last directory that exists."""
    calls = []

    def run(argv, seconds, account):
        calls.append((argv[-1], account))
        return Completed(0, printed + "\n", "")

    found = list(ccache.check_space(ALICE, PLACE[0].path, PLACE, run, 1.0))
    assert calls == [("/run/caches", ALICE)]
    assert codes(found) == ({"ccache-full"} if words else set())
    assert not words or words in found[0].message


def test_a_path_that_no_cache_can_have():
    """The service's words: its type is supported."""
    (row,) = ccache.check_cache(ALICE, "/tmp/krb5cc_1001/", True)
    assert row.code == "ticket-fails" and "expected the path of a file" in row.message
