"""What is wrong in a configuration of nginx for a hub behind it: directives in, findings out."""

import re
from typing import Dict, Iterator, List, Sequence, Tuple

from jhpatch.errors import Failed, jhpatch_command
from jhpatch.namedtuple import NamedTuple
from jhpatch.nginx.findings import finding
from jhpatch.nginx.options import PING_SECONDS
from jhpatch.nginx.parser import Configuration, Directive
from jhpatch.nginx.site_file import CIPHERS
from jhpatch.report.result import Finding

_NOTEBOOK_BYTES = 10 << 20  # of a notebook with images

_Levels = Sequence[Tuple[Directive, ...]]
"""The directives of nested blocks, the outermost block first."""


class RuleFindings(NamedTuple):
    """The findings, and the number of ``proxy_pass`` directives that were checked."""

    findings: Tuple[Finding, ...]
    proxy_passes: int


class _Listen(NamedTuple):
    socket: str
    """Address and port: the servers on one are distinguished by name alone."""
    port: int
    ssl: bool
    default: bool
    place: str


class _ProxyPass(NamedTuple):
    """A ``proxy_pass``, and the levels of blocks around it."""

    directive: Directive
    levels: _Levels

    @property
    def headers(self) -> Dict[str, Directive]:
        """Each proxy_set_header in force here, by name in lower case."""
        directives = _in_force(self.levels, "proxy_set_header")
        return {header.args[0].lower(): header for header in directives if len(header.args) > 1}

    @property
    def has_upgrade(self) -> bool:
        """Whether the Upgrade header of a websocket is passed on."""
        header = self.headers.get("upgrade")
        return header is not None and header.args[1] != ""


class _Server(NamedTuple):
    block: Directive
    names: Tuple[str, ...]
    listens: Tuple[_Listen, ...]
    proxy_passes: Tuple[_ProxyPass, ...]
    levels: _Levels
    """The directives of the http block, and its own."""

    @property
    def tls(self) -> bool:
        on = any(ssl.args[:1] == ("on",) for ssl in _in_force(self.levels, "ssl"))
        return on or any(listen.ssl for listen in self.listens)


def check(configuration: Configuration, names: Tuple[str, ...] = ()) -> RuleFindings:
    """Return all findings, or those about the servers of these names.

    Raises Failed where no such server has a ``proxy_pass``.
    """
    outside = configuration.directives
    servers = [_server(block, outside) for block in outside if block.name == "server"]
    checked = [
        server
        for server in servers
        if server.proxy_passes and (not names or set(names) & set(server.names))
    ]
    if not checked and not configuration.findings:
        raise Failed(
            "no server here passes requests on",
            path=configuration.files[0],
            expected="proxy_pass in a server%s" % (" of %s" % " or ".join(names) if names else ""),
            found="%d servers" % len(servers),
            next=jhpatch_command("nginx", "check", "CONFIG"),
        )
    findings = list(configuration.findings)
    for server in checked:
        findings += _check_names(server, servers)
        findings += _check_tls(server)
        findings += _check_requests(server)
        findings += _check_websockets(server)
        findings += _check_responses(server)
    # The first of each code and place, in the order of the checks.
    unique = {(row.code, row.path): row for row in reversed(findings)}
    rows = sorted(unique.values(), key=findings.index)
    return RuleFindings(tuple(rows), sum(len(server.proxy_passes) for server in checked))


def _server(block: Directive, outside: Tuple[Directive, ...]) -> _Server:
    inside = block.block or ()
    names = tuple(name for row in block.children("server_name") for name in row.args)
    listens = tuple(_listen(row.args, row.place) for row in block.children("listen"))
    proxy_passes = tuple(_proxy_passes(inside, (outside,)))
    default = (_listen(("80",), block.place),)
    return _Server(block, names, listens or default, proxy_passes, (outside, inside))


def _listen(args: Tuple[str, ...], place: str) -> _Listen:
    """Apply nginx's defaults: port 80, any address."""
    match = re.fullmatch(r"(?:(\[[^]]*\]|[^:]*):)?([0-9]+)", args[0])
    address, port = match.groups() if match else (args[0], "80")
    default = "default_server" in args or "default" in args
    if args[0].startswith("unix:"):
        return _Listen(args[0], 0, "ssl" in args, default, place)
    if address in (None, "*", "0.0.0.0"):
        address = ""
    return _Listen("%s:%s" % (address, port), int(port), "ssl" in args, default, place)


