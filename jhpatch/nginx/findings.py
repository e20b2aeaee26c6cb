"""Every finding that ``nginx check`` can have: its code, severity, why it matters, what to write.

docs/nginx.md shows this table; a test compares the two.
"""

from typing import Dict, Optional

from jhpatch.report.result import Finding, Kind

_E, _W, _N = "error", "warning", "note"

KINDS: Dict[str, Kind] = {
    # the configuration
    "config-broken": Kind(
        _E, "what cannot be read is not judged, and nginx may not start", "nginx -t"
    ),
    "origin-cleared": Kind(
        _E,
        "any web page can open a websocket to a logged-in user's kernel and run code: "
        "the hub exempts websockets from XSRF, Origin is the defence",
        "take the line away, and proxy_set_header Host $http_host;",
    ),
    "origin-rewritten": Kind(
        _E,
        "the server tells foreign pages by their Origin: what nginx writes there says nothing",
        "take the line away, and proxy_set_header Host $http_host;",
    ),
    "host-without-port": Kind(
        _E,
        "$host drops the port, which Origin has: they differ, and the server refuses websockets",
        "proxy_set_header Host $http_host;",
    ),
    "host-replaced": Kind(
        _E,
        "the server compares Host with Origin and refuses websockets where they differ",
        "proxy_set_header Host $http_host;",
    ),
    "no-upgrade": Kind(
        _E,
        "without both headers no websocket opens: kernels and terminals stay dead",
        "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "
        "$connection_upgrade; and, in the http block, map $http_upgrade $connection_upgrade "
        "{{ default upgrade; '' ''; }}",
    ),
    "http-1.0": Kind(
        _E,
        "HTTP/1.0 knows no upgrade, and was the default before nginx 1.29.7",
        "proxy_http_version 1.1;",
    ),
    "timeout-below-ping": Kind(
        _E,
        "the server pings each 30 s: a websocket that is idle is cut before",
        "proxy_read_timeout 1d;",
    ),
    "body-limit": Kind(
        _E,
        "a notebook with its outputs is larger: its save fails with 413",
        "client_max_body_size 100m;",
    ),
    "ssl-on": Kind(_E, "gone from nginx 1.25, which does not start with it", "listen {port} ssl;"),
    "tls-old": Kind(
        _E,
        "TLS 1.0 and 1.1 are broken (RFC 8996), and were in the default before nginx 1.27.3",
        "ssl_protocols TLSv1.2 TLSv1.3;",
    ),
    "weak-ciphers": Kind(
        _W,
        "without ECDHE a key that leaks opens what was recorded; CBC, RC4 and the like are broken",
        "ssl_ciphers {ciphers};",
    ),
    "catch-all": Kind(
        _E,
        "it answers to any name: one that others point here (DNS rebinding) is its own origin",
        "server {{ listen {port}{ssl} default_server; server_name _; return 444; }}",
    ),
    "csp-at-proxy": Kind(
        _W,
        "the hub and the servers set this header themselves: browsers heed both, and pages break",
        "take the line away; c.JupyterHub.tornado_settings sets the hub's",
    ),
    "frames-denied": Kind(
        _W,
        "JupyterLab shows outputs and pages in frames of its own origin",
        "add_header X-Frame-Options SAMEORIGIN always;",
    ),
    "cors-at-proxy": Kind(
        _E,
        "it lets pages of other origins read the hub's answers",
        "take the line away; c.ServerApp.allow_origin is for those who need it",
    ),
    "next-upstream-post": Kind(
        _E,
        "a POST that failed half way is sent again: two kernels, two logins",
        "proxy_next_upstream error timeout;",
    ),
    "no-forwarded-proto": Kind(
        _W,
        "the hub takes the front for plain http: cookies without Secure, redirects to http",
        "proxy_set_header X-Forwarded-Proto $scheme;",
    ),
    # the answers
    "unreachable": Kind(_E, "what was not asked is not known", "nc -vz {host} {port}"),
    "not-a-front": Kind(_W, "what answers is no web server that speaks HTTP/1.1", "curl -v {url}"),
    "plain-http": Kind(
        _W,
        "passwords and cookies are readable on the way",
        "python -m jhpatch nginx render --certificate FILE --certificate-key FILE",
    ),
    "certificate": Kind(_N, "browsers believe it as far as this host's authorities do"),
    "certificate-refused": Kind(
        _E,
        "browsers warn, and users learn to click warnings away",
        "openssl s_client -connect {host}:{port} -servername {host}",
    ),
    "certificate-expiring": Kind(
        _W, "browsers refuse it after that", "renew it, then nginx -s reload"
    ),
    "protocols": Kind(_N, "what browsers can choose from"),
    "protocol-old": Kind(
        _E, "TLS 1.0 and 1.1 are broken (RFC 8996)", "ssl_protocols TLSv1.2 TLSv1.3;"
    ),
    "protocol-modern-missing": Kind(
        _E, "browsers have nothing older left", "ssl_protocols TLSv1.2 TLSv1.3;"
    ),
    "name-unknown-closed": Kind(_N, "another name gets no answer from the hub"),
    "name-unknown-answered": Kind(
        _W,
        "a name that others point here (DNS rebinding) is its own origin",
        "server {{ listen {port}{ssl} default_server; server_name _; return 444; }}",
    ),
    "origin-right": Kind(_N, "an upgrade with the front's own origin"),
    "origin-right-refused": Kind(
        _E,
        "websockets fail in every browser: Host or the scheme is not what the browser sees",
        "proxy_set_header Host $http_host;",
    ),
    "upgrade-lost": Kind(
        _E,
        "the server got a request without its Upgrade header: no websocket opens",
        "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
        "proxy_set_header Connection $connection_upgrade;",
    ),
    "origin-refused": Kind(_N, "a page of that origin cannot open a user's kernel"),
    "origin-foreign-accepted": Kind(
        _E,
        "any web page can run code in the kernel of a user who has logged in",
        "take proxy_set_header Origin away; python -m jhpatch nginx check CONFIG",
    ),
    "origin-not-told-apart": Kind(
        _W,
        "the front passes a foreign origin on as it does its own: the server's check is all "
        "that stands, and with Origin cleared nothing does",
        "python -m jhpatch nginx render, or --cookie-file FILE to ask as a user who has logged in",
    ),
    "origin-none": Kind(_N, "scripts with a token send none"),
    "origin-none-refused": Kind(
        _W,
        "scripts with a token send no Origin: they are shut out",
        "let requests without Origin pass",
    ),
}


def finding(code: str, message: str, path: Optional[str] = None, **fields: object) -> Finding:
    """A finding of ``KINDS``."""
    kind = KINDS[code]
    then = kind.next.format(**fields) or None
    return Finding(code, kind.severity, message, path, kind.why, then)
