"""What a front is to be → nginx's site file for it: values in, text out, or a ValueError.

The same values give the same bytes. No value reaches the text but by a pattern that has no
character which could end a directive, open a block or name a variable.
"""

import hashlib
import ipaddress
import re
from typing import Iterator, Optional, Tuple

from jhpatch.namedtuple import NamedTuple

OLDEST = (1, 18, 0)
"""The oldest nginx that a file is written for: Debian 11's."""
PING = 30
"""Seconds between the pings of a kernel's websocket: jupyter_server, notebook, tornado."""
CA = "/etc/ssl/certs/ca-certificates.crt"
"""Where Debian has the authorities that everybody believes."""


class Front(NamedTuple):
    """A front as it is asked for. ``certificates`` are (certificate, key): one for all names,
    one for each in their order, or none behind a TLS terminator."""

    server_names: Tuple[str, ...]
    upstreams: Tuple[str, ...]
    version: str
    listens: Tuple[str, ...] = ("443", "[::]:443")
    certificates: Tuple[Tuple[str, str], ...] = ()
    external_scheme: Optional[str] = None
    redirect_http: bool = False
    hsts: Optional[int] = None
    stapling: Optional[str] = None
    """The name server that finds the responder's address."""
    max_body: str = "100m"
    read_timeout: str = "1d"
    base_url: str = "/"
    upstream_ca: str = CA
    default_server: bool = True


class _Listen(NamedTuple):
    address: str
    port: int

    def __str__(self) -> str:
        return self.address + ":%d" % self.port if self.address else str(self.port)


class _Upstream(NamedTuple):
    address: str
    host: str
    tls: bool


class _Plan(NamedTuple):
    """A front whose values have been checked."""

    front: Front
    listens: Tuple[_Listen, ...]
    upstreams: Tuple[_Upstream, ...]
    version: Tuple[int, ...]
    id: str

    @property
    def tls(self) -> bool:
        return bool(self.front.certificates)

    @property
    def scheme(self) -> str:
        """What the browser's address begins with."""
        return self.front.external_scheme or "$scheme"


# Values.

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(r"(?:\*\.)?%s(?:\.%s)*" % (_LABEL, _LABEL))  # RFC 1123, and nginx's wildcard
_HOST = re.compile(r"%s(?:\.%s)*" % (_LABEL, _LABEL))
_ADDRESS = re.compile(r"(?:(\*|[0-9.]+|\[[0-9a-f:.]+\]):)?([1-9][0-9]{0,4})")
_PATH = re.compile(r"/[A-Za-z0-9._/@+=~-]+")
_SIZE = re.compile(r"[0-9]{1,9}[kmg]?")
_TIME = re.compile(r"([1-9][0-9]{0,8})([smhdw]?)")
_BASE = re.compile(r"/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*/)*")
_VERSION = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})(?:\.([0-9]{1,3}))?")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def _must(what: str, text: str, pattern: "re.Pattern[str]", wanted: str) -> "re.Match[str]":
    found = pattern.fullmatch(text)
    if found is None or len(text) > 253:
        raise ValueError("%s: expected %s, found %r" % (what, wanted, text))
    return found


def _listen(text: str) -> _Listen:
    address, port = _must("--listen", text, _ADDRESS, "PORT, ADDRESS:PORT or [IPV6]:PORT").groups()
    if int(port) > 65535:
        raise ValueError("--listen: no such port: %r" % text)
    if address not in (None, "*"):
        ipaddress.ip_address(address.strip("[]"))
    return _Listen(address or "", int(port))


