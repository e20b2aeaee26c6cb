"""What a running front answers, asked from outside: certificate, protocols, names, origins.

Only GET, only at the URL that was given, each question and all together bounded in time.
"""

import re
import socket
import ssl
import threading
import time
import warnings
from typing import Callable, Dict, Iterator, List, Optional, Tuple, Union

from jhpatch.checks.runner import ALL, EACH, Deadline
from jhpatch.namedtuple import NamedTuple
from jhpatch.nginx.findings import finding
from jhpatch.report.result import Finding

SOON = 14  # days; who renews by a timer has had several tries by then
_CAP = 1 << 16  # bytes of an answer that are read
_STRANGER = "jhpatch-check.invalid"  # RFC 2606: nobody's name
_TLS = ("TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3")
_PAGE = b"<center>nginx"  # in each page that nginx makes itself


class Target(NamedTuple):
    """The front, as a browser's address bar has it; ``user``: whose server's path is asked for."""

    scheme: str
    host: str
    port: int
    base: str
    user: str
    cookie: Optional[str]
    ca: Optional[str]

    @property
    def authority(self) -> str:
        """Host and port, without a port that is the scheme's own."""
        usual = {"https": 443, "http": 80}[self.scheme]
        host = "[%s]" % self.host if ":" in self.host else self.host
        return host if self.port == usual else "%s:%d" % (host, self.port)

    @property
    def origin(self) -> str:
        """What the front's own pages send."""
        return "%s://%s" % (self.scheme, self.authority)


class Answer(NamedTuple):
    """``status`` is None where the connection was closed, or nothing came."""

    status: Optional[int]
    body: bytes = b""

    @property
    def is_nginx(self) -> bool:
        """Whether nginx answered itself and passed nothing on."""
        return _PAGE in self.body

    def __str__(self) -> str:
        if self.status is None:
            return "closed"
        return "%d%s" % (self.status, " by nginx itself" if self.is_nginx else "")


_URL = re.compile(
    r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?(/[A-Za-z0-9._~/-]*)?"
)


def target(url: str, user: Optional[str], cookie: Optional[str], ca: Optional[str]) -> Target:
    """Raises ValueError where the URL is none, or has more than a base path."""
    found = _URL.fullmatch(url)
    if not found:
        raise ValueError("--url: expected https://NAME[:PORT]/, found %r" % url)
    scheme, host, port, path = found.groups()
    number = int(port or {"https": 443, "http": 80}[scheme])
    if not 0 < number < 65536:
        raise ValueError("--url: no such port: %d" % number)
    from urllib.parse import quote

    base = (path or "/").rstrip("/") + "/"
    name = quote(user or "jhpatch-check", safe="@~")
    return Target(scheme, host.strip("[]").lower(), number, base, name, cookie, ca)


def cookie(path: str) -> str:
    """A header's value, as a browser's tools copy it. Raises ValueError."""
    try:
        with open(path, encoding="ascii") as file:
            text = re.sub("^cookie: *", "", file.read(_CAP).strip(), flags=re.I)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError("--cookie-file: %s" % error)
    if not text or not text.isprintable():
        raise ValueError("--cookie-file: expected one line, name=value; name=value")
    return text


def asked(
    one: Target, clock: Callable[[], float] = time.time, seconds: float = ALL
) -> Tuple[Finding, ...]:
    """All that could be found out in that time."""
    found: List[Finding] = []
    errors: List[Exception] = []

    def ask() -> None:
        try:
            for row in _asked(one, clock, Deadline(seconds)):
                found.append(row)
        except Exception as error:
            errors.append(error)

    # A name service has no time limit of its own.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if thread.is_alive():
        words = "no end within %.0f s" % seconds
        return (*found, finding("unreachable", words, host=one.host, port=one.port))
    return tuple(found)


def _asked(one: Target, clock: Callable[[], float], whole: Deadline) -> Iterator[Finding]:
    try:
        line = _Line(one, whole)
    except (OSError, UnicodeError) as error:
        words = "%s port %d: %s" % (one.host, one.port, error)
        yield finding("unreachable", words, host=one.host, port=one.port)
        return
    if one.scheme == "https":
        yield from _certificate(one, line, clock())
        yield from _protocols(one, line)
    else:
        yield finding("plain-http", one.origin)
    yield from _stranger(one, line)
    yield from _origins(one, line)


