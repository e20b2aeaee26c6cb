"""Stands in front of a KDC on loopback: passes on, delays or swallows, and counts."""

import collections
import contextlib
import socket
import socketserver
import struct
import threading
import time
from typing import Any, Counter, Dict, Iterable, Optional, Tuple

_AS_REQ = 0x6A  # the first byte: application tag 10, constructed (RFC 4120, 5.4.1)
_GENERAL_STRING = 0x1B  # the tag of each component of a principal


class Relay:
    """A KDC's UDP and TCP port; ``delay`` (seconds) may change while it serves.

    Each answer is held back for ``delay``; with None there is none. ``requests`` counts
    the AS-REQ for each of ``users``, the first component of the client's principal.
    """

    def __init__(self, kdc: Tuple[str, int], users: Iterable[str]) -> None:
        self.kdc = kdc
        self.delay: Optional[float] = 0.0
        self.requests: Counter[str] = collections.Counter()
        self._lock = threading.Lock()
        self._users: Dict[bytes, str] = {}
        for name in users:
            self._users[bytes([_GENERAL_STRING, len(name)]) + name.encode()] = name
        tcp = _Tcp(("127.0.0.1", 0), _TcpHandler)
        self.port = int(tcp.server_address[1])
        for server in (tcp, _Udp(("127.0.0.1", self.port), _UdpHandler)):
            server.relay = self
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def saw(self, message: bytes) -> None:
        """Counts an AS-REQ, sent again or not."""
        if message[:1] == bytes([_AS_REQ]):
            with self._lock:
                self.requests.update(name for text, name in self._users.items() if text in message)


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128
    relay: Any


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    relay: Any


class _UdpHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        message, answers = self.request
        relay = self.server.relay
        relay.saw(message)
        if relay.delay is None:
            return
        time.sleep(relay.delay)
        with contextlib.suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as upstream:
            upstream.settimeout(10)
            upstream.connect(relay.kdc)
            upstream.send(message)
            answers.sendto(upstream.recv(65536), self.client_address)


class _TcpHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        relay = self.server.relay
        with contextlib.suppress(OSError):
            message = _framed(self.request)
            relay.saw(message[4:])
            if relay.delay is None:
                self.request.recv(1)  # until the client gives up
                return
            time.sleep(relay.delay)
            with socket.create_connection(relay.kdc, 10) as upstream:
                upstream.sendall(message)
                self.request.sendall(_framed(upstream))


def _framed(stream: socket.socket) -> bytes:
    """A message with its length ahead of it (RFC 4120, 7.2.2). Raises OSError."""
    head = _exactly(stream, 4)
    return head + _exactly(stream, struct.unpack(">I", head)[0])


def _exactly(stream: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = stream.recv(size - len(data))
        if not more:
            raise OSError("the other side has closed")
        data += more
    return data
