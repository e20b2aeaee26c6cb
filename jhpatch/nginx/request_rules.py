"""Rules about requests as the hub receives them: Origin, Host, scheme, body, and repetition."""

import re
from typing import Iterator

from jhpatch.nginx.directives import Directive, in_force, is_missing
from jhpatch.nginx.findings import ADD, REPLACE, finding
from jhpatch.nginx.options import NOTEBOOK_BYTES
from jhpatch.nginx.proxy_passes import PAGE, SAVE, ProxyPass
from jhpatch.nginx.servers import Deployment, Server
from jhpatch.nginx.site import ca_file
from jhpatch.report.result import Finding

_OTHER_NAMES = ("$proxy_host", "$hostname", "$server_addr", "$upstream_addr", "$server_name")
_LUA = re.compile(r"""(clear_header|set_header)\s*\(?\s*["'](?i:origin)["']""")
_LOCAL = re.compile(r"(localhost|127\.[0-9.]+|\[::1\]|unix:.*)(:[0-9]+)?")


def check(server: Server, deployment: Deployment) -> Iterator[Finding]:
    """Yield the findings about one server."""
    for proxy_pass in server.proxy_passes:
        yield from _check_origin(proxy_pass)
        yield from _check_host(server, proxy_pass, deployment)
        yield from _check_scheme(server, proxy_pass, deployment)
        yield from _check_upstream(proxy_pass)
        for directive in in_force(proxy_pass.levels, "proxy_next_upstream"):
            if "non_idempotent" in directive.args:
                yield finding("next-upstream-post", "non_idempotent", directive.place)
    yield from _check_body_size(server)


def _check_origin(proxy_pass: ProxyPass) -> Iterator[Finding]:
    origin = proxy_pass.headers.get("origin")
    if origin and origin.args[1] == "":
        yield finding(
            "origin-cleared", "Origin is cleared", origin.place, change="Remove this directive."
        )
    elif origin and origin.args[1] not in ("$http_origin", "${http_origin}"):
        message = "Origin becomes %s" % origin.args[1]
        yield finding("origin-rewritten", message, origin.place)
    for level in proxy_pass.levels:
        for one in level:
            yield from _check_modules(one)


def _check_modules(directive: Directive) -> Iterator[Finding]:
    """Check what third-party modules do to Origin: headers-more and Lua."""
    if directive.name in ("more_clear_input_headers", "more_set_input_headers"):
        words = " ".join(directive.args)
        if re.search(r"(?i)(^|\s)origin(\s*:|\s|$)", words):
            message = "%s %s" % (directive.name, words)
            yield finding(
                "origin-cleared", message, directive.place, change="Remove this directive."
            )
    if "_by_lua" in directive.name:
        match = _LUA.search(" ".join(directive.args))
        if match:
            change = "Remove this call from the block"
            yield finding("origin-cleared", match.group(), directive.place, change=change)


def _check_host(
    server: Server, proxy_pass: ProxyPass, deployment: Deployment
) -> Iterator[Finding]:
    header = proxy_pass.headers.get("host")
    right = _right_host(server)
    if header is None:
        if proxy_pass.headers_are_known:
            message = "Host is not passed on, so the server receives the name of the upstream"
            place = proxy_pass.place_of_headers
            yield finding("host-replaced", message, place, change=ADD, host=right)
        return
    value = header.args[1].replace("{", "").replace("}", "")
    value = value.lower() if "$" in value else value  # names of variables are case-insensitive
    if len(server.names) == 1:
        value = value.replace("$server_name:", "$host:")
    is_own_name = len(server.names) == 1 and value in ("$server_name", server.names[0])
    if value == "$http_host":
        if server.quic:
            message = "Host is $http_host, and this server accepts HTTP/3"
            yield finding("host-empty-on-http3", message, header.place, host=right)
    elif value == "$host" or is_own_name:
        yield from _check_port(server, header, value, deployment)
    elif value == "$host:$server_port":
        ports = [listen.port for listen in server.listens if not listen.is_behind]
        default = next((port for port in ports if port in (80, 443)), None)
        if default is not None:
            message = "Host contains :%d, which browsers omit" % default
            yield finding("host-replaced", message, header.place, change=REPLACE, host=right)
    elif re.fullmatch(r"\$host:(\$proxy_port|80|443)", value):
        port = value.partition(":")[2]
        words = "the upstream's port" if "$" in port else ":%s, which browsers omit" % port
        message = "Host contains " + words
        yield finding("host-replaced", message, header.place, change=REPLACE, host=right)
    elif _is_other_name(server, value, deployment):
        message = "Host becomes %s" % value
        yield finding("host-replaced", message, header.place, change=REPLACE, host=right)


def _is_other_name(server: Server, value: str, deployment: Deployment) -> bool:
    """Return whether a Host is not the one that the browser sent."""
    if "$" not in value:
        return not _is_own_address(server, value)
    if value == "$http_x_forwarded_host":  # of a proxy in front
        return not server.is_behind_terminator(deployment)
    return value.startswith("$http_host") or value.partition(":")[0] in _OTHER_NAMES


def _is_own_address(server: Server, value: str) -> bool:
    """Return whether a Host is the only name and the only port of a server."""
    ports = {listen.port for listen in server.listens if listen.ssl or not server.tls}
    addresses = ["%s:%d" % (name, port) for name in server.names for port in ports]
    return addresses == [value]


def _right_host(server: Server) -> str:
    """Return the right Host. HTTP/3 has no Host header, so it combines the name and the port."""
    if not server.quic:
        return "$http_host"
    is_odd = all(listen.port not in (80, 443) for listen in server.listens)
    return "$host:$server_port" if is_odd else "$host"


