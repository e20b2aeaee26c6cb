"""The findings of ``nginx check --url``: what the answers of a running proxy mean."""

from typing import Dict

from jhpatch.checks.finding import FindingKind, error, note, warning
from jhpatch.errors import jhpatch_command, shell_command

KINDS: Dict[str, FindingKind] = {
    "unreachable": error(
        "jhpatch could not run the remaining checks",
        "Check whether {host} listens on port {port}, and whether a firewall drops TCP to this "
        "port",
    ),
    "not-a-front": warning(
        "a websocket opens only after an answer of HTTP/1.1",
        shell_command("curl", "-v", "{url}"),
    ),
    "plain-http": warning(
        "passwords and cookies are sent unencrypted",
        jhpatch_command(
            *("nginx", "render", "--server-name", "{host}", "--upstream", "HOST:PORT"),
            *("--certificate", "FILE", "--certificate-key", "FILE"),
        ),
    ),
    "certificate": note("browsers accept the certificate if they trust its authority"),
    "certificate-refused": error(
        "if browsers do not accept the certificate either, they warn of it, and users learn to "
        "ignore such warnings",
        shell_command("openssl", "s_client", "-connect", "{address}", "-servername", "{host}"),
    ),
    "cookie-not-sent": warning(
        "a program that has the cookie can act as the user, so jhpatch sends it only over TLS to "
        "a server with a verified certificate",
        "Use an https:// URL and name the authority of its certificate with --ca FILE, or omit "
        "--cookie-file",
    ),
    "certificate-expiring": warning(
        "browsers refuse an expired certificate",
        "Renew the certificate, then run as root on the host of nginx: "
        + shell_command("nginx", "-s", "reload"),
    ),
    "protocols": note("the TLS versions that browsers can use"),
    "protocol-old": error(
        "RFC 8996 forbids TLS 1.0 and 1.1", "Set in nginx: ssl_protocols TLSv1.2 TLSv1.3;"
    ),
    "protocol-modern-missing": error(
        "current browsers support nothing older than TLS 1.2",
        "Set in nginx: ssl_protocols TLSv1.2 TLSv1.3;",
    ),
    "name-unknown-closed": note("the hub did not answer the request for this host name"),
    "name-unknown-answered": warning(
        "if the hub answered, a page under an attacker's name can reach it (DNS rebinding), with "
        "an Origin that equals Host",
        "To print the default server to add: " + jhpatch_command("nginx", "check", "-v", "CONFIG"),
    ),
    "page-missing": error(
        "the hub does not answer below the base URL",
        "Check that the hub runs, and compare c.JupyterHub.base_url with the location and its "
        "proxy_pass",
    ),
    "page-elsewhere": error(
        "the login page refers outside the path of --url, usually because nginx changes the path "
        "or --url lacks the base URL",
        "Write proxy_pass without a path, and set c.JupyterHub.base_url to the path of the "
        "location",
    ),
    "stylesheet-missing": error(
        "pages lack styles, usually because another location of nginx answers for them",
        jhpatch_command("nginx", "check", "CONFIG"),
    ),
    "xsrf-httponly": error(
        "HttpOnly hides the cookie _xsrf from JupyterLab's scripts, and saves then fail with 403",
        jhpatch_command("nginx", "check", "CONFIG"),
    ),
    "origin-right": note("this is the answer to an upgrade with the reverse proxy's own origin"),
    "origin-right-refused": error(
        "websockets fail in browsers; the usual cause is that Host or the scheme differs from the "
        "Origin",
        "Set in nginx: proxy_set_header Host $http_host;",
    ),
    "upgrade-lost": error(
        "the server did not receive all headers of the upgrade, so no websocket opens",
        jhpatch_command("nginx", "check", "CONFIG"),
    ),
    "origin-refused": note("nginx or the user's server refused a websocket from that origin"),
    "origin-foreign-accepted": error(
        "if the browser sends the hub's cookies along, a page of this origin can run code in the "
        "user's kernel",
        "Correct c.ServerApp.allow_origin, or what this reports: "
        + jhpatch_command("nginx", "check", "CONFIG"),
    ),
    "origin-not-told-apart": warning(
        "this answer does not show whether a page of this origin can open a websocket",
        "Write the site file with jhpatch nginx render, or run this check again with "
        "--cookie-file FILE",
    ),
    "origin-none": note("scripts with a token usually send no Origin"),
    "origin-none-refused": warning(
        "scripts with a token usually send no Origin, and are then refused",
        "Let nginx accept requests without Origin",
    ),
}
