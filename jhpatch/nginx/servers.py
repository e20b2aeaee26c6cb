"""The servers of a configuration: their ports and names, and what they pass to the hub."""

import re
from typing import Dict, List, Optional, Tuple

from jhpatch.namedtuple import NamedTuple
from jhpatch.nginx.directives import Directive, Levels, in_force
from jhpatch.nginx.proxy_passes import ProxyPass, of_the_hub, proxy_passes_in


class Deployment(NamedTuple):
    """What the configuration itself does not contain."""

    version: Optional[Tuple[int, ...]] = None
    """Of the nginx that reads it."""
    external_scheme: Optional[str] = None
    """What browsers see, if something in front of nginx terminates TLS."""
    hub_version: Optional[Tuple[int, ...]] = None

    def is_at_least(self, *version: int) -> bool:
        """Whether nginx is known to be that version or a newer one."""
        return self.version is not None and self.version >= version


UNKNOWN = Deployment()
"""Only the configuration is known."""


class Listen(NamedTuple):
    """A ``listen``; ``port`` is 0 for a Unix socket, and if it is unknown."""

    text: str
    address: str
    """Empty for any address."""
    port: int
    parameters: Tuple[str, ...]
    place: str

    @property
    def socket(self) -> str:
        """Address and port; only names distinguish the servers on one socket."""
        kind = "udp " if self.quic else ""
        return kind + (self.text if not self.port else "%s:%d" % (self.address, self.port))

    @property
    def ssl(self) -> bool:
        """Whether its own parameters enable TLS."""
        return "ssl" in self.parameters or self.quic

    @property
    def quic(self) -> bool:
        """Whether it accepts HTTP/3."""
        return "quic" in self.parameters

    @property
    def is_default(self) -> bool:
        """Whether it declares its server the default server of the socket."""
        return "default_server" in self.parameters or "default" in self.parameters

    @property
    def is_behind(self) -> bool:
        """Whether only programs on this host or a proxy with the PROXY protocol connect to it."""
        local = re.match(r"127\.|\[::1\]|localhost$", self.address)
        return bool(local) or "proxy_protocol" in self.parameters or not self.port


class Server(NamedTuple):
    """A server block. ``proxy_passes`` are those that lead to the hub, as far as it is known."""

    block: Directive
    names: Tuple[str, ...]
    listens: Tuple[Listen, ...]
    proxy_passes: Tuple[ProxyPass, ...]
    levels: Levels
    """The directives of the http block without its servers and upstreams, and its own."""

    @property
    def tls(self) -> bool:
        """Whether any of its ports uses TLS."""
        return any(self.speaks_tls(listen) for listen in self.listens)

    def speaks_tls(self, listen: Listen) -> bool:
        """Return whether one of its ports uses TLS: by a parameter, or by ``ssl on`` for all."""
        on = any(ssl.args[:1] == ("on",) for ssl in in_force(self.levels, "ssl"))
        return on or listen.ssl

    @property
    def quic(self) -> bool:
        """Whether any of its ports accepts HTTP/3."""
        return any(listen.quic for listen in self.listens)

    def is_behind_terminator(self, deployment: Deployment) -> bool:
        """Return whether a proxy in front of nginx may terminate TLS, or the scheme is given."""
        if deployment.external_scheme is not None:
            return True
        return all(listen.is_behind for listen in self.listens) or self.has_proxy_in_front

    @property
    def has_proxy_in_front(self) -> bool:
        """Whether directives show that browsers connect to another proxy, in front of nginx."""
        if in_force(self.levels, "set_real_ip_from"):
            return True
        values = [
            header.args[1]
            for one in self.proxy_passes
            for name, header in one.headers.items()
            if name in ("x-forwarded-proto", "x-scheme")
        ]
        if not self.tls and "https" in values:
            return True
        return "$http_x_forwarded_proto" in values


def servers_of(directives: Tuple[Directive, ...]) -> List[Server]:
    """Return the servers in the content of an http block."""
    outside = tuple(one for one in directives if one.name not in ("server", "upstream"))
    upstreams = {one.args[0]: one for one in directives if one.name == "upstream" and one.args}
    return [_server(block, outside, upstreams) for block in directives if block.name == "server"]


def _server(
    block: Directive, outside: Tuple[Directive, ...], upstreams: Dict[str, Directive]
) -> Server:
    inside = block.block or ()
    names = tuple(name for row in block.children("server_name") for name in row.args)
    listens = tuple(_listen(row.args, row.place) for row in block.children("listen") if row.args)
    proxy_passes = tuple(
        one._replace(upstream=upstreams.get(one.parts[1]))
        for one in proxy_passes_in(inside, (outside,), None)
    )
    default = (_listen(("80",), block.place),)
    hub = of_the_hub(proxy_passes)
    own = tuple(one for one in inside if one.name != "location")
    return Server(block, names, listens or default, hub, (outside, own))


def _listen(args: Tuple[str, ...], place: str) -> Listen:
    """Parse a ``listen``, with nginx's defaults: port 80, any address."""
    if args[0].startswith("unix:") or "$" in args[0]:
        return Listen(args[0], args[0], 0, args[1:], place)
    match = re.fullmatch(r"(?:(\[[^]]*\]|[^:]*):)?([0-9]+)(?:-[0-9]+)?", args[0])
    address, port = match.groups() if match else (args[0], "80")
    if address in (None, "*", "0.0.0.0"):
        address = ""
    return Listen(args[0], address, int(port), args[1:], place)


def name_matches(pattern: str, name: str) -> bool:
    """Return whether a server_name matches a name, in any case, with wildcards and patterns."""
    pattern, name = pattern.lower() if pattern[:1] != "~" else pattern, name.lower().rstrip(".")
    if pattern.startswith("~"):
        try:
            return (
                re.search(re.sub(r"\(\?<(?=[A-Za-z])", "(?P<", pattern[1:]), name, re.I)
                is not None
            )
        except re.error:
            return False
    if pattern.startswith("."):
        return name == pattern[1:] or name.endswith(pattern)
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    if pattern.endswith(".*"):
        return name.startswith(pattern[:-1])
    return pattern == name


def defines(directives: Tuple[Directive, ...], variable: str) -> bool:
    """Return whether a map or a set of the configuration defines a variable."""
    return any(
        one.args[-1:] == (variable,)
        if one.name in ("map", "geo", "split_clients")  # whose blocks may have many values
        else (one.name == "set" and one.args[:1] == (variable,))
        or defines(one.block or (), variable)
        for one in directives
    )
