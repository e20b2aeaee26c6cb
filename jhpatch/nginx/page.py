"""What the hub's login page reveals about the proxies in front of it: path, styles, and cookies.

This requests the page and one of its stylesheets, below the base URL.
"""

import html
import re
from typing import Callable, Iterator, Optional

from jhpatch.nginx.answers import Answer
from jhpatch.nginx.findings import finding
from jhpatch.nginx.target import Target
from jhpatch.report.result import Finding

_STYLESHEET = re.compile(rb"<link\b[^>]*\bhref=[\"']([^\"'>]+\.css[^\"'>]*)[\"']", re.I)

_SIGN_IN = "/oauth2/"
"""The path of oauth2-proxy, whose page replaces the hub's for users who have not logged in."""


def check(target: Target, get: Callable[[str], Answer]) -> Iterator[Finding]:
    """Yield the findings about the login page; ``get`` requests a path from the proxy."""
    path = target.base_url + "hub/login"
    page = get(path)
    if page.status is not None and (page.status == 404 or page.status >= 500):
        yield finding("page-missing", "%s: %s" % (path, page))
        return
    for location in page.header("Location"):
        place = _path(target, location)
        if place is not None and not place.startswith((target.base_url, _SIGN_IN)):
            yield finding("page-elsewhere", "%s leads to %s" % (path, place))
            return
    yield from _check_cookies(page)
    if page.status == 200:
        yield from _check_stylesheet(target, page, get)


def _path(target: Target, reference: str) -> Optional[str]:
    """Return the path of a reference; None for another origin, or for a relative reference."""
    if reference.startswith(target.origin + "/"):
        return reference[len(target.origin) :]
    return reference if reference.startswith("/") and not reference.startswith("//") else None


def _check_stylesheet(
    target: Target, page: Answer, get: Callable[[str], Answer]
) -> Iterator[Finding]:
    for match in _STYLESHEET.findall(page.body):
        path = _path(target, html.unescape(match.decode("latin-1")))
        if path is None or not re.fullmatch(r"[!-~]{1,2000}", path):
            continue
        if path.startswith(_SIGN_IN):
            continue
        if not path.startswith(target.base_url):
            yield finding("page-elsewhere", "the login page refers to %s" % path)
            return
        style = get(path)
        kinds = style.header("Content-Type")
        is_style = not kinds or any("css" in kind for kind in kinds)
        if style.status is not None and (style.status >= 400 or not is_style):
            message = "%s: %s" % (path, style if style.status >= 400 else ", ".join(kinds))
            yield finding("stylesheet-missing", message)
        return


def _check_cookies(page: Answer) -> Iterator[Finding]:
    for cookie in page.header("Set-Cookie"):
        name, _, rest = cookie.partition("=")
        flags = {part.strip().lower() for part in rest.split(";")[1:]}
        if name == "_xsrf" and "httponly" in flags:
            yield finding("xsrf-httponly", "the cookie _xsrf is HttpOnly")
