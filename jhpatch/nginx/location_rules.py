"""Rules about locations: the path that the hub receives, and what answers in its place."""

import re
from typing import Iterator, List, Match, Sequence

from jhpatch.nginx.directives import Directive, walk
from jhpatch.nginx.findings import finding
from jhpatch.nginx.locations import Locations, is_regex, matches, parts_of, search
from jhpatch.nginx.maps import value_of
from jhpatch.nginx.proxy_passes import SAVE, ProxyPass
from jhpatch.nginx.servers import Server
from jhpatch.report.result import Finding

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_STATIC = (
    "hub/static/css/style.min.css",
    "user/alice/static/lab/main.js",
    "user/alice/files/plot.png",
)
_REQUESTS = ("hub/login", "hub/api/users", "user/alice/api/contents/a.ipynb", "user/alice/lab")
_DECODED = re.compile(r"\$(?:\{(?:document_)?uri\}|(?:document_)?uri\b|[1-9])")
_ORIGIN = re.compile(r"https?://(unix:[^:]+|[^/]+)")
_BASES = 20
"""The most base URLs of one server that are checked; some servers have many locations."""
_PASSES = ("proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass")
_ANSWERS = {"return", "rewrite", "deny", "alias", "root", "internal", "set", "include"}
"""Directives that answer instead of the hub on purpose, or that may."""


def check(server: Server) -> Iterator[Finding]:
    """Yield the findings about one server."""
    for proxy_pass in server.proxy_passes:
        yield from _check_prefix(proxy_pass)
        if not proxy_pass.takes(SAVE):
            continue
        for level in proxy_pass.levels[1:]:
            for directive in level:
                yield from _check_methods(server, directive)
        if proxy_pass.location is not None:
            for directive in proxy_pass.location.children("limit_except"):
                yield from _check_limit(directive)
    yield from _check_chosen(server)


def _check_prefix(proxy_pass: ProxyPass) -> Iterator[Finding]:
    scheme, address, path = proxy_pass.parts
    right = "Replace this directive with: proxy_pass %s://%s;" % (scheme, address)
    place = proxy_pass.directive.place
    if proxy_pass.is_prefix and path and "$" not in path and path != proxy_pass.path:
        message = "%s becomes %s for the hub" % (proxy_pass.path, path)
        yield finding("prefix-changed", message, place, change=right)
    changed = [one for one in proxy_pass.levels[-1] if one.name == "rewrite"]
    url = proxy_pass.directive.args[0]
    decoded = _DECODED.search(url)
    origin = _ORIGIN.match(url[: decoded.start()]) if decoded else None
    is_raw = any(one.args[1:2] == ("$request_uri",) for one in changed)
    is_raw = is_raw or proxy_pass.condition[:1] == ("$request_uri",)
    if decoded and origin and not is_raw:
        message = "the path of proxy_pass contains %s" % decoded.group()
        change = "Replace this directive with: proxy_pass %s;" % origin.group()
        yield finding("path-decoded", message, place, change=change)
    sample = proxy_pass.base_url + "hub/login"
    for one in changed if not path else ():
        if one.args[2:] == ("break",) and _rewritten(one, sample) != sample:
            message = "rewrite %s %s" % one.args[:2]
            yield finding("prefix-changed", message, one.place, change="Remove this directive.")


def _rewritten(rewrite: Directive, path: str) -> str:
    match = search(rewrite.args[0], path)
    if match is None:
        return path
    target = rewrite.args[1].replace("$request_uri", path).replace("$uri", path)
    target = re.sub(r"\$([0-9])", lambda one: _group(match, int(one.group(1))), target)
    return path if "$" in target else target.partition("?")[0]


def _group(match: "Match[str]", number: int) -> str:
    return (match.group(number) or "") if number <= match.re.groups else ""


