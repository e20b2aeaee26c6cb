"""A reverse proxy's site → nginx's site file for it.

The same values give the same bytes.
"""

import hashlib
from typing import Tuple

from jhpatch.nginx import options
from jhpatch.nginx.options import PING_SECONDS, CheckedSite, ProxySite

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
    body = _MAPS % {"prefix": checked.prefix, "scheme": checked.scheme}
    body += _upstream(checked)
    if len(site.certificates) > 1:
        for name, pair in zip(site.server_names, site.certificates):
            body += _server(checked, (name,), pair)
    else:
        body += _server(checked, site.server_names, *site.certificates)
    if site.redirect_http:
        body += _redirect(checked)
    if site.default_server:
        body += _default_server(checked)
    return "%s%s\n%s" % (_MARK, hashlib.sha256(body.encode()).hexdigest(), body)


def is_unchanged(data: bytes) -> bool:
    """Whether ``render`` wrote these bytes and nobody has changed them since."""
    head, _, body = data.partition(b"\n")
    return head == _MARK.encode() + hashlib.sha256(body).hexdigest().encode()


_MAPS = r"""# Belongs in the http block: a file of its own in sites-enabled or conf.d.
# The line above lets jhpatch tell whether somebody has changed the file since.

# Websockets, and no other upgrade (h2c) that a client may ask for.
map $http_upgrade $%(prefix)s_upgrade {
    default '';
    ~*^websocket$ websocket;
}
map $http_upgrade $%(prefix)s_connection {
    default '';  # no header: connections to the hub are kept and used again
    ~*^websocket$ upgrade;
}

# Whether a page of another origin asks. The hub exempts websockets from its XSRF
# check: with Origin cleared, any page runs code in a logged-in user's kernel. Scripts
# with a token send no Origin.
map "%(scheme)s://$http_host $http_origin" $%(prefix)s_foreign {
    default 1;
    '~^[^ ]* $' 0;
    '~*^([^ ]+) \1$' 0;
}
# Where such a page could do harm: upgrades, and the API of users' servers, its path
# as sent or decoded. Not elsewhere: form posts of single sign-on have foreign origins.
map $request_uri $%(prefix)s_api_as_sent {
    default 0;
    '~^[^?]*/user/[^?]+/api(?:[/?]|$)' 1;
}
map $uri $%(prefix)s_api {
    default $%(prefix)s_api_as_sent;
    '~/user/.+/api(?:/|$)' 1;
}
map $http_upgrade $%(prefix)s_guarded {
    default 1;
    '' $%(prefix)s_api;
}
map $%(prefix)s_guarded$%(prefix)s_foreign $%(prefix)s_refused {
    default 0;
    11 1;
}
"""

_UPSTREAM = """
upstream %s {
%s    keepalive 16;
    # The hub's proxy closes idle connections after 5 s: nginx must be first, or a POST
    # that meets the end of a connection fails with 502.
    keepalive_timeout 4s;
}
"""


def _upstream(checked: CheckedSite) -> str:
    addresses = [upstream.address for upstream in checked.upstreams]
    addresses[1:] = [address + " backup" for address in addresses[1:]]
    servers = "".join("    server %s;\n" % address for address in addresses)
    return _UPSTREAM % (checked.prefix, servers)


_HSTS = """\
    # Browsers refuse plain http for the whole name, all its ports, for so long.
    add_header Strict-Transport-Security "max-age=%d" always;
"""
_LIMITS = """
    if ($%s_refused) {
        return 403;
    }

    # The default of 1m breaks the saves of larger notebooks.
    client_max_body_size %s;
    # Beyond 16k a body goes to a file first, which costs a save some milliseconds.
    client_body_buffer_size 512k;

"""


def _server(checked: CheckedSite, names: Tuple[str, ...], pair: Tuple[str, ...] = ()) -> str:
    site = checked.site
    text = "\nserver {\n%s    server_name %s;\n" % (_listens(checked), " ".join(names))
    if pair:
        text += "\n" + _certificate(pair) + _tls(checked)
    if site.hsts is not None:
        text += _HSTS % site.hsts
    text += _LIMITS % (checked.prefix, site.max_body)
    return text + _proxy(checked) + _locations(checked) + "}\n"


def _listens(checked: CheckedSite, parameters: str = "") -> str:
    """The listen lines. Since nginx 1.25.1 http2 is a directive, and a warning on listen."""
    is_directive = checked.version >= (1, 25, 1)
    if checked.tls:
        parameters = (" ssl" if is_directive else " ssl http2") + parameters
    text = "".join("    listen %s%s;\n" % (listen, parameters) for listen in checked.listens)
    return text + ("    http2 on;\n" if checked.tls and is_directive else "")


def _certificate(pair: Tuple[str, ...]) -> str:
    return "    ssl_certificate %s;\n    ssl_certificate_key %s;\n" % pair


_TLS = """\
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers %s;
    ssl_prefer_server_ciphers off;
    ssl_session_cache shared:%s:10m;
    ssl_session_timeout 1d;
    ssl_session_tickets off;  # their key would outlive forward secrecy
"""
_STAPLING = """\
    ssl_stapling on;
    ssl_stapling_verify on;
    resolver %s;
"""


