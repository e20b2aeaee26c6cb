"""krb5.conf is read as libkrb5 reads it: klist is asked about each text."""

import os
import shutil
import subprocess

import pytest

from jhpatch.kerberos import krb5_conf
from jhpatch.kerberos.krb5_conf import KdcAddress

TEXTS = {
    "plain": "[libdefaults]\n default_realm = X\n",
    "before any section": "default_realm = X\n",
    "a bracket is missing": "[libdefaults\n default_realm = X\n",
    "no equals sign": "[libdefaults]\n default_realm\n",
    "no tag": "[libdefaults]\n = X\n",
    "two tags": "[libdefaults]\n a b = X\n",
    "a brace is left open at the end": "[realms]\n X = {\n kdc = a\n",
    "a brace is left open before a section": "[realms]\n X = {\n[libdefaults]\n a = b\n",
    "a brace too many": "[realms]\n }\n",
    "a brace too many after one": "[realms]\n X = {\n }\n }\n",
    "a brace on the next line": "[realms]\n X =\n {\n kdc = a\n }\n",
    "no brace on the next line": "[realms]\n X =\n kdc = a\n",
    "braces in braces": "[a]\n b = {\n c = {\n d = e\n }\n f = g\n }\n h = i\n",
    "all on one line": "[realms]\n X = { kdc = a }\n",
    "words behind a value": "[libdefaults]\n default_realm = X ; y\n",
    "words behind a section": "[libdefaults] x\n",
    "words behind a brace": "[realms]\n X = {\n } x\n",
    "final marks": "[libdefaults]*\n a* = X\n[realms]\n X = {\n kdc = a\n }*\n",
    "a value in quotes": '[libdefaults]\n default_realm = "X"\n',
    "quotes without an end": '[libdefaults]\n default_realm = "X\n',
    "no value": "[libdefaults]\n a =\n",
    "an included file is missing": "include /nowhere/x\n[libdefaults]\n",
    "an included directory is missing": "includedir /nowhere\n[libdefaults]\n",
    "an include in a section": "[libdefaults]\ninclude /nowhere/x\n",
    "an include that is indented": "[libdefaults]\n include /nowhere/x\n",
    "CRLF": "[libdefaults]\r\n default_realm = X\r\n",
    "a byte order mark": "\ufeff[libdefaults]\n default_realm = X\n",
    "comments": " # x\n; y\n[libdefaults]\n # a\n",
    "nothing": "",
}


def put(tmp_path, text, name="krb5.conf"):
    """Write a file; return the environment that names it."""
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8"))
    path.chmod(0o644)
    return {"KRB5_CONFIG": str(path)}


@pytest.mark.skipif(not shutil.which("klist"), reason="takes klist")
@pytest.mark.parametrize("name", sorted(TEXTS))
def test_what_libkrb5_refuses_is_an_error(tmp_path, name):
    """And nothing else is: klist reads the same text."""
    environ = put(tmp_path, TEXTS[name])
    completed = subprocess.run(
        ["klist", "-c", "FILE:/nowhere/at/all"],
        env=dict(environ, PATH=os.defpath, LC_ALL="C"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    refused = b"while initializing krb5" in completed.stdout
    assert bool(krb5_conf.read_profile(environ).errors) == refused


def test_the_first_value_counts():
    """All values of a tag are kept in their order, over all files of KRB5_CONFIG."""
    profile = krb5_conf.Profile(((("a", "b"), "1"), (("a", "b"), "2")))
    assert (profile.value("a", "b"), profile.values("a", "b")) == ("1", ("1", "2"))
    assert profile.value("a") is None


def test_several_files(tmp_path):
    """Those that are there count; the errors of each are named."""
    first = put(tmp_path, "[libdefaults]\n default_realm = ONE\n", "one")["KRB5_CONFIG"]
    second = put(tmp_path, "[libdefaults]\n default_realm = TWO\n x\n", "two")["KRB5_CONFIG"]
    profile = krb5_conf.read_profile({"KRB5_CONFIG": "/nowhere:%s:%s" % (first, second)})
    assert profile.realm == "ONE" and [error.path for error in profile.errors] == [second]
    assert profile.files == (first, second)
    assert krb5_conf.read_profile({"KRB5_CONFIG": "/nowhere:/nothing"}).errors[0].kind == "missing"


@pytest.mark.parametrize("text", ["include {0}\n", "includedir {1}\n"])
def test_a_file_that_includes_itself(tmp_path, text):
    """Reading ends, with an error."""
    path = str(tmp_path / "krb5.conf")
    profile = krb5_conf.read_profile(put(tmp_path, text.format(path, str(tmp_path)) * 3))
    assert [error.kind for error in profile.errors] == ["include"]


def test_what_is_no_file_of_a_sensible_size(tmp_path):
    """A FIFO, a directory and a gigabyte are errors, and are not waited for."""
    os.mkfifo(str(tmp_path / "fifo"), 0o644)
    (tmp_path / "directory").mkdir()
    with open(str(tmp_path / "huge"), "wb") as file:
        file.truncate(1 << 30)
    for name in ("fifo", "directory", "huge"):
        profile = krb5_conf.read_profile({"KRB5_CONFIG": str(tmp_path / name)})
        assert [error.kind for error in profile.errors] == ["unreadable"], name


@pytest.mark.parametrize(
    "text, kdc",
    [
        ("kdc.example.com", KdcAddress("kdc.example.com")),
        ("kdc.example.com:750", KdcAddress("kdc.example.com", 750)),
        ("tcp/kdc.example.com", KdcAddress("kdc.example.com", 88, True)),
        ("udp/kdc.example.com:750", KdcAddress("kdc.example.com", 750)),
        ("[::1]:750", KdcAddress("::1", 750)),
        ("[2001:db8::1]", KdcAddress("2001:db8::1")),
    ],
)
def test_a_kdc(text, kdc):
    """Name, port and protocol are read; a KDC behind HTTPS is left out."""
    lines = ((("realms", "X", "kdc"), text), (("realms", "X", "kdc"), "https://proxy/KdcProxy"))
    assert krb5_conf.listed_kdcs(krb5_conf.Profile(lines), "X") == (kdc,)


def test_booleans_and_numbers():
    """They are read as libkrb5 reads them; any other word is the default."""
    for text, value in (("no", False), ("OFF", False), ("1", True), ("maybe", True)):
        profile = krb5_conf.Profile(((("libdefaults", "x"), text), (("libdefaults", "y"), "")))
        assert profile.is_set("x", True) is value
    assert krb5_conf.Profile().clock_skew == 300
    assert krb5_conf.Profile(((("libdefaults", "clockskew"), "60"),)).clock_skew == 60