def _upstream(text: str) -> _Upstream:
    wanted = "HOST:PORT, https://HOST:PORT or unix:/PATH"
    if text.startswith("unix:"):
        _must("--upstream", text[len("unix:") :], _PATH, wanted)
        return _Upstream(text, "localhost", False)
    tls = text.startswith("https://")
    bare = text[len("https://") :] if tls else re.sub("^http://", "", text)
    host, colon, port = bare.rpartition(":")
    if not colon or not re.fullmatch("[1-9][0-9]{0,4}", port) or int(port) > 65535:
        raise ValueError("--upstream: expected %s, found %r" % (wanted, text))
    if host.startswith("[") and host.endswith("]"):
        ipaddress.IPv6Address(host[1:-1])
        _must("--upstream", host, re.compile(r"\[[0-9a-f:.]+\]"), wanted)
    else:
        _must("--upstream", host, _HOST, wanted)
    return _Upstream(bare, host, tls)


def seconds(text: str) -> Optional[int]:
    """One of nginx's times; None where it is none, or is in milliseconds."""
    found = _TIME.fullmatch(text)
    return int(found.group(1)) * _SECONDS[found.group(2)] if found else None


def _planned(front: Front) -> _Plan:
    """Raises ValueError, with the option and what it should be."""
    for name in front.server_names:
        _must("--server-name", name, _NAME, "a host name in lower case")
    for pair in front.certificates:
        for path in pair:
            _must("--certificate, --certificate-key", path, _PATH, "an absolute plain path")
    _must("--upstream-ca", front.upstream_ca, _PATH, "an absolute plain path")
    _must("--max-body", front.max_body, _SIZE, "a size such as 100m")
    _must("--read-timeout", front.read_timeout, _TIME, "a time such as 1d")
    if (seconds(front.read_timeout) or 0) <= PING:
        raise ValueError("--read-timeout: expected more than the %d s between pings" % PING)
    _must("--base-url", front.base_url, _BASE, "a path that begins and ends with /")
    if front.stapling is not None:
        ipaddress.ip_address(front.stapling)
        if "%" in front.stapling:  # Python 3.9 and later: an IPv6 address may have a scope
            raise ValueError("--stapling: expected an address, found %r" % front.stapling)
    if front.external_scheme not in (None, "http", "https"):
        raise ValueError("--external-scheme: expected http or https")
    if front.hsts is not None and not 0 <= front.hsts < 10**10:
        raise ValueError("--hsts: expected seconds, found %d" % front.hsts)
    parts = _must("--nginx-version", front.version, _VERSION, "a version such as 1.22.1").groups()
    version = tuple(int(part or 0) for part in parts)
    if version < OLDEST:
        raise ValueError("--nginx-version: expected 1.18 or later, found %s" % front.version)
    listens = tuple(_listen(one) for one in front.listens)
    upstreams = tuple(_upstream(one) for one in front.upstreams)
    _fit(front, listens, upstreams)
    return _Plan(front, listens, upstreams, version, _id(front, listens))


def _fit(front: Front, listens: Tuple[_Listen, ...], upstreams: Tuple[_Upstream, ...]) -> None:
    """What one value asks of another."""
    names = front.server_names
    for option, given in (("server-name", names), ("upstream", upstreams), ("listen", listens)):
        if not given:
            raise ValueError("--%s: expected at least one" % option)
        if len(set(given)) != len(given):
            raise ValueError("--%s: the same twice" % option)
    if len({one.tls for one in upstreams}) > 1:
        raise ValueError("--upstream: expected https:// for all or for none")
    if len({one.port for one in listens}) > 1 and front.redirect_http:
        raise ValueError("--redirect-http: expected one port to send browsers to")
    if front.certificates and len(front.certificates) not in (1, len(names)):
        raise ValueError("--certificate: expected one, or one for each of %d names" % len(names))
    if not front.certificates:
        if front.external_scheme is None:
            raise ValueError("expected --certificate, or --external-scheme for a TLS terminator")
        if front.redirect_http or front.stapling:
            raise ValueError("--redirect-http and --stapling need --certificate")
    if front.hsts is not None and not front.certificates and front.external_scheme != "https":
        raise ValueError("--hsts: browsers heed it over https alone")
    if front.redirect_http and any(one.port == 80 for one in listens):
        raise ValueError("--redirect-http: port 80 is one of --listen")


