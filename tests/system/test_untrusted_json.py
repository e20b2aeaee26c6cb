"""JSON of a state or a journal, read as if somebody else had written it."""

import pytest

from jhpatch.system import untrusted_json


def test_a_document_is_read():
    """A document that jhpatch could have written is read as it is."""
    data = b'{"schema": 1, "rows": [{"path": "a", "size": 12}], "none": null}'
    assert untrusted_json.load(data) == {
        "schema": 1,
        "rows": [{"path": "a", "size": 12}],
        "none": None,
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b'{"a": 1, "a": 2}',
        b'{"rows": [{"a": 1, "a": 1}]}',
        b'{"a": ' + b"9" * 21 + b"}",
        b'{"a": ' + b"9" * 1000000 + b"}",
        b"[" * 100000,
    ],
    ids=["empty", "cut", "no UTF-8", "twice", "twice below", "21 digits", "huge", "deep"],
)
def test_a_document_that_jhpatch_never_writes_is_an_error(data):
    """Cut, repeated, huge or deep: ValueError or RecursionError, without hours of work."""
    with pytest.raises((ValueError, RecursionError)):
        untrusted_json.load(data)


@pytest.mark.parametrize("value", [None, 1, ["a"], "a" * 4097])
def test_a_value_that_is_no_text(value):
    """A text is a string of at most 4,096 characters."""
    assert untrusted_json.text("a" * 4096) == "a" * 4096
    with pytest.raises(ValueError):
        untrusted_json.text(value)


@pytest.mark.parametrize("value", [None, "1", True, 1.0, -1])
def test_a_value_that_is_no_number(value):
    """A number is an integer from 0 on; true is none."""
    assert untrusted_json.number(0) == 0
    with pytest.raises(ValueError):
        untrusted_json.number(value)


@pytest.mark.parametrize(
    "schema, expected",
    [(1, (1, "1")), (99, (99, "99")), ("1", (None, "that is not a number")), (True, None)],
)
def test_the_schema_of_a_document(schema, expected):
    """A schema is compared as a number; any other value is shown as such."""
    found = untrusted_json.schema({"schema": schema})
    assert found == (expected or (None, "that is not a number"))


def test_repeated_names_are_an_error():
    """Names that may stand once raise ValueError where one stands twice."""
    untrusted_json.refuse_repeated(["a", "b"])
    with pytest.raises(ValueError):
        untrusted_json.refuse_repeated(["a", "b", "a"])
