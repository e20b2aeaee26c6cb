"""Print a tree of directives as one file for nginx, with the place of origin of each line."""

import re
from typing import Iterator, List, Sequence, Tuple

from jhpatch.nginx.directives import Directive

_FILES = re.compile(
    r"((proxy|grpc|uwsgi)_)?ssl_(certificate|certificate_key|trusted_certificate|client_certificate|dhparam"
    r"|password_file|crl|stapling_file|session_ticket_key|verify|verify_client)"
)
_NAME = re.compile(r"[A-Za-z0-9_]+")
_CONDITION = re.compile(r"[!$A-Za-z0-9_-]+")
_KEYS = ("map", "geo", "split_clients", "types", "charset_map")
"""Blocks whose lines begin with a value and not with the name of a directive."""


def lines(directives: Sequence[Directive]) -> Tuple[str, List[str]]:
    """Return the file, and the place of each line."""
    rows = list(_rows(directives, False))
    text = "".join(row + "\n" for row, _ in rows)
    places = [place for row, place in rows for _ in range(row.count("\n") + 1)]
    return text, places


def _rows(directives: Sequence[Directive], has_keys: bool) -> Iterator[Tuple[str, str]]:
    for one in directives:
        if one.is_unread:
            continue
        args = " ".join(map(_quoted, one.args))
        is_plain = _NAME.fullmatch(one.name) and not has_keys
        name = one.name if is_plain else _quoted(one.name)
        if one.name.endswith("_by_lua_block"):  # Lua: crossplane may delimit it otherwise
            yield "%s { return }" % name, one.place
            continue
        text = "%s %s" % (name, args)
        # The first word of a condition is a variable or an operator, never quoted.
        if one.name == "if" and one.args and _CONDITION.fullmatch(one.args[0]):
            text = "if (%s)" % " ".join((*one.args[:1], *map(_quoted, one.args[1:])))
        if one.block is None:
            yield text + ";", one.place
            continue
        yield text + " {", one.place
        yield from _rows(one.block, one.name in _KEYS)
        yield "}", one.place


def _quoted(word: str) -> str:
    """Quote a word. Backslashes stay: crossplane keeps them in words, and nginx reads them."""
    return '"%s"' % re.sub(r'(\\.)|"', lambda match: match.group(1) or '\\"', word, flags=re.S)


def without_files(directives: Sequence[Directive]) -> Tuple[Directive, ...]:
    """Leave out the names of certificates, and the ``ssl`` that requires one."""
    rows = []
    for one in directives:
        if _FILES.fullmatch(one.name):
            continue
        if one.name == "listen" and "quic" in one.args:
            continue
        if one.name == "listen":
            one = one._replace(args=tuple(arg for arg in one.args if arg != "ssl"))
        elif one.name == "ssl":
            continue
        if one.block is not None:
            one = one._replace(block=without_files(one.block))
        rows.append(one)
    return tuple(rows)


def without(directives: Sequence[Directive], message: str, place: str) -> Tuple[Directive, ...]:
    """Leave out the directive at a place, or the parameter of it, that a message is about."""
    match = re.match(r'(?:unknown directive|invalid parameter|the) "([^"]*)"', message)
    word = match.group(1) if match else None
    rows = []
    for one in directives:
        if one.place == place and word in (None, one.name):
            if one.block is None or word is not None:
                continue
        if one.place == place and word in one.args:
            one = one._replace(args=tuple(arg for arg in one.args if arg != word))
        if one.block is not None:
            one = one._replace(block=without(one.block, message, place))
        rows.append(one)
    return tuple(rows)