def _id(front: Front, listens: Tuple[_Listen, ...]) -> str:
    """Names of its own in nginx's one name space; short, as its hash tables have small buckets."""
    words = " ".join(front.server_names + tuple(map(str, listens)))
    label = re.sub("[^a-z0-9]", "", front.server_names[0].replace("*.", "").split(".")[0])
    return "front_%s_%s" % (label[:12], hashlib.sha256(words.encode()).hexdigest()[:6])


# The file.

_MARK = "# jhpatch nginx render sha256:"


def render(front: Front) -> str:
    """The site file, for the http block (sites-enabled, conf.d). Raises ValueError."""
    plan = _planned(front)
    lines = list(_maps(plan)) + list(_upstream_block(plan))
    pairs = front.certificates or ((),)  # type: Tuple[Tuple[str, ...], ...]
    alone = len(pairs) == 1
    for number, pair in enumerate(pairs):
        names = front.server_names if alone else front.server_names[number : number + 1]
        lines += _server(plan, names, pair)
    if front.redirect_http:
        lines += _redirect(plan)
    if front.default_server:
        lines += _default_server(plan)
    body = "".join(line + "\n" for line in lines)
    return "%s%s\n%s" % (_MARK, hashlib.sha256(body.encode()).hexdigest(), body)


def is_ours(data: bytes) -> bool:
    """Whether ``render`` wrote these bytes and nobody has changed them since."""
    head, _, body = data.partition(b"\n")
    return head == _MARK.encode() + hashlib.sha256(body).hexdigest().encode()


def _maps(plan: _Plan) -> Iterator[str]:
    yield "# Belongs in the http block: a file of its own in sites-enabled or conf.d."
    yield "# The line above lets jhpatch tell whether somebody has changed the file since."
    yield ""
    yield "# Websockets, and no other upgrade (h2c) that a client may ask for."
    yield "map $http_upgrade $%s_upgrade {" % plan.id
    yield "    default '';"
    yield "    ~*^websocket$ websocket;"
    yield "}"
    yield "map $http_upgrade $%s_connection {" % plan.id
    yield "    default '';  # no header: connections to the hub are kept and used again"
    yield "    ~*^websocket$ upgrade;"
    yield "}"
    yield ""
    yield "# Whether a page of another origin asks. The hub exempts websockets from its XSRF"
    yield "# check: with Origin cleared, any page runs code in a logged-in user's kernel. Scripts"
    yield "# with a token send no Origin."
    yield 'map "%s://$http_host $http_origin" $%s_foreign {' % (plan.scheme, plan.id)
    yield "    default 1;"
    yield "    '~^[^ ]* $' 0;"
    yield r"    '~*^([^ ]+) \1$' 0;"
    yield "}"
    yield "# Where such a page could do harm: upgrades, and the API of users' servers, its path"
    yield "# as sent or decoded. Not elsewhere: form posts of single sign-on have foreign origins."
    yield "map $request_uri $%s_api_as_sent {" % plan.id
    yield "    default 0;"
    yield "    '~^[^?]*/user/[^?]+/api(?:[/?]|$)' 1;"
    yield "}"
    yield "map $uri $%s_api {" % plan.id
    yield "    default $%s_api_as_sent;" % plan.id
    yield "    '~/user/.+/api(?:/|$)' 1;"
    yield "}"
    yield "map $http_upgrade $%s_guarded {" % plan.id
    yield "    default 1;"
    yield "    '' $%s_api;" % plan.id
    yield "}"
    yield "map $%s_guarded$%s_foreign $%s_refused {" % (plan.id, plan.id, plan.id)
    yield "    default 0;"
    yield "    11 1;"
    yield "}"


