"""SRV records: what is asked, and which answers count."""

import socket
import struct
import threading

import pytest

from jhpatch.kerberos import dns_srv
from jhpatch.kerberos.krb5_conf import KdcAddress


def answer_of(number, *records, flags=0x8180):
    """Return a DNS answer; a name that ends in ".." ends in a pointer to the question."""
    data = struct.pack(">HHHHHH", number, flags, 1, len(records), 0, 0)
    data += dns_srv.build_query("_kerberos._udp.X", 0)[12:]
    for priority, weight, port, name in records:
        labels = [label.encode() for label in name.split(".") if label]
        target = b"".join(bytes([len(label)]) + label for label in labels)
        target += b"\xc0\x1b" if name.endswith("..") else b"\0"
        record = struct.pack(">HHH", priority, weight, port) + target
        data += b"\xc0\x0c" + struct.pack(">HHIH", 33, 1, 60, len(record)) + record
    return data


def test_records_are_ordered():
    """The lowest priority comes first, then the largest weight; a dot alone is no KDC."""
    data = answer_of(7, (2, 0, 88, "c.X"), (1, 1, 88, "b.X"), (1, 9, 750, "a.X"), (0, 0, 0, ""))
    kdcs = (KdcAddress("a.X", 750), KdcAddress("b.X"), KdcAddress("c.X"))
    assert dns_srv.parse_answer(data, 7) == kdcs


def test_a_name_can_end_in_a_pointer():
    """Name servers compress names; what follows the pointer is read at its right place."""
    data = answer_of(7, (1, 1, 88, "a.."), (2, 1, 88, "b.X"))
    assert dns_srv.parse_answer(data, 7) == (KdcAddress("a.X"), KdcAddress("b.X"))


def test_an_answer_to_another_query():
    """Another number, or a query in place of an answer, does not count."""
    data = answer_of(7, (1, 1, 88, "a.X"))
    assert dns_srv.parse_answer(data, 8) is None
    assert dns_srv.parse_answer(data[:2] + b"\0\0" + data[4:], 7) is None


def test_a_hostile_answer():
    """Cut short at each byte, or with a name that leads to itself, it ends without a KDC."""
    data = answer_of(7, (1, 1, 88, "a.X"))
    for end in range(len(data)):
        assert not dns_srv.parse_answer(data[:end], 7)
    loop = struct.pack(">HHHHHH", 7, 0x8180, 0, 1, 0, 0) + b"\xc0\x0c" + b"\0" * 20
    assert not dns_srv.parse_answer(loop, 7)


@pytest.mark.parametrize("name", ["a..b", "x" * 64, "a." + "\u00e4" * 64])
def test_an_invalid_name_is_not_asked(name):
    """A realm of which no DNS name can be made is a ValueError, and has no KDCs."""
    with pytest.raises(ValueError):
        dns_srv.build_query(name, 0)
    assert dns_srv.look_up_kdcs(name, ["192.0.2.1"], 0.01) == ()


@pytest.mark.parametrize("is_wrong", [False, True], ids=["right", "wrong"])
def test_a_name_server_is_asked(is_wrong):
    """Its answer counts; one to another query does not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve():
            query, sender = server.recvfrom(4096)
            number = struct.unpack(">H", query[:2])[0] ^ is_wrong
            server.sendto(answer_of(number, (1, 1, 88, "a.X")), sender)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        kdcs = dns_srv.look_up_kdcs("X", ["127.0.0.1"], 5, server.getsockname()[1])
        thread.join()
    assert kdcs == (None if is_wrong else (KdcAddress("a.X"),))


def test_name_servers():
    """Those of resolv.conf count, and this host if it names none."""
    text = "# x\nnameserver 10.0.0.1\nnameserver ::1\n"
    assert dns_srv.parse_name_servers(text) == ("10.0.0.1", "::1")
    assert dns_srv.parse_name_servers("") == ("127.0.0.1",)
