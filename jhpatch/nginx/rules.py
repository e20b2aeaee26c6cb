"""What is wrong in a configuration of nginx for a hub behind it: a tree in, findings out."""

import re
from typing import Dict, Iterator, List, Sequence, Tuple

from jhpatch.errors import Failed, jhpatch_command
from jhpatch.namedtuple import NamedTuple
from jhpatch.nginx import site_file
from jhpatch.nginx.findings import finding
from jhpatch.nginx.parser import Directive, Tree
from jhpatch.report.result import Finding

_BODY = 10 << 20  # bytes that a notebook with pictures may well have


class Judged(NamedTuple):
    """The findings, and how many places pass requests on."""

    findings: Tuple[Finding, ...]
    places: int


class _Server(NamedTuple):
    block: Directive
    names: Tuple[str, ...]
    listens: Tuple["_Listen", ...]
    places: Tuple["_Place", ...]
    levels: Tuple[Tuple[Directive, ...], ...]
    """What holds for it: the http block's directives, and its own."""

    @property
    def tls(self) -> bool:
        on = any(one.args[:1] == ("on",) for one in _last(self.levels, "ssl"))
        return on or any(one.ssl for one in self.listens)


class _Listen(NamedTuple):
    key: str
    """Address and port: servers that share one are told apart by name alone."""
    port: int
    ssl: bool
    default: bool
    place: str


class _Place(NamedTuple):
    """Where requests are passed on, and the levels of blocks above it, the outermost first."""

    proxy_pass: Directive
    levels: Tuple[Tuple[Directive, ...], ...]

    @property
    def headers(self) -> Dict[str, Directive]:
        """Each proxy_set_header that holds here, by name in lower case."""
        found = _last(self.levels, "proxy_set_header")
        return {one.args[0].lower(): one for one in found if len(one.args) > 1}

    @property
    def upgrades(self) -> bool:
        """Whether the header of a websocket is passed on."""
        one = self.headers.get("upgrade")
        return one is not None and one.args[1] != ""


def judged(tree: Tree, names: Tuple[str, ...] = ()) -> Judged:
    """All findings, or those of the servers of these names. Raises Failed where there is none."""
    every = [_server(one, tree.directives) for one in tree.directives if one.name == "server"]
    chosen = [one for one in every if one.places and (not names or set(names) & set(one.names))]
    if not chosen and not tree.findings:
        raise Failed(
            "no server here passes requests on",
            path=tree.files[0],
            expected="proxy_pass in a server%s" % (" of %s" % " or ".join(names) if names else ""),
            found="%d servers" % len(every),
            next=jhpatch_command("nginx", "check", "CONFIG"),
        )
    found = list(tree.findings)
    for server in chosen:
        found += _of_names(server, every)
        found += _of_tls(server)
        found += _of_requests(server)
        found += _of_websockets(server)
        found += _of_answers(server)
    unique = {(one.code, one.path): one for one in reversed(found)}
    rows = sorted(unique.values(), key=found.index)
    return Judged(tuple(rows), sum(len(one.places) for one in chosen))


def _server(one: Directive, outside: Tuple[Directive, ...]) -> _Server:
    inside = one.block or ()
    levels = (outside, inside)
    names = tuple(name for row in one.has("server_name") for name in row.args)
    listens = tuple(_listen(row.args, row.place) for row in one.has("listen"))
    places = tuple(_places(inside, (outside,)))
    return _Server(one, names, listens or (_listen(("80",), one.place),), places, levels)


def _listen(args: Tuple[str, ...], place: str) -> _Listen:
    """nginx's own defaults: port 80, any address."""
    found = re.fullmatch(r"(?:(\[[^]]*\]|[^:]*):)?([0-9]+)", args[0])
    address, port = found.groups() if found else (args[0], "80")
    default = "default_server" in args or "default" in args
    if args[0].startswith("unix:"):
        return _Listen(args[0], 0, "ssl" in args, default, place)
    if address in (None, "*", "0.0.0.0"):
        address = ""
    return _Listen("%s:%s" % (address, port), int(port), "ssl" in args, default, place)


