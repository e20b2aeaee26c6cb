"""Lines that libkrb5 accepts and that do not mean what their author meant."""

import os
import shutil
import subprocess

import pytest

from jhpatch.kerberos import krb5_conf, krb5_conf_lint
from tests.kerberos.findings_of import codes

HEAD = "[libdefaults]\n default_realm = X\n[realms]\n X = {\n"


def explained(tmp_path, text):
    """The findings about a text."""
    path = tmp_path / "krb5.conf"
    path.write_bytes(text.encode("utf-8"))
    profile = krb5_conf.read_profile({"KRB5_CONFIG": str(path)})
    assert not profile.errors
    return profile, list(krb5_conf_lint.explain(profile))


@pytest.mark.parametrize(
    "kdc",
    [
        *("kdc.x.test", "kdc.x.test:88", "10.0.0.1:750", "[2001:db8::1]", "[2001:db8::1]:88"),
        *("https://x.test/KdcProxy", "kdc.x.test.", "/run/kdc.sock"),
    ],
)
def test_a_sound_address(tmp_path, kdc):
    """There is nothing to explain."""
    assert explained(tmp_path, HEAD + "  kdc = %s\n }\n" % kdc)[1] == []


@pytest.mark.parametrize(
    "kdc, words",
    [
        ("tcp/kdc.x.test:88", "MIT krb5 takes tcp/kdc.x.test as the host name"),
        ("udp/kdc.x.test", "Heimdal's syntax"),
        ("kdc.x.test # primary", "libkrb5 does not support comments at the end of a line"),
        ("kdc.x.test ; primary", "libkrb5 does not support comments at the end of a line"),
        ("kdc.x.test:88 # primary", "refuses this address, and with it all KDCs of the realm"),
        ("a.x.test b.x.test", "names only one KDC; libkrb5 ignores everything after a.x.test"),
        ("a.x.test,b.x.test", "takes the whole value as the host name"),
        ("kdc.x.test/", "takes the whole value as the host name"),
        ("::1", "an IPv6 address needs brackets"),
        ("2001:db8::1", "an IPv6 address needs brackets"),
        ("kdc.x.test:99999", "at most 65535"),
        ("kdc.x.test:kerberos", "kerberos is not a port"),
        ("kdc.x.test:", "the port is missing"),
        ("88", "it is a port without a host"),
        (":88", "the host is missing"),
        ("tls/kdc.x.test", "takes the whole value as the host name"),
        ("\u201ckdc.x.test\u201d", "takes the whole value as the host name"),
        ("http://kdc.x.test/", "supports no other URL than https://"),
        ("HTTPS://kdc.x.test/", "write https:// in lower case"),
        ("kdc.x.test\u00a0", "a no-break space is part of the name or the value"),
    ],
)
def test_an_address_that_libkrb5_takes_otherwise(tmp_path, kdc, words):
    """The finding names the line and what libkrb5 makes of it; so does an error about KDCs."""
    profile, (row,) = explained(tmp_path, HEAD + "  kdc = %s\n }\n" % kdc)
    assert row.code == "krb5-conf-line" and row.message.startswith("line 5: kdc = ")
    assert words in row.message and row.path == profile.files[0]
    hint = krb5_conf_lint.explain_realm(profile, "X")
    assert words in hint.text and hint.step == "correct line 5 of " + profile.files[0]
    assert krb5_conf_lint.explain_realm(profile, "Y") == ("", "")


@pytest.mark.parametrize(
    "text, realm, line",
    [
        ("[libdefaults]\n default_realm = X # main\n", "X # main", 2),
        (HEAD.replace("= X\n", "= x\n", 1) + " kdc = a\n }\n", "x", 2),
        (HEAD + " KDC = a\n }\n", "X", 5),
        (HEAD.replace("[realms]", "[Realms]") + " kdc = a\n }\n", "X", 5),
        ("[realms]\n X = { kdc = a }\n", "X", 2),
    ],
)
def test_a_realm_without_a_kdc(tmp_path, text, realm, line):
    """The line that was meant to give it one, or another name, explains the error."""
    profile, (row,) = explained(tmp_path, text)
    hint = krb5_conf_lint.explain_realm(profile, realm)
    assert row.code == "krb5-conf-line"
    assert hint.step == "correct line %d of %s" % (line, profile.files[0])
    assert krb5_conf_lint.explain_realm(profile, "Z") == ("", "")


