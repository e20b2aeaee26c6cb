"""An AS-REQ without a secret, and what a KDC answers to it (RFC 4120, in DER).

Any answer shows that the KDC works, and a KRB-ERROR tells its time.
"""

import calendar
import re
from typing import Dict, Optional, Tuple

from jhpatch.namedtuple import NamedTuple

CLIENT = "jhpatch-doctor"
"""A principal that no realm has: the KDC's log names who asked, and nobody is locked out."""
_AS_REP, _KRB_ERROR = 0x6B, 0x7E
_ENCTYPES = (18, 17, 20, 19, 23)


class Answer(NamedTuple):
    """Of a KDC: its time (seconds since the epoch; None in an AS-REP) and its error's number."""

    time: Optional[float]
    error: Optional[int]


def _tlv(tag: int, value: bytes) -> bytes:
    size = len(value)
    if size < 0x80:
        return bytes([tag, size]) + value
    raw = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(raw)]) + raw + value


def _integer(number: int) -> bytes:
    return _tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _string(text: str) -> bytes:
    return _tlv(0x1B, text.encode("utf-8"))


def _name(kind: int, *parts: str) -> bytes:
    names = b"".join(_string(part) for part in parts)
    return _tlv(0x30, _tlv(0xA0, _integer(kind)) + _tlv(0xA1, _tlv(0x30, names)))


def request(realm: str, nonce: int) -> bytes:
    """An AS-REQ of ``CLIENT`` for the realm's TGS."""
    body = (
        _tlv(0xA0, _tlv(3, b"\0" + bytes(4)))
        + _tlv(0xA1, _name(1, CLIENT))
        + _tlv(0xA2, _string(realm))
        + _tlv(0xA3, _name(2, "krbtgt", realm))
        + _tlv(0xA5, _tlv(0x18, b"20370913024805Z"))
        + _tlv(0xA7, _integer(nonce))
        + _tlv(0xA8, _tlv(0x30, b"".join(_integer(one) for one in _ENCTYPES)))
    )
    fields = _tlv(0xA1, _integer(5)) + _tlv(0xA2, _integer(10)) + _tlv(0xA4, _tlv(0x30, body))
    return _tlv(0x6A, _tlv(0x30, fields))


def parsed(data: bytes) -> Optional[Answer]:
    """The answer in ``data``; None where it is none of a KDC."""
    try:
        tag, value, _ = _read(data)
        if tag == _AS_REP:
            return Answer(None, None)
        if tag != _KRB_ERROR:
            return None
        fields = _fields(_read(value)[1])
        number = _read(fields[0xA6])[1]
        return Answer(_seconds(_read(fields[0xA4])[1]), int.from_bytes(number, "big"))
    except (IndexError, KeyError, ValueError):
        return None


def _read(data: bytes) -> Tuple[int, bytes, bytes]:
    """``(tag, value, what follows)``. Raises IndexError, ValueError."""
    size, at = data[1], 2
    if size & 0x80:
        at += size & 0x7F
        size = int.from_bytes(data[2:at], "big")
    if at + size > len(data):
        raise ValueError("cut short")
    return data[0], data[at : at + size], data[at + size :]


def _fields(data: bytes) -> Dict[int, bytes]:
    found: Dict[int, bytes] = {}
    while data:
        tag, value, data = _read(data)
        found[tag] = value
    return found


def _seconds(raw: bytes) -> float:
    match = re.match(rb"^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$", raw)
    if not match:
        raise ValueError("no KerberosTime")
    return float(calendar.timegm(tuple(int(part) for part in match.groups()) + (0, 0, 0)))