_Socket = Union[socket.socket, ssl.SSLSocket]


class _Line:
    """Makes connections, to the first address of the host that answers."""

    def __init__(self, one: Target, whole: Deadline) -> None:
        self._one = one
        self._whole = whole
        last = OSError("no address")
        for row in socket.getaddrinfo(one.host, one.port, type=socket.SOCK_STREAM):
            self._family, self._address = row[0], row[4]
            try:
                self.open().close()
                return
            except OSError as error:
                last = error
        raise last

    def open(self) -> socket.socket:
        """Raises OSError."""
        made = socket.socket(self._family, socket.SOCK_STREAM)
        try:
            made.settimeout(self._whole.left(EACH))
            made.connect(self._address)
        except BaseException:
            made.close()
            raise
        return made

    def tls(self, context: ssl.SSLContext, name: str) -> ssl.SSLSocket:
        """Raises OSError, of which ssl.SSLError is one."""
        plain = self.open()
        try:
            return context.wrap_socket(plain, server_hostname=name)
        except BaseException:
            plain.close()
            raise

    def ask(self, headers: Dict[str, str], path: str, name: str) -> Answer:
        """A GET over the front's scheme; whoever has the certificate may answer."""
        try:
            tls = self._one.scheme == "https"
            made: _Socket = self.tls(_unverified(), name) if tls else self.open()
        except OSError:
            return Answer(None)
        rows = ["GET %s HTTP/1.1" % path] + ["%s: %s" % row for row in headers.items()]
        try:
            made.sendall(("\r\n".join(rows) + "\r\n\r\n").encode("ascii"))
            return _answer(made, Deadline(self._whole.left(EACH)))
        except OSError:
            return Answer(None)
        finally:
            made.close()


def _answer(made: _Socket, deadline: Deadline) -> Answer:
    """Status and body, as far as they come in time: a server may keep the connection open."""
    data = b""
    while len(data) < _CAP and not _is_whole(data):
        if deadline.left() <= 0.05:
            break
        made.settimeout(deadline.left())
        try:
            block = made.recv(4096)
        except OSError:
            break
        if not block:
            break
        data += block
    found = re.match(rb"HTTP/1\.[01] ([0-9]{3})", data)
    return Answer(int(found.group(1)), data.partition(b"\r\n\r\n")[2]) if found else Answer(None)


def _is_whole(data: bytes) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    length = re.search(rb"\r\ncontent-length: *([0-9]{1,9})", head, re.I)
    if length:
        return len(body) >= int(length.group(1))
    return b" 101 " in head[:14] or body.endswith(b"0\r\n\r\n")


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


# Certificate and protocols.


def _certificate(one: Target, line: _Line, now: float) -> Iterator[Finding]:
    try:
        context = ssl.create_default_context(cafile=one.ca)
        with line.tls(context, one.host) as made:
            end = str((made.getpeercert() or {}).get("notAfter"))
    except (OSError, ssl.CertificateError) as error:  # an OSError since Python 3.7
        words = getattr(error, "verify_message", "") or str(error)
        yield finding("certificate-refused", words, host=one.host, port=one.port)
        return
    days = (ssl.cert_time_to_seconds(end) - now) / 86400
    words = "for %s, until %s" % (one.host, end)
    yield finding("certificate", words)
    if days < SOON:
        yield finding("certificate-expiring", "%d days are left" % days)


def _protocols(one: Target, line: _Line) -> Iterator[Finding]:
    spoken, asked = [], []
    for name in _TLS:
        context = _only(name)
        if context is None:
            continue
        asked.append(name)
        try:
            line.tls(context, one.host).close()
            spoken.append(name)
        except OSError as error:
            if "NO_PROTOCOLS_AVAILABLE" in str(error) or "UNSUPPORTED_PROTOCOL" in str(error):
                asked.pop()  # it is our own OpenSSL that does not speak it

    def words(names: List[str]) -> str:
        return ", ".join(name.replace("_", ".") for name in names) or "none"

    silent = words([name for name in _TLS if name not in asked])
    yield finding("protocols", "%s; could not ask for: %s" % (words(spoken), silent))
    old = [name for name in spoken if name in _TLS[:2]]
    if old:
        yield finding("protocol-old", words(old))
    if {"TLSv1_2", "TLSv1_3"} <= set(asked) and not set(spoken) & set(_TLS[2:]):
        yield finding("protocol-modern-missing", "neither TLSv1.2 nor TLSv1.3")


