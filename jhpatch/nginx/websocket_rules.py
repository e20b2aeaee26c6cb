"""Rules about websockets: both headers of the upgrade, HTTP/1.1, and timeouts."""

import re
from typing import Dict, Iterator, Sequence

from jhpatch.nginx.directives import Directive, in_force, is_missing
from jhpatch.nginx.findings import ADD, REPLACE, finding
from jhpatch.nginx.options import PING_SECONDS
from jhpatch.nginx.proxy_passes import WEBSOCKET, ProxyPass
from jhpatch.nginx.servers import Deployment, Server, defines
from jhpatch.report.result import Finding

_MAP = "map $http_upgrade $connection_upgrade { default upgrade; '' ''; }"
_UPGRADE = "proxy_set_header Upgrade $http_upgrade;"
_CONNECTION = "proxy_set_header Connection $connection_upgrade;"


def check(server: Server, deployment: Deployment) -> Iterator[Finding]:
    """Check each ``proxy_pass`` that passes upgrades on; without any, the first."""
    upgrading = [one for one in server.proxy_passes if one.has_upgrade]
    yield from _check_missing(server, upgrading)
    for proxy_pass in upgrading:
        yield from _check_headers(server, proxy_pass)
    for proxy_pass in upgrading or server.proxy_passes[:1]:
        if not proxy_pass.takes(WEBSOCKET) and not _is_for_websockets(proxy_pass):
            continue
        yield from _check_version(proxy_pass, deployment)
        yield from _check_timeout(proxy_pass)


def check_stream(block: Directive) -> Iterator[Finding]:
    """Check the timeout of a stream block, which also applies to websockets."""
    for server in block.children("server"):
        levels = (block.block or (), server.block or ())
        if in_force(levels, "proxy_pass"):
            for timeout in in_force(levels, "proxy_timeout"):
                if seconds(" ".join(timeout.args)) <= PING_SECONDS:
                    message = "proxy_timeout " + " ".join(timeout.args)
                    yield finding(
                        "timeout-below-ping", message, timeout.place, name="proxy_timeout"
                    )


def _fields(server: Server, headers: str) -> Dict[str, str]:
    """Return the lines to write, and the map if they need it."""
    needs_map = "$connection_upgrade" in headers and not defines(
        (*server.levels[0], *(server.block.block or ())), "$connection_upgrade"
    )
    return {"headers": headers, "map": " Add to the http block: " + _MAP if needs_map else ""}


def _check_missing(server: Server, upgrading: Sequence[ProxyPass]) -> Iterator[Finding]:
    without = [one for one in server.proxy_passes if not one.has_upgrade and _is_known(one)]
    if not without or (upgrading and not any(_is_broad(one) for one in without)):
        return
    first = next((one for one in without if _is_broad(one)), without[0])
    old = first.headers.get("upgrade") or first.headers.get("connection")
    fields = _fields(server, "%s %s" % (_UPGRADE, _CONNECTION))
    place = old.place if old else first.place_of_headers
    change = REPLACE if old else ADD
    if not upgrading:
        message = "the Upgrade header is not passed on"
        yield finding("no-upgrade", message, place, change=change, **fields)
    else:
        message = "Upgrade is passed on in other locations, but not in %s" % first.path
        yield finding("upgrade-some-paths", message, place, change=change, **fields)


def _is_known(proxy_pass: ProxyPass) -> bool:
    header = proxy_pass.headers.get("upgrade")
    return proxy_pass.headers_are_known or header is not None


def _is_broad(proxy_pass: ProxyPass) -> bool:
    """Return whether the location covers the whole hub, and not only some of its paths."""
    return proxy_pass.is_prefix and not re.search(r"/(hub|user)(/|$)", proxy_pass.path)


def _check_headers(server: Server, proxy_pass: ProxyPass) -> Iterator[Finding]:
    headers = proxy_pass.headers
    connection, upgrade = headers.get("connection"), headers["upgrade"]
    is_always = "$" not in upgrade.args[1]
    if is_always and not _is_for_websockets(proxy_pass):
        message = "Upgrade is %s for every request" % upgrade.args[1]
        fields = _fields(server, _UPGRADE)
        yield finding("upgrade-always", message, upgrade.place, **fields)
    if connection is None:
        if proxy_pass.headers_are_known:
            message = "Upgrade is passed on, but not Connection"
            fields = _fields(server, _CONNECTION)
            yield finding("no-upgrade", message, upgrade.place, change=ADD, **fields)
    elif not re.search(r"(^|[,\s])upgrade([,\s]|$)|\$", connection.args[1], re.I):
        message = "Upgrade is passed on, but Connection is not upgrade"
        fields = _fields(server, _CONNECTION)
        yield finding("no-upgrade", message, connection.place, change=REPLACE, **fields)


def _is_for_websockets(proxy_pass: ProxyPass) -> bool:
    """Return whether the location receives only websockets, or requests known to be one."""
    return proxy_pass.path.startswith("@") or (
        proxy_pass.is_regex and re.search("channels|websocket", proxy_pass.path) is not None
    )


def _check_version(proxy_pass: ProxyPass, deployment: Deployment) -> Iterator[Finding]:
    levels = proxy_pass.levels
    is_modern = deployment.is_at_least(1, 29, 7)  # whose default is 1.1
    if is_missing(levels, "proxy_http_version") and not is_modern:
        message = "proxy_http_version is not set"
        yield finding("http-1.0", message, proxy_pass.directive.place, change=ADD)
    for version in in_force(levels, "proxy_http_version"):
        if version.args[0] != "1.1":
            message = "proxy_http_version " + version.args[0]
            yield finding("http-1.0", message, version.place, change=REPLACE)


def _check_timeout(proxy_pass: ProxyPass) -> Iterator[Finding]:
    """Check proxy_read_timeout: proxy_send_timeout does not apply to an idle websocket."""
    name = "proxy_read_timeout"
    for timeout in in_force(proxy_pass.levels, name):
        value = timeout.args[0]
        if seconds(value) <= PING_SECONDS:
            message = "%s %s" % (name, value)
            yield finding("timeout-below-ping", message, timeout.place, name=name)


def seconds(text: str) -> float:
    """Parse one of nginx's times; return infinity for other text."""
    text = text.replace(" ", "")
    units = {"ms": 0.001, "": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    units.update({"M": 2592000, "y": 31536000})
    if not re.fullmatch(r"([0-9]+(ms|[smhdwMy])?)+", text):
        return float("inf")
    parts = re.findall(r"([0-9]+)(ms|[smhdwMy]?)", text)
    return sum(int(number) * units[unit] for number, unit in parts)