def _check_port(
    server: Server, header: Directive, value: str, deployment: Deployment
) -> Iterator[Finding]:
    """Check a Host without a port, if browsers may show one.

    Browsers show the port of the outermost proxy. A port with TLS is taken to be that port. A port
    without TLS may be that of the outermost proxy or not.
    """
    if deployment.external_scheme == "https":
        return
    ports = [listen for listen in server.listens if not listen.is_behind]
    odd = {server.speaks_tls(one): one.port for one in ports if one.port not in (80, 443)}
    fields = {"host": _right_host(server)}
    if True in odd and deployment.external_scheme is None and not server.has_proxy_in_front:
        message = "Host is %s on port %d" % (value, odd[True])
        yield finding("host-without-port", message, header.place, **fields)
    elif odd and not (False in odd and server.has_proxy_in_front):
        message = "Host is %s on port %d" % (value, odd.popitem()[1])
        yield finding("host-port-unclear", message, header.place, **fields)


def _check_scheme(
    server: Server, proxy_pass: ProxyPass, deployment: Deployment
) -> Iterator[Finding]:
    is_external = deployment.external_scheme == "https"
    yield from _check_behind(server, proxy_pass, deployment)
    if deployment.external_scheme == "http" or not (server.tls or is_external):
        return
    scheme = "https" if is_external and not server.tls else "$scheme"
    headers = proxy_pass.headers
    names = [name for name in ("x-forwarded-proto", "x-scheme", "forwarded") if name in headers]
    place = proxy_pass.place_of_headers
    is_page = proxy_pass.takes(PAGE) or proxy_pass.takes(SAVE)
    if not names and is_page and proxy_pass.headers_are_known:
        yield finding("no-forwarded-proto", "X-Forwarded-Proto is not set", place, scheme=scheme)
    for name in names[: names.count("x-forwarded-proto") + names.count("x-scheme")]:
        header = headers[name]
        value = header.args[1].replace("{", "").replace("}", "")
        if value == "http" or (value == "$scheme" and scheme == "https"):
            reason = "" if value == "http" else ", but the TLS terminator uses plain http to nginx"
            message = "%s is %s%s" % (header.args[0], value, reason)
            fields = {"header": header.args[0], "scheme": scheme}
            yield finding("forwarded-proto-wrong", message, header.place, **fields)
    is_old = deployment.hub_version is not None and deployment.hub_version < (2, 0, 2)
    if is_old and "x-scheme" not in names and proxy_pass.headers_are_known:
        yield finding("no-x-scheme", "X-Scheme is not set", place, scheme=scheme)


def _check_behind(
    server: Server, proxy_pass: ProxyPass, deployment: Deployment
) -> Iterator[Finding]:
    """Check the headers of the scheme if a proxy in front of nginx may terminate TLS."""
    if deployment.external_scheme is not None:
        return
    proxies = in_force(server.levels, "set_real_ip_from")
    header = proxy_pass.headers.get("x-forwarded-proto")
    if server.tls:
        is_taken = header is not None and header.args[1] == "$http_x_forwarded_proto"
        if header is not None and is_taken and not proxies:
            message = "%s is copied from the request, but browsers do not send it" % header.args[0]
            yield finding("forwarded-proto-unclear", message, header.place)
        return
    if not proxies and any(one.port == 80 and not one.is_behind for one in server.listens):
        return  # the port that browsers connect to
    headers = [proxy_pass.headers.get(name) for name in ("x-forwarded-proto", "x-scheme")]
    values = [one.args[1].replace("{", "").replace("}", "") for one in headers if one]
    if (values or proxy_pass.headers_are_known) and set(values) <= {"$scheme", "http"}:
        who = proxies[0].args[0] if proxies else "if there is one"
        message = "a proxy in front of nginx, %s, may terminate TLS" % who
        yield finding("forwarded-proto-unclear", message, proxy_pass.place_of_headers)


def _check_upstream(proxy_pass: ProxyPass) -> Iterator[Finding]:
    scheme, address, _ = proxy_pass.parts
    if scheme != "https" or all(map(_LOCAL.fullmatch, proxy_pass.addresses)):
        return
    rows = in_force(proxy_pass.levels, "proxy_ssl_verify")
    off = [row for row in rows if row.args[0] == "off"]
    if off or is_missing(proxy_pass.levels, "proxy_ssl_verify"):
        message = "nginx does not verify the certificate of %s" % address
        place = off[0].place if off else proxy_pass.directive.place
        has_ca = in_force(proxy_pass.levels, "proxy_ssl_trusted_certificate")
        fields = {
            "change": REPLACE if off else ADD,
            "ca": "" if has_ca else " proxy_ssl_trusted_certificate %s;" % ca_file(),
        }
        yield finding("upstream-unverified", message, place, **fields)


def _check_body_size(server: Server) -> Iterator[Finding]:
    saving = [one for one in server.proxy_passes if one.takes(SAVE)]
    for proxy_pass in saving:
        for limit in in_force(proxy_pass.levels, "client_max_body_size"):
            if 0 < _bytes(limit.args[0]) < NOTEBOOK_BYTES:
                message = "client_max_body_size " + limit.args[0]
                yield finding("body-limit", message, limit.place, change=REPLACE)
    for proxy_pass in saving:
        if is_missing(proxy_pass.levels, "client_max_body_size"):
            message = "client_max_body_size is not set; the default is 1m"
            yield finding("body-limit", message, server.block.place, change=ADD)
            return


def _bytes(text: str) -> int:
    """Parse one of nginx's sizes; 0, which is no limit, for anything else."""
    match = re.fullmatch("([0-9]+)([kKmMgG]?)", text)
    if not match:
        return 0
    return int(match.group(1)) << {"": 0, "k": 10, "m": 20, "g": 30}[match.group(2).lower()]
