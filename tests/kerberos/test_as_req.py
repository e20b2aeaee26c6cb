"""An AS-REQ is valid DER, and only a KDC's answer is taken for one."""

import pytest

from jhpatch.kerberos import as_req
from jhpatch.kerberos.as_req import Answer


@pytest.mark.parametrize("realm", ["X", "EXAMPLE.COM", "R" * 200, "\u00e4"])
def test_a_request_is_der(realm):
    """The lengths are right at each depth, in the short form and in the long one."""
    data = as_req.build_request(realm, 2**31 - 1)
    tag, value, rest = as_req._read_element(data)
    assert (tag, rest) == (0x6A, b"")
    fields = as_req._read_fields(as_req._read_element(value)[1])
    body = as_req._read_fields(as_req._read_element(fields[0xA4])[1])
    assert as_req._read_element(body[0xA2])[1] == realm.encode("utf-8")
    assert set(body) == {0xA0, 0xA1, 0xA2, 0xA3, 0xA5, 0xA7, 0xA8}


@pytest.fixture
def krb_error():
    """A KRB-ERROR of 1 January 2026: the client is unknown (6)."""
    fields = as_req._element(0xA4, as_req._element(0x18, b"20260101000000Z"))
    fields += as_req._element(0xA6, as_req._integer(6))
    return as_req._element(0x7E, as_req._element(0x30, fields))


def test_an_error_carries_time_and_code(krb_error):
    """Both are read; an AS-REP is an answer that has neither."""
    assert as_req.parse_answer(krb_error) == Answer(1767225600.0, 6)
    assert as_req.parse_answer(b"\x6b" + krb_error[1:]) == Answer(None, None)


def test_an_answer_that_is_damaged(krb_error):
    """Cut short at each byte, or with any other first byte, it is no answer and no exception."""
    assert {as_req.parse_answer(krb_error[:end]) for end in range(len(krb_error))} == {None}
    for first in set(range(256)) - {0x7E, 0x6B}:
        assert as_req.parse_answer(bytes([first]) + krb_error[1:]) is None
    assert as_req.parse_answer(krb_error.replace(b"Z", b"+")) is None
