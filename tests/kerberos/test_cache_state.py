"""Why a cache has no ticket, and which other caches a user has."""

import os
import shutil
import subprocess

import pytest

from jhpatch.deployed.kerberos.ccache import read_cache
from jhpatch.kerberos import cache_state
from jhpatch.kerberos.cache_state import describe_content, is_foreign, valid_caches, why_absent
from testing.users import NOBODY, ROOT_ONLY
from tests.deployed.tickets import shift


@pytest.fixture
def cache(kdc, keytab, tmp_path):
    """``cache(name, *options)``: a cache with a real ticket; its path."""

    def call(name="cc", *options):
        path = tmp_path / name
        argv = ["kinit", "-k", "-t", keytab, "-c", str(path), *options, "alice/service"]
        subprocess.run(argv, check=True, env=dict(os.environ, **kdc.env()))
        return path

    return call


def test_a_cache_with_a_ticket(cache):
    """There is nothing to explain."""
    path = cache()
    assert why_absent(str(path), os.geteuid()) == "" == describe_content(path.read_bytes())


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "the cache is empty"),
        (
            b"# a note\n",
            "the file is not a credential cache: the cache has an unknown version: 0x2320",
        ),
        (b"\x05\x04\x00\x0c", "the file is not a credential cache: the cache is truncated"),
        (b"x" * (1024 * 1024 + 1), "the file is larger than 1048576 bytes, the limit for a cache"),
    ],
)
def test_what_is_no_cache(tmp_path, content, reason):
    """The content is described."""
    path = tmp_path / "cc"
    path.write_bytes(content)
    assert why_absent(str(path), os.geteuid()) == reason


def test_a_cache_with_service_tickets_alone(cache, kdc, keytab):
    """kinit -S: a valid cache without a ticket-granting ticket."""
    path = cache("cc", "-S", "bob")
    assert why_absent(str(path), os.geteuid()) == "the cache has no ticket-granting ticket"


def test_what_is_no_file(tmp_path, cache):
    """A missing file, a symlink and a directory are told apart."""
    link = tmp_path / "link"
    link.symlink_to(cache())
    uid = os.geteuid()
    assert why_absent(str(tmp_path / "none"), uid) == "the cache does not exist"
    assert why_absent(str(link), uid).startswith("the cache is a symlink")
    assert why_absent(str(tmp_path), uid) == "the cache is not a regular file"
    assert why_absent(str(cache() / "x"), uid) == "the cache cannot be inspected: Not a directory"


@ROOT_ONLY
def test_a_cache_of_another_user(cache):
    """Its owner is named."""
    path = cache()
    os.chown(str(path), NOBODY, NOBODY)
    assert why_absent(str(path), 0) == "the cache belongs to uid 65534"
    assert is_foreign(str(path)) and not is_foreign("") and not is_foreign("/nowhere")


def test_a_cache_that_cannot_be_read(cache, monkeypatch):
    """Of the user's own, without the right to read it; root reads every file."""

    def refuse(path, flags):
        raise PermissionError(13, "Permission denied")

    path = cache()
    monkeypatch.setattr(cache_state.os, "open", refuse)
    assert why_absent(str(path), os.geteuid()) == "the cache cannot be read: Permission denied"


def test_other_caches_of_the_user(cache, tmp_path):
    """Those with a valid ticket, the last to expire first, by the names that logins make."""
    uid = os.geteuid()
    short, long = cache("krb5cc_%d" % uid, "-l", "1h"), cache("krb5cc_%d_aBc123" % uid)
    expired = cache("krb5cc_%d_old" % uid)
    shift(expired, read_cache(expired.read_bytes()), -1000000)
    for name in ("krb5cc_%d7" % uid, "other"):
        shutil.copy(str(long), str(tmp_path / name))
    (tmp_path / ("krb5cc_%d_garbage" % uid)).write_text("x")
    (tmp_path / ("krb5cc_%d_link" % uid)).symlink_to(long)
    rows = valid_caches(uid, "", (str(tmp_path), "/nowhere"))
    assert [name for name, _ in rows] == ["FILE:%s" % long, "FILE:%s" % short]
    assert {ticket.principal for _, ticket in rows} == {"alice/service@EXAMPLE.TEST"}
    assert valid_caches(uid, str(long), (str(tmp_path),))[0][0] == "FILE:%s" % short
    assert valid_caches(uid + 1, "", (str(tmp_path),)) == ()


def test_caches_in_the_directory_of_a_session(cache, tmp_path):
    """/run/user/UID is the user's own: every name that begins with krb5cc counts."""
    directory = tmp_path / str(os.geteuid())
    directory.mkdir()
    path = cache("%s/krb5cc" % directory.name)
    assert [name for name, _ in valid_caches(os.geteuid(), "", (str(directory),))] == [
        "FILE:%s" % path
    ]


def test_a_directory_that_others_have_filled(cache, tmp_path, monkeypatch):
    """Only so many names are inspected, and five caches named."""
    uid = os.geteuid()
    first = cache("krb5cc_%d_0" % uid)
    for number in range(1, 8):
        shutil.copy(str(first), str(tmp_path / ("krb5cc_%d_%d" % (uid, number))))
    assert len(valid_caches(uid, "", (str(tmp_path),))) == 5
    monkeypatch.setattr(cache_state, "_MOST_NAMES", 2)
    assert len(valid_caches(uid, "", (str(tmp_path),))) <= 2
