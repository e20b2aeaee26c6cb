"""The names of caches: what settings, KRB5CCNAME and klist say, MIT's and Heimdal's."""

import pytest

from jhpatch.deployed.kerberos.ccache import Cache, cache_of, default_cache_of
from jhpatch.deployed.kerberos.errors import Problem

CACHES = {
    "/tmp/cc": ("FILE:/tmp/cc", "/tmp/cc"),
    "FILE:/tmp/cc": ("FILE:/tmp/cc", "/tmp/cc"),
    "FILE:/tmp/a cc": ("FILE:/tmp/a cc", "/tmp/a cc"),
    "DIR:/tmp/x": ("DIR::/tmp/x/tktjhpatch", "/tmp/x/tktjhpatch"),
    "DIR:/tmp/x/": ("DIR::/tmp/x/tktjhpatch", "/tmp/x/tktjhpatch"),
    "DIR::/tmp/x/tkt": ("DIR::/tmp/x/tkt", "/tmp/x/tkt"),
    "KCM:": ("KCM:7:jhpatch", ""),
    "KCM:7": ("KCM:7:jhpatch", ""),
    "KCM:7:31": ("KCM:7:31", ""),
    "KEYRING:persistent": ("KEYRING:persistent:7:jhpatch", ""),
    "KEYRING:persistent:7": ("KEYRING:persistent:7:jhpatch", ""),
    "KEYRING:persistent:7:krb_ccache": ("KEYRING:persistent:7:krb_ccache", ""),
}


@pytest.mark.parametrize("text", sorted(CACHES))
def test_the_types_of_caches(text):
    """Of a collection a subsidiary of ours, unless one is named: kinit leaves the primary."""
    assert tuple(cache_of(text, 7)) == CACHES[text]


@pytest.mark.parametrize(
    "text",
    ["KEYRING:session:x", "KEYRING:user:x", "KEYRING:x", "MEMORY:x", "API:x", "cc", "FILE:cc"]
    + ["DIR:x", "DIR::/tmp/x/other", "SRVTAB:/x", ""],
)
def test_other_cache_types_are_named(text):
    """Not supported: reported with the name, never half done."""
    with pytest.raises(Problem) as problem:
        cache_of(text, 7)
    assert text in str(problem.value)


def test_a_keyring_of_the_session_is_refused_with_the_reason():
    """Every server of a hub has the hub's session keyring."""
    for name in ("KEYRING:session:x", "KEYRING:process:x", "KEYRING:user:x"):
        with pytest.raises(Problem) as problem:
            cache_of(name, 7)
        assert "read each other's" in str(problem.value)


@pytest.mark.parametrize(
    "name, sees", [("FILE:/x", True), ("DIR::/x/tkt", False), ("KCM:", False)]
)
def test_a_jvm_sees_files_alone(name, sees):
    """Which Spark's users have to know."""
    assert Cache(name, "").jvm_sees is sees


@pytest.mark.parametrize(
    "path",
    ["/tmp/cc/", "/", "/tmp/.", "/tmp/..", "/tmp/" + "n" * 256, "/%s/cc" % ("\u00e4" * 128)],
)
@pytest.mark.parametrize("kind", ["", "FILE:"])
def test_a_path_that_no_file_can_have(kind, path):
    """It would be a directory, or its name is too long."""
    with pytest.raises(Problem) as problem:
        cache_of(kind + path, 7)
    assert str(problem.value).startswith(path + ": ")
    assert cache_of(kind + "/tmp/" + "n" * 255, 7).path


DEFAULTS = {  # as printed by MIT krb5 1.20.1 and Heimdal 7.8.0
    "klist: No credentials cache found (filename: /tmp/krb5cc_7)": "FILE:/tmp/krb5cc_7",
    "Ticket cache: FILE:/tmp/krb5cc_7\nDefault principal: a@R\n": "FILE:/tmp/krb5cc_7",
    "klist: No credentials cache found (ticket cache FILE:/tmp/cc)": "FILE:/tmp/cc",
    "klist: No credentials cache found (ticket cache DIR::/tmp/x/tkt)": "DIR::/tmp/x/tkt",
    "klist: Credentials cache keyring 'persistent:7:7' not found": "KEYRING:persistent:7:7",
    "klist: Credentials cache 'KCM:7' not found": "KCM:7:jhpatch",
    "Ticket cache: KEYRING:persistent:7:krb_ccache_x\n": "KEYRING:persistent:7:krb_ccache_x",
    "klist: No ticket file: /tmp/krb5cc_7": "FILE:/tmp/krb5cc_7",
    "klist: No ticket file: :/tmp/x/tkt": "DIR::/tmp/x/tkt",
    "klist: No credentials cache found (filename: /tmp/a (b c_7)": "FILE:/tmp/a (b c_7",
    "Ticket cache: FILE:/tmp/a b\nDefault principal: a@R\n": "FILE:/tmp/a b",
    "klist: No credentials cache found (ticket cache DIR::/tmp/x y/tkt)": "DIR::/tmp/x y/tkt",
    "klist: Credentials cache keyring 'persistent:7:a b' not found": "KEYRING:persistent:7:a b",
    "klist: No ticket file: /tmp/a b": "FILE:/tmp/a b",
    "Credentials cache: FILE:/tmp/a b\n        Principal: a@R\n\n": "FILE:/tmp/a b",
    "Credentials cache: FILE:/tmp/x\n        Principal: a@R\n\n": "FILE:/tmp/x",
}


@pytest.mark.parametrize("text", sorted(DEFAULTS))
def test_klist_names_the_default_cache(text):
    """Absent or there; MIT's words and Heimdal's."""
    assert default_cache_of(text, 7).name == DEFAULTS[text]


@pytest.mark.parametrize("text", ["", "klist: unknown option", "(", "Ticket cache: \n"])
def test_klist_that_names_no_cache_is_a_problem(text):
    """With klist's own words, on one line."""
    with pytest.raises(Problem) as problem:
        default_cache_of(text + "\nsecond", 7)
    assert "second" in str(problem.value) and "\n" not in str(problem.value)


def test_a_default_that_is_not_supported_is_named():
    """MEMORY, or a keyring of the session, in krb5.conf."""
    for name in ("MEMORY:x", "KEYRING:session:x"):
        with pytest.raises(Problem) as problem:
            default_cache_of("Ticket cache: %s\n" % name, 7)
        assert name in str(problem.value)
