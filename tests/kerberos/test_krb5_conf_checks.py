"""The findings about krb5.conf."""

import os

import pytest

from jhpatch.kerberos import krb5_conf, krb5_conf_text, libkrb5
from jhpatch.kerberos.krb5_conf import Profile
from jhpatch.kerberos.krb5_conf_checks import check_profile
from jhpatch.kerberos.krb5_conf_text import ConfigError
from testing.users import ROOT_ONLY, make_reachable
from tests.kerberos.findings_of import codes

TEXT = "[libdefaults]\n default_realm = X\n"
ALL = ("error", "warning", "note")


def put(tmp_path, text, name="krb5.conf"):
    """Write a file; return its path."""
    path = tmp_path / name
    path.write_text(text)
    path.chmod(0o644)
    make_reachable(str(tmp_path))
    return str(path)


def check(*paths, cannot_read=None):
    """The findings about a KRB5_CONFIG of these paths."""
    profile = krb5_conf.read_profile({"KRB5_CONFIG": ":".join(paths)})
    return list(check_profile(profile, paths, cannot_read))


def test_a_sound_file(tmp_path):
    """There is nothing to say about it."""
    assert check(put(tmp_path, TEXT)) == []


def test_a_model_is_marked_as_one(tmp_path, monkeypatch):
    """A note says that libkrb5 was not asked."""
    monkeypatch.setattr(libkrb5, "_LIBRARY", "libnone.so")
    assert "krb5-conf-model" in codes(check(put(tmp_path, TEXT)), "note")


def test_more_files_than_doctor_reads(tmp_path, monkeypatch):
    """One note for all of them: kinit reads them, and no error of libkrb5 is known."""
    monkeypatch.setattr(krb5_conf_text, "_MAX_FILES", 3)
    (tmp_path / "d").mkdir()
    for name in "abcdef":
        put(tmp_path / "d", "[s]\n t = 1\n", name)
    (row,) = check(put(tmp_path, "includedir %s/d\n%s" % (tmp_path, TEXT)))
    assert (row.code, row.severity, row.path) == ("krb5-conf-unread", "note", None)
    assert "first 3 files" in row.message


def test_no_default_realm(tmp_path):
    """A warning, unless the file cannot be read anyway."""
    assert codes(check(put(tmp_path, "[realms]\n")), "warning") == {"no-default-realm"}
    assert codes(check(put(tmp_path, "[realms\n")), *ALL) == {"krb5-conf-syntax"}


@pytest.mark.parametrize(
    "text, code",
    [
        ("[libdefaults\n", "krb5-conf-syntax"),
        ("include /nowhere/x\n", "krb5-conf-include"),
        ("module /nowhere.so:x\n", "krb5-conf-module"),
        ("\n  [libdefaults]\n[libdefaults]\n default_realm = X\n", "krb5-conf-ignored"),
        (TEXT + "[realms]\n X = {\n kdc = tcp/x.test\n }\n", "krb5-conf-line"),
    ],
)
def test_each_kind(tmp_path, text, code):
    """What libkrb5 refuses, and what it takes for something else, has a code of its own."""
    (row,) = check(put(tmp_path, text))
    assert row.code == code and row.path


def test_an_error_of_libkrb5_that_nobody_knows():
    """It is said as it is."""
    profile = Profile(errors=(ConfigError("unknown", "/x", "something new"),))
    (row,) = check_profile(profile, ("/x",), None)
    assert (row.code, row.message) == ("krb5-init-failed", "something new")


@ROOT_ONLY
def test_a_file_for_root_alone(tmp_path):
    """Without a user it is an error; with users it counts whether they can read it."""
    path = put(tmp_path, TEXT)
    os.chmod(path, 0o600)
    assert codes(check(path), "error") == {"krb5-conf-unreadable"}
    (row,) = check(path, cannot_read=lambda path: ("alice", "bob"))
    assert (row.code, row.message) == ("krb5-conf-unreadable", "alice, bob cannot read it")
    assert check(path, cannot_read=lambda path: ()) == []


@ROOT_ONLY
def test_one_of_several_paths(tmp_path):
    """libkrb5 skips a path that the user cannot read, as long as another one is left."""
    first, second = put(tmp_path, TEXT, "one"), put(tmp_path, TEXT, "two")
    os.chmod(first, 0o600)

    def cannot_read(path):
        return ("alice",) if os.stat(path).st_mode == 0o100600 else ()

    assert codes(check(first, second, cannot_read=cannot_read), *ALL) == {"krb5-conf-skipped"}
    os.chmod(second, 0o600)
    assert codes(check(first, second, cannot_read=cannot_read), *ALL) == {"krb5-conf-unreadable"}