def _places(
    inside: Tuple[Directive, ...], above: Tuple[Tuple[Directive, ...], ...]
) -> Iterator[_Place]:
    levels = above + (inside,)
    for one in inside:
        if one.name == "proxy_pass" and one.args:
            yield _Place(one, levels)
        elif one.block is not None:
            yield from _places(one.block, levels)


def _last(levels: Sequence[Tuple[Directive, ...]], name: str) -> List[Directive]:
    """Those that hold: of the innermost level that has any, as nginx inherits them."""
    for level in reversed(levels):
        found = [one for one in level if one.name == name]
        if found:
            return found
    return []


# Names.


def _of_names(server: _Server, every: List[_Server]) -> Iterator[Finding]:
    """Whether requests for any name come to this server."""
    ssl = " ssl" if server.tls else ""
    for listen in server.listens:
        rivals = [one for one in every if listen.key in [other.key for other in one.listens]]
        declared = [
            one for one in rivals for row in one.listens if row.key == listen.key and row.default
        ]
        if (declared or rivals)[0] is server:
            how = "is the default server" if declared else "is the first, and so the default,"
            words = "this server %s of port %d" % (how, listen.port)
            yield finding("catch-all", words, listen.place, port=listen.port, ssl=ssl)
    for row in server.block.has("server_name"):
        if any(re.fullmatch(r"~\^?\(?\.[*+]?\)?\$?", name) for name in row.args):
            words = "server_name matches every name"
            port = server.listens[0].port
            yield finding("catch-all", words, row.place, port=port, ssl=ssl)


# TLS.


def _of_tls(server: _Server) -> Iterator[Finding]:
    port = server.listens[0].port
    for one in _last(server.levels, "ssl"):
        if one.args[:1] == ("on",):
            yield finding("ssl-on", "ssl on", one.place, port=port)
    if not server.tls:
        return
    protocols = _last(server.levels, "ssl_protocols")
    for one in protocols:
        old = [name for name in one.args if name not in ("TLSv1.2", "TLSv1.3")]
        if old:
            yield finding("tls-old", "allowed: " + ", ".join(old), one.place)
    if not protocols:
        yield finding("tls-old", "ssl_protocols is not set", server.block.place)
    ciphers = _last(server.levels, "ssl_ciphers")
    for one in ciphers:
        weak = _weak(one.args[0]) if one.args else []
        if weak:
            words = "allowed: " + ", ".join(weak)
            yield finding("weak-ciphers", words, one.place, ciphers=site_file.CIPHERS)
    if not ciphers:
        words = "ssl_ciphers is not set: HIGH:!aNULL:!MD5 allows those without ECDHE, and CBC"
        yield finding("weak-ciphers", words, server.block.place, ciphers=site_file.CIPHERS)


_STRONG = re.compile(
    r"ECDHE-(RSA|ECDSA)-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)"
    r"|TLS_(AES|CHACHA20)_\w+|TLS13-[\w-]+"
    r"|(EC)?(ECDHE|EECDH)(\+(AESGCM|AES128GCM|AES256GCM|CHACHA20|aRSA|ECDSA|RSA))*"
    r"\+(AESGCM|CHACHA20)(\+\w+)*"
    r"|PROFILE=SYSTEM|@SECLEVEL=[1-5]|@STRENGTH"
)


def _weak(ciphers: str) -> List[str]:
    """Of OpenSSL's list, what lets in more than ECDHE with AES-GCM or CHACHA20 (ciphers(1))."""
    words = [word for word in re.split("[: ,]+", ciphers) if word and word[0] not in "!-+"]
    return [word for word in words if not _STRONG.fullmatch(word)]


# What is passed on.


def _of_requests(server: _Server) -> Iterator[Finding]:
    for place in server.places:
        headers = place.headers
        origin = headers.get("origin")
        if origin and origin.args[1] == "":
            yield finding("origin-cleared", "Origin is cleared", origin.place)
        elif origin and origin.args[1] not in ("$http_origin", "${http_origin}"):
            words = "Origin becomes %s" % origin.args[1]
            yield finding("origin-rewritten", words, origin.place)
        yield from _of_host(server, place)
        if server.tls and not {"x-forwarded-proto", "x-scheme", "forwarded"} & set(headers):
            words = "no X-Forwarded-Proto"
            yield finding("no-forwarded-proto", words, place.proxy_pass.place)
        for one in _last(place.levels, "proxy_next_upstream"):
            if "non_idempotent" in one.args:
                yield finding("next-upstream-post", "non_idempotent", one.place)
    yield from _of_body(server)


