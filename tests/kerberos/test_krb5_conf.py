"""krb5.conf is what libkrb5 says it is; jhpatch's own reading is for where none can be loaded."""

import os

import pytest

from jhpatch.kerberos import krb5_conf, libkrb5
from jhpatch.kerberos.krb5_conf import Profile, read_profile
from testing.users import NOBODY, ROOT_ONLY

READERS = ("libkrb5", "model")


@pytest.fixture(params=READERS)
def reader(request, monkeypatch):
    """Both who can read: libkrb5, and jhpatch itself without it."""
    if request.param == "model":
        monkeypatch.setattr(libkrb5, "_LIBRARY", "libnone.so")
    elif not libkrb5.is_available():
        pytest.skip("no libkrb5")
    return request.param


def put(tmp_path, text, name="krb5.conf"):
    """Write a file; return its path."""
    path = tmp_path / name
    path.write_text(text)
    path.chmod(0o644)
    return str(path)


def kinds(profile):
    """The kinds of a profile's errors."""
    return [error.kind for error in profile.errors]


def test_the_first_value_counts():
    """All values of a tag are kept in their order."""
    profile = Profile(((("a", "b"), "1"), (("a", "b"), "2")))
    assert (profile.value("a", "b"), profile.values("a", "b")) == ("1", ("1", "2"))
    assert profile.value("a") is None


def test_who_has_read_it(tmp_path, reader):
    """The profile tells whether its values are libkrb5's."""
    environ = {"KRB5_CONFIG": put(tmp_path, "[libdefaults]\n default_realm = X\n")}
    profile = read_profile(environ)
    assert (profile.realm, profile.is_model) == ("X", reader == "model")
    assert profile.files == (environ["KRB5_CONFIG"],)


def test_several_files(tmp_path, reader):
    """Those that do not exist are skipped; with an error in one nothing is read at all."""
    first = put(tmp_path, "[libdefaults]\n default_realm = ONE\n", "one")
    second = put(tmp_path, "[libdefaults]\n default_realm = TWO\n", "two")
    profile = read_profile({"KRB5_CONFIG": "/nowhere:%s:%s" % (first, second)})
    assert (profile.values("libdefaults", "default_realm"), profile.errors) == (("ONE", "TWO"), ())
    put(tmp_path, "[libdefaults]\n x\n", "two")
    profile = read_profile({"KRB5_CONFIG": "/nowhere:%s:%s" % (first, second)})
    assert (profile.realm, kinds(profile)) == (None, ["syntax"])
    assert profile.errors[0].path == second and "line 2" in profile.errors[0].message
    assert kinds(read_profile({"KRB5_CONFIG": "/nowhere:/nothing"})) == ["missing"]


def test_an_empty_name_ends_the_list(tmp_path, reader):
    """Nothing is read behind it, and no file at all if it is the first."""
    path = put(tmp_path, "[libdefaults]\n default_realm = X\n")
    assert read_profile({"KRB5_CONFIG": ""}) == ((), (), (), reader == "model")
    assert read_profile({"KRB5_CONFIG": "%s::/nowhere/x" % path}).realm == "X"


def test_a_directory_and_its_subdirectories(tmp_path, reader):
    """KRB5_CONFIG may name a directory; one below it is no error."""
    put(tmp_path, "[libdefaults]\n default_realm = X\n", "a.conf")
    put(tmp_path, "[broken", "a.conf.rpmsave")
    (tmp_path / "old").mkdir()
    profile = read_profile({"KRB5_CONFIG": str(tmp_path)})
    assert (profile.realm, profile.errors) == ("X", ())
    path = put(tmp_path, "includedir %s/old\ninclude %s/old\n" % (tmp_path, tmp_path), "x.y")
    (tmp_path / "old/sub").mkdir()
    assert read_profile({"KRB5_CONFIG": path}).errors == ()


def test_more_files_than_anybody_has(tmp_path, reader):
    """A hundred included files are no error."""
    (tmp_path / "d").mkdir()
    for number in range(100):
        put(tmp_path / "d", "[s]\n t = %d\n" % number, "%03d.conf" % number)
    path = put(tmp_path, "includedir %s/d\n" % tmp_path)
    profile = read_profile({"KRB5_CONFIG": path})
    assert profile.values("s", "t") == tuple(map(str, range(100)))


