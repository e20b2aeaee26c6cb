"""A DNS server for a network namespace: SRV and URI records of KDCs, by UDP and by TCP."""

import socket
import struct
import threading
from typing import Dict, List, Tuple

_A, _SRV, _URI = 1, 33, 256
Record = Tuple[int, bytes]


def _name(name: str) -> bytes:
    labels = [label for label in name.strip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode("ascii") for label in labels) + b"\0"


def address(text: str) -> Record:
    """Return an A record."""
    return _A, socket.inet_aton(text)


def srv(host: str, port: int = 88, priority: int = 0) -> Record:
    """Return an SRV record (RFC 2782)."""
    return _SRV, struct.pack(">HHH", priority, 100, port) + _name(host)


def uri(target: str) -> Record:
    """Return a URI record (RFC 7553), such as ``krb5srv:m:tcp:HOST``."""
    return _URI, struct.pack(">HH", 0, 100) + target.encode("ascii")


class DnsServer:
    """Answers on 127.0.0.1, port 53, from ``records``; ``with`` starts and stops it.

    ``is_truncated``: answers with SRV records are cut short by UDP, and whole by TCP.
    """

    def __init__(self, records: Dict[str, List[Record]], is_truncated: bool = False) -> None:
        self._records = {name.lower(): rows for name, rows in records.items()}
        self._is_truncated = is_truncated
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind(("127.0.0.1", 53))
        self._streams = socket.socket()
        self._streams.bind(("127.0.0.1", 53))
        self._streams.listen(8)

    def __enter__(self) -> "DnsServer":
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._datagrams.close()
        self._streams.close()

    def _answer(self, query: bytes, is_udp: bool) -> bytes:
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode("latin-1"))
            at += 1 + query[at]
        (kind,) = struct.unpack(">H", query[at + 1 : at + 3])
        name = ".".join(labels).lower()
        rows = [row for row in self._records.get(name, []) if row[0] == kind]
        flags = 0x8180 | (0 if name in self._records else 3)
        if self._is_truncated and is_udp and kind == _SRV and rows:
            rows, flags = [], flags | 0x200
        head = query[:2] + struct.pack(">HHHHH", flags, 1, len(rows), 0, 0)
        body = b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", row[0], 1, 60, len(row[1])) + row[1] for row in rows
        )
        return head + query[12 : at + 5] + body

    def _serve_udp(self) -> None:
        while True:
            try:
                query, sender = self._datagrams.recvfrom(4096)
                self._datagrams.sendto(self._answer(query, True), sender)
            except OSError:
                return

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, _ = self._streams.accept()
                with connection:
                    (size,) = struct.unpack(">H", connection.recv(2))
                    answer = self._answer(connection.recv(size), False)
                    connection.sendall(struct.pack(">H", len(answer)) + answer)
            except OSError:
                return
