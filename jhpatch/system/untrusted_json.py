"""JSON that jhpatch wrote, read as if somebody else had: the shared part of state and journal."""

from typing import Any, Dict, List, Tuple

_TEXT_CAP = 4096


def load(data: bytes) -> Any:
    """The document in ``data``; each of its objects says each thing once, as ours do.

    Raises ValueError, RecursionError.
    """
    import json

    return json.loads(data.decode("utf-8"), parse_int=_integer, object_pairs_hook=_object)


def _integer(text: str) -> int:
    """A number of ours; one of a million digits would take Python hours (CVE-2020-10735)."""
    if len(text) > 20:
        raise ValueError("a number of %d digits" % len(text))
    return int(text)


def _object(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    refuse_repeated([name for name, _ in pairs])
    return dict(pairs)


def refuse_repeated(names: List[str]) -> None:
    """Raises ValueError where a name stands twice."""
    if len(set(names)) != len(names):
        raise ValueError("something that stands twice")


def text(value: Any) -> str:
    """``value``, if it is a text of a sensible length. Raises ValueError."""
    if not isinstance(value, str) or len(value) > _TEXT_CAP:
        raise ValueError("text expected")
    return value


def number(value: Any) -> int:
    """``value``, if it is a whole number, not negative. Raises ValueError."""
    if type(value) is not int or value < 0:
        raise ValueError("a number expected")
    return int(value)


def schema(document: Any) -> Tuple[Any, str]:
    """The schema of a document, and how to show it. Raises KeyError, TypeError."""
    found = document["schema"]
    is_number = type(found) is int
    return (found if is_number else None), (str(found) if is_number else "that is no number")
