"""Which location nginx chooses for a path, as ngx_http_core_find_location does."""

import functools
import re
from typing import Dict, List, Match, Optional, Pattern, Sequence, Tuple

from jhpatch.nginx.directives import Directive

_MODIFIERS = ("=", "^~", "~*", "~")
"""The longer ones first, because nginx accepts one with or without a space behind it."""


def parts_of(location: Directive) -> Tuple[str, str]:
    """Return the modifier, empty for a prefix, ``@`` for a named location; and the pattern."""
    args = location.args
    if len(args) >= 2:
        return args[0], args[1]
    text = args[0] if args else ""
    for modifier in (*_MODIFIERS, "@"):
        if text.startswith(modifier):
            return modifier, text[len(modifier) :]
    return "", text


def is_regex(location: Directive) -> bool:
    """Return whether a location is given by a regular expression."""
    return parts_of(location)[0] in ("~", "~*")


class Locations:
    """The locations in a block, with an index, because there may be many."""

    def __init__(self, inside: Sequence[Directive]) -> None:
        self._exact: Dict[str, Directive] = {}
        self._prefixes: Dict[str, Directive] = {}
        self._patterns: List[Directive] = []
        self._inner: Dict[int, Locations] = {}
        for one in inside:
            if one.name == "location" and one.args:
                modifier, pattern = parts_of(one)
                if modifier in ("~", "~*"):
                    self._patterns.append(one)
                elif modifier != "@":
                    rows = self._exact if modifier == "=" else self._prefixes
                    rows.setdefault(pattern, one)

    def chosen(self, path: str) -> Tuple[Directive, ...]:
        """Return the location for a path, after those that it is nested in.

        Empty if none matches. A pattern that Python cannot read matches nothing.
        """
        return self._find(path)[0]

    def _find(self, path: str) -> Tuple[Tuple[Directive, ...], bool]:
        """Return the locations, and whether the search is over."""
        if path in self._exact:
            return (self._exact[path],), True
        found: Tuple[Directive, ...] = ()
        prefix = self._longest(path)
        if prefix is not None:
            inner, is_over = self._inside(prefix)._find(path)
            found = (prefix, *inner)
            if is_over or parts_of(prefix)[0] == "^~":
                return found, is_over
        for one in self._patterns:
            modifier, pattern = parts_of(one)
            if matches(pattern, path, modifier == "~*"):
                return (one, *self._inside(one).chosen(path)), True
        return found, False

    def _longest(self, path: str) -> Optional[Directive]:
        for end in range(len(path), -1, -1):
            if path[:end] in self._prefixes:
                return self._prefixes[path[:end]]
        return None

    def _inside(self, location: Directive) -> "Locations":
        if id(location) not in self._inner:
            self._inner[id(location)] = Locations(location.block or ())
        return self._inner[id(location)]


def matches(pattern: str, text: str, ignores_case: bool) -> bool:
    """Return whether a pattern of nginx matches; False for one that Python cannot read."""
    return search(pattern, text, ignores_case) is not None


def search(pattern: str, text: str, ignores_case: bool = False) -> "Optional[Match[str]]":
    """Return the match of a pattern of nginx; None for one that Python cannot read."""
    compiled = _compiled(pattern, ignores_case)
    return compiled.search(text) if compiled else None


@functools.lru_cache(maxsize=1 << 14)
def _compiled(pattern: str, ignores_case: bool) -> "Optional[Pattern[str]]":
    try:
        pattern = re.sub(r"\(\?<(?=[A-Za-z])", "(?P<", pattern)
        return re.compile(pattern, re.I if ignores_case else 0)
    except (re.error, RecursionError, OverflowError):
        return None
