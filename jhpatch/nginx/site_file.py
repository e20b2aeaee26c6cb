"""Render nginx's site file for a reverse proxy's site.

The same values give the same bytes.
"""

import hashlib
from typing import Tuple

from jhpatch.nginx import options
from jhpatch.nginx.site import CheckedSite, ProxySite
from jhpatch.nginx.site_maps import maps
from jhpatch.nginx.site_proxy import directives, gate, locations

CIPHERS = ":".join(
    "ECDHE-%s-%s" % (key, cipher)
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
"""The ECDHE ciphers of Mozilla's intermediate profile."""
_MARK = "# jhpatch nginx render sha256:"


def render(site: ProxySite) -> str:
    """Return the site file, for the http block (sites-enabled, conf.d). Raises ValueError."""
    checked = options.check(site)
    site = checked.site
    if site.snippet == "locations":
        return _marked(_SNIPPET + locations(checked, directives(checked)))
    body = maps(checked)
    if site.snippet == "maps":
        return _marked(body)
    if len(site.certificates) > 1:
        for number, (name, pair) in enumerate(zip(site.server_names, site.certificates)):
            body += _server(checked, (name,), pair, is_first=not number)
    else:
        body += _server(checked, site.server_names, (site.certificates or ((),))[0])
    if site.redirect_http:
        body += _redirect(checked)
    if site.default_server:
        body += _default_server(checked)
    return _marked(body)


def _marked(body: str) -> str:
    return "%s%s\n%s" % (_MARK, hashlib.sha256(body.encode()).hexdigest(), body)


def is_unchanged(data: bytes) -> bool:
    """Return whether ``render`` wrote these bytes and they are unedited since."""
    head, _, body = data.partition(b"\n")
    return head == _MARK.encode() + hashlib.sha256(body).hexdigest().encode()


_SNIPPET = """\
# Include this file in the server block of the site.
# jhpatch uses the first line of this file to detect later changes to it.
"""
_HSTS = """\
    # For max-age seconds, browsers use only HTTPS for this name, on all its ports.
    add_header Strict-Transport-Security "max-age=%d" always;
"""
_ALT_SVC = """\
    # With this header, browsers try HTTP/3 for their next request.
    add_header Alt-Svc 'h3=":%d"; ma=86400' always;
"""


def _server(
    checked: CheckedSite,
    names: Tuple[str, ...],
    pair: Tuple[str, ...] = (),
    is_first: bool = True,
) -> str:
    site = checked.site
    # nginx accepts the options of a socket only once.
    reuseport = is_first and site.http3 and site.default_server
    lines = _listens(checked, reuseport=reuseport)
    text = "\nserver {\n%s    server_name %s;\n" % (lines, " ".join(names))
    if pair:
        text += "\n" + _certificate(pair) + _tls(checked)
    if site.hsts is not None:
        text += _HSTS % site.hsts
    if site.http3:
        text += _ALT_SVC % next(listen.port for listen in checked.listens if listen.port)
    text += "\n" + gate(checked)
    return text + directives(checked) + locations(checked) + "}\n"


def _listens(checked: CheckedSite, parameters: str = "", reuseport: bool = False) -> str:
    """Return the listen lines. From 1.25.1 on, nginx has the directive http2 for that."""
    is_directive = checked.version >= (1, 25, 1)
    protocol = " proxy_protocol" if checked.site.proxy_protocol else ""
    tls = (" ssl" if is_directive else " ssl http2") if checked.tls else ""
    text = ""
    for listen in checked.listens:
        text += "    listen %s%s%s%s;\n" % (listen, tls, protocol, parameters)
        if checked.site.http3 and listen.port:
            once = " reuseport" if reuseport else ""
            text += "    listen %s quic%s%s;\n" % (listen, once, parameters)
    return text + ("    http2 on;\n" if checked.tls and is_directive else "")


def _certificate(pair: Tuple[str, ...]) -> str:
    return "    ssl_certificate %s;\n    ssl_certificate_key %s;\n" % pair


_TLS = """\
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers %s;
    ssl_prefer_server_ciphers off;
    ssl_session_cache shared:%s:10m;
    ssl_session_timeout 1d;
    ssl_session_tickets off;  # a stolen ticket key would break forward secrecy
"""
_STAPLING = """\
    ssl_stapling on;
    ssl_stapling_verify on;
    resolver %s;
"""


def _tls(checked: CheckedSite) -> str:
    """Return Mozilla's intermediate profile, without DHE.

    The default server needs it too: OpenSSL takes the protocols from it, before it knows the
    server name.
    """
    text = _TLS % (CIPHERS, checked.prefix)
    address = checked.site.stapling
    if address:
        text += _STAPLING % ("[%s]" % address if ":" in address else address)
    return text


_REDIRECT = """
server {
%s    server_name %s;
%s}
"""
_TO_HTTPS = "    return 308 https://$host%s$request_uri;\n"
_CHALLENGE = """\
    # ACME clients such as certbot put their challenge files here.
    location ^~ /.well-known/acme-challenge/ {
        default_type text/plain;
        root %s;
    }
    location / {
        return 308 https://$host%s$request_uri;
    }
"""
_CLOSED_NAMES_OF_REDIRECT = """\
server {
%s    server_name _;
    return 444;
}
"""


def _redirect(checked: CheckedSite) -> str:
    addresses = ["80"]
    if any(listen.address.startswith("[") for listen in checked.listens):
        addresses.append("[::]:80")
    listens = "".join("    listen %s;\n" % address for address in addresses)
    # $host is one of these names, and has no port.
    port = next(listen.port for listen in checked.listens if listen.port)
    suffix = "" if port == 443 else ":%d" % port
    root = checked.site.acme_webroot
    answer = _CHALLENGE % (root, suffix) if root else _TO_HTTPS % suffix
    text = _REDIRECT % (listens, " ".join(checked.site.server_names), answer)
    if checked.site.default_server:
        text += _CLOSED_NAMES_OF_REDIRECT % listens.replace(";", " default_server;")
    return text


_DEFAULT_SERVER = """
# Close connections for any other host name, and for none: if an attacker points a name
# here (DNS rebinding), the Origin of the attacker's page equals Host.
server {
%s    server_name _;
%s}
"""
_CLOSED = "    return 444;\n"
_HEALTH = """\
    # Health checks by address do not use a name of the site.
    location = %s {
        access_log off;
        default_type text/plain;
        return 200 "ok\\n";
    }
    location / {
        return 444;
    }
"""
_REJECT_HANDSHAKE = "    ssl_reject_handshake on;  # does not reveal which names exist\n"


def _default_server(checked: CheckedSite) -> str:
    tls = ""
    if checked.tls:
        can_reject = checked.version >= (1, 19, 4)
        first = checked.site.certificates[0]
        tls = (_REJECT_HANDSHAKE if can_reject else _certificate(first)) + _tls(checked)
    path = checked.site.health_check
    answer = _HEALTH % path if path else _CLOSED
    return _DEFAULT_SERVER % (_listens(checked, " default_server"), tls + answer)