@pytest.mark.skipif(not shutil.which("kinit"), reason="takes kinit")
@pytest.mark.parametrize(
    "kdc",
    [
        *("127.0.0.1:1", "127.0.0.1:1 # x", "127.0.0.1 # x", "127.0.0.1 none", "[::1]:1", "::1"),
        *("::1:1", "127.0.0.1:65535", "127.0.0.1:65536", "127.0.0.1:x", "127.0.0.1:", ":1", "1"),
        *("127.0.0.1: 1", "127.0.0.1 :1", "[127.0.0.1]:1", "[127.0.0.1]1", "[127.0.0.1", "1:1:1"),
        *("http://127.0.0.1/", "HTTPS://127.0.0.1/", "https://127.0.0.1:1/x", "127.0.0.1:1 x"),
        *("tcp/127.0.0.1:1", "127.0.0.1,127.0.0.1:1", "127.0.0.1:-1", "127.0.0.1:+1", '"'),
    ],
)
def test_what_libkrb5_refuses_kinit_refuses(tmp_path, kdc):
    """kinit prints "Invalid argument" for each such address, and for no other."""
    head = HEAD.replace("X\n[", "X\n dns_lookup_kdc = false\n dns_uri_lookup = false\n[")
    profile, _ = explained(tmp_path, head + "  kdc = %s\n }\n" % kdc)
    completed = subprocess.run(
        ["kinit", "-c", "MEMORY:", "--", "jhpatch-doctor"],
        env={"KRB5_CONFIG": profile.files[0], "PATH": os.defpath, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    is_refused = b"Invalid argument" in completed.stdout
    assert (
        "libkrb5 refuses this address" in krb5_conf_lint.explain_realm(profile, "X").text
    ) == is_refused


@pytest.mark.parametrize(
    "text, line, words",
    [
        ("[libdefaults]\n default_realm = X # main\n", 2, "part of the value"),
        ("[libdefaults]\n default_realm = X\u00a0\n", 2, "a no-break space"),
        ("[libdefaults]\n\u00a0default_realm = X\n", 2, "a no-break space"),
        ("[realms]\n X = { kdc = a }\n", 2, "takes the brace as a value"),
        ("[realms]\n X = {\n kdc = \u200ba\n }\n", 3, "the invisible U+200B is part"),
        ("[realms]\n X = {\n KDC = a\n }\n", 3, "does not know KDC; did you mean kdc"),
        (
            "[ realms ]\n X = {\n kdc = a\n }\n",
            3,
            "does not know the section [ realms ]; did you mean [realms]",
        ),
        ("[LibDefaults]\n default_realm = X\n", 2, "did you mean [libdefaults]"),
        ("[libdefaults]\n ticket_lifetime = 10 hours\n", 2, "such as 10h or 7d"),
        ("[libdefaults]\n renew_lifetime = forever\n", 2, "such as 10h or 7d"),
        ("[libdefaults]\n udp_preference_limit = tcp\n", 2, "a whole number"),
        ("[libdefaults]\n allow_weak_crypto = maybe\n", 2, "true or false"),
    ],
)
def test_a_value_that_libkrb5_takes_otherwise(tmp_path, text, line, words):
    """A comment, a brace and an invisible character are part of a value or a name."""
    (row,) = explained(tmp_path, text)[1]
    assert row.code == "krb5-conf-line" and row.message.startswith("line %d: " % line)
    assert words in row.message


@pytest.mark.parametrize(
    "text",
    [
        "[libdefaults]\n # x\n default_realm = X\n; y\n",
        "[realms]\n X = {\n auth_to_local = RULE:[1:$1](a #b)s/ #.*//\n }\n",
        "[appdefaults]\n x = a # b\n",
        "# only a comment\n\n[libdefaults]\n",
        "[libdefaults]\n ticket_lifetime = 1d 2h\n renew_lifetime = 86400\n",
        "[libdefaults]\n udp_preference_limit = 0\n allow_weak_crypto = NO\n",
        "[libdefaults]\n default_realm = X\n[realms]\n Y = {\n kdc = y\n }\n",
    ],
)
def test_nothing_is_found_in_what_is_sound(tmp_path, text):
    """Comments on their own lines, rules, and values of which nobody knows the form."""
    assert explained(tmp_path, text)[1] == []


@pytest.mark.parametrize(
    "blank, name",
    [("\ufeff", "a byte order mark"), (" ", "a blank"), ("\u00a0", "a no-break space")],
)
def test_a_section_that_libkrb5_does_not_see(tmp_path, blank, name):
    """Its bracket is not the first character, and no section stands before it."""
    text = blank + "[libdefaults]\n default_realm = X\n\n[realms]\n"
    profile, (row,) = explained(tmp_path, text)
    assert row.code == "krb5-conf-ignored" and profile.realm is None
    assert row.message == (
        "line 1: libkrb5 does not recognize [libdefaults], because %s precedes the bracket; "
        "it ignores lines 1 to 2" % name
    )


def test_relations_before_the_first_section(tmp_path):
    """They are ignored too."""
    _, findings = explained(tmp_path, "default_realm = X\n[libdefaults]\n")
    assert codes(findings) == {"krb5-conf-ignored"}
    assert findings[0].message.startswith("line 1: libkrb5 ignores text before")
