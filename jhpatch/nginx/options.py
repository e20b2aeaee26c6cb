"""The values of an nginx site, as ``nginx render`` is given them, and their check.

Each value matches a pattern without the characters that end a directive, open a block or name
a variable, so that the site file can contain it as it is.
"""

import hashlib
import ipaddress
import re
from typing import Tuple

from jhpatch.nginx import option_rules
from jhpatch.nginx.site import CheckedSite, Listen, ProxySite, Upstream

OLDEST_VERSION = (1, 18, 0)
"""The oldest nginx that a site file supports: that of Debian 11."""
NOTEBOOK_BYTES = 10 << 20
"""The size of a notebook with images; a request must be able to have it."""
PING_SECONDS = 30
"""Between the pings of a kernel's websocket, by the defaults of jupyter_server and notebook."""
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"  # RFC 1123, and underscores
_NAME = re.compile(r"(?!_$)(?:\*\.)?%s(?:\.%s)*" % (_LABEL, _LABEL))  # nginx's wildcard
_HOST = re.compile(r"%s(?:\.%s)*" % (_LABEL, _LABEL))
_IPV6 = re.compile(r"\[[0-9a-f:.]+\]")
_LISTEN = re.compile(r"(?:(\*|[0-9.]+|\[[0-9a-f:.]+\]):)?([1-9][0-9]{0,4})")
_PATH = re.compile(r"/[A-Za-z0-9._/@+=~-]+")
_ABSOLUTE = "an absolute path of letters (A-Z, a-z), digits and ._/@+=~-"
_SIZE = re.compile(r"[0-9]{1,9}[kmg]?")
_TIME = re.compile(r"([1-9][0-9]{0,8})([smhdw]?)")
_BASE_URL = re.compile(r"/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*/)*")
_VERSION = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})(?:\.([0-9]{1,3}))?(?:\.[0-9]{1,3})?")
_ORIGIN = re.compile(r"https?://%s(?:\.%s)*(?::[1-9][0-9]{0,4})?" % (_LABEL, _LABEL))
_SERVICE = re.compile(
    r"http://(%s(?:\.%s)*|\[[0-9a-f:]+\])(?::([1-9][0-9]{0,4}))?" % (_LABEL, _LABEL)
)
_NETWORK = re.compile(r"[0-9a-f.:]+(?:/[0-9]{1,3})?")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_BYTES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_UPSTREAM = "HOST:PORT, https://HOST:PORT or unix:/PATH"


def check(site: ProxySite) -> CheckedSite:
    """Return the site with its values parsed.

    Raises ValueError, whose message names the option and the expected value.
    """
    site = _normalized(site)
    for name in site.server_names:
        _match("--server-name", name, _NAME, "a host name")
    for pair in site.certificates:
        for path in pair:
            _match("--certificate, --certificate-key", path, _PATH, _ABSOLUTE)
    _match("--upstream-ca", site.upstream_ca, _PATH, _ABSOLUTE)
    _match("--max-body", site.max_body, _SIZE, "a size such as 100m")
    number, unit = site.max_body.rstrip("kmg"), site.max_body[-1]
    if 0 < int(number) * _BYTES.get(unit, 1) < NOTEBOOK_BYTES:
        raise ValueError("--max-body: expected 10m or more, the size of a notebook with images")
    _check_time("--read-timeout", site.read_timeout, "a time such as 1d")
    _match("--base-url", site.base_url, _BASE_URL, "a path that begins and ends with /")
    if site.stapling is not None:
        _check_address("--stapling", site.stapling)
    if site.external_scheme not in (None, "http", "https"):
        raise ValueError("--external-scheme: expected http or https")
    if site.hsts is not None and not 0 <= site.hsts < 10**10:
        raise ValueError("--hsts: expected a number of seconds, found %d" % site.hsts)
    parts = _match("--nginx-version", site.version, _VERSION, "a version such as 1.22.1").groups()
    version = tuple(int(part or 0) for part in parts)
    if version < OLDEST_VERSION:
        raise ValueError("--nginx-version: expected 1.18 or later, found %s" % site.version)
    listens = tuple(_parse_listen(text) for text in site.listens)
    upstreams = tuple(_parse_upstream(text) for text in site.upstreams)
    _check_more(site)
    option_rules.check(site, version, listens, upstreams)
    return CheckedSite(site, listens, upstreams, version, _prefix(site, listens))


def _check_time(option: str, text: str, expected: str) -> None:
    number, unit = _match(option, text, _TIME, expected).groups()
    if int(number) * _SECONDS[unit] <= PING_SECONDS:
        raise ValueError(
            "%s: expected more than %d s, the interval of the server's pings"
            % (option, PING_SECONDS)
        )


