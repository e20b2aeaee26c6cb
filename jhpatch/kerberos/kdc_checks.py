"""Whether the KDCs of a realm answer: what kinit reports, with lines of its trace."""

import contextlib
import socket
from typing import Callable, Iterator, List, Tuple

from jhpatch.kerberos import kinit_messages, kinit_trace
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.kinit_run import KinitRun
from jhpatch.kerberos.kinit_trace import Contact, Trace
from jhpatch.kerberos.krb5_conf_lint import Hint
from jhpatch.report.result import Finding

_WRONG_REALM = -1765328316  # KRB5KDC_ERR_WRONG_REALM of krb5_err.et
_MAX_LINES = 6  # of a trace that a finding quotes
_ANSWERS = (  # codes of messages that only a KDC's answer can cause
    *("kinit-client-unknown", "kinit-client-locked", "kinit-key-wrong"),
)

_SILENT_DNS = Hint(
    "; kinit waited for DNS, and contacted no KDC",
    "check whether the name servers in /etc/resolv.conf answer",
)

_NO_ADDRESS = Hint(
    "; kinit found no address of these names, and contacted no KDC",
    "check with getent hosts NAME whether this host resolves these names; correct the DNS "
    "records, or the kdc lines in krb5.conf",
)

Connect = Callable[[str, int], str]
"""Connects to a host and a port; returns what went wrong, or an empty string."""
LookUp = Callable[[str], str]
"""Resolves a host name; returns what went wrong, or an empty string."""


def shows_kdcs(run: KinitRun) -> bool:
    """Return whether a run of kinit shows if the realm has KDCs that answer."""
    if run.trace.contacts or run.trace.hosts or run.has_ticket or run.was_killed:
        return True
    code = kinit_messages.classify(run.message)
    return code in _ANSWERS or code == "kinit-no-kdc" or _is_refused(run)


def check_kdcs(
    realm: str, run: KinitRun, connect: Connect, look_up: LookUp, hint: Hint
) -> Iterator[Finding]:
    """Check the KDCs of a realm by one run of kinit.

    ``connect`` tries TCP if a KDC has answered only over UDP. ``look_up`` resolves a name after
    which kinit asked no address. Their failures are warnings; only a failure of kinit is an
    error, which ``hint`` explains.
    """
    trace = run.trace
    if trace.answers or run.has_ticket or kinit_messages.classify(run.message) in _ANSWERS:
        yield from _check_answers(realm, run, connect)
    elif trace.contacts or trace.hosts or run.was_killed:
        yield from _check_unreachable(realm, run, hint)
    elif kinit_messages.classify(run.message) == "kinit-no-kdc" or _is_refused(run):
        message = "realm %s: %s" % (realm, _quoted(run.message, trace.dns))
        yield hint.explain(finding("no-kdc", message, realm=realm))
    for host in trace.unused_hosts:
        reason = look_up(host)
        if reason:
            message = "the name of KDC %s does not resolve: %s (trace: Resolving hostname %s)" % (
                host,
                reason,
                host,
            )
            yield finding("kdc-name-unknown", message, host=host)


def _is_refused(run: KinitRun) -> bool:
    """Return whether libkrb5 refuses the list of KDCs (EINVAL in locate_kdc.c)."""
    return "Invalid argument" in run.message and bool(run.trace.realm)


def _check_answers(realm: str, run: KinitRun, connect: Connect) -> Iterator[Finding]:
    trace = run.trace
    if not trace.answers:
        shown = run.message or "kinit obtained a ticket"
        yield finding("kdc-answers", "a KDC of realm %s answers: %s" % (realm, shown))
        return
    lines = [line for code, line in trace.kdc_errors if code == _WRONG_REALM]
    if lines and not run.has_ticket:
        message = "KDC %s does not serve realm %s: %s"
        message %= (_name(trace.answers[0]), realm, lines[0])
        yield finding("kdc-wrong-realm", message, realm=realm)
    for contact in trace.answers:
        code = "kdc-proxied" if contact.protocol == "HTTPS" else "kdc-answers"
        located = tuple(line for line in trace.dns if " answer: " in line)
        shown = _quoted(contact.answer, located)
        yield finding(code, "KDC %s of realm %s: %s" % (_name(contact), realm, shown))
    for contact in _silent(trace):
        message = "KDC %s of realm %s did not answer: %s"
        reasons = trace.tls_errors if contact.protocol == "HTTPS" else ()
        shown = _quoted(contact.error or contact.line, reasons)
        host, port = _host_and_port(contact)
        protocol = "TCP" if contact.protocol == "HTTPS" else contact.protocol
        message %= (_name(contact), realm, shown)
        yield finding("kdc-silent", message, host=host, port=port, protocol=protocol)
    yield from _check_protocols(trace, connect)


