"""Rules about responses: headers that are added or hidden, cookies, caches and buffers."""

import re
from typing import Iterator, Tuple

from jhpatch.nginx.directives import Directive, in_force, is_missing
from jhpatch.nginx.findings import ADD, REPLACE, finding
from jhpatch.nginx.proxy_passes import PAGE, SAVE, ProxyPass
from jhpatch.nginx.servers import Server
from jhpatch.report.result import Finding

_HARMLESS_CSP = re.compile(
    r"(?i)(upgrade-insecure-requests|block-all-mixed-content|report-(uri|to)\b.*"
    r"|frame-ancestors\b.*'self'.*)?"
)


def check(server: Server) -> Iterator[Finding]:
    """Yield the findings about one server."""
    for proxy_pass in server.proxy_passes:
        for directive in _added_headers(proxy_pass):
            yield from _check_added_header(directive, directive.args[0], directive.args[1:2])
        for directive in in_force(proxy_pass.levels, "more_set_headers"):
            for text in directive.args:
                name, _, value = text.partition(":")
                yield from _check_added_header(directive, name, (value.strip(),))
        for directive in in_force(proxy_pass.levels, "proxy_hide_header"):
            if directive.args[0].lower() == "content-security-policy":
                message = "nginx removes the server's Content-Security-Policy"
                yield finding("csp-at-proxy", message, directive.place)
        yield from _check_cookies(proxy_pass)
        if proxy_pass.takes(PAGE) or proxy_pass.takes(SAVE):
            yield from _check_expiry(proxy_pass)
        for cache in in_force(proxy_pass.levels, "proxy_cache"):
            if cache.args[0] != "off":
                yield finding("shared-cache", "proxy_cache " + cache.args[0], cache.place)
    yield from _check_buffering(server)


def _added_headers(proxy_pass: ProxyPass) -> Iterator[Directive]:
    """Yield the headers in force, and those in each ``if`` of the location without a return."""
    yield from in_force(proxy_pass.levels, "add_header")
    for one in proxy_pass.levels[-1]:
        if one.name == "if" and not any(row.name == "return" for row in one.block or ()):
            yield from (row for row in one.children("add_header") if row.args)


def _check_added_header(
    directive: Directive, header: str, values: Tuple[str, ...]
) -> Iterator[Finding]:
    name, value = header.lower(), " ".join(values)
    if name == "content-security-policy":
        if not all(_HARMLESS_CSP.fullmatch(part.strip()) for part in value.split(";")):
            yield finding("csp-at-proxy", "Content-Security-Policy " + value, directive.place)
    elif name == "x-frame-options" and value.upper() == "DENY":
        yield finding("frames-denied", "X-Frame-Options " + value, directive.place)
    elif name == "access-control-allow-origin":
        yield finding("cors-at-proxy", "Access-Control-Allow-Origin " + value, directive.place)


def _check_cookies(proxy_pass: ProxyPass) -> Iterator[Finding]:
    for directive in in_force(proxy_pass.levels, "proxy_cookie_path"):
        if "httponly" in " ".join(directive.args[1:]).lower():
            yield finding("cookie-httponly", " ".join(directive.args), directive.place)
    for directive in in_force(proxy_pass.levels, "proxy_cookie_flags"):
        flags = [flag.lower() for flag in directive.args[1:]]
        if "httponly" in flags and _names_xsrf(directive.args[0]):
            message = "proxy_cookie_flags " + " ".join(directive.args)
            yield finding("cookie-httponly", message, directive.place)


def _check_expiry(proxy_pass: ProxyPass) -> Iterator[Finding]:
    for row in in_force(proxy_pass.levels, "expires"):
        if re.fullmatch(r"(modified \+?|\+|@)?[0-9]*[1-9][0-9a-zA-Z]*|max", " ".join(row.args)):
            message = "expires " + " ".join(row.args)
            yield finding("cached-by-browsers", message, row.place)
    for row in in_force(proxy_pass.levels, "add_header"):
        value = "".join(row.args[1:2]).lower()
        is_kept = re.search(r"max-age=0*[1-9]|immutable", value)
        if row.args[0].lower() == "cache-control" and is_kept and "no-" not in value:
            message = "add_header Cache-Control " + value
            yield finding("cached-by-browsers", message, row.place)


def _names_xsrf(name: str) -> bool:
    if not name.startswith("~"):
        return name == "_xsrf"
    try:
        return re.search(name.lstrip("~*"), "_xsrf", re.I) is not None
    except re.error:
        return False


def _check_buffering(server: Server) -> Iterator[Finding]:
    """Yield at most one finding for a server, because buffering is on by default."""
    for proxy_pass in server.proxy_passes:
        rows = in_force(proxy_pass.levels, "proxy_buffering")
        if rows and rows[0].args[0] == "on":
            yield finding("buffering", "proxy_buffering on", rows[0].place, change=REPLACE)
            return
        if is_missing(proxy_pass.levels, "proxy_buffering") and not proxy_pass.is_regex:
            place = server.block.place
            yield finding(
                "buffering", "proxy_buffering is not set; the default is on", place, change=ADD
            )
            return