def _check_more(site: ProxySite) -> None:
    """Check the values that only some sites have. Raises ValueError."""
    if site.proxy_read_timeout is not None:
        _check_time("--proxy-read-timeout", site.proxy_read_timeout, "a time such as 5m")
    for option, path in (
        ("--acme-webroot", site.acme_webroot),
        ("--health-check", site.health_check),
    ):
        if path is not None:
            _match(option, path, _PATH, _ABSOLUTE)
    for origin in site.allow_origins:
        _match("--allow-origin", origin, _ORIGIN, "an origin such as https://lms.example.org")
    if site.auth_request is not None:
        service = _match("--auth-request", site.auth_request, _SERVICE, "http://HOST:PORT")
        _check_host("--auth-request", service.group(1))
        if int(service.group(2) or 80) > 65535:
            raise ValueError(
                "--auth-request: expected a port from 1 to 65535, found %r" % site.auth_request
            )
        if site.base_url.startswith("/oauth2/"):
            raise ValueError(
                "--base-url: expected another path, because --auth-request uses /oauth2/"
            )
    for proxy in site.trusted_proxies:
        if proxy != "unix:":
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise ValueError("--trusted-proxy: expected ADDRESS or CIDR: %s" % error)
            _match("--trusted-proxy", proxy, _NETWORK, "ADDRESS or CIDR")
    if site.snippet not in (None, "maps", "locations"):
        raise ValueError("--snippet: expected maps or locations, found %r" % site.snippet)


def _normalized(site: ProxySite) -> ProxySite:
    """Return the site with names in lower case, and a base URL that ends with a slash."""
    base_url = site.base_url
    if base_url.startswith("/") and not base_url.endswith("/"):
        base_url += "/"
    # Not lower(), which makes an ASCII letter of U+212A.
    names = tuple(
        re.sub("[A-Z]+", lambda match: match.group().lower(), name) for name in site.server_names
    )
    return site._replace(server_names=names, base_url=base_url)


def _match(option: str, text: str, pattern: "re.Pattern[str]", expected: str) -> "re.Match[str]":
    match = pattern.fullmatch(text)
    if match is None or len(text) > 253:
        raise ValueError("%s: expected %s, found %r" % (option, expected, text))
    return match


def _parse_listen(text: str) -> Listen:
    expected = "PORT, ADDRESS:PORT, [IPV6]:PORT or unix:/PATH"
    if text.startswith("unix:"):
        _match("--listen", text[len("unix:") :], _PATH, _ABSOLUTE)
        return Listen(text, 0)
    address, port = _match("--listen", text, _LISTEN, expected).groups()
    if int(port) > 65535:
        raise ValueError("--listen: expected a port from 1 to 65535, found %r" % text)
    return Listen(_normal_address(address or "*"), int(port))


def _normal_address(address: str) -> str:
    """Return the normal form of an address, to compare it with others; empty for any."""
    if address in ("*", "0.0.0.0"):
        return ""
    try:
        if address.startswith("["):
            return "[%s]" % ipaddress.IPv6Address(address[1:-1])
        return str(ipaddress.IPv4Address(address))
    except ValueError as error:
        raise ValueError("--listen: %s" % error)


def _check_address(option: str, address: str) -> None:
    """Raise ValueError for what is not an IP address."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        is_address = False
    else:
        is_address = "%" not in address  # Python 3.9 and later: an IPv6 address may have a scope
    if not is_address:
        raise ValueError("%s: expected an IP address, found %r" % (option, address))


def _check_host(option: str, host: str) -> None:
    """Raise ValueError for a host in brackets, or whose last part is a number, if it is not an
    address."""
    try:
        if host.startswith("["):
            ipaddress.IPv6Address(host[1:-1])
        elif re.fullmatch("[0-9]+", host.rpartition(".")[2]):
            ipaddress.IPv4Address(host)
    except ValueError as error:
        raise ValueError("%s: %s" % (option, error))


def _parse_upstream(text: str) -> Upstream:
    if text.startswith("unix:"):
        _match("--upstream", text[len("unix:") :], _PATH, _ABSOLUTE)
        return Upstream(text, "localhost", False)
    tls = text.startswith("https://")
    address = text[len("https://") :] if tls else re.sub("^http://", "", text)
    host, colon, port = address.rpartition(":")
    if not colon or not re.fullmatch("[1-9][0-9]{0,4}", port) or int(port) > 65535:
        raise ValueError("--upstream: expected %s, found %r" % (_UPSTREAM, text))
    if host.startswith("[") and host.endswith("]"):
        _match("--upstream", host, _IPV6, _UPSTREAM)
    else:
        _match("--upstream", host, _HOST, _UPSTREAM)
    _check_host("--upstream", host)
    return Upstream(address, host, tls)


def _prefix(site: ProxySite, listens: Tuple[Listen, ...]) -> str:
    """Return a short prefix: nginx's hash tables have small buckets."""
    names = site.server_names + tuple(map(str, listens))
    key = " ".join(names + ((site.base_url,) if site.snippet else ()))
    label = re.sub("[^a-z0-9]", "", site.server_names[0].replace("*.", "").split(".")[0])
    return "site_%s_%s" % (label[:12], hashlib.sha256(key.encode()).hexdigest()[:6])
