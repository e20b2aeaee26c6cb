"""Requests to a running reverse proxy: its certificate, TLS versions, server names, origins.

jhpatch sends only GET requests, only to the host and port that were given. Each request, and all
together, have a time limit.
"""

import socket
import ssl
import threading
import time
import warnings
from typing import Callable, Dict, Iterator, List, Optional, Tuple, Union

from jhpatch.checks.runner import ALL, EACH, Deadline
from jhpatch.errors import Usage, jhpatch_command
from jhpatch.nginx import answers, page
from jhpatch.nginx.answers import Answer
from jhpatch.nginx.findings import finding
from jhpatch.nginx.target import Target
from jhpatch.report.result import Finding

EXPIRY_DAYS = 14  # a renewal timer has tried several times by then
_ANSWER_SIZE = 1 << 16  # bytes of an answer that are read
_UNKNOWN_NAME = "jhpatch-check.invalid"  # RFC 2606: reserved
_OLD_TLS, _MODERN_TLS = ("TLSv1", "TLSv1_1"), ("TLSv1_2", "TLSv1_3")
_TLS = _OLD_TLS + _MODERN_TLS


def probe(
    target: Target, clock: Callable[[], float] = time.time, seconds: float = ALL
) -> Tuple[Finding, ...]:
    """Return the findings that could be made within ``seconds``."""
    findings: List[Finding] = []
    errors: List[Exception] = []

    def run() -> None:
        try:
            for row in _findings(target, clock, Deadline(seconds)):
                findings.append(row)
        except Exception as error:
            errors.append(error)

    # A name lookup has no time limit of its own.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if thread.is_alive():
        return (*findings, _unreachable(target, "the checks took more than %.0f s" % seconds))
    return tuple(findings)


def _findings(target: Target, clock: Callable[[], float], deadline: Deadline) -> Iterator[Finding]:
    verifying = _verifying(target.ca_file)
    try:
        connector = _Connector(target, deadline)
    except (OSError, UnicodeError) as error:
        yield _unreachable(target, "%s port %d: %s" % (target.host, target.port, error))
        return
    if target.scheme == "https":
        yield from _check_certificate(target, connector, verifying, clock())
        yield from _check_protocols(target, connector)
    else:
        yield finding("plain-http", target.origin, host=target.host)
    if target.cookie is not None and connector.verifying is None:
        yield finding("cookie-not-sent", target.origin)
    yield from _check_unknown_name(target, connector)
    headers = {"Host": target.authority, "Connection": "close"}
    yield from page.check(target, lambda path: connector.get(headers, path, target.host))
    yield from _check_origins(target, connector)


def _unreachable(target: Target, message: str) -> Finding:
    return finding("unreachable", message, host=target.host, port=target.port)


_Socket = Union[socket.socket, ssl.SSLSocket]


class _Connector:
    """Connects to the first address of the host that answers."""

    verifying: Optional[ssl.SSLContext] = None
    """Of requests with a cookie, once the certificate has been verified."""

    def __init__(self, target: Target, deadline: Deadline) -> None:
        self._target = target
        self._deadline = deadline
        last_error = OSError("no address")
        for row in socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM):
            self._family, self._address = row[0], row[4]
            try:
                self.connect().close()
                return
            except OSError as error:
                last_error = error
        raise last_error

    def connect(self) -> socket.socket:
        """Return a new connection. Raises OSError."""
        connection = socket.socket(self._family, socket.SOCK_STREAM)
        try:
            connection.settimeout(self._deadline.left(EACH))
            connection.connect(self._address)
        except BaseException:
            connection.close()
            raise
        return connection

    def connect_tls(self, context: ssl.SSLContext, server_name: str) -> ssl.SSLSocket:
        """Return a new TLS connection. Raises OSError, of which ssl.SSLError is a subclass."""
        connection = self.connect()
        try:
            return context.wrap_socket(connection, server_hostname=server_name)
        except BaseException:
            connection.close()
            raise

    def get(self, headers: Dict[str, str], path: str, server_name: str) -> Answer:
        """Send a GET with the target's scheme; without a cookie, any certificate is accepted."""
        connection: _Socket
        context = self.verifying if "Cookie" in headers else _unverified()
        try:
            if self._target.scheme == "https" and context is not None:
                connection = self.connect_tls(context, server_name)
            else:
                connection = self.connect()
        except (OSError, ssl.CertificateError):  # an OSError since Python 3.7
            return Answer(None)
        lines = ["GET %s HTTP/1.1" % path] + ["%s: %s" % row for row in headers.items()]
        try:
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
            return _receive(connection, Deadline(self._deadline.left(EACH)))
        except OSError:
            return Answer(None)
        finally:
            connection.close()


def _receive(connection: _Socket, deadline: Deadline) -> Answer:
    """Return what is received in time: a server may keep the connection open."""
    data = b""
    while len(data) < _ANSWER_SIZE and not answers.is_complete(data):
        if deadline.left() <= 0.05:
            break
        connection.settimeout(deadline.left())
        try:
            block = connection.recv(4096)
        except OSError:
            break
        if not block:
            break
        data += block
    return answers.parse(data)


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


# Certificate and TLS versions.


