"""KDCs are asked, and their replies checked."""

import socket
import threading

import pytest

from jhpatch.kerberos import kdc_probe
from jhpatch.kerberos.as_req import Answer
from jhpatch.kerberos.kdc_probe import Reply
from jhpatch.kerberos.krb5_conf import KdcAddress, Profile
from testing import ports
from tests.kerberos.findings_of import codes

ONE, TWO = KdcAddress("one.example.com"), KdcAddress("two.example.com", 750)
REFUSED = Answer(1e9, 6)
GOOD = Reply(ONE, True, REFUSED, REFUSED, 0.0)
SILENT = Reply(TWO, True)
UNKNOWN = Reply(TWO, False)


@pytest.mark.parametrize(
    "replies, expected",
    [
        ((), {"no-kdc"}),
        ((GOOD,), set()),
        ((GOOD, SILENT), {"kdc-silent"}),
        ((SILENT, SILENT), {"kdc-unreachable"}),
        ((GOOD, UNKNOWN), {"kdc-name-unknown"}),
        ((UNKNOWN,), {"kdc-name-unknown", "kdc-unreachable"}),
        ((GOOD._replace(udp=None),), {"kdc-udp-blocked"}),
        ((GOOD._replace(tcp=None),), {"kdc-tcp-blocked"}),
        ((GOOD._replace(udp=Answer(1e9, 68)),), {"kdc-wrong-realm"}),
        ((GOOD._replace(udp=None, kdc=KdcAddress("one", 88, True)),), set()),
    ],
)
def test_replies(replies, expected):
    """One KDC that works is enough; what is wrong with the others is a warning."""
    assert codes(kdc_probe.check_replies("X", replies, 300)) == expected


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
    """The limit is krb5.conf's clockskew; the message says which clock is behind."""
    reply = GOOD._replace(skew=float(skew))
    findings = list(kdc_probe.check_replies("X", (reply,), limit))
    assert codes(findings) == expected
    messages = [finding.message for finding in findings if finding.severity != "note"]
    assert all(("behind" in message) == (skew > 0) for message in messages)


def test_a_real_kdc_answers(kdc):
    """It answers by UDP and by TCP, with its time."""
    (reply,) = kdc_probe.query_kdcs((KdcAddress("127.0.0.1", kdc._port),), kdc.realm, 10)
    assert reply.udp and reply.tcp and reply.udp.error_code == 6
    assert reply.skew is not None and abs(reply.skew) < 2


def test_replies_have_the_order_of_the_kdcs():
    """A KDC whose host name is unknown and one where nobody listens each have a reply."""
    (port,) = ports.free(1)
    kdcs = (KdcAddress("kdc.invalid"), KdcAddress("127.0.0.1", port))
    replies = kdc_probe.query_kdcs(kdcs, "X", 2)
    assert replies == (Reply(kdcs[0], False), Reply(kdcs[1], True))


def test_an_answer_that_no_kdc_sent():
    """Whatever else listens on the port does not count as a KDC."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        address = KdcAddress("127.0.0.1", server.getsockname()[1], is_tcp_only=True)

        def serve():
            with server.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        (reply,) = kdc_probe.query_kdcs((address,), "X", 2)
        thread.join()
    assert reply == Reply(address, True)


@pytest.mark.parametrize(
    "path, value, code",
    [
        (("libdefaults", "dns_lookup_kdc"), "false", "no-kdc"),
        (("realms", "X", "kdc"), "https://proxy/KdcProxy", "kdc-proxied"),
        (("realms", "X", "kdc"), "kdc.invalid", "kdc-name-unknown"),
    ],
)
def test_the_dns_is_not_asked_without_need(path, value, code):
    """krb5.conf lists a KDC, or forbids the DNS."""

    def name_servers():
        raise AssertionError("the DNS was asked")

    findings = kdc_probe.probe_realm("X", Profile(((path, value),)), 3, name_servers)
    assert next(findings).code == code


def test_the_dns_is_asked_where_krb5_conf_lists_none():
    """A realm of which the DNS has no KDC either is an error."""
    asked = []

    def name_servers():
        asked.append("127.0.0.1")
        return ()

    assert codes(kdc_probe.probe_realm("X", Profile(), 3, name_servers)) == {"no-kdc"}
    assert asked
