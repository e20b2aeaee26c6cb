"""The cache reader: versions 3 and 4, strictly, whatever a user has put there."""

import os
import random
import struct
import subprocess

import pytest

from jhpatch.deployed import kerberos
from jhpatch.deployed.kerberos import Malformed, Ticket

REALM = "EXAMPLE.TEST"


def data(text):
    """A counted string."""
    raw = text.encode()
    return struct.pack(">I", len(raw)) + raw


def principal(name, realm=REALM):
    """A principal of version 3 and later."""
    parts = name.split("/")
    return struct.pack(">II", 1, len(parts)) + data(realm) + b"".join(map(data, parts))


def credential(client, server, start, end, auth=None, realm=REALM, server_realm=REALM, version=4):
    """A credential with one address and one piece of authorization data."""
    out = principal(client) + principal(server, server_realm)
    out += struct.pack(">H", 18) * (1 + (version == 3)) + data("a secret key")
    out += struct.pack(">IIII", start if auth is None else auth, start, end, end + 100)
    out += b"\0" + struct.pack(">I", 0)
    out += struct.pack(">IH", 1, 2) + data("addr") + struct.pack(">IH", 1, 1) + data("auth")
    return out + data("ticket") + data("")


def cache(*credentials, version=4, offset=None, owner="alice/service"):
    """A cache file."""
    head = struct.pack(">H", 0x0500 + version)
    if version == 4:
        tags = struct.pack(">HHii", 1, 8, offset, 0) if offset is not None else b""
        head += struct.pack(">H", len(tags)) + tags
    return head + principal(owner) + b"".join(credentials)


TGT = "krbtgt/" + REALM
GOOD = credential("alice/service", TGT, 1000, 2000)
EXPECTED = Ticket("alice/service@" + REALM, 1000, 2000, 2100)


@pytest.mark.parametrize("version", [3, 4])
def test_the_ticket_granting_ticket_is_found(version):
    """Its principal and its times, in both versions of the format."""
    good = credential("alice/service", TGT, 1000, 2000, version=version)
    assert kerberos.read_cache(cache(good, version=version)) == EXPECTED


def test_the_clock_offset_counts():
    """The header of version 4 says how far the KDC's clock is ahead."""
    found = kerberos.read_cache(cache(GOOD, offset=100))
    assert (found.start, found.end) == (900, 1900)
    found = kerberos.read_cache(cache(GOOD, offset=-100))
    assert (found.start, found.end) == (1100, 2100)


@pytest.mark.parametrize(
    "other",
    [
        credential("alice/service", "HTTP/host", 1000, 9000),
        credential("alice/service", "krbtgt/OTHER", 1000, 9000),
        credential("alice/service", TGT, 1000, 9000, server_realm="OTHER"),
        credential("mallory", TGT, 1000, 9000),
        credential("alice/service", "krb5_ccache_conf_data/x", 0, 0, server_realm="X-CACHECONF:"),
        credential("alice/service", TGT, 0, 0, auth=5),
    ],
)
def test_other_entries_do_not_count(other):
    """Service tickets, other realms and clients, configuration entries, removed ones."""
    assert kerberos.read_cache(cache(other)) is None
    assert kerberos.read_cache(cache(other, GOOD, other)) == EXPECTED


def test_the_latest_ticket_counts_and_start_may_be_authtime():
    """Two tickets, and one that has no start of its own."""
    later = credential("alice/service", TGT, 0, 3000, auth=1500)
    assert kerberos.read_cache(cache(GOOD, later))[1:3] == (1500, 3000)


def test_every_truncation_is_malformed_or_less():
    """Cut at each byte: an error, or what stands before the cut; never a wrong ticket."""
    whole = cache(credential("alice/service", "HTTP/x", 1, 2), GOOD)
    complete = len(cache(credential("alice/service", "HTTP/x", 1, 2)))
    head = len(cache())
    for size in range(len(whole)):
        if size in (head, complete):
            assert kerberos.read_cache(whole[:size]) is None
        else:
            with pytest.raises(Malformed):
                kerberos.read_cache(whole[:size])


def test_no_mutation_raises_anything_else():
    """5,000 caches with wrong bytes: a ticket, none, or Malformed; and quickly."""
    random.seed(2)
    whole = bytearray(cache(GOOD, GOOD, offset=7))
    for _ in range(5000):
        mutated = bytearray(whole)
        for _ in range(random.randrange(1, 6)):
            mutated[random.randrange(len(mutated))] = random.randrange(256)
        try:
            kerberos.read_cache(bytes(mutated))
        except Malformed:
            pass


@pytest.mark.parametrize(
    "text", [b"", b"\x05", b"\x05\x01", b"\x05\x02" + GOOD, b"not a cache", b"\xff" * 1000]
)
def test_what_is_no_cache_is_malformed(text):
    """Older versions and anything else."""
    with pytest.raises(Malformed):
        kerberos.read_cache(text)


def test_huge_counts_cost_nothing():
    """Four thousand million components or addresses that are not there."""
    for huge in (
        struct.pack(">HHII", 0x0504, 0, 1, 0xFFFFFFFF) + data(REALM),
        cache() + principal("a") + principal("b") + struct.pack(">HI", 1, 0xFFFFFFFF),
    ):
        with pytest.raises(Malformed):
            kerberos.read_cache(huge)


@pytest.mark.parametrize("kind", ["file", "symlink", "fifo", "folder", "absent"])
def test_only_a_plain_file_of_ones_own_is_read(tmp_path, kind):
    """A server's keeper looks at each open: a FIFO in the cache's place must not hold it."""
    path = tmp_path / "cc"
    if kind == "symlink":
        (tmp_path / "real").write_bytes(b"x")
        path.symlink_to(tmp_path / "real")
    elif kind == "fifo":
        os.mkfifo(str(path))
    elif kind == "folder":
        path.mkdir()
    elif kind == "file":
        path.write_bytes(b"x")
    seen, found = kerberos._read_own(str(path), os.geteuid())
    assert found == (b"x" if kind == "file" else b"")
    assert kerberos._read_own(str(path), os.geteuid() + 1) == (seen, b"")
    told = subprocess.run(["stat", "-c", "%i:%Z", "--", str(path)], stdout=subprocess.PIPE)
    assert seen == told.stdout.decode().strip(), "stat(1) in the child says it otherwise"
