"""Certificates and keys: whether they belong together, or whether that cannot be told."""

import os
import shutil
import subprocess

import pytest

from jhpatch.nginx import certificates
from jhpatch.nginx.directives import Directive
from jhpatch.nginx.servers import servers_of


def pair(certificate, key):
    """Both as directives."""
    names = ("ssl_certificate", "ssl_certificate_key")
    rows = zip(names, (certificate, key))
    return tuple(Directive(name, (str(path),), "x.conf", 1) for name, path in rows)


@pytest.fixture
def tls(certificates, tmp_path):
    """Copies in a directory that only this user can write."""
    for name in os.listdir(certificates):
        shutil.copy(os.path.join(certificates, name), str(tmp_path / name))
    return tmp_path


def verdicts(*pairs):
    """The messages about them."""
    return [message for _, message in certificates.mismatches(pairs, "/etc/nginx")]


def test_they_are_compared(tls):
    """A key of another certificate is named."""
    right = pair(tls / "hub.pem", tls / "hub.key")
    wrong = pair(tls / "hub.pem", tls / "notebooks.key")
    assert verdicts(right) == []
    assert verdicts(right, wrong) == [
        "%s is not the key of %s" % (tls / "notebooks.key", tls / "hub.pem")
    ]


@pytest.mark.parametrize(
    "kind", ["missing", "garbage", "fifo", "passphrase", "large", "variable", "rsa"]
)
def test_what_cannot_be_compared(tls, kind):
    """Is not known: nothing waits, and nobody is asked for a passphrase."""
    key = tls / "hub.key"
    if kind == "garbage":
        key.write_text("no key")
    elif kind == "large":
        key.write_bytes(b"#" * (2 << 20))
    elif kind == "passphrase":
        argv = "openssl ec -aes128 -passout pass:secret -in".split()
        subprocess.run([*argv, str(key), "-out", str(key) + "2"], check=True)
        key = tls / "hub.key2"
    elif kind == "rsa":  # nginx starts with it
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True)
    elif kind in ("missing", "fifo"):
        key.unlink()
    if kind == "fifo":
        os.mkfifo(str(key))
    elif kind == "variable":
        key = "/etc/ssl/$ssl_server_name.key"
    with pytest.raises(ValueError):
        verdicts(pair(tls / "hub.pem", key))


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone becomes somebody else")
def test_root_reads_as_the_user_who_can_write(tls):
    """Of a key that a user can replace by a link, no more is told than they can read."""
    secret = tls / "secret.key"
    shutil.copy(str(tls / "notebooks.key"), str(secret))
    secret.chmod(0o600)
    theirs = tls / "theirs"
    theirs.mkdir()
    os.chown(str(theirs), 4321, 4321)
    os.symlink(str(secret), str(theirs / "hub.key"))
    with pytest.raises(ValueError):
        verdicts(pair(tls / "hub.pem", theirs / "hub.key"))


def test_the_pairs_of_servers():
    """Each once, those of the http block too; RSA and ECDSA side by side."""
    first, second = pair("/a", "/a.key"), pair("/b", "/b.key")
    server = Directive("server", (), "x.conf", 1, ())
    both = server._replace(block=(first[0], second[0], first[1], second[1]))
    assert certificates.pairs_of(servers_of((*first, server, server))) == [first]
    assert certificates.pairs_of(servers_of((both, server))) == [first, second]
