"""Asking KDCs and the DNS, and what their answers mean."""

import socket
import struct
import threading
import time

import pytest

from jhpatch.kerberos import as_req, dns_srv, kdc_probe
from jhpatch.kerberos.as_req import Answer
from jhpatch.kerberos.kdc_probe import Reply
from jhpatch.kerberos.krb5_conf import Profile, Server
from tests.deployed.conftest import kdc

__all__ = ["kdc"]
ONE, TWO = Server("one.example.com"), Server("two.example.com", 750)
REFUSED = Answer(1e9, 6)


def codes(*replies, limit=300):
    """The codes of errors and warnings."""
    rows = kdc_probe.judged("X", replies, limit)
    return {one.code for one in rows if one.severity != "note"}


def test_what_replies_mean():
    """One KDC that works is enough; what else is wrong with the others is a warning."""
    good = Reply(ONE, True, REFUSED, REFUSED, 0.0)
    dead = Reply(TWO, True)
    assert codes() == {"no-kdc"}
    assert codes(good) == set()
    assert codes(good, dead) == {"kdc-silent"}
    assert codes(dead, dead) == {"kdc-unreachable"}
    assert codes(good, Reply(TWO, False)) == {"kdc-name-unknown"}
    assert codes(Reply(TWO, False)) == {"kdc-name-unknown", "kdc-unreachable"}
    assert codes(good._replace(udp=None)) == {"kdc-udp-blocked"}
    assert codes(good._replace(tcp=None)) == {"kdc-tcp-blocked"}
    assert codes(good._replace(udp=Answer(1e9, 68))) == {"kdc-wrong-realm"}
    assert codes(Reply(Server("one", 88, True), True, None, REFUSED, 0.0)) == set()


@pytest.mark.parametrize(
    "skew, limit, expected",
    [
        (59, 300, set()),
        (61, 300, {"clock-drift"}),
        (-61, 300, {"clock-drift"}),
        (301, 300, {"clock-skew"}),
        (-301, 300, {"clock-skew"}),
        (31, 30, {"clock-skew"}),
    ],
)
def test_clocks(skew, limit, expected):
    """Against clockskew of krb5.conf; the message says which way."""
    reply = Reply(ONE, True, REFUSED, REFUSED, float(skew))
    assert codes(reply, limit=limit) == expected
    words = [one.message for one in kdc_probe.judged("X", (reply,), limit) if "clock-" in one.code]
    assert all(("behind" in one) == (skew > 0) for one in words)


def test_a_real_kdc_answers(kdc):
    """By UDP and TCP, with its time, within a second of ours."""
    port = kdc._port
    (reply,) = kdc_probe.asked((Server("127.0.0.1", port),), kdc.realm, 4)
    assert reply.udp and reply.tcp and reply.udp.error == 6
    assert reply.skew is not None and abs(reply.skew) < 2


@pytest.mark.parametrize("realm", ["X", "EXAMPLE.COM", "R" * 200, "\u00e4"])
def test_an_as_req_is_der(realm):
    """Lengths are right at each depth, short and long."""
    data = as_req.request(realm, 2**31 - 1)
    tag, value, rest = as_req._read(data)
    assert (tag, rest) == (0x6A, b"")
    fields = as_req._fields(as_req._read(value)[1])
    body = as_req._fields(as_req._read(fields[0xA4])[1])
    assert as_req._read(body[0xA2])[1] == realm.encode("utf-8")
    assert set(body) == {0xA0, 0xA1, 0xA2, 0xA3, 0xA5, 0xA7, 0xA8}


def test_an_answer_that_is_none():
    """Cut short at each byte, or with any other first byte, it is no answer and no exception."""
    error = as_req._tlv(0xA4, as_req._tlv(0x18, b"20260101000000Z"))
    error += as_req._tlv(0xA6, as_req._integer(6))
    whole = as_req._tlv(0x7E, as_req._tlv(0x30, error))
    assert as_req.parsed(whole) == Answer(1767225600.0, 6)
    assert {as_req.parsed(whole[:end]) for end in range(len(whole))} == {None}
    for first in set(range(256)) - {0x7E, 0x6B}:
        assert as_req.parsed(bytes([first]) + whole[1:]) is None


# the DNS


def answer_of(number, *servers, flags=0x8180):
    """A DNS answer; names are given by a pointer to the question where they can be."""
    data = struct.pack(">HHHHHH", number, flags, 1, len(servers), 0, 0)
    data += dns_srv.query("_kerberos._udp.X", 0)[12:]
    for priority, weight, port, name in servers:
        target = b"".join(bytes([len(one)]) + one.encode() for one in name.split(".") if one)
        target += b"\xc0\x1b" if name.endswith("..") else b"\0"
        record = struct.pack(">HHH", priority, weight, port) + target
        data += b"\xc0\x0c" + struct.pack(">HHIH", 33, 1, 60, len(record)) + record
    return data


def test_srv_records_by_priority():
    """The lowest priority first, then the largest weight; a dot alone is no server."""
    data = answer_of(7, (2, 0, 88, "c.X"), (1, 1, 88, "b.X"), (1, 9, 750, "a.X"), (0, 0, 0, ""))
    assert dns_srv.answers(data, 7) == (Server("a.X", 750), Server("b.X"), Server("c.X"))
    assert (
        dns_srv.answers(data, 8) is None
        and dns_srv.answers(data[:2] + b"\0\0" + data[4:], 7) is None
    )


def test_srv_answers_that_are_hostile():
    """Cut short at each byte, or with a name that leads to itself: it ends."""
    data = answer_of(7, (1, 1, 88, "a.X"))
    for end in range(len(data)):
        assert not dns_srv.answers(data[:end], 7)
    loop = struct.pack(">HHHHHH", 7, 0x8180, 0, 1, 0, 0) + b"\xc0\x0c" + b"\0" * 20
    assert not dns_srv.answers(loop, 7)


@pytest.mark.parametrize("lie", [False, True], ids=["true", "another's number"])
def test_a_name_server_is_asked(lie):
    """The first that answers counts; an answer to another question does not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))

        def serve():
            asked, sender = one.recvfrom(4096)
            number = struct.unpack(">H", asked[:2])[0] ^ lie
            one.sendto(answer_of(number, (1, 1, 88, "a.X")), sender)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        found = dns_srv.servers_of("X", ["127.0.0.1"], 2, one.getsockname()[1])
        thread.join()
    assert found == (None if lie else (Server("a.X"),))


def test_name_servers():
    """Of resolv.conf; this host where it names none."""
    assert dns_srv.name_servers("# x\nnameserver 10.0.0.1\nnameserver ::1\n") == (
        "10.0.0.1",
        "::1",
    )
    assert dns_srv.name_servers("") == ("127.0.0.1",)


def test_the_dns_is_asked_only_where_it_may_be(tmp_path):
    """Not where krb5.conf lists a KDC, nor with dns_lookup_kdc = false."""
    resolv = str(tmp_path / "resolv.conf")
    with open(resolv, "w") as file:
        file.write("nameserver 192.0.2.1\n")  # RFC 5737: nobody answers there

    for path, value, code in (
        (("libdefaults", "dns_lookup_kdc"), "false", "no-kdc"),
        (("realms", "X", "kdc"), "https://proxy/KdcProxy", "kdc-proxied"),
    ):
        begun = time.monotonic()
        rows = list(kdc_probe.look("X", Profile(((path, value),)), 3, resolv))
        assert [row.code for row in rows] == [code] and time.monotonic() - begun < 0.5
