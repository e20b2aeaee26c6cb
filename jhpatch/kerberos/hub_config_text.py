"""Operators on the constants of a configuration file, within limits of size."""

import re
import string
from typing import Any, Optional, Sequence

_MAX_TEXT = 64 * 1024
_MAX_BITS = 256
_SCALARS = (str, int, float, bool, type(None))


def joined(parts: Sequence[Any]) -> Optional[str]:
    """Return the text of an f-string; None if a part is not known or too long."""
    if not all(type(part) in _SCALARS for part in parts):
        return None
    return _bounded("".join(map(str, parts)))


def combined(operator: str, left: Any, right: Any) -> Any:
    """Return the value of an arithmetic operator, such as ``Add``; None if it is not known."""
    if operator == "Add" and type(left) is type(right) is str:
        return _bounded(left + right)
    if operator == "Mod" and type(left) is str:
        return _percent(left, right)
    if not _is_number(left) or not _is_number(right):
        return None
    try:
        if operator == "Add":
            return left + right
        if operator == "Sub":
            return left - right
        if operator == "Mult":
            return left * right
        if operator == "Div":
            return left / right
    except (ArithmeticError, ValueError):
        pass
    return None


def compared(operator: str, left: Any, right: Any) -> Optional[bool]:
    """Return the value of a comparison, such as ``Eq``; None if it is not known."""
    try:
        if operator in ("Eq", "NotEq"):
            return bool(left == right) == (operator == "Eq")
        if operator in ("In", "NotIn"):
            return bool(left in right) == (operator == "In")
        if operator in ("Is", "IsNot") and None in (left, right):
            return bool(left is right) == (operator == "Is")
    except TypeError:
        pass
    return None


def formatted(template: str, values: Sequence[Any]) -> Optional[str]:
    """Return ``template.format(*values)``; None for fields with a name or a format."""
    if not all(type(value) in _SCALARS for value in values):
        return None
    try:
        fields = [row[1:] for row in string.Formatter().parse(template) if row[1] is not None]
        if any(field not in (("", "", None), ("0", "", None)) for field in fields):
            return None
        if len(fields) * max([len(str(value)) for value in values], default=0) > _MAX_TEXT:
            return None
        return _bounded(template.format(*values))
    except (ValueError, IndexError):
        return None


def _percent(template: str, values: Any) -> Optional[str]:
    values = values if type(values) is tuple else (values,)
    kinds = re.findall(r"%(.?)", template, re.S)
    if set(kinds) - set("sd%") or not all(type(value) in _SCALARS for value in values):
        return None
    if sum(len(str(value)) for value in values) > _MAX_TEXT:
        return None
    try:
        return _bounded(template % values)
    except (TypeError, ValueError):
        return None


def _bounded(text: str) -> Optional[str]:
    return text if len(text) <= _MAX_TEXT else None


def _is_number(value: Any) -> bool:
    if type(value) is int:
        return value.bit_length() <= _MAX_BITS
    return type(value) is float
