"""The KDCs that the DNS names for a realm (RFC 2782, RFC 1035): one query, by UDP."""

import os
import re
import socket
import struct
from typing import Iterable, List, Optional, Tuple

from jhpatch.kerberos.krb5_conf import KdcAddress

_SRV = 33


def parse_name_servers(text: str) -> Tuple[str, ...]:
    """Return the addresses in a resolv.conf(5); without one the resolver asks this host."""
    return tuple(re.findall(r"^nameserver\s+(\S+)", text, re.M)) or ("127.0.0.1",)


def build_query(name: str, number: int) -> bytes:
    """Return a query for the SRV records of ``name``. Raises ValueError for an invalid name."""
    header = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0)
    labels = [label.encode("idna") for label in name.rstrip(".").split(".")]
    if not all(0 < len(label) < 64 for label in labels):
        raise ValueError("no name: " + name)
    return header + b"".join(bytes([len(label)]) + label for label in labels) + b"\0\0\x21\0\1"


def parse_answer(data: bytes, number: int) -> Optional[Tuple[KdcAddress, ...]]:
    """Return the KDCs of an answer, the best first; None if it does not answer ``number``."""
    try:
        answered, flags, questions, records = struct.unpack(">HHHH", data[:8])
        if answered != number or not flags & 0x8000:
            return None
        offset = 12
        for _ in range(questions):
            offset = _read_name(data, offset)[1] + 4
        kdcs: List[Tuple[int, int, KdcAddress]] = []
        for _ in range(records):
            offset = _read_name(data, offset)[1]
            kind, _, _, size = struct.unpack(">HHIH", data[offset : offset + 10])
            offset += 10
            if kind == _SRV:
                priority, weight, port = struct.unpack(">HHH", data[offset : offset + 6])
                host = _read_name(data, offset + 6)[0]
                kdcs.append((priority, -weight, KdcAddress(host, port)))
            offset += size
        return tuple(kdc for _, _, kdc in sorted(kdcs) if kdc.host)
    except (IndexError, struct.error):
        return None


def _read_name(data: bytes, offset: int) -> Tuple[str, int]:
    """Return a name and the offset behind it. Raises IndexError.

    Names hold pointers to other names; the number of steps is limited, as a pointer may
    lead to itself.
    """
    labels: List[str] = []
    end = None
    for _ in range(128):
        size = data[offset]
        if size & 0xC0:
            end = end or offset + 2
            offset = struct.unpack(">H", data[offset : offset + 2])[0] & 0x3FFF
        elif size:
            label = data[offset + 1 : offset + 1 + size]
            labels.append(label.decode("ascii", "backslashreplace"))
            offset += 1 + size
        else:
            return ".".join(labels), end or offset + 1
    raise IndexError("a name without an end")


def look_up_kdcs(
    realm: str, name_servers: Iterable[str], seconds: float, port: int = 53
) -> Optional[Tuple[KdcAddress, ...]]:
    """Return what the first name server that answers names; None if none answers.

    The first three name servers are asked, in ``seconds`` altogether.
    """
    number = int.from_bytes(os.urandom(2), "big")
    try:
        query = build_query("_kerberos._udp." + realm, number)
    except (ValueError, UnicodeError):
        return ()
    addresses = list(name_servers)[:3]
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as connection:
                connection.settimeout(seconds / len(addresses))
                connection.connect((address, port))
                connection.send(query)
                kdcs = parse_answer(connection.recv(4096), number)
        except OSError:
            continue
        if kdcs is not None:
            return kdcs
    return None
