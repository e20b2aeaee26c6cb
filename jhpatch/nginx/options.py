"""The values of an nginx site, as ``nginx render`` is given them, and their check.

Each value matches a pattern without the characters that end a directive, open a block or name
a variable, so that the site file can contain it as it is.
"""

import hashlib
import ipaddress
import re
from typing import Optional, Tuple

from jhpatch.namedtuple import NamedTuple

OLDEST_VERSION = (1, 18, 0)
"""The oldest nginx that a file is written for: Debian 11's."""
PING_SECONDS = 30
"""Between the pings of a kernel's websocket: jupyter_server, notebook, tornado."""
CA_FILE = "/etc/ssl/certs/ca-certificates.crt"
"""Debian's certificate authorities."""


class ProxySite(NamedTuple):
    """A reverse proxy's site. ``certificates`` are (certificate, key): one for all names,
    one for each in their order, or none behind a TLS terminator."""

    server_names: Tuple[str, ...]
    upstreams: Tuple[str, ...]
    version: str
    listens: Tuple[str, ...] = ("443", "[::]:443")
    certificates: Tuple[Tuple[str, str], ...] = ()
    external_scheme: Optional[str] = None
    redirect_http: bool = False
    hsts: Optional[int] = None
    """Seconds."""
    stapling: Optional[str] = None
    """The address of the name server that resolves the OCSP responder."""
    max_body: str = "100m"
    read_timeout: str = "1d"
    base_url: str = "/"
    upstream_ca: str = CA_FILE
    default_server: bool = True


class Listen(NamedTuple):
    """An address, empty for any, and a port."""

    address: str
    port: int

    def __str__(self) -> str:
        return self.address + ":%d" % self.port if self.address else str(self.port)


class Upstream(NamedTuple):
    """A server that requests are passed to."""

    address: str
    host: str
    tls: bool


class CheckedSite(NamedTuple):
    """A site whose values have been checked."""

    site: ProxySite
    listens: Tuple[Listen, ...]
    upstreams: Tuple[Upstream, ...]
    version: Tuple[int, ...]
    prefix: str
    """Of the names that the file defines: nginx has one name space for all sites."""

    @property
    def tls(self) -> bool:
        """Whether nginx itself terminates TLS."""
        return bool(self.site.certificates)

    @property
    def scheme(self) -> str:
        """The scheme of the address that the browser shows."""
        return self.site.external_scheme or "$scheme"


_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(r"(?:\*\.)?%s(?:\.%s)*" % (_LABEL, _LABEL))  # RFC 1123, and nginx's wildcard
_HOST = re.compile(r"%s(?:\.%s)*" % (_LABEL, _LABEL))
_IPV6 = re.compile(r"\[[0-9a-f:.]+\]")
_LISTEN = re.compile(r"(?:(\*|[0-9.]+|\[[0-9a-f:.]+\]):)?([1-9][0-9]{0,4})")
_PATH = re.compile(r"/[A-Za-z0-9._/@+=~-]+")
_SIZE = re.compile(r"[0-9]{1,9}[kmg]?")
_TIME = re.compile(r"([1-9][0-9]{0,8})([smhdw]?)")
_BASE_URL = re.compile(r"/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*/)*")
_VERSION = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})(?:\.([0-9]{1,3}))?")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_UPSTREAM = "HOST:PORT, https://HOST:PORT or unix:/PATH"


def check(site: ProxySite) -> CheckedSite:
    """Return the site with its values parsed.

    Raises ValueError, whose message names the option and the expected value.
    """
    for name in site.server_names:
        _match("--server-name", name, _NAME, "a host name in lower case")
    for pair in site.certificates:
        for path in pair:
            _match("--certificate, --certificate-key", path, _PATH, "an absolute plain path")
    _match("--upstream-ca", site.upstream_ca, _PATH, "an absolute plain path")
    _match("--max-body", site.max_body, _SIZE, "a size such as 100m")
    number, unit = _match("--read-timeout", site.read_timeout, _TIME, "a time such as 1d").groups()
    if int(number) * _SECONDS[unit] <= PING_SECONDS:
        raise ValueError(
            "--read-timeout: expected more than the %d s between pings" % PING_SECONDS
        )
    _match("--base-url", site.base_url, _BASE_URL, "a path that begins and ends with /")
    if site.stapling is not None:
        ipaddress.ip_address(site.stapling)
        if "%" in site.stapling:  # Python 3.9 and later: an IPv6 address may have a scope
            raise ValueError("--stapling: expected an address, found %r" % site.stapling)
    if site.external_scheme not in (None, "http", "https"):
        raise ValueError("--external-scheme: expected http or https")
    if site.hsts is not None and not 0 <= site.hsts < 10**10:
        raise ValueError("--hsts: expected seconds, found %d" % site.hsts)
    parts = _match("--nginx-version", site.version, _VERSION, "a version such as 1.22.1").groups()
    version = tuple(int(part or 0) for part in parts)
    if version < OLDEST_VERSION:
        raise ValueError("--nginx-version: expected 1.18 or later, found %s" % site.version)
    listens = tuple(_parse_listen(text) for text in site.listens)
    upstreams = tuple(_parse_upstream(text) for text in site.upstreams)
    _check_combination(site, listens, upstreams)
    return CheckedSite(site, listens, upstreams, version, _prefix(site, listens))