def _check_methods(server: Server, directive: Directive) -> Iterator[Finding]:
    """Check ``if ($request_method !~ ^(GET|POST)$) { return 405; }`` and the like, with maps."""
    if directive.name != "if" or not any(
        one.name in ("return", "deny", "rewrite") for one in directive.block or ()
    ):
        return
    refused = [method for method in _METHODS if _is_refused(server, directive.args, method)]
    if refused:
        message = "nginx refuses " + ", ".join(refused)
        yield finding("methods-refused", message, directive.place)


def _is_refused(server: Server, condition: Sequence[str], method: str) -> bool:
    """Return whether a condition depends on the method, and holds for this one."""
    request = {"$request_method": method}
    value = value_of(server.levels[0], condition[0], request) if condition else None
    if value is None or "$" not in condition[0]:
        return False
    if len(condition) == 1:
        return value not in ("", "0")
    return len(condition) == 3 and _holds(condition[1], condition[2], value)


def _holds(operator: str, pattern: str, method: str) -> bool:
    if operator in ("=", "!="):
        return (method == pattern) == (operator == "=")
    match = matches(pattern, method, "*" in operator)
    return match != operator.startswith("!")


def _check_limit(directive: Directive) -> Iterator[Finding]:
    denies = any(one.name == "deny" for one in directive.block or ())
    refused = [method for method in _METHODS if method not in directive.args]
    if denies and refused:
        message = "nginx refuses " + ", ".join(refused)
        yield finding("methods-refused", message, directive.place)


def _check_chosen(server: Server) -> Iterator[Finding]:
    """Check for patterns and nested locations that nginx chooses before the hub's own.

    A separate location for a prefix or an exact path is taken to be intended.
    """
    own = {id(one.location) for one in server.proxy_passes}
    locations = Locations(server.block.block or ())
    prefixes = tuple(one.path for one in server.proxy_passes if one.is_prefix)
    for base in _bases(server):
        for path in _REQUESTS + _STATIC:
            if not (base + path).startswith(prefixes):
                continue
            found = locations.chosen(base + path)
            if not found or any(id(one) in own for one in found[-1:]):
                continue
            is_inside = any(id(one) in own for one in found)
            if is_inside or is_regex(found[-1]):
                yield from _check_taken(found[-1], base + path, path in _STATIC)


def _check_taken(location: Directive, path: str, is_static: bool) -> Iterator[Finding]:
    """Check a location that nginx chooses for a path of the hub, and that is not the hub's."""
    names = {one.name for one in walk(location.block or ())}
    passes = [one for one in walk(location.block or ()) if one.name in _PASSES and one.args]
    if any("$" in one.args[0] for one in passes) or _leads_on(location):
        return
    pattern = " ".join(location.args)
    if passes:
        message = "location %s passes %s to %s" % (pattern, path, passes[0].args[0])
        yield finding("location-elsewhere", message, location.place)
    elif is_static and not _is_for_hub(location):
        message = "location %s answers %s" % (pattern, path)
        yield finding("static-location", message, location.place)
    elif not is_static and not names & _ANSWERS:
        message = "location %s answers %s, and has no proxy_pass" % (pattern, path)
        yield finding("location-elsewhere", message, location.place)


def _bases(server: Server) -> List[str]:
    """Return the hub's base URLs."""
    return sorted({one.base_url for one in server.proxy_passes if one.is_prefix})[:_BASES]


def _is_for_hub(location: Directive) -> bool:
    """Return whether the pattern names the hub's files, which nginx serves from a directory."""
    is_directory = any(one.name in ("alias", "root") for one in location.block or ())
    return is_directory and "hub/static" in parts_of(location)[1]


def _leads_on(location: Directive) -> bool:
    """Return whether requests may continue in a named location, or at another path."""
    return any(
        (one.name in ("try_files", "error_page") and one.args[-1].startswith("@"))
        or (one.name == "rewrite" and one.args[2:] != ("break",))
        for one in walk(location.block or ())
        if one.args
    )
