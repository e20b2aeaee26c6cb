"""The findings of ``nginx check``: code, severity, why it matters, and what to write.

docs/nginx.md shows this table; a test compares the two.
"""

from typing import Dict

from jhpatch.checks.finding import FindingKind, FindingTable
from jhpatch.errors import jhpatch_command, shell_command

_ERROR, _WARNING, _NOTE = "error", "warning", "note"

_KINDS: Dict[str, FindingKind] = {
    # the configuration
    "config-broken": FindingKind(
        _ERROR,
        "what cannot be read is not judged, and nginx may not start",
        shell_command("nginx", "-t"),
    ),
    "origin-cleared": FindingKind(
        _ERROR,
        "any web page can open a websocket to a logged-in user's kernel and run code: "
        "the hub exempts websockets from XSRF, Origin is the defence",
        "take the line away, and proxy_set_header Host $http_host;",
    ),
    "origin-rewritten": FindingKind(
        _ERROR,
        "the server tells foreign pages by their Origin: what nginx writes there says nothing",
        "take the line away, and proxy_set_header Host $http_host;",
    ),
    "host-without-port": FindingKind(
        _ERROR,
        "$host drops the port, which Origin has: they differ, and the server refuses websockets",
        "proxy_set_header Host $http_host;",
    ),
    "host-replaced": FindingKind(
        _ERROR,
        "the server compares Host with Origin and refuses websockets where they differ",
        "proxy_set_header Host $http_host;",
    ),
    "no-upgrade": FindingKind(
        _ERROR,
        "without both headers no websocket opens: kernels and terminals stay dead",
        "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "
        "$connection_upgrade; and, in the http block, map $http_upgrade $connection_upgrade "
        "{{ default upgrade; '' ''; }}",
    ),
    "http-1.0": FindingKind(
        _ERROR,
        "HTTP/1.0 knows no upgrade, and was the default before nginx 1.29.7",
        "proxy_http_version 1.1;",
    ),
    "timeout-below-ping": FindingKind(
        _ERROR,
        "the server pings each 30 s: a websocket that is idle is cut before",
        "proxy_read_timeout 1d;",
    ),
    "body-limit": FindingKind(
        _ERROR,
        "a notebook with its outputs is larger: its save fails with 413",
        "client_max_body_size 100m;",
    ),
    "ssl-on": FindingKind(
        _ERROR, "gone from nginx 1.25, which does not start with it", "listen {port} ssl;"
    ),
    "tls-old": FindingKind(
        _ERROR,
        "TLS 1.0 and 1.1 are broken (RFC 8996), and were in the default before nginx 1.27.3",
        "ssl_protocols TLSv1.2 TLSv1.3;",
    ),
    "weak-ciphers": FindingKind(
        _WARNING,
        "without ECDHE a key that leaks opens what was recorded; CBC, RC4 and the like are broken",
        "ssl_ciphers {ciphers};",
    ),
    "catch-all": FindingKind(
        _ERROR,
        "it answers to any name: one that others point here (DNS rebinding) is its own origin",
        "server {{ listen {port}{ssl} default_server; server_name _; return 444; }}",
    ),
    "csp-at-proxy": FindingKind(
        _WARNING,
        "the hub and the servers set this header themselves: browsers heed both, and pages break",
        "take the line away; c.JupyterHub.tornado_settings sets the hub's",
    ),
    "frames-denied": FindingKind(
        _WARNING,
        "JupyterLab shows outputs and pages in frames of its own origin",
        "add_header X-Frame-Options SAMEORIGIN always;",
    ),
    "cors-at-proxy": FindingKind(
        _ERROR,
        "it lets pages of other origins read the hub's answers",
        "take the line away; c.ServerApp.allow_origin is for those who need it",
    ),
    "next-upstream-post": FindingKind(
        _ERROR,
        "a POST that failed half way is sent again: two kernels, two logins",
        "proxy_next_upstream error timeout;",
    ),
    "no-forwarded-proto": FindingKind(
        _WARNING,
        "the hub takes the front for plain http: cookies without Secure, redirects to http",
        "proxy_set_header X-Forwarded-Proto $scheme;",
    ),
    # answers of a running proxy
    "unreachable": FindingKind(
        _ERROR, "what was not asked is not known", shell_command("nc", "-vz", "{host}", "{port}")
    ),
    "not-a-front": FindingKind(
        _WARNING,
        "what answers is no web server that speaks HTTP/1.1",
        shell_command("curl", "-v", "{url}"),
    ),
    "plain-http": FindingKind(
        _WARNING,
        "passwords and cookies are readable on the way",
        jhpatch_command("nginx", "render", "--certificate", "FILE", "--certificate-key", "FILE"),
    ),
    "certificate": FindingKind(_NOTE, "browsers believe it as far as this host's authorities do"),
    "certificate-refused": FindingKind(
        _ERROR,
        "browsers warn, and users learn to click warnings away",
        shell_command("openssl", "s_client", "-connect", "{host}:{port}", "-servername", "{host}"),
    ),
    "certificate-expiring": FindingKind(
        _WARNING, "browsers refuse it after that", "renew it, then nginx -s reload"
    ),
    "protocols": FindingKind(_NOTE, "what browsers can choose from"),
    "protocol-old": FindingKind(
        _ERROR, "TLS 1.0 and 1.1 are broken (RFC 8996)", "ssl_protocols TLSv1.2 TLSv1.3;"
    ),
    "protocol-modern-missing": FindingKind(
        _ERROR, "browsers have nothing older left", "ssl_protocols TLSv1.2 TLSv1.3;"
    ),
    "name-unknown-closed": FindingKind(_NOTE, "another name gets no answer from the hub"),
    "name-unknown-answered": FindingKind(
        _WARNING,
        "a name that others point here (DNS rebinding) is its own origin",
        "server {{ listen {port}{ssl} default_server; server_name _; return 444; }}",
    ),
    "origin-right": FindingKind(_NOTE, "an upgrade with the front's own origin"),
    "origin-right-refused": FindingKind(
        _ERROR,
        "websockets fail in every browser: Host or the scheme is not what the browser sees",
        "proxy_set_header Host $http_host;",
    ),
    "upgrade-lost": FindingKind(
        _ERROR,
        "the server got a request without its Upgrade header: no websocket opens",
        "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
        "proxy_set_header Connection $connection_upgrade;",
    ),
    "origin-refused": FindingKind(_NOTE, "a page of that origin cannot open a user's kernel"),
    "origin-foreign-accepted": FindingKind(
        _ERROR,
        "any web page can run code in the kernel of a user who has logged in",
        "take proxy_set_header Origin away; " + jhpatch_command("nginx", "check", "CONFIG"),
    ),
    "origin-not-told-apart": FindingKind(
        _WARNING,
        "the front passes a foreign origin on as it does its own: the server's check is all "
        "that stands, and with Origin cleared nothing does",
        jhpatch_command("nginx", "render")
        + ", or --cookie-file FILE to ask as a user who has logged in",
    ),
    "origin-none": FindingKind(_NOTE, "scripts with a token send none"),
    "origin-none-refused": FindingKind(
        _WARNING,
        "scripts with a token send no Origin: they are shut out",
        "let requests without Origin pass",
    ),
}

TABLE = FindingTable(_KINDS)
finding = TABLE.finding
