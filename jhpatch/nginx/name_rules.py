"""Rules about server names: which server answers for an unknown name, and conflicts."""

import re
from typing import Iterator, List

from jhpatch.nginx.directives import Directive, in_force
from jhpatch.nginx.findings import finding
from jhpatch.nginx.servers import Deployment, Listen, Server
from jhpatch.nginx.sockets import Sockets
from jhpatch.report.result import Finding

_ANY_NAME = re.compile(r"~\^?\(?\.[*+]?\)?\$?")


def check(server: Server, sockets: Sockets, deployment: Deployment) -> Iterator[Finding]:
    """Yield findings if requests for any name reach this server, or its own names do not."""
    yield from _check_default(server, sockets, deployment)
    for row in server.block.children("server_name"):
        if any(_ANY_NAME.fullmatch(name) for name in row.args):
            yield finding("catch-all-name", "server_name matches every name", row.place)
    yield from _check_conflicts(server, sockets)


def _check_default(server: Server, sockets: Sockets, deployment: Deployment) -> Iterator[Finding]:
    """Yield one finding for all sockets whose default server this is."""
    rows = []
    for listen in server.listens:
        default, is_declared = sockets.default_of(listen)
        if default is server:
            rows.append((listen, is_declared))
    if not rows:
        return
    is_declared = any(declared for _, declared in rows)
    reason = (
        "is the default server"
        if is_declared
        else "is the first, and therefore the default server,"
    )
    ports = ", ".join(sorted({str(row.port or row.text) for row, _ in rows}))
    yield finding(
        "catch-all",
        "this server %s of port %s" % (reason, ports),
        rows[0][0].place,
        change="Remove default_server from listen. " if is_declared else "",
        server=_closing_server([row for row, _ in rows], server, deployment),
    )


def _closing_server(listens: List[Listen], server: Server, deployment: Deployment) -> str:
    lines, seen = [], set()
    # Before nginx 1.25.1, the directive "ssl on" has the effect of "ssl" in each listen.
    is_on = any(row.args == ("on",) for row in in_force(server.levels, "ssl"))
    for listen in listens:
        if listen.socket not in seen:
            seen.add(listen.socket)
            kept = ("ssl", "quic", "proxy_protocol")
            words = [word for word in listen.parameters if word in kept]
            words = ["ssl", *words] if is_on and not listen.ssl else words
            lines.append("listen %s;" % " ".join((listen.text, *words, "default_server")))
    lines.append("server_name _;")
    if is_on or any(listen.ssl for listen in listens):
        lines.append(_certificate(server, deployment))
        lines.append("ssl_protocols TLSv1.2 TLSv1.3;")
    return "server { %s return 444; }" % " ".join(lines)


def _certificate(server: Server, deployment: Deployment) -> str:
    """Return what a default server with TLS needs: without a certificate, nginx fails to start."""
    names = ("ssl_certificate", "ssl_certificate_key")
    pairs = [in_force(server.levels, name)[:1] for name in names]
    if deployment.is_at_least(1, 19, 4) or not all(pairs):
        return "ssl_reject_handshake on;"
    return " ".join("%s %s;" % (one.name, one.args[0]) for pair in pairs for one in pair)


def _check_conflicts(server: Server, sockets: Sockets) -> Iterator[Finding]:
    """Yield conflicts of names, of which nginx warns without file and line."""
    for name, first, second in sockets.conflicts(server):
        message = "%s is also a name of the server at %s" % (name, first.block.place)
        yield finding("name-conflict", message, _name_place(second.block))


def _name_place(block: Directive) -> str:
    return next((row.place for row in block.children("server_name")), block.place)
