"""The findings of ``nginx check``: code, severity, why it matters, and what to write.

The next step of a fault in a configuration names the change to the line that it is found in
("Replace this directive with:", "Remove this directive.", "Add:" beside it) or to the http
block. docs/nginx.md shows this table; a test compares the two.
"""

from typing import Dict

from jhpatch.checks.finding import FindingKind, FindingTable, error, note, warning
from jhpatch.errors import shell_command
from jhpatch.nginx import answer_findings

REPLACE, ADD = "Replace this directive with:", "Add:"
"""The values of {change} if a directive is there, and if it is missing."""

_DEFAULT_SERVER = "{change}Add to the http block: {server}"
_PROTOCOLS = "{change} ssl_protocols TLSv1.2 TLSv1.3;"

_KINDS: Dict[str, FindingKind] = {
    # the configuration
    "config-broken": error(
        "nginx does not start with this configuration, and does not reload it",
        "Correct this, then run as root on the host that uses the file: "
        + shell_command("nginx", "-t"),
    ),
    "template": error(
        "nginx cannot read a template, and jhpatch does not know what the template produces",
        "Render the template first, and check the result",
    ),
    "not-known": note(
        "jhpatch checks only what it can read",
        "If you have not done so, run the check as root on the host that runs nginx",
    ),
    "origin-cleared": error(
        "if the browser sends the hub's cookies along, a page of another origin can run code in "
        "the user's kernel: only Origin protects websockets, which are exempt from the XSRF check",
        "{change}",
    ),
    "origin-rewritten": error(
        "the server recognizes foreign pages by their Origin, which nginx replaces here",
        "Remove this directive.",
    ),
    "host-without-port": error(
        "Origin contains the port and Host does not, so the server refuses websockets",
        "Replace this directive with: proxy_set_header Host {host};",
    ),
    "host-port-unclear": note(
        "Host lacks the port; if browsers connect to this port directly, Origin contains it, and "
        "the server refuses websockets",
        "Replace this directive with: proxy_set_header Host {host};",
    ),
    "host-replaced": error(
        "the server compares Host with Origin, and refuses websockets if they differ",
        "{change} proxy_set_header Host {host};",
    ),
    "host-empty-on-http3": error(
        "an HTTP/3 request has no Host header, so $http_host is empty and the request fails (400)",
        "Replace this directive with: proxy_set_header Host {host};",
    ),
    "no-upgrade": error(
        "without both headers, no websocket opens, and kernels and terminals do not work",
        "{change} {headers}{map}",
    ),
    "upgrade-some-paths": warning(
        "websockets work on some paths only; events, language servers, collaboration or proxied "
        "applications can fail",
        "{change} {headers}{map}",
    ),
    "upgrade-always": error(
        "each request claims to be an upgrade, so logins, saves and proxied applications can fail",
        "Replace this directive with: {headers}{map}",
    ),
    "http-1.0": warning(
        "websockets need HTTP/1.1; nginx before 1.29.7 uses 1.0 by default, and the hub's "
        "default proxy does not support HTTP/2",
        "{change} proxy_http_version 1.1;",
    ),
    "timeout-below-ping": error(
        "by default, the server sends a ping every 30 s; nginx closes an idle websocket before "
        "that",
        "Replace this directive with: {name} 1d;",
    ),
    "body-limit": error(
        "a notebook with its outputs can be larger, and saving it then fails with 413",
        "{change} client_max_body_size 100m;",
    ),
    "prefix-changed": error(
        "the hub's redirects and pages contain full paths; if nginx changes the path, redirects "
        "lead elsewhere and styles are missing",
        "{change} Set c.JupyterHub.base_url to the path of the location",
    ),
    "path-decoded": error(
        "this variable contains the decoded path: a space in it makes the request fail with 400, "
        "and a line break (CR, LF) adds header lines to the request to the hub",
        "{change}",
    ),
    "static-location": error(
        "nginx chooses this location before the hub's, so pages lack styles, scripts or images",
        "Remove this directive.",
    ),
    "location-elsewhere": error(
        "nginx chooses this location before the hub's, so these requests do not reach the hub",
        "Remove this location, or begin its pattern with ^ and a path that is not the hub's",
    ),
    "methods-refused": error(
        "notebooks are saved with PUT, renamed with PATCH and deleted with DELETE",
        "Remove this directive.",
    ),
    "ssl-on": error(
        "nginx 1.25.1 and later does not start with this directive",
        "Remove this directive. Replace the listen directives with: {listens}",
    ),
    "tls-old": error(
        "RFC 8996 forbids TLS 1.0 and 1.1, which nginx before 1.27.3 allows by default",
        _PROTOCOLS,
    ),
    "default-server-tls": note(
        "OpenSSL applies the TLS versions of the port's default server, and nginx before 1.27.3 "
        "allows 1.0 and 1.1 by default",
        _PROTOCOLS,
    ),
    "weak-ciphers": warning(
        "without ECDHE or DHE, a stolen key decrypts recorded traffic; CBC and RC4 are weak",
        "{change} ssl_ciphers {ciphers};",
    ),
    "plain-listen": warning(
        "passwords and cookies are sent unencrypted",
        "Add TLS, or run the check again with --external-scheme https if a TLS terminator is in "
        "front of nginx",
    ),
    "catch-all": note(
        "the hub answers for any host name: with DNS rebinding, a page under an attacker's name "
        "reaches the hub, and its Origin equals Host",
        _DEFAULT_SERVER,
    ),
    "catch-all-name": note(
        "the hub answers for any host name: with DNS rebinding, a page under an attacker's name "
        "reaches the hub, and its Origin equals Host",
        "Write the names of the hub instead of the pattern",
    ),
    "name-conflict": error(
        "of two servers with this name on one port, nginx ignores the name in the second",
        "Remove the name from one of the servers",
    ),
    "backup-included": warning(
        "nginx also reads the copy, whose servers can conflict with those of the edited file",
        "Move the copy to another directory",
    ),
    "csp-at-proxy": warning(
        "the hub and the users' servers set this header themselves: a second one can break pages, "
        "and without theirs, pages lose its protection",
        "Remove this directive. Set the hub's header in c.JupyterHub.tornado_settings",
    ),
    "frames-denied": warning(
        "JupyterLab shows outputs and pages in frames of its own origin",
        "Replace this directive with: add_header X-Frame-Options SAMEORIGIN always;",
    ),
    "cors-at-proxy": error(
        "this header can let pages of other origins read the hub's answers",
        "Remove this directive. If a page of another origin needs the API, set "
        "c.ServerApp.allow_origin",
    ),
    "request-withheld": error(
        "the hub and the servers need what nginx withholds here",
        "Remove this directive.",
    ),
    "cookies-withheld": error(
        "users cannot log in without the hub's cookies", "Remove this directive."
    ),
    "errors-replaced": warning(
        "JupyterLab reads the server's answers to failed requests, which nginx replaces here",
        "Remove this directive.",
    ),
    "cookie-httponly": error(
        "HttpOnly hides the cookie _xsrf from JupyterLab's scripts, and saves then fail with 403",
        "Remove this directive.",
    ),
    "shared-cache": error(
        "nginx can send one user the page of another",
        "Replace this directive with: proxy_cache off;",
    ),
    "cached-by-browsers": warning(
        "browsers cache the hub's pages and redirects, so users can return to the login page or "
        "see old files",
        "Remove this directive.",
    ),
    "buffering": note(
        "nginx can withhold the progress of a spawn until the spawn has ended",
        "{change} proxy_buffering off;",
    ),
    "next-upstream-post": error(
        "nginx can send a failed POST again, and so start a second kernel or log in twice",
        "Replace this directive with: proxy_next_upstream error timeout;",
    ),
    "no-forwarded-proto": warning(
        "over a plain http upstream, the hub assumes that browsers use http: its cookies lack "
        "Secure, and its redirects can lead to http",
        "Add: proxy_set_header X-Forwarded-Proto {scheme};",
    ),
    "forwarded-proto-wrong": warning(
        "browsers use https, but this header names another scheme: cookies lack Secure, and "
        "redirects can lead to http",
        "Replace this directive with: proxy_set_header {header} {scheme};",
    ),
    "forwarded-proto-unclear": note(
        "the right value depends on which proxy terminates TLS; with a wrong one, cookies can "
        "lack Secure, and redirects can lead to http",
        "Run the check again with --external-scheme https or --external-scheme http",
    ),
    "no-x-scheme": warning(
        "JupyterHub before 2.0.2 needs X-Scheme; without it, cookies lack Secure",
        "Add: proxy_set_header X-Scheme {scheme};",
    ),
    "upstream-unverified": warning(
        "nginx accepts any certificate of the upstream, so an attacker on the network can read "
        "all traffic",
        "{change} proxy_ssl_verify on;{ca}",
    ),
}

TABLE = FindingTable({**_KINDS, **answer_findings.KINDS})
finding = TABLE.finding