@pytest.mark.parametrize("text", ["include {0}\n", "includedir {1}\n"])
def test_a_file_that_includes_itself(tmp_path, reader, text):
    """Reading ends, with an error, and libkrb5 is not asked."""
    path = str(tmp_path / "krb5.conf")
    put(tmp_path, text.format(path, str(tmp_path)) * 3)
    profile = read_profile({"KRB5_CONFIG": path})
    assert set(kinds(profile)) == {"include"} and "itself" in profile.errors[0].message


def test_a_fifo_is_not_waited_for(tmp_path, reader):
    """It is an error, and libkrb5 is not asked; a large file is for libkrb5 to read."""
    os.mkfifo(str(tmp_path / "fifo"), 0o644)
    assert kinds(read_profile({"KRB5_CONFIG": str(tmp_path / "fifo")})) == ["unreadable"]
    with open(str(tmp_path / "large"), "wb") as file:
        file.truncate(3 << 20)
    large = read_profile({"KRB5_CONFIG": str(tmp_path / "large")})
    assert kinds(large) == (["unreadable"] if reader == "model" else [])


def test_the_null_device_is_an_empty_file(tmp_path, reader):
    """As for libkrb5. All users can write it, which changes nothing that is read from it."""
    (tmp_path / "link").symlink_to("/dev/null")
    including = put(tmp_path, "include /dev/null\n[libdefaults]\n default_realm = X\n")
    for path, realm in (("/dev/null", None), (str(tmp_path / "link"), None), (including, "X")):
        profile = read_profile({"KRB5_CONFIG": path})
        assert (profile.realm, profile.errors) == (realm, ())
        assert os.path.realpath(profile.files[-1]) == "/dev/null" and profile.is_trusted


@ROOT_ONLY
def test_another_device_is_no_configuration(reader):
    """And doctor advises no change of its mode."""
    assert kinds(read_profile({"KRB5_CONFIG": "/dev/zero"})) == ["unreadable"]


@ROOT_ONLY
@pytest.mark.parametrize(
    "uid, mode, is_wrong",
    [(0, 0o644, False), (998, 0o644, False), (NOBODY, 0o644, True), (0, 0o646, True)],
)
def test_who_may_write(tmp_path, reader, uid, mode, is_wrong):
    """A service's account may, as sssd's does; a file of an ordinary user is not read by root."""
    (tmp_path / "d").mkdir()
    path = put(tmp_path / "d", "[libdefaults]\n default_realm = X\n", "x.conf")
    for name in (str(tmp_path / "d"), path):
        os.chown(name, uid, uid)
    os.chmod(path, mode)
    main = put(tmp_path, "includedir %s/d\n" % tmp_path)
    profile = read_profile({"KRB5_CONFIG": main})
    assert kinds(profile) == (["writable"] if is_wrong else [])
    assert (profile.realm, profile.is_trusted) == ((None, False) if is_wrong else ("X", True))


def test_system_accounts(tmp_path):
    """Their uids are below UID_MIN of login.defs, 1000 if it has none."""
    path = tmp_path / "login.defs"
    path.write_text("#UID_MIN 5\nSYS_UID_MIN\t\t 3\nUID_MIN\t\t\t  500\n")
    assert krb5_conf.is_system_account(499, str(path))
    assert not krb5_conf.is_system_account(500, str(path))
    assert krb5_conf.is_system_account(999, str(tmp_path / "none"))
    assert not krb5_conf.is_system_account(NOBODY, str(tmp_path / "none"))


@ROOT_ONLY
def test_what_not_everybody_can_read(tmp_path):
    """It is named: the file, or the directory that keeps others from it."""
    directory = tmp_path / "d"
    directory.mkdir()
    path = put(directory, "[libdefaults]\n")
    os.chmod(path, 0o600)
    profile = read_profile({"KRB5_CONFIG": path})
    assert list(krb5_conf.private_paths(profile)) == [(path, path)]
    os.chmod(path, 0o644)
    directory.chmod(0o700)
    assert list(krb5_conf.private_paths(profile)) == [(path, str(directory))]