def _proxy_passes(
    inside: Tuple[Directive, ...], outside: Tuple[Tuple[Directive, ...], ...]
) -> Iterator[_ProxyPass]:
    levels = outside + (inside,)
    for directive in inside:
        if directive.name == "proxy_pass" and directive.args:
            yield _ProxyPass(directive, levels)
        elif directive.block is not None:
            yield from _proxy_passes(directive.block, levels)


def _in_force(levels: _Levels, name: str) -> List[Directive]:
    """Return the directives of the innermost level that has any, as nginx inherits them."""
    for level in reversed(levels):
        directives = [directive for directive in level if directive.name == name]
        if directives:
            return directives
    return []


def _check_names(server: _Server, servers: List[_Server]) -> Iterator[Finding]:
    """Whether requests for any name reach this server."""
    ssl = " ssl" if server.tls else ""
    for listen in server.listens:
        rivals = [
            (rival, row)
            for rival in servers
            for row in rival.listens
            if row.socket == listen.socket
        ]
        declared = [(rival, row) for rival, row in rivals if row.default]
        if (declared or rivals)[0][0] is server:
            reason = "is the default server" if declared else "is the first, and so the default,"
            message = "this server %s of port %d" % (reason, listen.port)
            yield finding("catch-all", message, listen.place, port=listen.port, ssl=ssl)
    for row in server.block.children("server_name"):
        if any(re.fullmatch(r"~\^?\(?\.[*+]?\)?\$?", name) for name in row.args):
            message = "server_name matches every name"
            port = server.listens[0].port
            yield finding("catch-all", message, row.place, port=port, ssl=ssl)


def _check_tls(server: _Server) -> Iterator[Finding]:
    port = server.listens[0].port
    for ssl in _in_force(server.levels, "ssl"):
        if ssl.args[:1] == ("on",):
            yield finding("ssl-on", "ssl on", ssl.place, port=port)
    if not server.tls:
        return
    protocols = _in_force(server.levels, "ssl_protocols")
    for directive in protocols:
        old = [version for version in directive.args if version not in ("TLSv1.2", "TLSv1.3")]
        if old:
            yield finding("tls-old", "allowed: " + ", ".join(old), directive.place)
    if not protocols:
        yield finding("tls-old", "ssl_protocols is not set", server.block.place)
    ciphers = _in_force(server.levels, "ssl_ciphers")
    for directive in ciphers:
        weak = _weak_ciphers(directive.args[0]) if directive.args else []
        if weak:
            message = "allowed: " + ", ".join(weak)
            yield finding("weak-ciphers", message, directive.place, ciphers=CIPHERS)
    if not ciphers:
        message = "ssl_ciphers is not set: HIGH:!aNULL:!MD5 allows those without ECDHE, and CBC"
        yield finding("weak-ciphers", message, server.block.place, ciphers=CIPHERS)


_STRONG_CIPHERS = re.compile(
    r"ECDHE-(RSA|ECDSA)-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)"
    r"|TLS_(AES|CHACHA20)_\w+|TLS13-[\w-]+"
    r"|(EC)?(ECDHE|EECDH)(\+(AESGCM|AES128GCM|AES256GCM|CHACHA20|aRSA|ECDSA|RSA))*"
    r"\+(AESGCM|CHACHA20)(\+\w+)*"
    r"|PROFILE=SYSTEM|@SECLEVEL=[1-5]|@STRENGTH"
)


def _weak_ciphers(ciphers: str) -> List[str]:
    """Return what allows more than ECDHE with AES-GCM or CHACHA20, of a list as in ciphers(1)."""
    names = [name for name in re.split("[: ,]+", ciphers) if name and name[0] not in "!-+"]
    return [name for name in names if not _STRONG_CIPHERS.fullmatch(name)]


def _check_requests(server: _Server) -> Iterator[Finding]:
    for proxy_pass in server.proxy_passes:
        headers = proxy_pass.headers
        origin = headers.get("origin")
        if origin and origin.args[1] == "":
            yield finding("origin-cleared", "Origin is cleared", origin.place)
        elif origin and origin.args[1] not in ("$http_origin", "${http_origin}"):
            message = "Origin becomes %s" % origin.args[1]
            yield finding("origin-rewritten", message, origin.place)
        yield from _check_host(server, proxy_pass)
        if server.tls and not {"x-forwarded-proto", "x-scheme", "forwarded"} & set(headers):
            message = "no X-Forwarded-Proto"
            yield finding("no-forwarded-proto", message, proxy_pass.directive.place)
        for directive in _in_force(proxy_pass.levels, "proxy_next_upstream"):
            if "non_idempotent" in directive.args:
                yield finding("next-upstream-post", "non_idempotent", directive.place)
    yield from _check_body_size(server)


