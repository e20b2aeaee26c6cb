"""An AS-REQ without a secret, and a KDC's answer to it (RFC 4120, in DER).

Any answer shows that the KDC works, and a KRB-ERROR carries the KDC's time.
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
    """What a KDC answered."""

    time: Optional[float]
    """The KDC's time in seconds since the epoch; None in an AS-REP."""
    error_code: Optional[int]
    """The number of the KDC's error (RFC 4120, 7.5.9); None in an AS-REP."""


def _element(tag: int, value: bytes) -> bytes:
    """Return a DER element: its tag, its length and its value."""
    size = len(value)
    if size < 0x80:
        return bytes([tag, size]) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + value


def _integer(number: int) -> bytes:
    return _element(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _string(text: str) -> bytes:
    return _element(0x1B, text.encode("utf-8"))


def _principal_name(kind: int, *components: str) -> bytes:
    names = b"".join(_string(component) for component in components)
    return _element(0x30, _element(0xA0, _integer(kind)) + _element(0xA1, _element(0x30, names)))


def build_request(realm: str, nonce: int) -> bytes:
    """Return an AS-REQ of ``CLIENT`` for the realm's TGS."""
    body = (
        _element(0xA0, _element(3, b"\0" + bytes(4)))
        + _element(0xA1, _principal_name(1, CLIENT))
        + _element(0xA2, _string(realm))
        + _element(0xA3, _principal_name(2, "krbtgt", realm))
        + _element(0xA5, _element(0x18, b"20370913024805Z"))
        + _element(0xA7, _integer(nonce))
        + _element(0xA8, _element(0x30, b"".join(map(_integer, _ENCTYPES))))
    )
    fields = _element(0xA1, _integer(5)) + _element(0xA2, _integer(10))
    fields += _element(0xA4, _element(0x30, body))
    return _element(0x6A, _element(0x30, fields))


def parse_answer(data: bytes) -> Optional[Answer]:
    """Return the answer in ``data``; None if it is not a KDC's."""
    try:
        tag, value, _ = _read_element(data)
        if tag == _AS_REP:
            return Answer(None, None)
        if tag != _KRB_ERROR:
            return None
        fields = _read_fields(_read_element(value)[1])
        error_code = _read_element(fields[0xA6])[1]
        time = _parse_time(_read_element(fields[0xA4])[1])
        return Answer(time, int.from_bytes(error_code, "big"))
    except (IndexError, KeyError, ValueError):
        return None


def _read_element(data: bytes) -> Tuple[int, bytes, bytes]:
    """Return the tag and the value of an element, and the bytes that follow it.

    Raises IndexError, ValueError.
    """
    size, start = data[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start], "big")
    if start + size > len(data):
        raise ValueError("cut short")
    return data[0], data[start : start + size], data[start + size :]


def _read_fields(data: bytes) -> Dict[int, bytes]:
    fields: Dict[int, bytes] = {}
    while data:
        tag, value, data = _read_element(data)
        fields[tag] = value
    return fields


def _parse_time(text: bytes) -> float:
    match = re.match(rb"^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$", text)
    if not match:
        raise ValueError("not a KerberosTime")
    return float(calendar.timegm(tuple(int(part) for part in match.groups()) + (0, 0, 0)))
