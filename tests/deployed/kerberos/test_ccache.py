"""The cache reader: versions 1 to 4, strictly, whatever a user has put there; klist's text."""

import os
import random
import struct
import subprocess

import pytest

from jhpatch.deployed.kerberos import ccache
from jhpatch.deployed.kerberos.ccache import Malformed, Ticket, read_cache, read_klist, with_asked
from tests.deployed.tickets import with_defaults

REALM = "EXAMPLE.TEST"


def data(text):
    """A counted string."""
    raw = text if isinstance(text, bytes) else text.encode()
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
    """Its principal and its times, in both big-endian versions of the format."""
    good = credential("alice/service", TGT, 1000, 2000, version=version)
    assert read_cache(cache(good, version=version)) == EXPECTED


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_each_version_of_the_format_is_read(kdc, tmp_path, version):
    """krb5.conf's ccache_type: the KDC's ticket, as klist(1) shows it."""
    environ = with_defaults(kdc, tmp_path / "krb5.conf", " ccache_type = %d" % version)
    environment = dict(environ, PATH=os.defpath, LC_ALL="C", TZ="UTC")
    name = "FILE:%s" % (tmp_path / "cc")
    argv = ["kinit", "-k", "-t", os.path.join(kdc.folder, "bob.keytab"), "-r", "7d", "-c", name]
    subprocess.run([*argv, "bob"], env=environment, check=True)
    text = (tmp_path / "cc").read_bytes()
    assert text[:2] == bytes([5, version])
    listed = subprocess.run(["klist", "-c", name], env=environment, stdout=subprocess.PIPE)
    ticket = read_cache(text)
    assert ticket == read_klist(listed.stdout.decode())
    assert ticket.principal.startswith("bob@") and ticket.renew_till > ticket.end
    assert read_cache(with_asked(text, "other")).asked == ("other" if version == 4 else "")


def test_the_clock_offset_counts():
    """The header of version 4 says how far the KDC's clock is ahead."""
    for offset, expected in ((100, (900, 1900, 2000)), (-100, (1100, 2100, 2200))):
        assert read_cache(cache(GOOD, offset=offset))[1:4] == expected


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
    assert read_cache(cache(other)) is None
    assert read_cache(cache(other, GOOD, other)) == EXPECTED


def test_the_latest_ticket_counts_and_start_may_be_authtime():
    """Of two tickets, the one that ends later; one without a start began at authentication."""
    later = credential("alice/service", TGT, 0, 3000, auth=1500)
    assert read_cache(cache(GOOD, later))[1:3] == (1500, 3000)


def test_every_truncation_is_malformed_or_less():
    """Cut at each byte: an error, or what stands before the cut; never a wrong ticket."""
    whole = cache(credential("alice/service", "HTTP/x", 1, 2), GOOD)
    complete = len(cache(credential("alice/service", "HTTP/x", 1, 2)))
    for size in range(len(whole)):
        if size in (len(cache()), complete):
            assert read_cache(whole[:size]) is None
        else:
            with pytest.raises(Malformed):
                read_cache(whole[:size])


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_no_mutation_raises_anything_else(version):
    """2,000 caches with wrong bytes: a ticket, none, or Malformed."""
    generator = random.Random(version)
    whole = bytearray(with_asked(cache(GOOD, GOOD, offset=7), "asked"))
    whole[1] = version
    for _ in range(2000):
        mutated = bytearray(whole)
        for _ in range(generator.randrange(1, 6)):
            mutated[generator.randrange(2, len(mutated))] = generator.randrange(256)
        for read in (read_cache, lambda text: with_asked(text, "a")):
            try:
                read(bytes(mutated))
            except Malformed:
                pass


@pytest.mark.parametrize(
    "text",
    [b"", b"\x05", b"\x05\x00", b"\x05\x01", b"\x05\x05" + GOOD, b"no cache", b"\xff" * 1000],
)
def test_what_is_no_cache_is_malformed(text):
    """Other versions and anything else."""
    with pytest.raises(Malformed):
        read_cache(text)


def test_a_principal_without_its_realm():
    """Version 1 counts the realm as a component: a count of 0 is wrong, 1 is the realm alone."""
    head, realm = struct.pack(">H", 0x0501), struct.pack("=I", len(REALM)) + REALM.encode()
    assert read_cache(head + struct.pack("=I", 1) + realm) is None
    with pytest.raises(Malformed):
        read_cache(head + struct.pack("=I", 0) + realm)


def test_huge_counts_cost_nothing():
    """Four thousand million components or addresses that are not there."""
    for huge in (
        struct.pack(">HHII", 0x0504, 0, 1, 0xFFFFFFFF) + data(REALM),
        cache() + principal("a") + principal("b") + struct.pack(">HI", 1, 0xFFFFFFFF),
    ):
        with pytest.raises(Malformed):
            read_cache(huge)