def _upstream_block(plan: _Plan) -> Iterator[str]:
    yield ""
    yield "upstream %s {" % plan.id
    for number, one in enumerate(plan.upstreams):
        yield "    server %s%s;" % (one.address, " backup" if number else "")
    yield "    keepalive 16;"
    yield "    # The hub's proxy closes idle connections after 5 s: nginx must be first, or a POST"
    yield "    # that meets the end of a connection fails with 502."
    yield "    keepalive_timeout 4s;"
    yield "}"


def _server(plan: _Plan, names: Tuple[str, ...], pair: Tuple[str, ...]) -> Iterator[str]:
    front = plan.front
    yield ""
    yield "server {"
    yield from _listens(plan, "")
    yield "    server_name %s;" % " ".join(names)
    if pair:
        yield ""
        yield "    ssl_certificate %s;" % pair[0]
        yield "    ssl_certificate_key %s;" % pair[1]
        yield from _tls(plan)
    if front.hsts is not None:
        yield "    # Browsers refuse plain http for the whole name, all its ports, for so long."
        yield '    add_header Strict-Transport-Security "max-age=%d" always;' % front.hsts
    yield ""
    yield "    if ($%s_refused) {" % plan.id
    yield "        return 403;"
    yield "    }"
    yield ""
    yield "    # The default of 1m breaks the saves of larger notebooks."
    yield "    client_max_body_size %s;" % front.max_body
    yield "    # Beyond 16k a body goes to a file first, which costs a save some milliseconds."
    yield "    client_body_buffer_size 512k;"
    yield ""
    yield from _proxy(plan)
    yield from _locations(plan)
    yield "}"


def _listens(plan: _Plan, more: str) -> Iterator[str]:
    """http2 became a directive in nginx 1.25.1, and is a warning on listen since."""
    modern = plan.version >= (1, 25, 1)
    ssl = " ssl" + ("" if modern else " http2") if plan.tls else ""
    for one in plan.listens:
        yield "    listen %s%s%s;" % (one, ssl, more)
    if plan.tls and modern:
        yield "    http2 on;"


