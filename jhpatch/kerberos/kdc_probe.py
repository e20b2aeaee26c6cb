"""Whether KDCs answer, and what time they have: one harmless AS-REQ each, by UDP and TCP."""

import os
import socket
import struct
import threading
import time
from typing import Any, Callable, Iterator, List, Optional, Tuple

from jhpatch.kerberos import as_req, dns_srv, krb5_conf
from jhpatch.kerberos.as_req import Answer
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.krb5_conf import KdcAddress, Profile
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding

_MAX_KDCS = 8  # KDCs that are asked
_WRONG_REALM = 68  # RFC 4120, 7.5.9
_DRIFT = 60  # seconds from which a difference of clocks is reported


class Reply(NamedTuple):
    """What one KDC did."""

    kdc: KdcAddress
    is_resolved: bool
    """Whether its host name has an address."""
    udp: Optional[Answer] = None
    tcp: Optional[Answer] = None
    skew: Optional[float] = None
    """Its clock less ours, in seconds; None if it sent no time."""

    @property
    def error_code(self) -> Optional[int]:
        """The number of the KDC's error."""
        answer = self.udp or self.tcp
        return answer.error_code if answer else None


def probe_realm(
    realm: str, profile: Profile, seconds: float, name_servers: Callable[[], Tuple[str, ...]]
) -> Iterator[Finding]:
    """Ask the KDCs of a realm, all at once.

    ``name_servers`` is called only if krb5.conf leaves the KDCs to the DNS.
    """
    kdcs = krb5_conf.listed_kdcs(profile, realm)
    lines = profile.values("realms", realm, "kdc")
    if lines and not kdcs:
        yield finding("kdc-proxied", "realm %s: %s" % (realm, ", ".join(lines)))
        return
    if not lines and profile.is_set("dns_lookup_kdc", True):
        kdcs = dns_srv.look_up_kdcs(realm, name_servers(), seconds / 3) or ()
        seconds *= 2 / 3
    replies = query_kdcs(kdcs[:_MAX_KDCS], realm, seconds)
    yield from check_replies(realm, replies, profile.clock_skew)


def check_replies(realm: str, replies: Tuple[Reply, ...], limit: int) -> Iterator[Finding]:
    """Check the replies of a realm's KDCs; ``limit`` is clockskew, in seconds."""
    if not replies:
        yield finding("no-kdc", "no KDC is known for realm " + realm, realm=realm)
    answered = [reply for reply in replies if reply.udp or reply.tcp]
    for reply in replies:
        yield from _check_reply(realm, reply, bool(answered))
    skews = [reply.skew for reply in answered if reply.skew is not None]
    worst = max(skews, key=abs, default=0.0)
    if abs(worst) > min(_DRIFT, limit):
        code = "clock-skew" if abs(worst) > limit else "clock-drift"
        message = "the clock of this host is %d s %s the KDC's; the limit is %d s"
        side = "behind" if worst > 0 else "ahead of"
        yield finding(code, message % (abs(worst), side, limit))


def _check_reply(realm: str, reply: Reply, has_answered: bool) -> Iterator[Finding]:
    """Check one KDC; ``has_answered``: whether any KDC of the realm has."""
    host, port = reply.kdc.host, reply.kdc.port
    name = "%s port %d" % (host, port)
    if not reply.is_resolved:
        message = "no address is known for KDC " + host
        yield finding("kdc-name-unknown", message, host=host, port=port)
    if not reply.udp and not reply.tcp:
        if reply.is_resolved or not has_answered:
            code = "kdc-silent" if has_answered else "kdc-unreachable"
            message = "KDC %s of realm %s does not answer" % (name, realm)
            yield finding(code, message, host=host, port=port)
        return
    if reply.error_code == _WRONG_REALM:
        message = "KDC %s does not know realm %s" % (name, realm)
        yield finding("kdc-wrong-realm", message, realm=realm)
        return
    protocols = [
        protocol for protocol, answer in (("UDP", reply.udp), ("TCP", reply.tcp)) if answer
    ]
    skew = "" if reply.skew is None else ", its clock %+d s" % round(reply.skew)
    message = "KDC %s of %s: %s%s" % (name, realm, " and ".join(protocols), skew)
    yield finding("kdc-answers", message)
    if not reply.tcp:
        message = "KDC %s answers by UDP alone" % name
        yield finding("kdc-tcp-blocked", message, host=host, port=port)
    elif not reply.udp and not reply.kdc.is_tcp_only:
        message = "KDC %s answers by TCP alone" % name
        yield finding("kdc-udp-blocked", message, host=host, port=port)


def query_kdcs(kdcs: Tuple[KdcAddress, ...], realm: str, seconds: float) -> Tuple[Reply, ...]:
    """Return the replies, in the order of ``kdcs``, after ``seconds`` at the most."""
    replies: List[Reply] = [Reply(kdc, True) for kdc in kdcs]

    def query(index: int) -> None:
        replies[index] = _query_kdc(kdcs[index], realm, end)

    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=query, args=(index,), daemon=True) for index in range(len(kdcs))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0) + 0.2)
    return tuple(replies)


def _query_kdc(kdc: KdcAddress, realm: str, end: float) -> Reply:
    request = as_req.build_request(realm, int.from_bytes(os.urandom(4), "big") >> 2)
    try:
        addresses = socket.getaddrinfo(kdc.host, kdc.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return Reply(kdc, False)
    family, address = addresses[0][0], addresses[0][4]
    udp, udp_skew = None, None
    if not kdc.is_tcp_only:
        # Half of the time: a datagram that is dropped must leave some for TCP.
        seconds = (end - time.monotonic()) / 2
        udp, udp_skew = _exchange(family, socket.SOCK_DGRAM, address, request, seconds)
    seconds = end - time.monotonic()
    tcp, tcp_skew = _exchange(family, socket.SOCK_STREAM, address, request, seconds)
    return Reply(kdc, True, udp, tcp, tcp_skew if udp_skew is None else udp_skew)


def _exchange(
    family: int, kind: int, address: Any, request: bytes, seconds: float
) -> Tuple[Optional[Answer], Optional[float]]:
    """Send a request; return the answer, and the KDC's clock less ours."""
    try:
        with socket.socket(family, kind) as connection:
            connection.settimeout(max(seconds, 0.05))
            connection.connect(address)
            if kind == socket.SOCK_DGRAM:
                connection.send(request)
                data = connection.recv(65536)
            else:
                connection.sendall(struct.pack(">I", len(request)) + request)
                data = _receive_by_tcp(connection, time.monotonic() + seconds)
            now = time.time()
    except OSError:
        return None, None
    answer = as_req.parse_answer(data)
    if answer is None or answer.time is None:
        return answer, None
    # The KDC's time has whole seconds: a difference within one of them is no skew.
    skew = answer.time - now
    return answer, 0.0 if -1 <= skew <= 0 else skew


def _receive_by_tcp(connection: socket.socket, end: float) -> bytes:
    """Return an answer by TCP: its size comes first (RFC 4120, 7.2.2)."""
    data = b""
    while len(data) < 4 or len(data) < 4 + min(struct.unpack(">I", data[:4])[0], 65536):
        connection.settimeout(max(end - time.monotonic(), 0.01))
        more = connection.recv(65536)
        if not more:
            break
        data += more
    return data[4:]