def _match(option: str, text: str, pattern: "re.Pattern[str]", expected: str) -> "re.Match[str]":
    match = pattern.fullmatch(text)
    if match is None or len(text) > 253:
        raise ValueError("%s: expected %s, found %r" % (option, expected, text))
    return match


def _parse_listen(text: str) -> Listen:
    expected = "PORT, ADDRESS:PORT or [IPV6]:PORT"
    address, port = _match("--listen", text, _LISTEN, expected).groups()
    if int(port) > 65535:
        raise ValueError("--listen: no such port: %r" % text)
    if address not in (None, "*"):
        ipaddress.ip_address(address.strip("[]"))
    return Listen(address or "", int(port))


def _parse_upstream(text: str) -> Upstream:
    if text.startswith("unix:"):
        _match("--upstream", text[len("unix:") :], _PATH, _UPSTREAM)
        return Upstream(text, "localhost", False)
    tls = text.startswith("https://")
    address = text[len("https://") :] if tls else re.sub("^http://", "", text)
    host, colon, port = address.rpartition(":")
    if not colon or not re.fullmatch("[1-9][0-9]{0,4}", port) or int(port) > 65535:
        raise ValueError("--upstream: expected %s, found %r" % (_UPSTREAM, text))
    if host.startswith("[") and host.endswith("]"):
        ipaddress.IPv6Address(host[1:-1])
        _match("--upstream", host, _IPV6, _UPSTREAM)
    else:
        _match("--upstream", host, _HOST, _UPSTREAM)
    return Upstream(address, host, tls)


def _check_combination(
    site: ProxySite, listens: Tuple[Listen, ...], upstreams: Tuple[Upstream, ...]
) -> None:
    """Raise ValueError where one value rules another out."""
    names = site.server_names
    for option, values in (("server-name", names), ("upstream", upstreams), ("listen", listens)):
        if not values:
            raise ValueError("--%s: expected at least one" % option)
        if len(set(values)) != len(values):
            raise ValueError("--%s: the same twice" % option)
    if len({upstream.tls for upstream in upstreams}) > 1:
        raise ValueError("--upstream: expected https:// for all or for none")
    if len({listen.port for listen in listens}) > 1 and site.redirect_http:
        raise ValueError("--redirect-http: expected one port to send browsers to")
    if site.certificates and len(site.certificates) not in (1, len(names)):
        raise ValueError("--certificate: expected one, or one for each of %d names" % len(names))
    if not site.certificates:
        if site.external_scheme is None:
            raise ValueError("expected --certificate, or --external-scheme for a TLS terminator")
        if site.redirect_http or site.stapling:
            raise ValueError("--redirect-http and --stapling need --certificate")
    if site.hsts is not None and not site.certificates and site.external_scheme != "https":
        raise ValueError("--hsts: browsers heed it over https alone")
    if site.redirect_http and any(listen.port == 80 for listen in listens):
        raise ValueError("--redirect-http: port 80 is one of --listen")


def _prefix(site: ProxySite, listens: Tuple[Listen, ...]) -> str:
    """Return a short prefix: nginx's hash tables have small buckets."""
    key = " ".join(site.server_names + tuple(map(str, listens)))
    label = re.sub("[^a-z0-9]", "", site.server_names[0].replace("*.", "").split(".")[0])
    return "front_%s_%s" % (label[:12], hashlib.sha256(key.encode()).hexdigest()[:6])