def _tls(checked: CheckedSite) -> str:
    """Mozilla's intermediate profile, without DHE. The default server needs it too: OpenSSL
    takes the protocols from there, before it knows the server name."""
    text = _TLS % (CIPHERS, checked.prefix)
    address = checked.site.stapling
    if address:
        text += _STAPLING % ("[%s]" % address if ":" in address else address)
    return text


_FORWARDED_FOR = """\
    # What a client claims in this header is not passed on.
    proxy_set_header X-Forwarded-For $remote_addr;
"""
_FORWARDED_FOR_BEHIND_TERMINATOR = """\
    # Behind a terminator, which wrote the first of these addresses.
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
"""
_PROXY = """\
    # Websockets need 1.1; the default was 1.0 for long.
    proxy_http_version 1.1;
    proxy_set_header Upgrade $%(prefix)s_upgrade;
    proxy_set_header Connection $%(prefix)s_connection;
    # Not $host, which drops the port: the server compares this with the Origin of the
    # browser, which goes through untouched, and refuses websockets where they differ.
    proxy_set_header Host $http_host;
    proxy_set_header X-Real-IP $remote_addr;
%(forwarded_for)s    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Proto %(scheme)s;
    proxy_set_header X-Scheme %(scheme)s;
    # Progress of a spawn, output of an export: at once, not when a buffer is full.
    proxy_buffering off;
    # The hub sets several cookies at once; 4k are too small for their headers.
    proxy_buffer_size 16k;
    proxy_buffers 8 16k;
    # Never a POST twice: no non_idempotent here.
    proxy_next_upstream error timeout;
"""
_UPSTREAM_TLS = """\
    proxy_ssl_server_name on;
    proxy_ssl_name %s;
    # Off by default: without it anybody between here and the hub can be the hub.
    proxy_ssl_verify on;
    proxy_ssl_verify_depth 3;
    proxy_ssl_trusted_certificate %s;
    proxy_ssl_protocols TLSv1.2 TLSv1.3;
"""


def _proxy(checked: CheckedSite) -> str:
    """Directives for all locations: a proxy_set_header in a location would disable all these."""
    is_behind_terminator = checked.site.external_scheme is not None
    forwarded_for = _FORWARDED_FOR_BEHIND_TERMINATOR if is_behind_terminator else _FORWARDED_FOR
    text = _PROXY % {
        "forwarded_for": forwarded_for,
        "prefix": checked.prefix,
        "scheme": checked.scheme,
    }
    if checked.upstreams[0].tls:
        text += _UPSTREAM_TLS % (checked.upstreams[0].host.strip("[]"), checked.site.upstream_ca)
    return text


_LOCATIONS = """
    location %(base_url)s {
        # 418 goes to no client: it tells websockets apart without an if that does more
        # than return.
        error_page 418 = @%(prefix)s_websocket;
        if ($%(prefix)s_upgrade) {
            return 418;
        }
        proxy_pass %(upstream)s;
    }
    location @%(prefix)s_websocket {
        proxy_pass %(upstream)s;
        # Above the server's pings (%(ping)d s): for websockets alone, which live for days.
        proxy_read_timeout %(read_timeout)s;
        proxy_send_timeout %(read_timeout)s;
    }
"""
_OUTSIDE_OF_BASE_URL = """\
    location = %s {
        absolute_redirect off;
        return 308 %s;
    }
    location / {
        return 404;
    }
"""


def _locations(checked: CheckedSite) -> str:
    base_url = checked.site.base_url
    text = _LOCATIONS % {
        "base_url": base_url,
        "ping": PING_SECONDS,
        "prefix": checked.prefix,
        "read_timeout": checked.site.read_timeout,
        "upstream": ("https://" if checked.upstreams[0].tls else "http://") + checked.prefix,
    }
    return text + (_OUTSIDE_OF_BASE_URL % (base_url[:-1], base_url) if base_url != "/" else "")


_REDIRECT = """
server {
%s    server_name %s;
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
    port = checked.listens[0].port
    suffix = "" if port == 443 else ":%d" % port
    text = _REDIRECT % (listens, " ".join(checked.site.server_names), suffix)
    if checked.site.default_server:
        text += _CLOSED_NAMES_OF_REDIRECT % listens.replace(";", " default_server;")
    return text


_DEFAULT_SERVER = """
# Any other name, and none: closed. A name that others point here (DNS rebinding) would
# be an origin of its own, and equal to its Host.
server {
%s    server_name _;
%s    return 444;
}
"""
_REJECT_HANDSHAKE = "    ssl_reject_handshake on;  # shows nobody which names there are\n"


def _default_server(checked: CheckedSite) -> str:
    tls = ""
    if checked.tls:
        can_reject = checked.version >= (1, 19, 4)
        first = checked.site.certificates[0]
        tls = (_REJECT_HANDSHAKE if can_reject else _certificate(first)) + _tls(checked)
    return _DEFAULT_SERVER % (_listens(checked, " default_server"), tls)
