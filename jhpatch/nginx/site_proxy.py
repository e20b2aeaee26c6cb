"""How a site passes requests to the hub: the directives of its server, and its locations."""

import textwrap

from jhpatch.nginx.options import PING_SECONDS
from jhpatch.nginx.site import CheckedSite

_GATE = """\
    if ($%s_refused) {
        return 403;
    }
"""
_LIMITS = """
    # With the default of 1m, saving a larger notebook fails.
    client_max_body_size %s;
    # By default, nginx writes larger bodies to a file first, which delays a save.
    client_body_buffer_size 512k;

"""
_ADDRESSES = """
    # Only these hosts may report the user's address.
%s    real_ip_header %s;
    real_ip_recursive on;
"""
_FORWARDED_FOR = """\
    # Replace what a client claims in this header.
    proxy_set_header X-Forwarded-For $remote_addr;
"""
_FORWARDED_FOR_BEHIND_TERMINATOR = """\
    # Append the TLS terminator's address to the header that it sent.
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
"""
_PROXY = """\
    # nginx before 1.29.7 uses HTTP/1.0 by default, and websockets need 1.1.
    proxy_http_version 1.1;
    proxy_set_header Upgrade $%(prefix)s_upgrade;
    proxy_set_header Connection $%(prefix)s_connection;
    # Not $host, which lacks the port: the server compares Host with the Origin of the
    # browser, which nginx passes on unchanged, and refuses websockets if they differ.
    proxy_set_header Host %(host)s;
    proxy_set_header X-Real-IP $remote_addr;
%(forwarded_for)s    proxy_set_header X-Forwarded-Host %(host)s;
    proxy_set_header X-Forwarded-Proto %(scheme)s;
    proxy_set_header X-Scheme %(scheme)s;
    proxy_set_header Forwarded "";
%(user)s    # Pass the progress of a spawn and the output of an export on at once.
    proxy_buffering off;
    # The hub sets several cookies at once; 4k can be too small for their headers.
    proxy_buffer_size 16k;
    proxy_buffers 8 16k;
    # Without non_idempotent, nginx never sends a POST twice.
    proxy_next_upstream error timeout;
"""
_USER = """\
    # Pass on the user that the authentication service named, not what a client claims.
    proxy_set_header REMOTE_USER $%(prefix)s_user;
    proxy_set_header Remote-User $%(prefix)s_user;
    proxy_set_header X-Forwarded-User $%(prefix)s_user;
    proxy_set_header X-Auth-Request-User $%(prefix)s_user;
    proxy_set_header X-Forwarded-Email "";
    proxy_set_header X-Forwarded-Preferred-Username "";
    proxy_set_header X-Forwarded-Groups "";
    proxy_set_header X-Auth-Request-Email "";
    proxy_set_header X-Auth-Request-Preferred-Username "";
    proxy_set_header X-Auth-Request-Groups "";
"""
_READ_TIMEOUT = """\
    # The hub may take this long to answer, such as while a server starts.
    proxy_read_timeout %s;
"""
_UPSTREAM_TLS = """\
    proxy_ssl_server_name on;
    proxy_ssl_name %s;
    # Off by default. Without it, an attacker on the network can impersonate the hub.
    proxy_ssl_verify on;
    proxy_ssl_verify_depth 3;
    proxy_ssl_trusted_certificate %s;
    proxy_ssl_protocols TLSv1.2 TLSv1.3;
"""


def gate(checked: CheckedSite) -> str:
    """Return the directives that refuse requests of other origins."""
    return _GATE % checked.prefix


def directives(checked: CheckedSite) -> str:
    """Return the directives for all locations; a proxy_set_header in one would disable these."""
    site = checked.site
    if site.trusted_proxies or site.external_scheme is None:
        forwarded_for = _FORWARDED_FOR
    else:
        forwarded_for = _FORWARDED_FOR_BEHIND_TERMINATOR
    text = _addresses(checked) + _LIMITS % site.max_body
    text += _PROXY % {
        "forwarded_for": forwarded_for,
        "host": checked.host,
        "prefix": checked.prefix,
        "scheme": checked.scheme,
        "user": _USER % {"prefix": checked.prefix} if site.auth_request else "",
    }
    if site.proxy_read_timeout is not None:
        text += _READ_TIMEOUT % site.proxy_read_timeout
    if checked.upstreams[0].tls:
        text += _UPSTREAM_TLS % (checked.upstreams[0].host.strip("[]"), site.upstream_ca)
    return text