CIPHERS = ":".join(
    "ECDHE-%s-%s" % (key, cipher)
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
"""Of Mozilla's intermediate profile, those with ECDHE."""


def _tls(plan: _Plan) -> Iterator[str]:
    """Mozilla's intermediate profile, without DHE. For the default server too: OpenSSL takes
    the protocols of that one before it knows the name."""
    yield "    ssl_protocols TLSv1.2 TLSv1.3;"
    yield "    ssl_ciphers %s;" % CIPHERS
    yield "    ssl_prefer_server_ciphers off;"
    yield "    ssl_session_cache shared:%s:10m;" % plan.id
    yield "    ssl_session_timeout 1d;"
    yield "    ssl_session_tickets off;  # their key would outlive forward secrecy"
    if plan.front.stapling:
        address = plan.front.stapling
        yield "    ssl_stapling on;"
        yield "    ssl_stapling_verify on;"
        yield "    resolver %s;" % ("[%s]" % address if ":" in address else address)


def _proxy(plan: _Plan) -> Iterator[str]:
    """What holds for each location: a proxy_set_header in one would switch all of these off."""
    behind = plan.front.external_scheme is not None
    yield "    # Websockets need 1.1; the default was 1.0 for long."
    yield "    proxy_http_version 1.1;"
    yield "    proxy_set_header Upgrade $%s_upgrade;" % plan.id
    yield "    proxy_set_header Connection $%s_connection;" % plan.id
    yield "    # Not $host, which drops the port: the server compares this with the Origin of the"
    yield "    # browser, which goes through untouched, and refuses websockets where they differ."
    yield "    proxy_set_header Host $http_host;"
    yield "    proxy_set_header X-Real-IP $remote_addr;"
    if behind:
        yield "    # Behind a terminator, which wrote the first of these addresses."
        yield "    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
    else:
        yield "    # What a client claims in this header is not passed on."
        yield "    proxy_set_header X-Forwarded-For $remote_addr;"
    yield "    proxy_set_header X-Forwarded-Host $http_host;"
    yield "    proxy_set_header X-Forwarded-Proto %s;" % plan.scheme
    yield "    proxy_set_header X-Scheme %s;" % plan.scheme
    yield "    # Progress of a spawn, output of an export: at once, not when a buffer is full."
    yield "    proxy_buffering off;"
    yield "    # The hub sets several cookies at once; 4k are too small for their headers."
    yield "    proxy_buffer_size 16k;"
    yield "    proxy_buffers 8 16k;"
    yield "    # Never a POST twice: no non_idempotent here."
    yield "    proxy_next_upstream error timeout;"
    if plan.upstreams[0].tls:
        yield "    proxy_ssl_server_name on;"
        yield "    proxy_ssl_name %s;" % plan.upstreams[0].host.strip("[]")
        yield "    # Off by default: without it anybody between here and the hub can be the hub."
        yield "    proxy_ssl_verify on;"
        yield "    proxy_ssl_verify_depth 3;"
        yield "    proxy_ssl_trusted_certificate %s;" % plan.front.upstream_ca
        yield "    proxy_ssl_protocols TLSv1.2 TLSv1.3;"


def _locations(plan: _Plan) -> Iterator[str]:
    base = plan.front.base_url
    to = "%s://%s" % ("https" if plan.upstreams[0].tls else "http", plan.id)
    yield ""
    yield "    location %s {" % base
    yield "        # 418 goes to no client: it tells websockets apart without an if that does more"
    yield "        # than return."
    yield "        error_page 418 = @%s_websocket;" % plan.id
    yield "        if ($%s_upgrade) {" % plan.id
    yield "            return 418;"
    yield "        }"
    yield "        proxy_pass %s;" % to
    yield "    }"
    yield "    location @%s_websocket {" % plan.id
    yield "        proxy_pass %s;" % to
    yield (
        "        # Above the server's pings (%d s): for websockets alone, which live for days."
        % PING
    )
    yield "        proxy_read_timeout %s;" % plan.front.read_timeout
    yield "        proxy_send_timeout %s;" % plan.front.read_timeout
    yield "    }"
    if base != "/":
        yield "    location = %s {" % base[:-1]
        yield "        absolute_redirect off;"
        yield "        return 308 %s;" % base
        yield "    }"
        yield "    location / {"
        yield "        return 404;"
        yield "    }"


def _redirect(plan: _Plan) -> Iterator[str]:
    port = plan.listens[0].port
    listens = ["    listen 80%s;"]
    if any(one.address.startswith("[") for one in plan.listens):
        listens.append("    listen [::]:80%s;")
    yield ""
    yield "server {"
    yield from (line % "" for line in listens)
    yield "    server_name %s;" % " ".join(plan.front.server_names)
    # $host is one of the names here, and without a port.
    yield "    return 308 https://$host%s$request_uri;" % ("" if port == 443 else ":%d" % port)
    yield "}"
    if plan.front.default_server:
        yield "server {"
        yield from (line % " default_server" for line in listens)
        yield "    server_name _;"
        yield "    return 444;"
        yield "}"


def _default_server(plan: _Plan) -> Iterator[str]:
    yield ""
    yield "# Any other name, and none: closed. A name that others point here (DNS rebinding) would"
    yield "# be an origin of its own, and equal to its Host."
    yield "server {"
    yield from _listens(plan, " default_server")
    yield "    server_name _;"
    if plan.tls:
        if plan.version >= (1, 19, 4):
            yield "    ssl_reject_handshake on;  # shows nobody which names there are"
        else:
            yield "    ssl_certificate %s;" % plan.front.certificates[0][0]
            yield "    ssl_certificate_key %s;" % plan.front.certificates[0][1]
        yield from _tls(plan)
    yield "    return 444;"
    yield "}"
