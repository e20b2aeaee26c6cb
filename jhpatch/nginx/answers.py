"""An HTTP response to a probe, and what the answers to several origins mean. Pure."""

import re
from typing import Optional, Tuple

from jhpatch.namedtuple import NamedTuple

_PAGE = re.compile(rb"<center>(nginx|openresty)")  # in each page that nginx generates itself


class Answer(NamedTuple):
    """``status`` is None if the connection was closed, or nothing was received."""

    status: Optional[int]
    body: bytes = b""
    head: bytes = b""
    """The status line and the headers."""

    def header(self, name: str) -> Tuple[str, ...]:
        """Return the values of a header, in their order."""
        pattern = rb"(?im)^%s:[ \t]*([^\r\n]*)" % re.escape(name).encode("ascii")
        return tuple(value.decode("latin-1").strip() for value in re.findall(pattern, self.head))

    @property
    def is_nginx(self) -> bool:
        """Whether nginx answered by itself, without the upstream."""
        return _PAGE.search(self.body) is not None

    @property
    def is_refusal(self) -> bool:
        """Whether nginx closed the connection or refused the request by itself."""
        return self.status is None or (self.status == 403 and self.is_nginx)

    @property
    def lost_upgrade(self) -> bool:
        """Whether the server did not receive the headers of the upgrade."""
        texts = (b'Can "Upgrade"', b'"Connection" must be')
        return self.status == 426 or any(text in self.body for text in texts)

    def __str__(self) -> str:
        if self.status is None:
            return "no answer"
        return "%d%s" % (self.status, " by nginx itself" if self.is_nginx else "")


def parse(data: bytes) -> Answer:
    """Return the answer in the bytes that were received."""
    match = re.match(rb"HTTP/1\.[01] ([0-9]{3})", data)
    head, _, body = data.partition(b"\r\n\r\n")
    return Answer(int(match.group(1)), body, head) if match else Answer(None)


def is_complete(data: bytes) -> bool:
    """Return whether the response has ended, although the connection may stay open."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    length = re.search(rb"\r\ncontent-length: *([0-9]{1,9})", head, re.I)
    if length:
        return len(body) >= int(length.group(1))
    return b" 101 " in head[:14] or body.endswith(b"0\r\n\r\n")


def classify(kind: str, answer: Answer, right: Answer, none: Answer) -> str:
    """Return the code of the finding about one kind of origin.

    ``right`` and ``none`` are the answers to the proxy's own origin and to none. The server
    answers 403 to users who have not logged in, whatever the origin: only a refusal by nginx
    itself, or a difference between two origins, is evidence.
    """
    if kind == "right":
        if answer.is_refusal or (answer.status == 403 and none.status != 403):
            return "origin-right-refused"
        return "upgrade-lost" if answer.lost_upgrade else "origin-right"
    is_refused = answer.is_refusal or (answer.status == 403 and right.status != 403)
    if kind == "none":
        return "origin-none-refused" if is_refused else "origin-none"
    if is_refused:
        return "origin-refused"
    return "origin-foreign-accepted" if answer.status == 101 else "origin-not-told-apart"