def _of_host(server: _Server, place: _Place) -> Iterator[Finding]:
    one = place.headers.get("host")
    if one is None:
        words = "Host is not passed on: the server sees the upstream's name"
        yield finding("host-replaced", words, place.proxy_pass.place)
        return
    value = one.args[1].replace("{", "").replace("}", "")
    usual = 443 if server.tls else 80
    odd = [listen.port for listen in server.listens if listen.port not in (0, usual)]
    single = len(server.names) == 1
    if value == "$http_host":
        return
    if value == "$host" or (value == "$server_name" and single):
        if odd:
            words = "Host is %s on port %d" % (value, odd[0])
            yield finding("host-without-port", words, one.place)
    elif value != "$host:$server_port" or len(odd) < len(server.listens):
        yield finding("host-replaced", "Host becomes %s" % value, one.place)


def _of_body(server: _Server) -> Iterator[Finding]:
    for place in server.places:
        limits = _last(place.levels, "client_max_body_size")
        if not limits:
            words = "client_max_body_size is not set: 1m"
            yield finding("body-limit", words, place.proxy_pass.place)
            return
        for one in limits:
            if 0 < _bytes(one.args[0]) < _BODY:
                yield finding("body-limit", "client_max_body_size " + one.args[0], one.place)


def _bytes(text: str) -> int:
    found = re.fullmatch("([0-9]+)([kKmMgG]?)", text)
    if not found:
        return 0
    return int(found.group(1)) << {"": 0, "k": 10, "m": 20, "g": 30}[found.group(2).lower()]


def _of_websockets(server: _Server) -> Iterator[Finding]:
    """Of the places that pass websockets on; of all, where none does."""
    places = [one for one in server.places if one.upgrades]
    if not places:
        words = "no Upgrade header is passed on"
        yield finding("no-upgrade", words, server.places[0].proxy_pass.place)
    for place in places:
        connection = place.headers.get("connection")
        if connection is None or not re.search(r"^upgrade$|\$", connection.args[1], re.I):
            words = "Upgrade is passed on, but not Connection: upgrade"
            yield finding("no-upgrade", words, (connection or place.headers["upgrade"]).place)
    for place in places or server.places[:1]:
        versions = _last(place.levels, "proxy_http_version")
        if not versions:
            words = "proxy_http_version is not set"
            yield finding("http-1.0", words, place.proxy_pass.place)
        for one in versions:
            if one.args[:1] == ("1.0",):
                yield finding("http-1.0", "proxy_http_version 1.0", one.place)
        for one in _last(place.levels, "proxy_read_timeout"):
            if _seconds(" ".join(one.args)) <= site_file.PING:
                words = "proxy_read_timeout %s" % " ".join(one.args)
                yield finding("timeout-below-ping", words, one.place)


def _seconds(text: str) -> float:
    units = {"ms": 0.001, "": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    units.update(M=2592000, y=31536000)
    parts = re.findall("([0-9]+)(ms|[smhdwMy]?)", text)
    return sum(int(number) * units[unit] for number, unit in parts)


# What comes back.


def _of_answers(server: _Server) -> Iterator[Finding]:
    for place in server.places:
        for one in _last(place.levels, "add_header"):
            yield from _of_header(one)
        for one in _last(place.levels, "proxy_hide_header"):
            if one.args[0].lower() == "content-security-policy":
                words = "the server's Content-Security-Policy is taken away"
                yield finding("csp-at-proxy", words, one.place)


def _of_header(one: Directive) -> Iterator[Finding]:
    name, value = one.args[0].lower(), " ".join(one.args[1:2])
    if name == "content-security-policy":
        yield finding("csp-at-proxy", "Content-Security-Policy " + value, one.place)
    elif name == "x-frame-options" and value.upper() != "SAMEORIGIN":
        yield finding("frames-denied", "X-Frame-Options " + value, one.place)
    elif name == "access-control-allow-origin":
        yield finding("cors-at-proxy", "Access-Control-Allow-Origin " + value, one.place)
