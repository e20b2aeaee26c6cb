"""The KDCs that the DNS names for a realm (RFC 2782, RFC 1035): one query, by UDP."""

import os
import re
import socket
import struct
from typing import Iterable, List, Optional, Tuple

from jhpatch.kerberos.krb5_conf import Server

_SRV = 33


def name_servers(text: str) -> Tuple[str, ...]:
    """The addresses in a resolv.conf(5); without one the resolver asks this host."""
    return tuple(re.findall(r"^nameserver\s+(\S+)", text, re.M)) or ("127.0.0.1",)


def query(name: str, number: int) -> bytes:
    """A question for the SRV records of ``name``. Raises ValueError for what is no name."""
    head = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0)
    labels = [label.encode("idna") for label in name.rstrip(".").split(".")]
    if not all(0 < len(label) < 64 for label in labels):
        raise ValueError("no name: " + name)
    return head + b"".join(bytes([len(one)]) + one for one in labels) + b"\0\0\x21\0\1"


def answers(data: bytes, number: int) -> Optional[Tuple[Server, ...]]:
    """The servers of an answer, the best first; None where it is no answer to ``number``."""
    try:
        found, flags, questions, records = struct.unpack(">HHHH", data[:8])
        if found != number or not flags & 0x8000:
            return None
        at = 12
        for _ in range(questions):
            at = _name(data, at)[1] + 4
        servers: List[Tuple[int, int, Server]] = []
        for _ in range(records):
            at = _name(data, at)[1]
            kind, _, _, size = struct.unpack(">HHIH", data[at : at + 10])
            at += 10
            if kind == _SRV:
                priority, weight, port = struct.unpack(">HHH", data[at : at + 6])
                servers.append((priority, -weight, Server(_name(data, at + 6)[0], port)))
            at += size
        return tuple(server for _, _, server in sorted(servers) if server.host)
    except (IndexError, struct.error):
        return None


def _name(data: bytes, at: int) -> Tuple[str, int]:
    """``(a name, where what follows it begins)``. Pointers may be nested, not for ever."""
    labels: List[str] = []
    after = None
    for _ in range(128):
        size = data[at]
        if size & 0xC0:
            after = after or at + 2
            at = struct.unpack(">H", data[at : at + 2])[0] & 0x3FFF
        elif size:
            labels.append(data[at + 1 : at + 1 + size].decode("ascii", "backslashreplace"))
            at += 1 + size
        else:
            return ".".join(labels), after or at + 1
    raise IndexError("a name without an end")


def servers_of(
    realm: str, addresses: Iterable[str], seconds: float, port: int = 53
) -> Optional[Tuple[Server, ...]]:
    """What the first name server that answers says; None where none does."""
    number = int.from_bytes(os.urandom(2), "big")
    try:
        asked = query("_kerberos._udp." + realm, number)
    except (ValueError, UnicodeError):
        return ()
    addresses = list(addresses)[:3]
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as one:
                one.settimeout(seconds / len(addresses))
                one.connect((address, port))
                one.send(asked)
                found = answers(one.recv(4096), number)
        except OSError:
            continue
        if found is not None:
            return found
    return None