def _silent(trace: Trace) -> List[Contact]:
    """Return a contact of each KDC that kinit asked before another one answered."""
    answered = {_identity(contact) for contact in trace.answers}
    silent: List[Contact] = []
    for contact in trace.contacts:
        if contact.answer:
            break
        if _identity(contact) not in answered | {_identity(other) for other in silent}:
            silent.append(contact)
    return silent


def _check_protocols(trace: Trace, connect: Connect) -> Iterator[Finding]:
    """Check for each KDC that answered whether UDP and TCP both work."""
    for contact in trace.answers:
        host, port = _host_and_port(contact)
        others = [other for other in trace.contacts if other.address == contact.address]
        by_udp = [other for other in others if other.protocol == "UDP"]
        by_tcp = [other for other in others if other.protocol == "TCP"]
        if contact.protocol == "TCP" and by_udp and not by_udp[0].answer:
            message = "KDC %s answered over TCP, but not over UDP: %s"
            message %= (_name(contact), by_udp[0].error or by_udp[0].line)
            yield finding("kdc-udp-blocked", message, host=host, port=port)
        elif contact.protocol == "UDP" and not any(other.answer for other in by_tcp):
            reason = connect(host, port)
            if reason:
                message = "KDC %s answered kinit over UDP, but a connection over TCP failed: %s"
                message %= (_name(contact), reason)
                yield finding("kdc-tcp-blocked", message, host=host, port=port)


def _check_unreachable(realm: str, run: KinitRun, hint: Hint) -> Iterator[Finding]:
    trace = run.trace
    lines = tuple(contact.error or contact.line for contact in trace.contacts)
    lines += tuple("Resolving hostname " + host for host in trace.unused_hosts)
    host, port = trace.hosts[0] if trace.hosts else realm.lower(), 88
    if trace.dns and not trace.contacts and not trace.hosts:
        hint = hint if hint.text else _SILENT_DNS
    elif trace.hosts and not trace.contacts:
        hint = hint if hint.text else _NO_ADDRESS
    if trace.contacts:
        host, port = _host_and_port(trace.contacts[0])
    if any("k5tls" in line for line in trace.tls_errors):
        message = "realm %s: %s" % (realm, _quoted(run.message, trace.tls_errors[:1]))
        yield finding("kdc-tls-missing", message)
    shown = _quoted(run.message, trace.dns + lines + trace.tls_errors)
    message = "no KDC of realm %s answers: %s" % (realm, shown)
    yield hint.explain(finding("kdc-unreachable", message, host=host, port=port))


def quote(run: KinitRun) -> str:
    """Return kinit's message, with the lines of its trace that are about KDCs."""
    trace = run.trace
    lines = [trace.dns, tuple(contact.error or contact.line for contact in trace.contacts)]
    lines.append(tuple("Resolving hostname " + host for host in trace.unused_hosts))
    lines.append(trace.tls_errors)
    return _quoted(run.message, tuple(line for group in lines for line in group))


def _quoted(message: str, lines: Tuple[str, ...]) -> str:
    """Return a message, followed by lines of a trace."""
    shown = "; ".join(lines[:_MAX_LINES]) + ("; ..." if len(lines) > _MAX_LINES else "")
    return "%s (trace: %s)" % (message, shown) if shown else message


def _identity(contact: Contact) -> Tuple[str, int]:
    """Return the name of a KDC, which can have several addresses, and its port."""
    host, port = _host_and_port(contact)
    return contact.host or host, port


def _name(contact: Contact) -> str:
    is_same = contact.address.startswith(contact.host)
    return contact.address if is_same else "%s (%s)" % (contact.host, contact.address)


def _host_and_port(contact: Contact) -> Tuple[str, int]:
    return kinit_trace.host_and_port(contact) or (contact.address, 88)


def connect_by_tcp(host: str, port: int, seconds: float) -> str:
    """Connect to a port; return what went wrong, or an empty string."""
    try:
        with contextlib.closing(socket.create_connection((host, port), seconds)):
            return ""
    except OSError as error:
        return error.strerror or "no answer within %.1f s" % seconds


def look_up(host: str) -> str:
    """Resolve a host name; return what went wrong, or an empty string."""
    try:
        socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError:
        return "the name is not valid"
    except OSError as error:
        return error.strerror or str(error)
    return ""
