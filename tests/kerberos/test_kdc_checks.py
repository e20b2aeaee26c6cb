"""What a run of kinit tells about the KDCs of a realm."""

import socket

import pytest

from jhpatch.errors import NextStep
from jhpatch.kerberos import kdc_checks, kinit_trace
from jhpatch.kerberos.kinit_run import KinitRun
from jhpatch.kerberos.krb5_conf_lint import Hint
from tests.kerberos.findings_of import codes

CONTACT = "Cannot contact any KDC for realm 'X.TEST' while getting initial credentials"
ALL = ("error", "warning", "note")
UDP = (
    "Sending initial UDP request to dgram 10.0.0.%d:88",
    "Received answer (163 bytes) from dgram 10.0.0.%d:88",
)
TCP = (
    "Initiating TCP connection to stream 10.0.0.%d:88",
    "Received answer (163 bytes) from stream 10.0.0.%d:88",
)


def run(*lines, exit_code=1, message="", **fields):
    """A run with the lines of a trace."""
    text = "".join("[1] 2.3: %s\n" % line for line in lines)
    return KinitRun(exit_code, message, kinit_trace.parse(text), **fields)


NO_HINT = Hint()


def check(found, connect="", look_up="", hint=NO_HINT):
    """The findings about a run."""
    answers = (lambda host, port: connect), (lambda host: look_up)
    return list(kdc_checks.check_kdcs("X.TEST", found, *answers, hint))


def one(findings, code):
    """The only finding of a code."""
    (row,) = [row for row in findings if row.code == code]
    return row


def test_an_answer_is_quoted():
    """The note names the KDC, and the lines that show its answer and where it was found."""
    found = run(
        'SRV answer: 0 100 88 "kdc.x.test."',
        "Resolving hostname kdc.x.test",
        UDP[0] % 1,
        UDP[1] % 1,
    )
    (row,) = check(found)
    assert row.code == "kdc-answers" and row.message == (
        "KDC kdc.x.test (10.0.0.1:88) of realm X.TEST: Received answer (163 bytes) from "
        'dgram 10.0.0.1:88 (trace: SRV answer: 0 100 88 "kdc.x.test.")'
    )


def test_no_kdc_answers():
    """kinit's message, the addresses that it asked and the cause are in the error."""
    found = run(UDP[0] % 1, TCP[0] % 1, message="kinit: " + CONTACT)
    (row,) = check(found)
    assert row.code == "kdc-unreachable"
    assert "10.0.0.1 listens on port 88" in row.next.parts[0]
    (row,) = check(found, hint=Hint("; krb5.conf line 3: x", "correct line 3"))
    assert row.next == NextStep("correct line 3")
    for words in (CONTACT, UDP[0] % 1, TCP[0] % 1, "; krb5.conf line 3: x"):
        assert words in row.message


def test_a_name_without_an_address():
    """It is a reason only if this host cannot resolve it either; a firewall is not to blame."""
    found = run("Resolving hostname none.x.test", message="kinit: " + CONTACT)
    (row,) = check(found)
    assert row.code == "kdc-unreachable"
    assert "getent" in row.next.parts[0] and "firewall" not in row.next.parts[0]
    findings = check(found, look_up="Name or service not known")
    assert codes(findings, "error") == {"kdc-unreachable"}
    row = one(findings, "kdc-name-unknown")
    assert row.severity == "warning" and "Name or service not known" in row.message


def test_no_kdc_is_known():
    """The queries to the DNS are quoted."""
    message = 'kinit: Cannot find KDC for realm "X.TEST" while getting initial credentials'
    (row,) = check(run("No SRV records found", message=message))
    assert row.code == "no-kdc" and "No SRV records found" in row.message


def test_a_dns_that_does_not_answer():
    """No firewall before a KDC is to blame: none was asked."""
    found = run("Sending DNS SRV query for _kerberos._udp.X.TEST.", was_killed=True)
    (row,) = check(found)
    assert row.code == "kdc-unreachable" and "/etc/resolv.conf" in row.next.parts[0]


def test_a_line_that_libkrb5_refuses():
    """kinit's message is of no help; the hint is, and another kdc line is none."""
    text = "kinit: Invalid argument while getting initial credentials"
    found = run("Sending request (194 bytes) to X.TEST", message=text)
    (row,) = check(found, hint=Hint("; an IPv6 address needs brackets", "correct line 3"))
    assert row.code == "no-kdc" and row.next == NextStep("correct line 3")
    assert row.message.endswith(text + "; an IPv6 address needs brackets")


