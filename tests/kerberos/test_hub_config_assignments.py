"""Assignments in a configuration file."""

import pytest

from tests.kerberos.hub_configs import config_of, source_of


@pytest.mark.parametrize(
    "text, expected",
    [
        ("c.A.x = 1", 1),
        ("c.A.x: int = 1", 1),
        ("c.A.y, (c.A.x, c.A.z) = 2, (1, 3)", 1),
        ("c.A.x = 1; c.A.x += 2", 3),
        ("c.A.x = c.A.y = 'a'", "a"),
    ],
)
def test_a_value_that_is_certain(text, expected):
    """Each target has its own part of the value."""
    assert config_of(text).settings["A.x"] == expected


@pytest.mark.parametrize(
    "text",
    [
        "c.A.x = 1; del c.A",
        "c.A.x = 1; c.A |= {'x': 2}",
        "*c.A.x, k = 1, 2",
        "c.A.x = d = [find()]",
    ],
)
def test_a_value_that_is_not(text):
    """It is no setting, and a line is named."""
    assert "A.x" not in config_of(text).settings
    assert config_of(text).computed.get("A.x") or source_of(text).unread