def _verifying(ca_file: Optional[str]) -> ssl.SSLContext:
    """Return a context that verifies certificates. Raises Usage for a wrong --ca."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError too
        raise Usage(
            "--ca: cannot read the certificates of the authorities",
            path=ca_file,
            expected="a file with certificates in PEM format",
            found=error.strerror or str(error),
            next=jhpatch_command("nginx", "check", "--help"),
        )


def _check_certificate(
    target: Target, connector: _Connector, context: ssl.SSLContext, now: float
) -> Iterator[Finding]:
    try:
        with connector.connect_tls(context, target.host) as connection:
            end = str((connection.getpeercert() or {}).get("notAfter"))
    except (OSError, ssl.CertificateError) as error:  # an OSError since Python 3.7
        message = getattr(error, "verify_message", "") or str(error)
        yield finding("certificate-refused", message, host=target.host, address=target.address)
        return
    connector.verifying = context
    days = (ssl.cert_time_to_seconds(end) - now) / 86400
    yield finding("certificate", "for %s, valid until %s" % (target.host, end))
    if days < EXPIRY_DAYS:
        yield finding("certificate-expiring", "the certificate is valid until %s" % end)


def _check_protocols(target: Target, connector: _Connector) -> Iterator[Finding]:
    accepted, untested = [], []
    for version in _TLS:
        context = _only(version)
        if context is None:
            untested.append(version)
            continue
        try:
            connector.connect_tls(context, target.host).close()
            accepted.append(version)
        except OSError as error:
            if "NO_PROTOCOLS_AVAILABLE" in str(error) or "UNSUPPORTED_PROTOCOL" in str(error):
                untested.append(version)  # this host's own OpenSSL does not have it
    message = "accepted: %s; not tested: %s" % (_listed(accepted), _listed(untested))
    yield finding("protocols", message)
    old = [version for version in accepted if version in _OLD_TLS]
    if old:
        yield finding("protocol-old", _listed(old))
    if not set(_MODERN_TLS) & set(accepted + untested):
        yield finding("protocol-modern-missing", "the server accepts neither TLSv1.2 nor TLSv1.3")


def _listed(versions: List[str]) -> str:
    return ", ".join(version.replace("_", ".") for version in versions) or "none"


def _only(version: str) -> Optional[ssl.SSLContext]:
    """Return a context for one version of TLS; None if Python does not have it."""
    context = _unverified()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the old versions
        try:
            context.set_ciphers("ALL:@SECLEVEL=0")  # else OpenSSL 3 refuses the old versions
            if hasattr(ssl, "TLSVersion"):  # Python 3.7
                number = getattr(ssl.TLSVersion, version)
                context.minimum_version = context.maximum_version = number
                return context
            for other in _TLS:
                if other != version:
                    context.options |= getattr(ssl, "OP_NO_" + other)
        except (AttributeError, ValueError, ssl.SSLError):
            return None
    return context


# Server names and origins.


def _check_unknown_name(target: Target, connector: _Connector) -> Iterator[Finding]:
    headers = {"Host": _UNKNOWN_NAME, "Connection": "close"}
    answer = connector.get(headers, target.base_url + "hub/login", _UNKNOWN_NAME)
    if answer.status in (502, 503, 504):
        return  # a proxy that passes requests for this name on to a hub that is down
    message = "%s: %s" % (_UNKNOWN_NAME, answer)
    if answer.status is None or answer.is_nginx:
        yield finding("name-unknown-closed", message)
    else:
        ssl_parameter = " ssl" if target.scheme == "https" else ""
        yield finding("name-unknown-answered", message, port=target.port, ssl=ssl_parameter)


def origins(target: Target) -> Dict[str, Optional[str]]:
    """Return the Origin headers that are sent, by kind; an IP address has no sibling."""
    sent: Dict[str, Optional[str]] = {
        "right": target.origin,
        "foreign": "https://jhpatch-check.example",
    }
    if not target.is_address:
        domain = target.host.partition(".")[2] or target.host
        sent["sibling"] = target.origin.replace(target.host, "jhpatch-check." + domain, 1)
    sent.update({"null": "null", "none": None})
    return sent


def _check_origins(target: Target, connector: _Connector) -> Iterator[Finding]:
    """Request an upgrade with each origin, at a websocket that starts nothing: the events."""
    path = "%suser/%s/api/events/subscribe" % (target.base_url, target.user)
    cookie = target.cookie if connector.verifying else None
    by_kind = {
        kind: connector.get(_upgrade(target, origin, cookie), path, target.host)
        for kind, origin in origins(target).items()
    }
    if all(answer.status is None for answer in by_kind.values()):
        yield finding("not-a-front", "no answer to an upgrade", url=target.origin + path)
        return
    for kind, origin in origins(target).items():
        code = answers.classify(kind, by_kind[kind], by_kind["right"], by_kind["none"])
        yield finding(code, "%s: %s" % (origin or "no Origin", by_kind[kind]))


def _upgrade(target: Target, origin: Optional[str], cookie: Optional[str]) -> Dict[str, str]:
    headers = {
        "Host": target.authority,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "amhwYXRjaC1jaGVjay0xNg==",  # any 16 bytes (RFC 6455, 4.1)
    }
    if origin is not None:
        headers["Origin"] = origin
    if cookie is not None:
        headers["Cookie"] = cookie
    return headers
