"""Every finding that ``nginx check`` can have: its code, severity, why it matters, what to write.

docs/nginx.md shows this table; a test compares the two.
"""

from typing import Dict

from jhpatch.checks.finding import FindingKind, FindingTable
from jhpatch.errors import jhpatch_command, shell_command

_E, _W, _N = "error", "warning", "note"

_KINDS: Dict[str, FindingKind] = {
    # the configuration
    "config-broken": FindingKind(
        _E,
        "what cannot be read is not judged, and nginx may not start",
        shell_command("nginx", "-t"),
    ),
    "origin-cleared": FindingKind(
        _E,
        "any web page can open a websocket to a logged-in user's kernel and run code: "
        "the hub exempts websockets from XSRF, Origin is the defence",
        "take the line away, and proxy_set_header Host $http_host;",
    ),
    "origin-rewritten": FindingKind(
        _E,
        "the server tells foreign pages by their Origin: what nginx writes there says nothing",
        "take the line away, and proxy_set_header Host $http_host;",
    ),
    "host-without-port": FindingKind(
        _E,
        "$host drops the port, which Origin has: they differ, and the server refuses websockets",
        "proxy_set_header Host $http_host;",
    ),
    "host-replaced": FindingKind(
        _E,
        "the server compares Host with Origin and refuses websockets where they differ",
        "proxy_set_header Host $http_host;",
    ),
    "no-upgrade": FindingKind(
        _E,
        "without both headers no websocket opens: kernels and terminals stay dead",
        "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "
        "$connection_upgrade; and, in the http block, map $http_upgrade $connection_upgrade "
        "{{ default upgrade; '' ''; }}",
    ),
    "http-1.0": FindingKind(
        _E,
        "HTTP/1.0 knows no upgrade, and was the default before nginx 1.29.7",
        "proxy_http_version 1.1;",
    ),
    "timeout-below-ping": FindingKind(
        _E,
        "the server pings each 30 s: a websocket that is idle is cut before",
        "proxy_read_timeout 1d;",
    ),
    "body-limit": FindingKind(
        _E,
        "a notebook with its outputs is larger: its save fails with 413",
        "client_max_body_size 100m;",
    ),
    "ssl-on": FindingKind(
        _E, "gone from nginx 1.25, which does not start with it", "listen {port} ssl;"
    ),
    "tls-old": FindingKind(
        _E,
        "TLS 1.0 and 1.1 are broken (RFC 8996), and were in the default before nginx 1.27.3",
        "ssl_protocols TLSv1.2 TLSv1.3;",
    ),
    "weak-ciphers": FindingKind(
        _W,
        "without ECDHE a key that leaks opens what was recorded; CBC, RC4 and the like are broken",
        "ssl_ciphers {ciphers};",
    ),
    "catch-all": FindingKind(
        _E,
        "it answers to any name: one that others point here (DNS rebinding) is its own origin",
        "server {{ listen {port}{ssl} default_server; server_name _; return 444; }}",
    ),
    "csp-at-proxy": FindingKind(
        _W,
        "the hub and the servers set this header themselves: browsers heed both, and pages break",
        "take the line away; c.JupyterHub.tornado_settings sets the hub's",
    ),
    "frames-denied": FindingKind(
        _W,
        "JupyterLab shows outputs and pages in frames of its own origin",
        "add_header X-Frame-Options SAMEORIGIN always;",
    ),
    "cors-at-proxy": FindingKind(
        _E,
        "it lets pages of other origins read the hub's answers",
        "take the line away; c.ServerApp.allow_origin is for those who need it",
    ),
    "next-upstream-post": FindingKind(
        _E,
        "a POST that failed half way is sent again: two kernels, two logins",
        "proxy_next_upstream error timeout;",
    ),
    "no-forwarded-proto": FindingKind(
        _W,
        "the hub takes the front for plain http: cookies without Secure, redirects to http",
        "proxy_set_header X-Forwarded-Proto $scheme;",
    ),
    # the answers
    "unreachable": FindingKind(
        _E, "what was not asked is not known", shell_command("nc", "-vz", "{host}", "{port}")
    ),
    "not-a-front": FindingKind(
        _W,
        "what answers is no web server that speaks HTTP/1.1",
        shell_command("curl", "-v", "{url}"),
    ),
    "plain-http": FindingKind(
        _W,
        "passwords and cookies are readable on the way",
        jhpatch_command("nginx", "render", "--certificate", "FILE", "--certificate-key", "FILE"),
    ),
    "certificate": FindingKind(_N, "browsers believe it as far as this host's authorities do"),
    "certificate-refused": FindingKind(
        _E,
        "browsers warn, and users learn to click warnings away",
        shell_command("openssl", "s_client", "-connect", "{host}:{port}", "-servername", "{host}"),
    ),
    "certificate-expiring": FindingKind(
        _W, "browsers refuse it after that", "renew it, then nginx -s reload"
    ),
    "protocols": FindingKind(_N, "what browsers can choose from"),
    "protocol-old": FindingKind(
        _E, "TLS 1.0 and 1.1 are broken (RFC 8996)", "ssl_protocols TLSv1.2 TLSv1.3;"
    ),
    "protocol-modern-missing": FindingKind(
        _E, "browsers have nothing older left", "ssl_protocols TLSv1.2 TLSv1.3;"
    ),
    "name-unknown-closed": FindingKind(_N, "another name gets no answer from the hub"),
    "name-unknown-answered": FindingKind(
        _W,
        "a name that others point here (DNS rebinding) is its own origin",
        "server {{ listen {port}{ssl} default_server; server_name _; return 444; }}",
    ),
    "origin-right": FindingKind(_N, "an upgrade with the front's own origin"),
    "origin-right-refused": FindingKind(
        _E,
        "websockets fail in every browser: Host or the scheme is not what the browser sees",
        "proxy_set_header Host $http_host;",
    ),
    "upgrade-lost": FindingKind(
        _E,
        "the server got a request without its Upgrade header: no websocket opens",
        "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
        "proxy_set_header Connection $connection_upgrade;",
    ),
    "origin-refused": FindingKind(_N, "a page of that origin cannot open a user's kernel"),
    "origin-foreign-accepted": FindingKind(
        _E,
        "any web page can run code in the kernel of a user who has logged in",
        "take proxy_set_header Origin away; " + jhpatch_command("nginx", "check", "CONFIG"),
    ),
    "origin-not-told-apart": FindingKind(
        _W,
        "the front passes a foreign origin on as it does its own: the server's check is all "
        "that stands, and with Origin cleared nothing does",
        jhpatch_command("nginx", "render")
        + ", or --cookie-file FILE to ask as a user who has logged in",
    ),
    "origin-none": FindingKind(_N, "scripts with a token send none"),
    "origin-none-refused": FindingKind(
        _W,
        "scripts with a token send no Origin: they are shut out",
        "let requests without Origin pass",
    ),
}

TABLE = FindingTable(_KINDS)
finding = TABLE.finding
