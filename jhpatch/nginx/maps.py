"""The value of a variable of a ``map`` for a request, as nginx looks it up."""

import re
from typing import Dict, Optional, Sequence

from jhpatch.nginx.directives import Directive
from jhpatch.nginx.locations import matches

_OPTIONS = ("default", "hostnames", "volatile", "include")


def map_of(http: Sequence[Directive], variable: str) -> Optional[Directive]:
    """Return the ``map`` in the http block that defines a variable."""
    for one in http:
        if one.name == "map" and len(one.args) == 2 and _bare(one.args[1]) == _bare(variable):
            return one
    return None


def value_of(http: Sequence[Directive], text: str, request: Dict[str, str]) -> Optional[str]:
    """Return the value of a text for a request, whose variables are given; None if not known."""
    return _value(http, text, request, 5)


def _value(
    http: Sequence[Directive], text: str, request: Dict[str, str], depth: int
) -> Optional[str]:
    if "$" not in text:
        return text
    if not re.fullmatch(r"\$(\w+|\{\w+\})", text) or not depth:
        return None
    if _bare(text) in request:
        return request[_bare(text)]
    block = map_of(http, text)
    if block is None:
        return None
    source = _value(http, block.args[0], request, depth - 1)
    if source is None:
        return None
    result = _looked_up(block, source)
    return None if result is None else _value(http, result, request, depth - 1)


def _looked_up(block: Directive, source: str) -> Optional[str]:
    """Look a value up: exact values, in any case, come before patterns, whatever their order."""
    rows = [(one.name, one.args[0]) for one in block.block or () if one.args]
    if any(name in ("hostnames", "include") for name, _ in rows):
        return None
    exact = {name.lower().lstrip("\\"): value for name, value in rows if name[:1] != "~"}
    if source.lower() in exact and source.lower() not in _OPTIONS:
        return exact[source.lower()]
    for name, value in rows:
        if name.startswith("~"):
            pattern = name[2:] if name.startswith("~*") else name[1:]
            if matches(pattern, source, name.startswith("~*")):
                return value
    return exact.get("default", "")


def _bare(variable: str) -> str:
    return variable.replace("{", "").replace("}", "")
