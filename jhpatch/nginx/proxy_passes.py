"""The ``proxy_pass`` directives of a server, and which of them lead to the hub."""

import re
from typing import Dict, Iterator, Optional, Tuple

from jhpatch.namedtuple import NamedTuple
from jhpatch.nginx.directives import Directive, Levels, in_force, is_known
from jhpatch.nginx.locations import is_regex, matches, parts_of

_HUB = re.compile(r"(?i)jupyter|notebook|(^|[/(|^])hub(?![a-z0-9_-])")
_USERS = re.compile(r"(?i)kernels|terminals|channels|(^|[/(|^])user(?![a-z0-9_-])")
_AUTHENTICATION = re.compile(r"(?i)oauth2|auth_?request|/auth\b|/sso\b|\.well-known")


class ProxyPass(NamedTuple):
    """A ``proxy_pass``, and the levels of blocks around it."""

    directive: Directive
    levels: Levels
    location: Optional[Directive]
    upstream: Optional[Directive] = None
    """The block that it names, if it names one."""
    condition: Tuple[str, ...] = ()
    """The condition of the ``if`` that contains it."""

    @property
    def headers(self) -> Dict[str, Directive]:
        """The proxy_set_header directives in force here, by name in lower case."""
        directives = in_force(self.levels, "proxy_set_header")
        return {header.args[0].lower(): header for header in directives if len(header.args) > 1}

    @property
    def headers_are_known(self) -> bool:
        """Whether no file that could set headers is unread."""
        return is_known(self.levels, "proxy_set_header")

    @property
    def place_of_headers(self) -> str:
        """Where a header can be added without disabling those of an outer block."""
        headers = in_force(self.levels, "proxy_set_header")
        return headers[-1].place if headers else self.directive.place

    @property
    def has_upgrade(self) -> bool:
        """Whether the Upgrade header of a websocket is passed on."""
        header = self.headers.get("upgrade")
        return header is not None and header.args[1] != ""

    @property
    def parts(self) -> Tuple[str, str, str]:
        """Scheme, address, and path of the URL; all in the address if it is a variable."""
        # A Unix socket's path ends at a colon.
        pattern = r"(https?)://(?:(unix:[^:]+):?|([^/]+))(/.*)?"
        match = re.fullmatch(pattern, self.directive.args[0])
        if match is None:
            return "", self.directive.args[0], ""
        scheme, socket, address, path = match.groups()
        return scheme, socket or address, path or ""

    @property
    def addresses(self) -> Tuple[str, ...]:
        """The addresses of the upstream's servers; without an upstream, that of the URL."""
        rows = self.upstream.children("server") if self.upstream else ()
        return tuple(one.args[0] for one in rows if one.args) or (self.parts[1],)

    @property
    def path(self) -> str:
        """The location's prefix or pattern."""
        if self.location is None or not self.location.args:
            return "/"
        modifier, pattern = parts_of(self.location)
        return "@" + pattern if modifier == "@" else pattern

    @property
    def is_regex(self) -> bool:
        """Whether the location is given by a pattern."""
        return self.location is not None and is_regex(self.location)

    @property
    def is_prefix(self) -> bool:
        """Whether the location is given by the beginning of the path."""
        return self.location is not None and parts_of(self.location)[0] in ("", "^~")

    @property
    def base_url(self) -> str:
        """What comes before ``hub`` and ``user`` in paths, as far as the location shows."""
        if self.path.startswith("@"):
            return "/"
        text = self.path
        if self.is_regex:
            match = re.match(r"\^(/[A-Za-z0-9_/-]*/)", text)
            text = match.group(1) if match else "/"
        return re.sub(r"/(hub|user)(/.*)?$", "/", text).rstrip("/") + "/"

    def takes(self, request: str) -> bool:
        """Return whether the location may receive a request for a path below the base URL."""
        modifier, pattern = parts_of(self.location) if self.location else ("", "/")
        path = self.base_url + request
        if modifier in ("~", "~*"):
            return matches(pattern, path, modifier == "~*")
        users = self.base_url + "user/"  # some users may have a separate location
        is_users = pattern.startswith(users) and path.startswith(users)
        return (
            modifier == "@"
            or path == pattern
            or (modifier != "=" and (path.startswith(pattern) or is_users))
        )


PAGE, SAVE = "hub/home", "user/alice/api/contents/a.ipynb"
WEBSOCKET = "user/alice/api/kernels/0/channels"
"""Requests of each kind, below the base URL."""


def proxy_passes_in(
    inside: Tuple[Directive, ...],
    outside: Levels,
    location: Optional[Directive],
    condition: Tuple[str, ...] = (),
) -> Iterator[ProxyPass]:
    """Yield the ``proxy_pass`` directives in the content of a block, at any depth."""
    # Other locations are omitted, because there may be many.
    levels = (*outside, tuple(one for one in inside if one.name != "location"))
    for directive in inside:
        if directive.name == "proxy_pass" and directive.args:
            yield ProxyPass(directive, levels, location, condition=condition)
        elif directive.block is not None:
            is_location = directive.name == "location" and directive.args
            here = directive if is_location else location
            words = directive.args if directive.name == "if" else ()
            yield from proxy_passes_in(directive.block, levels, here, words)


def of_the_hub(proxy_passes: Tuple[ProxyPass, ...]) -> Tuple[ProxyPass, ...]:
    """Return the ``proxy_pass`` directives that lead to the hub.

    These are the ones in locations for the hub's own paths. If there are none: those for ``/`` or
    in a named location, else those for paths of users' servers, else those that pass upgrades on,
    else all. One with the same address leads to the hub too.
    """
    rows = tuple(one for one in proxy_passes if not _is_for_authentication(one))
    by_path = [one for one in rows if one.location and _HUB.search(one.path)]
    root = [one for one in rows if one.path == "/" or one.path.startswith("@")]
    upgrading = [one for one in rows if one.has_upgrade]
    of_users = [one for one in rows if one.location and _USERS.search(one.path)]
    hub = by_path or root or of_users or upgrading or list(rows)
    addresses = {address_of(one) for one in hub}
    return tuple(one for one in rows if address_of(one) in addresses)


def _is_for_authentication(proxy_pass: ProxyPass) -> bool:
    internal = any(one.name == "internal" for one in proxy_pass.levels[-1])
    return bool(_AUTHENTICATION.search(proxy_pass.path)) or (
        internal and not proxy_pass.path.startswith("@")
    )


def address_of(proxy_pass: ProxyPass) -> str:
    """Return the addresses that it leads to, in a form that can be compared."""
    addresses = " ".join(sorted(set(proxy_pass.addresses)))
    return addresses.replace("localhost", "127.0.0.1")