def _addresses(checked: CheckedSite) -> str:
    site = checked.site
    if not site.trusted_proxies:
        return ""
    rows = "".join("    set_real_ip_from %s;\n" % proxy for proxy in site.trusted_proxies)
    header = "proxy_protocol" if site.proxy_protocol else "X-Forwarded-For"
    return _ADDRESSES % (rows, header)


_LOCATIONS = """
    location %(modifier)s%(base_url)s {
%(inside)s        # Websockets and server-sent events continue in the location below. Status 418 is
        # internal: no client receives it. In a location, only return is safe inside if.
        error_page 418 = @%(prefix)s_long;
        if ($%(prefix)s_long) {
            return 418;
        }
%(authenticated)s        proxy_pass %(upstream)s;
    }
    location @%(prefix)s_long {
%(inside_long)s%(authenticated_long)s        proxy_pass %(upstream)s;
        # Longer than the server's ping interval (%(ping)d s), so that these connections stay open.
        proxy_read_timeout %(read_timeout)s;
        proxy_send_timeout %(read_timeout)s;
    }
"""
_AUTHENTICATED = """\
        auth_request /oauth2/auth;
        auth_request_set $%(prefix)s_user $upstream_http_x_auth_request_user;
"""
_SIGN_IN = "        error_page 401 = /oauth2/sign_in;\n"
_REQUEST = """\
        proxy_set_header Host %(host)s;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Host %(host)s;
        proxy_set_header X-Forwarded-Proto %(scheme)s;
        proxy_set_header X-Forwarded-Uri $request_uri;
        proxy_set_header X-Forwarded-Method $request_method;
        proxy_set_header Forwarded "";
"""
_AUTHENTICATION = (
    """
    # The authentication service: oauth2-proxy with --reverse-proxy trusts these headers, such
    # as X-Forwarded-Uri for --skip-auth-route.
    location ^~ /oauth2/ {
        proxy_pass %(service)s;
"""
    + _REQUEST
    + """\
        proxy_set_header X-Auth-Request-Redirect $request_uri;
    }
    location = /oauth2/auth {
        internal;
        proxy_pass %(service)s;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
"""
    + _REQUEST
    + "    }\n"
)
_WITHOUT_SLASH = """\
    location = %s {
        absolute_redirect off;
        return 308 %s;
    }
"""
_NOTHING_ELSE = """\
    location / {
        return 404;
    }
"""


def locations(checked: CheckedSite, inside: str = "") -> str:
    """Return the locations. ``inside``: directives to repeat in each location of the hub."""
    site, is_snippet = checked.site, bool(inside)
    values = {
        "base_url": site.base_url,
        "host": checked.host,
        "modifier": "^~ " if is_snippet else "",
        "ping": PING_SECONDS,
        "prefix": checked.prefix,
        "read_timeout": site.read_timeout,
        "scheme": checked.scheme,
        "service": site.auth_request,
        "upstream": ("https://" if checked.upstreams[0].tls else "http://") + checked.prefix,
        "inside": textwrap.indent(gate(checked) + inside, "    ") if is_snippet else "",
        "inside_long": "",
        "authenticated": "",
        "authenticated_long": "",
    }
    if is_snippet:  # this location has a timeout of its own
        others = checked._replace(site=site._replace(proxy_read_timeout=None))
        values["inside_long"] = textwrap.indent(directives(others), "    ")
    if site.auth_request:
        values["authenticated_long"] = _AUTHENTICATED % values
        values["authenticated"] = _AUTHENTICATED % values + _SIGN_IN
    text = _LOCATIONS % values
    if site.auth_request:
        text += _AUTHENTICATION % values
    if site.base_url != "/":
        text += _WITHOUT_SLASH % (site.base_url[:-1], site.base_url)
        text += "" if is_snippet else _NOTHING_ELSE
    return text
