"""The findings of ``nginx check``: code, severity, why it matters, and what to write.

The next step of a fault in a configuration names the change to the line that it is found in
("Replace it with:", "Remove it.", "Add:" beside it) or to the http block. docs/nginx.md shows
this table; a test compares the two.
"""

from typing import Dict

from jhpatch.checks.finding import FindingKind, FindingTable, error, note, warning
from jhpatch.errors import shell_command
from jhpatch.nginx import answer_findings

REPLACE, ADD = "Replace it with:", "Add:"
"""The values of {change} where a directive is there, and where it is missing."""

_DEFAULT_SERVER = "{change}Add to the http block: {server}"
_PROTOCOLS = "{change} ssl_protocols TLSv1.2 TLSv1.3;"

_KINDS: Dict[str, FindingKind] = {
    # the configuration
    "config-broken": error(
        "nginx does not start with it, or does not reload it", shell_command("nginx", "-t")
    ),
    "template": error(
        "nginx cannot read a template, and its result is not known",
        "Render it first, and check the result",
    ),
    "not-known": note(
        "jhpatch checks only what it can read", "Run the check where nginx runs, as root"
    ),
    "origin-cleared": error(
        "any web page can open a websocket to a logged-in user's kernel and run code: "
        "the hub exempts websockets from XSRF, Origin is the defence",
        "{change}",
    ),
    "origin-rewritten": error(
        "the server recognises foreign pages by their Origin, which nginx replaces here",
        "Remove it.",
    ),
    "host-without-port": error(
        "Host lacks the port, which Origin has: they differ, and the server refuses websockets",
        "Replace it with: proxy_set_header Host {host};",
    ),
    "host-port-unclear": note(
        "Host lacks the port: if browsers connect to it, and not to a proxy in front, Origin has "
        "it, and the server refuses websockets",
        "Replace it with: proxy_set_header Host {host};",
    ),
    "host-replaced": error(
        "the server compares Host with Origin, and refuses websockets if they differ",
        "{change} proxy_set_header Host {host};",
    ),
    "host-empty-on-http3": error(
        "a request of HTTP/3 has no Host header: $http_host is empty, and the answer is 400",
        "Replace it with: proxy_set_header Host {host};",
    ),
    "no-upgrade": error(
        "without both headers no websocket opens: kernels and terminals do not work",
        "{change} {headers}{map}",
    ),
    "upgrade-some-paths": warning(
        "websockets work on some paths only: events, language servers, collaboration and "
        "proxied applications fail",
        "{change} {headers}{map}",
    ),
    "upgrade-always": error(
        "each request claims to be an upgrade: logins and saves fail",
        "Replace it with: {headers}{map}",
    ),
    "http-1.0": warning(
        "HTTP/1.0 has no upgrade, and was the default before nginx 1.29.7; the hub's proxy does "
        "not speak HTTP/2",
        "{change} proxy_http_version 1.1;",
    ),
    "timeout-below-ping": error(
        "the server pings each 30 s: an idle websocket is closed before",
        "Replace it with: {name} 1d;",
    ),
    "body-limit": error(
        "a notebook with its outputs can be larger: saving it then fails with 413",
        "{change} client_max_body_size 100m;",
    ),
    "prefix-changed": error(
        "the hub and its pages use full paths: without the same path on both sides they "
        "redirect elsewhere and miss their styles",
        "{change} c.JupyterHub.base_url is the path of the location",
    ),
    "path-decoded": error(
        "this variable has the path decoded: a file with a space in its name is answered with "
        "400, and a request can add lines to the one that the hub gets (CR, LF)",
        "{change}",
    ),
    "static-location": error(
        "nginx chooses this location before the hub's: pages come without styles, scripts or "
        "images",
        "Remove it.",
    ),
    "location-elsewhere": error(
        "nginx chooses this location before the hub's: these requests do not reach the hub",
        "Remove it, or begin its pattern with ^ and a path that is not the hub's",
    ),
    "methods-refused": error(
        "notebooks are saved with PUT, renamed with PATCH and deleted with DELETE",
        "Remove it.",
    ),
    "ssl-on": error(
        "nginx 1.25 and later does not start with it",
        "Remove it. Replace the listen with: {listens}",
    ),
    "tls-old": error(
        "TLS 1.0 and 1.1 must not be used (RFC 8996), and were in the default before nginx 1.27.3",
        _PROTOCOLS,
    ),
    "default-server-tls": note(
        "OpenSSL takes the TLS versions of a port from its default server, before it knows the "
        "name: those of nginx before 1.27.3 include 1.0 and 1.1",
        _PROTOCOLS,
    ),
    "weak-ciphers": warning(
        "without ECDHE or DHE a stolen key decrypts recorded traffic; CBC and RC4 are broken",
        "{change} ssl_ciphers {ciphers};",
    ),
    "plain-listen": warning(
        "passwords and cookies are sent unencrypted",
        "Add TLS, or run the check again with --external-scheme https if a TLS terminator is in "
        "front",
    ),
    "catch-all": note(
        "the hub answers to any host name: with DNS rebinding, a page of an attacker's host name "
        "reaches the hub and has an Origin equal to Host",
        _DEFAULT_SERVER,
    ),
    "catch-all-name": note(
        "the hub answers to any host name: with DNS rebinding, a page of an attacker's host name "
        "reaches the hub and has an Origin equal to Host",
        "Write the names of the hub instead",
    ),
    "name-conflict": error(
        "nginx ignores the second server of a name on the same port", "Remove it from one of them"
    ),
    "backup-included": warning(
        "nginx reads the copy too: its servers conflict with the edited ones",
        "Move the copy to another directory",
    ),
    "csp-at-proxy": warning(
        "the hub and the servers set this header themselves: browsers apply both, and pages break",
        "Remove it. c.JupyterHub.tornado_settings sets the hub's",
    ),
    "frames-denied": warning(
        "JupyterLab shows outputs and pages in frames of its own origin",
        "Replace it with: add_header X-Frame-Options SAMEORIGIN always;",
    ),
    "cors-at-proxy": error(
        "it lets pages of other origins read the hub's answers",
        "Remove it. If a page of another origin needs the API, set c.ServerApp.allow_origin",
    ),
    "request-withheld": error(
        "the hub and the servers need all headers and the body of a request", "Remove it."
    ),
    "cookies-withheld": error("users cannot log in without the hub's cookies", "Remove it."),
    "errors-replaced": warning(
        "JupyterLab reads the server's answers to failed requests, which nginx replaces here",
        "Remove it.",
    ),
    "cookie-httponly": error(
        "HttpOnly hides the cookie _xsrf from JupyterLab's scripts: saves then fail with 403",
        "Remove it.",
    ),
    "shared-cache": error(
        "nginx can answer one user with the page of another", "Replace it with: proxy_cache off;"
    ),
    "cached-by-browsers": warning(
        "browsers keep pages and redirections of the hub: users are sent back to the login, and "
        "see old files",
        "Remove it.",
    ),
    "buffering": note(
        "the progress of a spawn arrives at its end, all at once", "{change} proxy_buffering off;"
    ),
    "next-upstream-post": error(
        "a POST that failed half way is sent again: two kernels, two logins",
        "Replace it with: proxy_next_upstream error timeout;",
    ),
    "no-forwarded-proto": warning(
        "the hub assumes plain http: cookies without Secure, redirects to http",
        "Add: proxy_set_header X-Forwarded-Proto {scheme};",
    ),
    "forwarded-proto-wrong": warning(
        "browsers use https, and this header names another scheme: cookies without Secure, "
        "redirects to http",
        "Replace it with: proxy_set_header {header} {scheme};",
    ),
    "forwarded-proto-unclear": note(
        "the right value depends on where TLS is terminated: if it is wrong, cookies "
        "have no Secure, and redirects lead to http",
        "Run the check again with --external-scheme https, or http",
    ),
    "no-x-scheme": warning(
        "JupyterHub before 2.0.2 reads X-Scheme alone: its cookies lack Secure",
        "Add: proxy_set_header X-Scheme {scheme};",
    ),
    "upstream-unverified": warning(
        "nginx accepts any certificate of the upstream: an attacker on the network can read "
        "everything",
        "{change} proxy_ssl_verify on;{ca}",
    ),
}

TABLE = FindingTable({**_KINDS, **answer_findings.KINDS})
finding = TABLE.finding
