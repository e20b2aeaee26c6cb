"""Sections and dictionaries of a configuration file, by the rules of traitlets."""

import pytest

from jhpatch.kerberos.hub_config import Place, Unread
from jhpatch.kerberos.hub_config_values import Entries, Imported, Section, is_constant, is_section

WHY = Unread(Place("/c.py", 3), "is computed")


@pytest.mark.parametrize(
    "value, expected",
    [("x", True), (None, True), ([1, ("a",)], True), ([WHY], False), (Imported("x"), False)],
)
def test_constants(value, expected):
    """A container is a constant if all that is in it is."""
    assert is_constant(value) == expected


@pytest.mark.parametrize(
    "key, expected", [("A", True), ("a", False), ("_A", False), ("", False), ("1", True)]
)
def test_section_keys(key, expected):
    """A name in capitals is one of a section."""
    assert is_section(key) == expected


def test_a_missing_entry_is_made():
    """A section by its name; another name stands for changes of a default."""
    section = Section()
    assert isinstance(section.get("A"), Section) and section.get("A") is section.get("A")
    assert str(section.get("A").get("B")) == "c.A.B" and str(section) == "c"
    assert section.get("A").get("b").is_update


def test_unknown_changes_make_all_entries_unknown():
    """A value that is set afterwards is known again."""
    entries = Entries()
    entries.set("a", 1, WHY)
    entries.update(WHY, WHY)
    entries.set("b", 2, WHY)
    assert entries.items == {"a": WHY, "b": 2} and entries.rest == WHY
    entries.set(WHY, 3, WHY)
    assert entries.items == {"a": WHY, "b": WHY}
    assert entries.get("b", 4) == WHY and entries.get([], 4) == 4


def test_a_key_that_is_none():
    """A list in a tuple is no key."""
    entries = Entries()
    entries.set(([],), 1, WHY)
    assert entries.items == {} and entries.rest == WHY


def test_a_file_that_is_merged_counts_more():
    """Sections are merged; values are replaced; changes of a default change a value."""
    first, second = Section(), Section()
    first.get("A").set("b", 1, Place("/1", 1))
    first.get("A").set("c", 1, Place("/1", 2))
    value = Entries()
    value.set("x", 1, WHY)
    first.get("A").set("d", value, Place("/1", 3))
    second.get("A").set("b", 2, Place("/2", 1))
    second.get("A").get("d").set("y", 2, WHY)
    second.get("A").get("c")
    first.merge(second)
    merged = first.get("A")
    assert merged.get("b") == 2 and merged.get("c") == 1
    kept = Unread(WHY.place, "is kept only by traitlets 5 and later")
    assert merged.get("d").items == {"x": kept, "y": 2} and not merged.get("d").is_update
    assert merged.places["b"] == Place("/2", 1)


def test_changes_of_an_unknown_value():
    """The entries that are set are known."""
    first, second = Section(), Section()
    first.set("e", WHY, Place("/1", 1))
    second.get("e").set("x", 1, WHY)
    first.merge(second)
    assert first.get("e").items == {"x": 1} and first.get("e").rest == WHY


@pytest.mark.parametrize("is_lost", [True, False])
def test_a_file_that_may_be_merged(is_lost):
    """Its settings are unknown until they are set again; at any time, if it can be then."""
    first, second = Section(), Section()
    second.get("A").set("b", 1, Place("/2", 1))
    first.doubt(second, WHY, is_lost)
    assert first.get("A").get("b") == WHY
    first.get("A").set("b", 2, Place("/1", 1))
    assert first.get("A").get("b") == (WHY if is_lost else 2)
