"""What a trace of kinit shows; the texts are of MIT krb5 1.20 and, where they differ, 1.15."""

import pytest

from jhpatch.kerberos import kinit_trace
from jhpatch.kerberos.kinit_trace import parse

TIME = "[123] 1795915681.448274: "


def trace(*lines):
    """The trace of lines without their times."""
    return parse("".join(TIME + line + "\n" for line in lines))


def test_a_kdc_that_answers():
    """Host, address and protocol are known, with the lines that show question and answer."""
    found = trace(
        "Getting initial credentials for alice@X.TEST",
        "Sending request (194 bytes) to X.TEST",
        "Resolving hostname kdc.x.test",
        "Sending initial UDP request to dgram 10.0.0.1:88",
        "Received answer (163 bytes) from dgram 10.0.0.1:88",
        "Response was not from primary KDC",
        "Received error from KDC: -1765328359/Additional pre-authentication required",
    )
    (contact,) = found.contacts
    assert (contact.host, contact.address, contact.protocol) == (
        *("kdc.x.test", "10.0.0.1:88", "UDP"),
    )
    assert contact.line == "Sending initial UDP request to dgram 10.0.0.1:88"
    assert contact.answer == "Received answer (163 bytes) from dgram 10.0.0.1:88"
    assert (found.realm, found.hosts, found.answers) == ("X.TEST", ("kdc.x.test",), (contact,))
    assert [code for code, _ in found.kdc_errors] == [-1765328359]


def test_hosts_and_their_addresses():
    """A second protocol comes after all names are resolved, and is the same host's."""
    found = trace(
        "Sending request (194 bytes) to X.TEST",
        "Resolving hostname one.x.test",
        "Sending initial UDP request to dgram 10.0.0.1:88",
        "Resolving hostname none.x.test",
        "Resolving hostname two.x.test",
        "Sending initial UDP request to dgram ::1:88",
        "UDP error receiving from dgram ::1:88: 111/Connection refused",
        "Initiating TCP connection to stream 10.0.0.1:88",
        "Sending TCP request to stream 10.0.0.1:88",
        "Received answer (840 bytes) from stream 10.0.0.1:88",
        "Terminating TCP connection to stream 10.0.0.1:88",
    )
    rows = [(row.host, row.protocol, bool(row.answer), bool(row.error)) for row in found.contacts]
    assert rows == [
        ("one.x.test", "UDP", False, False),
        ("two.x.test", "UDP", False, True),
        ("one.x.test", "TCP", True, False),
    ]
    assert found.unused_hosts == ("none.x.test",)


def test_the_dns():
    """Queries and answers count, but for those about the primary KDC."""
    lines = (
        "Sending DNS URI query for _kerberos.X.TEST.",
        "No URI records found",
        "Sending DNS SRV query for _kerberos._udp.X.TEST.",
        'SRV answer: 0 100 88 "kdc.x.test."',
    )
    found = trace(
        "Sending request (194 bytes) to X.TEST",
        *lines,
        "Resolving hostname kdc.x.test.",
        "Sending initial UDP request to dgram 10.0.0.1:88",
        "Received answer (163 bytes) from dgram 10.0.0.1:88",
        "Sending DNS SRV query for _kerberos-master._udp.X.TEST.",
    )
    assert found.dns == lines
    for word in ("primary", "master"):
        head = "Sending request (194 bytes) to X.TEST (%s)" % word
        assert trace(head, "Sending DNS SRV query for _kerberos-master._udp.X.TEST.").dns == ()


def test_https():
    """A proxy is a contact; a plugin that is missing has a line of its own."""
    found = trace(
        "Resolving hostname proxy.x.test",
        "Error loading k5tls module: -1750600190/Could not find tls plugin module named 'k5tls'",
        "Terminating TCP connection to https 10.0.0.1:443",
    )
    (contact,) = found.contacts
    assert (contact.protocol, contact.answer) == ("HTTPS", "") and "k5tls" in found.tls_errors[0]
    lines = (
        "TLS certificate error at 0 (/CN=proxy.x.test): 18 (self-signed certificate)",
        'TLS certificate name mismatch: server certificate is not for "proxy.x.test"',
        "TLS error: error:0A000086:SSL routines::certificate verify failed",
    )
    assert trace(*lines).tls_errors == lines
    for kind in ("https", "stream"):  # of krb5 1.20, of 1.15
        found = trace(
            "Initiating TCP connection to %s 10.0.0.1:443" % kind,
            "Sending HTTPS request to %s 10.0.0.1:443" % kind,
            "Received answer (840 bytes) from %s 10.0.0.1:443" % kind,
        )
        assert [contact.protocol for contact in found.answers] == ["HTTPS"]


@pytest.mark.parametrize(
    "text", ["", "kinit: x\n", "Sending initial UDP request to dgram 1.1.1.1:88\n", "[1] x"]
)
def test_what_is_no_trace(text):
    """Nothing is read from a line without a time, such as kinit's own messages."""
    assert parse(text) == kinit_trace.Trace()


@pytest.mark.parametrize(
    "address, expected",
    [
        ("10.0.0.1:88", ("10.0.0.1", 88)),
        ("::1:88", ("::1", 88)),
        ("[::1]:750", ("::1", 750)),
        ("/run/kdc.sock", None),
    ],
)
def test_host_and_port(address, expected):
    """An address has its port behind the last colon; IPv6 may have brackets."""
    contact = kinit_trace.Contact("", address, "TCP", "")
    assert kinit_trace.host_and_port(contact) == expected
