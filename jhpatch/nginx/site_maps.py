"""The part of a site in the http block: maps that classify requests, and the upstream."""

from jhpatch.nginx.site import CheckedSite

_MAPS = r"""# This file belongs in the http block: put it into sites-enabled or conf.d.
# jhpatch uses the first line of this file to detect later changes to it.

# Pass on upgrades to websockets only, not others such as h2c.
map $http_upgrade $%(prefix)s_upgrade {
    default '';
    ~*^websocket$ websocket;
}
map $http_upgrade $%(prefix)s_connection {
    default '';  # no header, so that nginx reuses connections to the hub
    ~*^websocket$ upgrade;
}
# Requests that may be idle for days: websockets, and event streams (progress, output).
map "$%(prefix)s_upgrade $http_accept" $%(prefix)s_long {
    default '';
    '~^websocket ' 1;
    '~*^ .*text/event-stream' 1;
}
%(host_map)s
# 1 if a page of another origin sends the request. The hub exempts websockets from its
# XSRF check, so only Origin keeps other pages from running code in a user's kernel.
# Scripts with a token usually send no Origin.
map "%(scheme)s://%(host)s $http_origin" $%(prefix)s_foreign {
    default 1;
    '~^[^ ]* $' 0;
    '~*^([^ ]+) \1$' 0;
%(origins)s}
# Refuse such a page if it could do harm: on upgrades, and on the API of users' servers
# (the path as sent, or decoded). Other paths accept it, because form posts of single
# sign-on have foreign origins.
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
_HOST_MAP = """\
# An HTTP/3 request has no Host header: use the name and the port that it was sent to.
map $server_port $%(prefix)s_port {
    default ':$server_port';
    443 '';
}
map $http_host $%(prefix)s_host {
    default $http_host;
    '' $host$%(prefix)s_port;
}
"""
_UPSTREAM = """
upstream %s {
%s    keepalive 16;
    # By default, the hub's proxy closes idle connections after 5 s. nginx must close them
    # earlier, because a POST on a connection that is being closed fails with 502.
    keepalive_timeout 4s;
}
"""


def maps(checked: CheckedSite) -> str:
    """Return the maps and the upstream."""
    patterns = [origin.replace(".", "\\.") for origin in checked.site.allow_origins]
    origins = ["    '~*^[^ ]+ %s$' 0;\n" % pattern for pattern in patterns]
    host_map = _HOST_MAP % {"prefix": checked.prefix} if checked.site.http3 else ""
    text = _MAPS % {
        "prefix": checked.prefix,
        "scheme": checked.scheme,
        "host": checked.host,
        "host_map": host_map,
        "origins": "".join(origins),
    }
    return text + _upstream(checked)


def _upstream(checked: CheckedSite) -> str:
    addresses = [upstream.address for upstream in checked.upstreams]
    addresses[1:] = [address + " backup" for address in addresses[1:]]
    servers = "".join("    server %s;\n" % address for address in addresses)
    return _UPSTREAM % (checked.prefix, servers)
