"""What the answers to several origins mean, and when an answer has ended."""

import pytest

from jhpatch.nginx import answers
from jhpatch.nginx.answers import Answer

PAGE = b"<center>nginx/1.22.1</center>"
ANSWERS = [
    # kind, answer, right, none, code
    ("right", (101,), (101,), (101,), "origin-right"),
    ("right", (404,), (404,), (404,), "origin-right"),
    ("right", (403,), (403,), (403,), "origin-right"),  # not logged in
    ("right", (403,), (403,), (101,), "origin-right-refused"),
    ("right", (403, PAGE), (403, PAGE), (403,), "origin-right-refused"),
    ("right", (None,), (None,), (404,), "origin-right-refused"),
    ("right", (426,), (426,), (426,), "upgrade-lost"),
    ("right", (400, b'Can "Upgrade" only to'), (400,), (400,), "upgrade-lost"),
    ("foreign", (403, PAGE), (403,), (403,), "origin-refused"),
    ("foreign", (403, PAGE.replace(b"nginx", b"openresty")), (403,), (403,), "origin-refused"),
    ("foreign", (403,), (101,), (101,), "origin-refused"),
    ("foreign", (None,), (101,), (101,), "origin-refused"),
    ("foreign", (403,), (403,), (403,), "origin-not-told-apart"),
    ("null", (404,), (404,), (404,), "origin-not-told-apart"),
    ("sibling", (101,), (101,), (101,), "origin-foreign-accepted"),
    ("sibling", (101,), (403,), (403,), "origin-foreign-accepted"),
    ("none", (403,), (403,), (403,), "origin-none"),
    ("none", (403, PAGE), (403,), (403, PAGE), "origin-none-refused"),
]


@pytest.mark.parametrize("kind, answer, right, none, code", ANSWERS)
def test_the_code_of_a_kind_of_origin(kind, answer, right, none, code):
    """What tells is that nginx answers itself, or that the right origin gets another answer."""
    assert answers.classify(kind, Answer(*answer), Answer(*right), Answer(*none)) == code


@pytest.mark.parametrize(
    "data, status, is_complete",
    [
        (b"", None, False),
        (b"SSH-2.0-OpenSSH\r\n", None, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", 200, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, True),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n", 101, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", 200, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, True),
    ],
)
def test_what_is_received(data, status, is_complete):
    """By its length, by its last chunk, or by the end of a head that has no body."""
    assert answers.parse(data).status == status
    assert answers.is_complete(data) == is_complete


def test_how_an_answer_is_shown():
    """Whose it is, or that there is none."""
    assert [str(answer) for answer in (Answer(None), Answer(101), Answer(403, PAGE))] == [
        "no answer",
        "101",
        "403 by nginx itself",
    ]