def test_a_kdc_that_was_asked_first():
    """It is a warning if another one answered, not if it has another address that did."""
    two = (UDP[0] % 1, "Resolving hostname two.x.test", UDP[0] % 2, UDP[1] % 2)
    findings = check(run("Resolving hostname one.x.test", *two))
    assert codes(findings) == {"kdc-silent"} and UDP[0] % 1 in findings[1].message
    assert "drops UDP to this port" in findings[1].next.parts[0]  # nc -vz would try TCP
    found = run("Resolving hostname one.x.test", UDP[0] % 1, UDP[0] % 2, UDP[1] % 2)
    assert codes(check(found)) == set()


def test_udp_without_an_answer():
    """It is a warning if TCP to the same address had one."""
    findings = check(run(UDP[0] % 1, TCP[0] % 1, TCP[1] % 1))
    assert codes(findings) == {"kdc-udp-blocked"} and UDP[0] % 1 in findings[1].message
    assert codes(check(run(TCP[0] % 1, TCP[1] % 1), connect="refused")) == set()


def test_tcp_is_tried_where_udp_has_answered():
    """A connection that fails is a warning, whatever kinit says; it is never an error."""
    findings = check(run(UDP[0] % 1, UDP[1] % 1, exit_code=0), connect="Connection refused")
    assert codes(findings) == {"kdc-tcp-blocked"}
    assert "Connection refused" in one(findings, "kdc-tcp-blocked").message
    assert codes(findings, "error") == set()


def test_a_proxy():
    """Its answer is a note; without the plugin there is an error that says so."""
    line = "https 10.0.0.1:443"
    found = run("Sending HTTPS request to " + line, "Received answer (840 bytes) from " + line)
    assert codes(check(found), *ALL) == {"kdc-proxied"}
    lines = ("Terminating TCP connection to " + line, "Error loading k5tls module: 2/x")
    findings = check(run(*lines, message="kinit: " + CONTACT))
    assert codes(findings) == {"kdc-tls-missing", "kdc-unreachable"}
    findings = check(run(*lines, UDP[0] % 1, UDP[1] % 1))
    assert codes(findings) == {"kdc-silent"} and "k5tls" in findings[1].message
    found = run(*lines, UDP[0] % 2, "Resolving hostname b", UDP[0] % 1, UDP[1] % 1)
    assert ["k5tls" in row.message for row in check(found)] == [False, True, False]


def test_a_server_of_another_realm():
    """The KDC's own error is quoted."""
    line = "Received error from KDC: -1765328316/Realm not local to KDC"
    findings = check(run(UDP[0] % 1, UDP[1] % 1, line))
    assert line in one(findings, "kdc-wrong-realm").message
    assert "kdc-wrong-realm" not in codes(check(run(UDP[0] % 1, UDP[1] % 1, line, exit_code=0)))


@pytest.mark.parametrize("lines", [(), (UDP[0] % 1,), ("Resolving hostname x",)])
def test_a_ticket_is_no_error(lines):
    """Nothing overrules a kinit that works, whatever its trace lacks."""
    findings = check(run(*lines, exit_code=0), connect="refused", look_up="unknown")
    assert codes(findings, "error") == set() and "kdc-answers" in codes(findings, "note")


def test_a_run_that_was_killed():
    """No answer until then is an error; an answer is none."""
    killed = dict(exit_code=None, was_killed=True, message="no answer within 4.0 s")
    assert codes(check(run(**killed)), *ALL) == {"kdc-unreachable"}
    assert codes(check(run(UDP[0] % 1, **killed)), *ALL) == {"kdc-unreachable"}
    assert codes(check(run(UDP[0] % 1, UDP[1] % 1, **killed)), *ALL) == {"kdc-answers"}


@pytest.mark.parametrize(
    "message, tells",
    [
        ("kinit: Client 'x@X.TEST' not found in Kerberos database while", True),
        ("kinit: " + CONTACT, True),
        ("kinit: Keytab contains no suitable keys for x@X.TEST while", False),
        ("kinit: Permission denied while initializing Kerberos 5 library", False),
        ("sh: 1: /nowhere/kinit: not found", False),
    ],
)
def test_what_tells_about_kdcs(message, tells):
    """A kinit that failed before it asked a KDC says nothing about one."""
    assert kdc_checks.shows_kdcs(run(message=message)) == tells
    assert tells or check(run(message=message)) == []


def test_a_heimdal_kinit():
    """It has no trace; its message tells."""
    found = run(message="kinit: krb5_get_init_creds: Client (x@X) unknown")
    (row,) = check(found._replace(message="Client unknown"))
    assert row.code == "kdc-answers" and "Client unknown" in row.message


def test_own_probes():
    """A port that nobody listens on and a name without an address have a reason."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert "refused" in kdc_checks.connect_by_tcp("127.0.0.1", port, 30)
        server.listen(1)
        assert kdc_checks.connect_by_tcp("127.0.0.1", port, 30) == ""
    assert kdc_checks.look_up("127.0.0.1") == ""
    assert kdc_checks.look_up("a..b")
