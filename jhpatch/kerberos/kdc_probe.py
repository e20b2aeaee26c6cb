"""Whether KDCs answer, and what time they have: one harmless AS-REQ each, UDP and TCP."""

import os
import socket
import struct
import threading
import time
from typing import Any, Iterator, List, Optional, Tuple

from jhpatch.kerberos import as_req, dns_srv, krb5_conf
from jhpatch.kerberos.as_req import Answer
from jhpatch.kerberos.findings import finding
from jhpatch.kerberos.krb5_conf import Profile, Server
from jhpatch.namedtuple import NamedTuple
from jhpatch.report.result import Finding

_MOST = 8  # KDCs that are asked
_WRONG_REALM = 68  # RFC 4120, 7.5.9
_DRIFT = 60  # seconds


class Reply(NamedTuple):
    """What one KDC did. ``skew``: its clock less ours, in seconds; None where it is not known."""

    server: Server
    resolved: bool
    udp: Optional[Answer] = None
    tcp: Optional[Answer] = None
    skew: Optional[float] = None

    @property
    def error(self) -> Optional[int]:
        """The number of the KDC's error."""
        answer = self.udp or self.tcp
        return answer.error if answer else None


def look(
    realm: str, profile: Profile, seconds: float, resolv: str = "/etc/resolv.conf"
) -> Iterator[Finding]:
    """Asks the KDCs of a realm, all at once."""
    servers = krb5_conf.servers_of(profile, realm)
    listed = profile.values("realms", realm, "kdc")
    if listed and not servers:
        yield finding("kdc-proxied", "realm %s: %s" % (realm, ", ".join(listed)))
        return
    if not listed and profile.is_set("dns_lookup_kdc", True):
        servers = _in_dns(realm, seconds / 3, resolv)
        seconds *= 2 / 3
    yield from judged(realm, asked(servers[:_MOST], realm, seconds), profile.clock_skew)


def _in_dns(realm: str, seconds: float, resolv: str) -> Tuple[Server, ...]:
    try:
        text = krb5_conf.read_capped(resolv)
    except OSError:
        text = ""
    return dns_srv.servers_of(realm, dns_srv.name_servers(text), seconds) or ()


def judged(realm: str, replies: Tuple[Reply, ...], limit: int) -> Iterator[Finding]:
    """Pure: what the replies of a realm's KDCs mean; ``limit``: clockskew, in seconds."""
    if not replies:
        yield finding("no-kdc", "no KDC is known for realm " + realm, realm=realm)
    alive = [one for one in replies if one.udp or one.tcp]
    for one in replies:
        yield from _of_one(realm, one, bool(alive))
    skews = [one.skew for one in alive if one.skew is not None]
    worst = max(skews, key=abs, default=0.0)
    if abs(worst) > min(_DRIFT, limit):
        code = "clock-skew" if abs(worst) > limit else "clock-drift"
        words = "the clock of this host is %d s %s the KDC's; the limit is %d s"
        side = "behind" if worst > 0 else "ahead of"
        yield finding(code, words % (abs(worst), side, limit))


def _of_one(realm: str, one: Reply, others: bool) -> Iterator[Finding]:
    host, port = one.server.host, one.server.port
    name = "%s port %d" % (host, port)

    def about(code: str, message: str) -> Finding:
        return finding(code, message, host=host, port=port)

    if not one.resolved:
        yield finding(
            "kdc-name-unknown", "no address is known for KDC " + host, host=host, port=port
        )
    if not one.udp and not one.tcp:
        code = "kdc-silent" if others else "kdc-unreachable"
        if one.resolved or not others:
            yield about(code, "KDC %s of realm %s does not answer" % (name, realm))
        return
    if one.error == _WRONG_REALM:
        words = "KDC %s does not know realm %s" % (name, realm)
        yield finding("kdc-wrong-realm", words, realm=realm)
        return
    ways = [way for way, answer in (("UDP", one.udp), ("TCP", one.tcp)) if answer]
    skew = "" if one.skew is None else ", its clock %+d s" % round(one.skew)
    yield finding("kdc-answers", "KDC %s of %s: %s%s" % (name, realm, " and ".join(ways), skew))
    if not one.tcp:
        yield finding(
            "kdc-tcp-blocked", "KDC %s answers by UDP alone" % name, host=host, port=port
        )
    elif not one.udp and not one.server.tcp:
        yield finding(
            "kdc-udp-blocked", "KDC %s answers by TCP alone" % name, host=host, port=port
        )


def asked(servers: Tuple[Server, ...], realm: str, seconds: float) -> Tuple[Reply, ...]:
    """The replies, in the order of ``servers``, after ``seconds`` at the most."""
    replies: List[Reply] = [Reply(one, True) for one in servers]

    def ask(at: int) -> None:
        replies[at] = _ask(servers[at], realm, end)

    end = time.monotonic() + seconds
    threads = [threading.Thread(target=ask, args=(at,), daemon=True) for at in range(len(servers))]
    for one in threads:
        one.start()
    for one in threads:
        one.join(max(end - time.monotonic(), 0) + 0.2)
    return tuple(replies)


def _ask(server: Server, realm: str, end: float) -> Reply:
    message = as_req.request(realm, int.from_bytes(os.urandom(4), "big") >> 2)
    try:
        found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return Reply(server, False)
    family, address = found[0][0], found[0][4]
    udp, skew = None, None
    if not server.tcp:
        # Half of the time: a datagram that is dropped must leave some for TCP.
        seconds = (end - time.monotonic()) / 2
        udp, skew = _answer(family, socket.SOCK_DGRAM, address, message, seconds)
    seconds = end - time.monotonic()
    tcp, other = _answer(family, socket.SOCK_STREAM, address, message, seconds)
    return Reply(server, True, udp, tcp, other if skew is None else skew)


def _answer(
    family: int, kind: int, address: Any, message: bytes, seconds: float
) -> Tuple[Optional[Answer], Optional[float]]:
    """``(what came back, the KDC's clock less ours)``."""
    try:
        with socket.socket(family, kind) as one:
            one.settimeout(max(seconds, 0.05))
            one.connect(address)
            if kind == socket.SOCK_DGRAM:
                one.send(message)
                data = one.recv(65536)
            else:
                one.sendall(struct.pack(">I", len(message)) + message)
                data = _whole(one, time.monotonic() + seconds)
            now = time.time()
    except OSError:
        return None, None
    answer = as_req.parsed(data)
    if answer is None or answer.time is None:
        return answer, None
    # Its time has whole seconds: within one of them there is no skew to speak of.
    skew = answer.time - now
    return answer, 0.0 if -1 <= skew <= 0 else skew


def _whole(one: socket.socket, end: float) -> bytes:
    """An answer by TCP: its size comes first (RFC 4120, 7.2.2)."""
    data = b""
    while len(data) < 4 or len(data) < 4 + min(struct.unpack(">I", data[:4])[0], 65536):
        one.settimeout(max(end - time.monotonic(), 0.01))
        more = one.recv(65536)
        if not more:
            break
        data += more
    return data[4:]
