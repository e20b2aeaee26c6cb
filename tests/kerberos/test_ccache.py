"""The name of a user's credential cache, and which programs see the cache."""

import stat

import pytest

from jhpatch.kerberos import ccache
from jhpatch.kerberos.path_components import PathComponent
from tests.kerberos.findings_of import ALICE, codes


@pytest.mark.parametrize(
    "output, name",
    [
        ("Ticket cache: FILE:/tmp/krb5cc_0\nDefault principal: x\n", "FILE:/tmp/krb5cc_0"),
        ("klist: No credentials cache found (filename: /tmp/krb5cc_0)", "/tmp/krb5cc_0"),
        ("klist: No credentials cache found (ticket cache FILE:/x)", "FILE:/x"),
        ("klist: Credentials cache keyring 'persistent:0:0' not found", "KEYRING:persistent:0:0"),
        ("klist: Credentials cache 'KCM:0' not found", "KCM:0"),
        ("klist: No KCM server found while resolving ccache", "KCM:"),
        ("klist: something else", None),
    ],
)
def test_klist_names_a_cache(output, name):
    """The name is read whether the cache exists or not."""
    assert ccache.parse_cache_name(output) == name


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


@pytest.mark.parametrize(
    "components, expected",
    [
        ((FILE, OWN), set()),
        ((FILE._replace(mode=None), OWN), set()),
        ((FILE._replace(uid=0), OWN), {"ccache-foreign"}),
        ((FILE._replace(mode=stat.S_IFIFO | 0o600), OWN), {"ccache-foreign"}),
        ((FILE, OWN._replace(rights="rx")), {"ccache-folder"}),
        ((FILE, OWN._replace(mode=None, rights="")), {"ccache-folder"}),
        ((), {"ccache-folder"}),
    ],
)
def test_where_a_cache_is_stored(components, expected):
    """The user must be able to create the file, and own the one that exists."""
    assert codes(ccache.check_cache_path(ALICE, FILE.path, components)) == expected