def crafted(kind):
    """A cache of nearly 1 MiB with as many pieces of a kind as fit."""
    name = struct.pack(">II", 1, 64) + data(REALM) + data("") * 64
    name = name if kind == "components" else principal("a")
    count = {"addresses": 4000}.get(kind, 0)
    address = struct.pack(">HI", 1, 0)
    entry = name * 2 + bytes(2) + data("") + bytes(16 + 5)
    entry += 2 * (struct.pack(">I", count) + address * count) + data("") * 2
    return cache() + entry * (ccache.SIZE_CAP // len(entry) - 1), entry


@pytest.mark.parametrize("kind", ["entries", "addresses", "components"])
def test_a_crafted_cache_is_given_up_early(kind, monkeypatch):
    """Each field costs the interpreter's lock: of a million, 65,536 are read, whichever."""
    text, entry = crafted(kind)
    takes, take = [], ccache._Reader.take

    def counted(self, size):
        takes.append(size)
        return take(self, size)

    monkeypatch.setattr(ccache._Reader, "take", counted)
    with pytest.raises(Malformed):
        read_cache(text)
    assert len(takes) <= 65537
    assert read_cache(cache() + entry * 2) is None


def test_a_few_hundred_service_tickets_are_read():
    """What a user of a large cluster has in a cache."""
    others = [credential("alice/service", "HTTP/host%d" % n, 1000, 9000) for n in range(1000)]
    assert read_cache(cache(*others, GOOD)) == EXPECTED


# The principal that was asked for.


def test_what_was_asked_is_remembered_beside_what_came():
    """The last entry counts; the ticket and the rest of the cache stay as they were."""
    text = with_asked(cache(GOOD, offset=3), "ALICE@EXAMPLE.TEST")
    assert text.startswith(cache(GOOD, offset=3))
    ticket = read_cache(text)
    assert ticket.asked == "ALICE@EXAMPLE.TEST" and ticket.principal == EXPECTED.principal
    assert read_cache(with_asked(text, "other")).asked == "other"
    assert read_cache(with_asked(cache(), "x")) is None


def test_a_principal_that_is_no_utf8_is_copied_byte_for_byte():
    """A directory's old names; libkrb5 finds the entry by the same client."""
    owner = struct.pack(">II", 1, 1) + data(REALM) + data(b"al\xeece")
    text = struct.pack(">HH", 0x0504, 0) + owner
    assert with_asked(text, "a\udcee")[len(text) :].startswith(owner)
    assert b"a\xee" in with_asked(text, "a\udcee")


# klist's text.

KLIST = """Ticket cache: KCM:1000
Default principal: alice@EXAMPLE.TEST

Valid starting     Expires            Service principal
11/26/26 04:37:44  11/26/26 14:37:44  krbtgt/EXAMPLE.TEST@EXAMPLE.TEST
\trenew until 12/03/26 04:37:44
11/26/26 04:38:44  11/26/26 15:37:44  HTTP/web.example.test@EXAMPLE.TEST
11/26/26 04:39:44  11/26/26 13:37:44  krbtgt/OTHER.TEST@EXAMPLE.TEST
"""


def test_klist_is_read():
    """The TGT of the own realm, in UTC, with two or four digits of the year."""
    start = 1795667864
    expected = ("alice@EXAMPLE.TEST", start, start + 36000, start + 7 * 86400, "")
    assert tuple(read_klist(KLIST)) == expected
    assert tuple(read_klist(KLIST.replace("/26 ", "/2026 "))) == expected
    assert read_klist(KLIST.replace("\trenew until 12/03/26 04:37:44\n", ""))[3] == 0
    other = KLIST.replace("\trenew", "\tfor client alice@EXAMPLE.TEST, renew")
    assert tuple(read_klist(other)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "klist: No credentials cache found",
        KLIST.replace("krbtgt", "host"),
        "\n" * 9,
        KLIST[70:],
    ],
)
def test_no_ticket_in_klists_text_is_none(text):
    """An error, other tickets, a text that has lost its beginning."""
    assert read_klist(text) is None


HOSTILE = ["(", "1x 1x  1x 1x  krbtgt/" + "@" * 99, "Ticket cache: ", "'", "\n", " ", "\t", "@"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_klist_text_is_read_up_to_a_cap(piece):
    """A user can write into klist's pipe; a pattern that tries each place stops the hub."""
    text = "Default principal: a@R\n" + piece * (2 * 1024 * 1024 // len(piece))
    assert read_klist(text) is None
    for text in (piece * 1000000, "klist: " + piece * 1000000):
        with pytest.raises(ccache.Problem):
            ccache.default_cache_of(text, 7)
