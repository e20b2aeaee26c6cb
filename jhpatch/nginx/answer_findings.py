"""The findings of ``nginx check --url``: what the answers of a running proxy mean."""

from typing import Dict

from jhpatch.checks.finding import FindingKind, error, note, warning
from jhpatch.errors import jhpatch_command, shell_command

KINDS: Dict[str, FindingKind] = {
    "unreachable": error(
        "this request was not sent: its answer is unknown",
        shell_command("nc", "-vz", "{host}", "{port}"),
    ),
    "not-a-front": warning(
        "the program that answers is not a web server with HTTP/1.1",
        shell_command("curl", "-v", "{url}"),
    ),
    "plain-http": warning(
        "passwords and cookies are sent unencrypted",
        jhpatch_command(
            *("nginx", "render", "--server-name", "{host}", "--upstream", "HOST:PORT"),
            *("--certificate", "FILE", "--certificate-key", "FILE"),
        ),
    ),
    "certificate": note("browsers accept it if they trust the same authorities as this host"),
    "certificate-refused": error(
        "browsers warn, and users learn to ignore warnings",
        shell_command("openssl", "s_client", "-connect", "{host}:{port}", "-servername", "{host}"),
    ),
    "cookie-not-sent": warning(
        "jhpatch sends the cookie only over TLS, to a server whose certificate is verified: "
        "whoever has it "
        "is logged in as the user",
        "Name the authority of the certificate with --ca FILE, or omit --cookie-file",
    ),
    "certificate-expiring": warning(
        "browsers refuse it after that", "renew it, then nginx -s reload"
    ),
    "protocols": note("the TLS versions that browsers can use"),
    "protocol-old": error(
        "TLS 1.0 and 1.1 must not be used (RFC 8996)", "ssl_protocols TLSv1.2 TLSv1.3;"
    ),
    "protocol-modern-missing": error(
        "current browsers support nothing older", "ssl_protocols TLSv1.2 TLSv1.3;"
    ),
    "name-unknown-closed": note("another name gets no answer from the hub"),
    "name-unknown-answered": warning(
        "with DNS rebinding, a page of an attacker's host name has an Origin equal to Host",
        "server {{ listen {port}{ssl} default_server; server_name _; return 444; }}",
    ),
    "page-missing": error(
        "the hub does not answer below the base URL",
        "Compare c.JupyterHub.base_url with the location and its proxy_pass",
    ),
    "page-elsewhere": error(
        "nginx removes or adds a part of the path: the hub's pages refer to paths outside of the "
        "base URL",
        "Write proxy_pass without a path, and set c.JupyterHub.base_url to the location's",
    ),
    "stylesheet-missing": error(
        "pages come without styles and scripts: another location answers for them",
        jhpatch_command("nginx", "check", "CONFIG"),
    ),
    "xsrf-httponly": error(
        "HttpOnly hides the cookie _xsrf from JupyterLab's scripts: saves then fail with 403",
        jhpatch_command("nginx", "check", "CONFIG"),
    ),
    "origin-right": note("an upgrade with the reverse proxy's own origin"),
    "origin-right-refused": error(
        "websockets fail in every browser: Host or the scheme is not what the browser sees",
        "proxy_set_header Host $http_host;",
    ),
    "upgrade-lost": error(
        "the server received the request without its Upgrade header: no websocket opens",
        "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
        "proxy_set_header Connection $connection_upgrade;",
    ),
    "origin-refused": note("a page of that origin cannot open a websocket to a user's kernel"),
    "origin-foreign-accepted": error(
        "any web page can run code in the kernel of a user who has logged in",
        "Remove proxy_set_header Origin, then: " + jhpatch_command("nginx", "check", "CONFIG"),
    ),
    "origin-not-told-apart": warning(
        "the reverse proxy passes on requests of other origins: only the server's own check "
        "refuses them, and it cannot if Origin is cleared",
        "Write the site file with jhpatch nginx render, or run this check again with "
        "--cookie-file FILE",
    ),
    "origin-none": note("scripts with a token send none"),
    "origin-none-refused": warning(
        "scripts with a token send no Origin: they are refused",
        "Let requests without Origin pass",
    ),
}
