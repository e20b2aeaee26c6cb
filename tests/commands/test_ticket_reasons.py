"""``jhpatch ticket``: why a ticket is absent, and when one that nothing renews expires."""

import os
import shutil
import subprocess

import pytest

from jhpatch.deployed.kerberos.programs import Programs
from testing.tickets import NAME, put
from testing.users import NOBODY


def foreign(path):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    os.chown(str(path), NOBODY, NOBODY)


def symlink(path):
    os.rename(str(path), str(path) + ".real")
    os.symlink(str(path) + ".real", str(path))


def directory(path):
    path.unlink()
    path.mkdir()


def fifo(path):
    path.unlink()
    os.mkfifo(str(path))


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda path: path.unlink(), "the cache does not exist"),
        (lambda path: path.write_text(""), "the cache is empty"),
        (
            lambda path: path.write_text("# x\n"),
            "the file is not a credential cache: the cache has an unknown",
        ),
        (
            lambda path: os.truncate(str(path), 100),
            "the file is not a credential cache: the cache is tr",
        ),
        (foreign, "the cache belongs to uid 65534"),
        (symlink, "the cache is a symlink, which the ticket service"),
        (directory, "the cache is not a regular file"),
        (fifo, "the cache is not a regular file"),
    ],
)
@pytest.mark.parametrize("is_servers", [False, True])
def test_why_a_ticket_is_absent(jhpatch, home, kinit, server, change, reason, is_servers):
    """Of the user's own cache, and of that of a server."""
    name = kinit("default")
    change(home / "default")
    if is_servers:
        put(home, server(), ccache=name)
    answer = jhpatch(None, "ticket")
    (row,) = answer.document["tickets"]
    assert (answer.code, row["state"], row["ccache"]) == (3, "absent", name)
    assert row["error"].startswith(reason)
    assert ("kinit cannot replace" in (row["advice"] or "")) == (change is foreign)


@pytest.mark.parametrize(
    "change, reason",
    [
        (fifo, "the cache is not a regular file"),
        (symlink, "the cache is a symlink"),
        (lambda path: path.unlink(), "the cache does not exist"),
    ],
)
def test_a_default_cache_of_krb5_conf(jhpatch, home, kdc, kinit, monkeypatch, change, reason):
    """It is named without being opened: klist would wait for a FIFO until it is killed."""
    kinit("default")
    change(home / "default")
    with open(kdc.krb5_conf) as file:
        text = file.read()
    setting = "[libdefaults]\n default_ccache_name = FILE:%s/default\n" % home
    (home / "krb5.conf").write_text(text.replace("[libdefaults]\n", setting))
    monkeypatch.setenv("KRB5_CONFIG", str(home / "krb5.conf"))
    monkeypatch.delenv("KRB5CCNAME")
    monkeypatch.setattr(Programs, "default_cache", None)
    (row,) = jhpatch(None, "ticket").document["tickets"]
    assert (row["state"], row["ccache"]) == ("absent", "FILE:%s/default" % home)
    assert row["error"].startswith(reason)


@pytest.mark.parametrize(
    "name, at, reason",
    [
        ("DIR:{home}/c", "", "the cache does not exist"),
        ("DIR:{home}/c", "primary", "the cache is not a regular file"),
        ("DIR::{home}/c/tkt", "tkt", "the cache is not a regular file"),
    ],
)
def test_a_collection_is_not_opened(jhpatch, home, monkeypatch, name, at, reason):
    """klist would make it, or wait for a FIFO in it."""
    (home / "c").mkdir()
    if at:
        os.mkfifo(str(home / "c" / at))
    monkeypatch.setenv("KRB5CCNAME", name.format(home=home))
    monkeypatch.setattr(Programs, "default_cache", None)
    (row,) = jhpatch(None, "ticket").document["tickets"]
    assert (row["state"], row["error"]) == ("absent", reason)
    assert os.listdir(str(home / "c")) == ([at] if at else [])


@pytest.mark.parametrize("prefix", ["FILE:", ""])
def test_a_cache_with_a_blank_in_its_name(jhpatch, home, kinit, monkeypatch, prefix):
    """It is read like any other."""
    monkeypatch.setenv("KRB5CCNAME", prefix + kinit("sp ace")[len("FILE:") :])
    answer = jhpatch(None, "ticket")
    (row,) = answer.document["tickets"]
    assert (answer.code, row["state"], row["ccache"]) == (0, "valid", "FILE:%s/sp ace" % home)


@pytest.fixture
def random_cache(kinit):
    """A cache as sshd and pam_krb5 make it, with a name that no other run of the tests has."""
    path = "/tmp/krb5cc_%d_jhpatch%d" % (os.geteuid(), os.getpid())
    shutil.copy(kinit("random")[len("FILE:") :], path)
    yield path
    os.unlink(path)


def test_another_cache_is_named(jhpatch, home, random_cache):
    """With its principal and its end, where KRB5CCNAME names one without a ticket."""
    (row,) = jhpatch(None, "ticket").document["tickets"]
    assert row["state"] == "absent" and "set KRB5CCNAME=FILE:/" in row["advice"]
    (other,) = [one for one in row["others"] if one["ccache"] == "FILE:" + random_cache]
    assert other["principal"] == NAME and other["end"].endswith("Z")


def test_no_other_cache_is_named_beside_a_valid_ticket(jhpatch, kinit, random_cache):
    """There is nothing to choose."""
    kinit("default")
    (row,) = jhpatch(None, "ticket").document["tickets"]
    assert (row["state"], row["others"]) == ("valid", [])


@pytest.mark.parametrize("is_servers", [False, True])
def test_a_ticket_by_password(jhpatch, home, kdc, server, monkeypatch, is_servers):
    """It cannot be renewed: its end is shown, and that there is no keytab."""
    monkeypatch.setenv("KRB5_CLIENT_KTNAME", "FILE:%s/none" % home)
    name = "erin%d%d" % (os.getpid(), is_servers)
    kdc.add_principal(name, password="secret")
    kdc._call("kadmin.local", "-q", "modprinc -maxrenewlife 0 " + name)
    argv = ["kinit", "-c", "%s/default" % home, "-l", "1h", name]
    subprocess.run(argv, input=b"secret\n", check=True, stdout=subprocess.DEVNULL)
    if is_servers:
        put(home, server(), ccache="FILE:%s/default" % home, keytab="", next=None)
    answer = jhpatch(None, "ticket")
    (row,) = answer.document["tickets"]
    assert (answer.code, row["state"], row["renew_till"]) == (0, "valid", None)
    assert row["advice"].startswith("expires at ")
    assert row["advice"].endswith("; no keytab: run kinit again before then")


def test_a_ticket_that_a_server_renews_needs_no_advice(jhpatch, home, kinit, server, keytab):
    """Its keytab is there."""
    put(home, server(), ccache=kinit("one"), keytab=keytab)
    assert jhpatch(None, "ticket").document["tickets"][0]["advice"] is None