def _check_host(server: _Server, proxy_pass: _ProxyPass) -> Iterator[Finding]:
    header = proxy_pass.headers.get("host")
    if header is None:
        message = "Host is not passed on: the server sees the upstream's name"
        yield finding("host-replaced", message, proxy_pass.directive.place)
        return
    value = header.args[1].replace("{", "").replace("}", "")
    default_port = 443 if server.tls else 80
    ports = [listen.port for listen in server.listens if listen.port not in (0, default_port)]
    if value == "$http_host":
        return
    if value == "$host" or (value == "$server_name" and len(server.names) == 1):
        if ports:
            message = "Host is %s on port %d" % (value, ports[0])
            yield finding("host-without-port", message, header.place)
    elif value != "$host:$server_port" or len(ports) < len(server.listens):
        yield finding("host-replaced", "Host becomes %s" % value, header.place)


def _check_body_size(server: _Server) -> Iterator[Finding]:
    for proxy_pass in server.proxy_passes:
        limits = _in_force(proxy_pass.levels, "client_max_body_size")
        if not limits:
            message = "client_max_body_size is not set: 1m"
            yield finding("body-limit", message, proxy_pass.directive.place)
            return
        for limit in limits:
            if 0 < _bytes(limit.args[0]) < _NOTEBOOK_BYTES:
                yield finding("body-limit", "client_max_body_size " + limit.args[0], limit.place)


def _bytes(text: str) -> int:
    """Parse one of nginx's sizes; 0, which is no limit, for anything else."""
    match = re.fullmatch("([0-9]+)([kKmMgG]?)", text)
    if not match:
        return 0
    return int(match.group(1)) << {"": 0, "k": 10, "m": 20, "g": 30}[match.group(2).lower()]


def _check_websockets(server: _Server) -> Iterator[Finding]:
    """Check each ``proxy_pass`` that passes upgrades on; without any, the first."""
    upgrading = [proxy_pass for proxy_pass in server.proxy_passes if proxy_pass.has_upgrade]
    if not upgrading:
        message = "no Upgrade header is passed on"
        yield finding("no-upgrade", message, server.proxy_passes[0].directive.place)
    for proxy_pass in upgrading:
        headers = proxy_pass.headers
        connection = headers.get("connection")
        if connection is None or not re.search(r"^upgrade$|\$", connection.args[1], re.I):
            message = "Upgrade is passed on, but not Connection: upgrade"
            yield finding("no-upgrade", message, (connection or headers["upgrade"]).place)
    for proxy_pass in upgrading or server.proxy_passes[:1]:
        versions = _in_force(proxy_pass.levels, "proxy_http_version")
        if not versions:
            message = "proxy_http_version is not set"
            yield finding("http-1.0", message, proxy_pass.directive.place)
        for version in versions:
            if version.args[:1] == ("1.0",):
                yield finding("http-1.0", "proxy_http_version 1.0", version.place)
        for timeout in _in_force(proxy_pass.levels, "proxy_read_timeout"):
            value = " ".join(timeout.args)
            if _seconds(value) <= PING_SECONDS:
                message = "proxy_read_timeout %s" % value
                yield finding("timeout-below-ping", message, timeout.place)


def _seconds(text: str) -> float:
    """Parse one of nginx's times, such as ``1d 12h``."""
    units = {"ms": 0.001, "": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    units.update(M=2592000, y=31536000)
    parts = re.findall("([0-9]+)(ms|[smhdwMy]?)", text)
    return sum(int(number) * units[unit] for number, unit in parts)


def _check_responses(server: _Server) -> Iterator[Finding]:
    for proxy_pass in server.proxy_passes:
        for directive in _in_force(proxy_pass.levels, "add_header"):
            yield from _check_added_header(directive)
        for directive in _in_force(proxy_pass.levels, "proxy_hide_header"):
            if directive.args[0].lower() == "content-security-policy":
                message = "the server's Content-Security-Policy is taken away"
                yield finding("csp-at-proxy", message, directive.place)


def _check_added_header(directive: Directive) -> Iterator[Finding]:
    name, value = directive.args[0].lower(), " ".join(directive.args[1:2])
    if name == "content-security-policy":
        yield finding("csp-at-proxy", "Content-Security-Policy " + value, directive.place)
    elif name == "x-frame-options" and value.upper() != "SAMEORIGIN":
        yield finding("frames-denied", "X-Frame-Options " + value, directive.place)
    elif name == "access-control-allow-origin":
        yield finding("cors-at-proxy", "Access-Control-Allow-Origin " + value, directive.place)
