"""Rules about what nginx withholds: headers and bodies of requests, cookies, error pages."""

import re
from typing import Iterator

from jhpatch.nginx.directives import in_force
from jhpatch.nginx.findings import REPLACE, finding
from jhpatch.nginx.maps import map_of, value_of
from jhpatch.nginx.proxy_passes import ProxyPass
from jhpatch.nginx.servers import Server
from jhpatch.report.result import Finding

_NEEDED = {
    "authorization": "scripts and services send their tokens in it",
    "cookie": "the hub identifies users by their cookies",
    "x-xsrftoken": "saves send their XSRF token in it",
    "sec-websocket-key": "no websocket opens without it",
    "sec-websocket-version": "no websocket opens without it",
}
_WORDS = {
    ("proxy_pass_request_headers", "off"),
    ("proxy_pass_request_body", "off"),
}
_MAP = "map $http_upgrade %s { default upgrade; '' ''; }"
_BROWSERS = (
    {"$http_upgrade": "websocket", "$http_connection": "Upgrade"},
    {"$http_upgrade": "websocket", "$http_connection": "keep-alive, Upgrade"},  # Firefox
)
_UPGRADE = re.compile(r"(?i)(^|[,\s])upgrade([,\s]|$)")


def check(server: Server) -> Iterator[Finding]:
    """Yield the findings about one server."""
    for proxy_pass in server.proxy_passes:
        yield from _check_request(proxy_pass)
        yield from _check_response(proxy_pass)
        yield from _check_connection(server, proxy_pass)


def _check_request(proxy_pass: ProxyPass) -> Iterator[Finding]:
    auth_basic = in_force(proxy_pass.levels, "auth_basic")
    has_password = any(row.args[0] != "off" for row in auth_basic)
    for name, header in proxy_pass.headers.items():
        # With auth_basic, Authorization contains nginx's own password, not a token for the hub.
        is_password = name == "authorization" and has_password
        if name in _NEEDED and header.args[1] == "" and not is_password:
            message = "%s is cleared, but %s" % (header.args[0], _NEEDED[name])
            yield finding("request-withheld", message, header.place)
    for name, word in sorted(_WORDS):
        for row in in_force(proxy_pass.levels, name):
            if row.args[0] == word:
                yield finding("request-withheld", "%s %s" % (name, word), row.place)


def _check_response(proxy_pass: ProxyPass) -> Iterator[Finding]:
    for row in in_force(proxy_pass.levels, "proxy_hide_header"):
        if row.args[0].lower() == "set-cookie":
            yield finding("cookies-withheld", "proxy_hide_header Set-Cookie", row.place)
    for row in in_force(proxy_pass.levels, "proxy_cookie_path"):
        old, new = row.args[0], "".join(row.args[1:2]).partition(";")[0].strip()
        if old.startswith("/") and proxy_pass.path.startswith(old) and new != old:
            # The hub's cookies are for its own base URL, with which the browser's path begins.
            message = "the cookie path %s becomes %s" % (old, new)
            yield finding("cookies-withheld", message, row.place)
    for row in in_force(proxy_pass.levels, "proxy_intercept_errors"):
        pages = in_force(proxy_pass.levels, "error_page")
        codes = {word for page in pages for word in page.args[:-1]}
        if row.args[0] == "on" and codes & {"400", "401", "403", "404", "405", "409", "424"}:
            yield finding("errors-replaced", "proxy_intercept_errors on", row.place)


def _check_connection(server: Server, proxy_pass: ProxyPass) -> Iterator[Finding]:
    """Check for a ``Connection`` that is not upgrade although a browser requests one."""
    header = proxy_pass.headers.get("connection")
    if header is None or not proxy_pass.has_upgrade or "$" not in header.args[1]:
        return
    http, value = server.levels[0], header.args[1].replace("{", "").replace("}", "")
    values = [value_of(http, value, request) for request in _BROWSERS]
    wrong = [one for one in values if one is not None and not _UPGRADE.search(one)]
    if value == "$connection":
        wrong = ["the number of the connection"]
    if not wrong:
        return
    block = map_of(http, value)
    message = "%s is %s if a browser requests an upgrade" % (value, wrong[0] or "empty")
    if block is not None:
        fields = {"change": REPLACE, "headers": _MAP % value, "map": ""}
        yield finding("no-upgrade", message, block.place, **fields)
    else:
        headers = 'proxy_set_header Connection "upgrade";'
        fields = {"change": REPLACE, "headers": headers, "map": ""}
        yield finding("no-upgrade", message, header.place, **fields)