def _only(name: str) -> Optional[ssl.SSLContext]:
    """A context for one version of TLS; None where Python does not know it."""
    context = _unverified()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # it is the old ones that are asked for
        try:
            context.set_ciphers("ALL:@SECLEVEL=0")  # else OpenSSL 3 keeps the old ones to itself
            if hasattr(ssl, "TLSVersion"):  # Python 3.7
                version = getattr(ssl.TLSVersion, name)
                context.minimum_version = context.maximum_version = version
                return context
            for other in _TLS:
                if other != name:
                    context.options |= getattr(ssl, "OP_NO_" + other)
        except (AttributeError, ValueError, ssl.SSLError):
            return None
    return context


# Names and origins.


def _stranger(one: Target, line: _Line) -> Iterator[Finding]:
    answer = line.ask(
        {"Host": _STRANGER, "Connection": "close"}, one.base + "hub/login", _STRANGER
    )
    words = "%s: %s" % (_STRANGER, answer)
    if answer.status is None or answer.is_nginx:
        yield finding("name-unknown-closed", words)
    else:
        ssl_word = " ssl" if one.scheme == "https" else ""
        yield finding("name-unknown-answered", words, port=one.port, ssl=ssl_word)


def origins(one: Target) -> Dict[str, Optional[str]]:
    """What is sent as Origin, by its kind."""
    above = one.host.partition(".")[2] or one.host
    return {
        "right": one.origin,
        "foreign": "https://jhpatch-check.example",
        "sibling": one.origin.replace(one.host, "jhpatch-check." + above, 1),
        "null": "null",
        "none": None,
    }


def _origins(one: Target, line: _Line) -> Iterator[Finding]:
    """An upgrade with each origin, at a websocket that starts nothing: the server's events."""
    path = "%suser/%s/api/events/subscribe" % (one.base, one.user)
    answers = {
        kind: line.ask(_upgrade(one, origin), path, one.host)
        for kind, origin in origins(one).items()
    }
    right = answers["right"]
    if all(answer.status is None for answer in answers.values()):
        yield finding("not-a-front", "no answer to an upgrade", url=one.origin + path)
        return
    for kind, origin in origins(one).items():
        words = "%s: %s" % (origin or "no Origin", answers[kind])
        code = verdict(kind, answers[kind], right, answers["none"])
        yield finding(code, words)


def _upgrade(one: Target, origin: Optional[str]) -> Dict[str, str]:
    headers = {
        "Host": one.authority,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "amhwYXRjaC1jaGVjay0xNg==",  # any 16 bytes (RFC 6455, 4.1)
    }
    if origin is not None:
        headers["Origin"] = origin
    if one.cookie is not None:
        headers["Cookie"] = one.cookie
    return headers


def verdict(kind: str, answer: Answer, right: Answer, none: Answer) -> str:
    """The finding's code. Pure.

    Who has not logged in gets 403 from the server whatever the origin: what tells is that
    nginx itself answers, or that the right origin gets another answer.
    """
    refused = answer.status is None or (
        answer.status == 403 and (answer.is_nginx or right.status != 403)
    )
    if kind == "right":
        if answer.status is None or (
            answer.status == 403 and (answer.is_nginx or none.status != 403)
        ):
            return "origin-right-refused"
        lost = answer.status == 426 or b'Can "Upgrade"' in answer.body
        return "upgrade-lost" if lost or b'"Connection" must be' in answer.body else "origin-right"
    if kind == "none":
        return "origin-none-refused" if refused else "origin-none"
    if refused:
        return "origin-refused"
    return "origin-foreign-accepted" if answer.status == 101 else "origin-not-told-apart"
