"""Strict parsing of JSON that jhpatch wrote and others may have changed: state and journal."""

from typing import Any, Dict, List, Optional, Tuple

_TEXT_CAP = 4096


def load(data: bytes) -> Any:
    """Parse a document in which no object repeats a key.

    Raises ValueError, RecursionError.
    """
    import json

    return json.loads(data.decode("utf-8"), parse_int=_integer, object_pairs_hook=_object)


def _integer(text: str) -> int:
    """Parse a number of at most 20 digits; a million would take hours (CVE-2020-10735)."""
    if len(text) > 20:
        raise ValueError("a number of %d digits" % len(text))
    return int(text)


def _object(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    refuse_repeated([name for name, _ in pairs])
    return dict(pairs)


def refuse_repeated(names: List[str]) -> None:
    """Raise ValueError if a name occurs twice."""
    if len(set(names)) != len(names):
        raise ValueError("a repeated name")


def text(value: Any) -> str:
    """Return ``value`` if it is a string of at most 4,096 characters, else raise ValueError."""
    if not isinstance(value, str) or len(value) > _TEXT_CAP:
        raise ValueError("a value that is not a string, or too long")
    return value


def number(value: Any) -> int:
    """Return ``value`` if it is a non-negative integer, else raise ValueError."""
    if type(value) is not int or value < 0:
        raise ValueError("a value that is not a non-negative integer")
    return int(value)


def schema(document: Any) -> Tuple[Any, str]:
    """Return the schema of a document, and its text for a message. Raises KeyError, TypeError."""
    value = document["schema"]
    is_number = type(value) is int
    return (value if is_number else None), (str(value) if is_number else "that is not a number")


def hint(schema: object, known: int) -> Optional[str]:
    """Return the next step if a newer jhpatch wrote a document of this schema."""
    if isinstance(schema, int) and schema > known:
        return "run the newer jhpatch that wrote this file"
    return None
