"""Rules about TLS: versions, ciphers, the default server's part, and what is not encrypted."""

import re
import ssl
from typing import Any, Dict, Iterator, List

from jhpatch.nginx.directives import Directive, in_force, is_missing
from jhpatch.nginx.findings import ADD, REPLACE, finding
from jhpatch.nginx.servers import Deployment, Listen, Server
from jhpatch.nginx.site_file import CIPHERS
from jhpatch.nginx.sockets import Sockets
from jhpatch.report.result import Finding

_MODERN = ("TLSv1.2", "TLSv1.3")
_STRONG_CIPHERS = re.compile(
    r"(ECDHE|DHE)-(RSA|ECDSA)-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)"
    r"|TLS_(AES|CHACHA20)_\w+|TLS13-[\w-]+"
    r"|(EC)?(ECDHE|EECDH|DHE|EDH|kEDH)(\+(AES|AES128|AES256|AESGCM|AES128GCM|AES256GCM"
    r"|CHACHA20|aRSA|ECDSA|RSA))*"
    r"\+(AESGCM|CHACHA20)(\+\w+)*"
    r"|PROFILE=SYSTEM|@SECLEVEL=[1-5]|@STRENGTH"
)


def check(server: Server, sockets: Sockets, deployment: Deployment) -> Iterator[Finding]:
    """Yield the findings about one server."""
    for directive in in_force(server.levels, "ssl"):
        if directive.args[:1] == ("on",):
            words = [" ".join((row.text, *row.parameters, "ssl")) for row in server.listens]
            listens = " ".join("listen %s;" % text for text in words)
            yield finding("ssl-on", "ssl on", directive.place, listens=listens)
    if not server.is_behind_terminator(deployment):
        for listen in server.listens:
            is_plain = not server.speaks_tls(listen) and not listen.is_behind
            if is_plain and not _leads_to_https(server, listen):
                message = "the server accepts requests on port %d without TLS" % listen.port
                yield finding("plain-listen", message, listen.place)
                break
    if server.tls:
        yield from _check_versions(server, deployment)
        yield from _check_default_server(server, sockets, deployment)
        if _versions(server, deployment) != ["TLSv1.3"]:
            yield from _check_ciphers(server)


def _leads_to_https(server: Server, listen: Listen) -> bool:
    """Return whether an ``if`` redirects requests without TLS to https, and passes none on."""
    return all(
        any(_is_redirect(one, listen) for level in proxy_pass.levels[1:] for one in level)
        for proxy_pass in server.proxy_passes
    )


def _is_redirect(directive: Directive, listen: Listen) -> bool:
    if directive.name != "if" or not any(
        one.name in ("return", "rewrite") and "https://" in " ".join(one.args)
        for one in directive.block or ()
    ):
        return False
    return " ".join(directive.args) in (
        "$scheme = http",
        "$scheme != https",
        "$https = ",
        "$https != on",
        "$ssl_protocol = ",
        "$server_port = %d" % listen.port,
        "$server_port != 443",
    )


def _versions(server: Server, deployment: Deployment) -> List[str]:
    rows = in_force(server.levels, "ssl_protocols")
    return [version for row in rows for version in row.args]


def _check_versions(server: Server, deployment: Deployment) -> Iterator[Finding]:
    for directive in in_force(server.levels, "ssl_protocols"):
        old = [version for version in directive.args if version not in _MODERN]
        if old:
            message = "ssl_protocols allows " + ", ".join(old)
            yield finding("tls-old", message, directive.place, change=REPLACE)
    is_modern = deployment.is_at_least(1, 27, 3)  # whose default has no older version
    if is_missing(server.levels, "ssl_protocols") and not is_modern:
        message = "ssl_protocols is not set"
        yield finding("tls-old", message, server.block.place, change=ADD)


def _check_default_server(
    server: Server, sockets: Sockets, deployment: Deployment
) -> Iterator[Finding]:
    for listen in server.listens:
        default, _ = sockets.default_of(listen)
        if default is server or not (listen.ssl and default.tls):
            continue
        rows = in_force(default.levels, "ssl_protocols")
        old = [version for row in rows for version in row.args if version not in _MODERN]
        if old:
            message = "the default server of port %d allows %s" % (listen.port, ", ".join(old))
            yield finding("tls-old", message, rows[0].place, change=REPLACE)
        elif is_missing(default.levels, "ssl_protocols") and not deployment.is_at_least(1, 27, 3):
            message = "the default server of port %d has no ssl_protocols" % listen.port
            yield finding("default-server-tls", message, default.block.place, change=ADD)


def _check_ciphers(server: Server) -> Iterator[Finding]:
    for directive in in_force(server.levels, "ssl_ciphers"):
        weak = _weak_ciphers(directive.args[0])
        if weak:
            message = "ssl_ciphers allows " + ", ".join(weak)
            place = directive.place
            yield finding("weak-ciphers", message, place, ciphers=CIPHERS, change=REPLACE)
    if is_missing(server.levels, "ssl_ciphers"):
        message = (
            "ssl_ciphers is not set; the default HIGH:!aNULL:!MD5 allows CBC, and ciphers "
            "without ECDHE"
        )
        place = server.block.place
        yield finding("weak-ciphers", message, place, ciphers=CIPHERS, change=ADD)


def _weak_ciphers(ciphers: str) -> List[str]:
    """Return the words that allow more than (EC)DHE with AEAD ciphers, as in ciphers(1).

    This host's OpenSSL decides about words that it knows; it may lack the weakest ciphers.
    """
    names = [name for name in re.split("[: ,]+", ciphers) if name and name[0] not in "!-+"]
    weak = [name for name in names if not _STRONG_CIPHERS.fullmatch(name)]
    if weak and all(map(_expanded, weak)) and all(map(_is_strong, _expanded(ciphers))):
        return []
    return weak


def _expanded(ciphers: str) -> List[Dict[str, Any]]:
    """Return the ciphers of TLS 1.2 that OpenSSL understands; none if it refuses the text."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.set_ciphers(ciphers)
    except (ssl.SSLError, ValueError):
        return []
    rows: List[Dict[str, Any]] = [dict(row) for row in context.get_ciphers()]
    return [row for row in rows if row.get("protocol") != "TLSv1.3"]


def _is_strong(cipher: Dict[str, Any]) -> bool:
    return bool(cipher.get("aead")) and cipher.get("kea") in ("kx-ecdhe", "kx-dhe")
