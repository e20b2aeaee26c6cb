"""Operators on constants."""

import pytest

from jhpatch.kerberos import hub_config_text

LONG = "x" * 60000


@pytest.mark.parametrize(
    "operator, left, right, expected",
    [
        ("Add", "a", "b", "ab"),
        ("Add", LONG, LONG, None),
        ("Add", "a", 1, None),
        ("Add", 1, 2, 3),
        ("Sub", 1.5, 1, 0.5),
        ("Mult", 5, 60, 300),
        ("Mult", 1 << 300, 2, None),
        ("Mult", "a", 10**9, None),
        ("Div", 1, 2, 0.5),
        ("Div", 1, 0, None),
        ("Pow", 9, 9, None),
        ("Mod", "/%s/%d", ("a", 1), "/a/1"),
        ("Mod", "%s%%", "a", "a%"),
        ("Mod", "%s %s", "a", None),
        ("Mod", "%1000000000d", 1, None),
        ("Mod", "%s", (LONG + LONG,), None),
        ("Mod", "%s", [1], None),
    ],
)
def test_arithmetic(operator, left, right, expected):
    """What is too large, or not plain, is not known."""
    assert hub_config_text.combined(operator, left, right) == expected


@pytest.mark.parametrize(
    "operator, left, right, expected",
    [
        ("Eq", 1, 1, True),
        ("NotEq", 1, 1, False),
        ("In", "a", "abc", True),
        ("NotIn", 1, [1], False),
        ("In", 1, "a", None),
        ("Is", None, None, True),
        ("IsNot", "a", None, True),
        ("Is", "a", "a", None),
        ("Lt", 1, 2, None),
    ],
)
def test_comparisons(operator, left, right, expected):
    """Identity is only known for None."""
    assert hub_config_text.compared(operator, left, right) is expected


@pytest.mark.parametrize(
    "template, values, expected",
    [
        ("/{}/{}", ["a", 1], "/a/1"),
        ("{{username}}", [], "{username}"),
        ("{0}{0}", ["a"], "aa"),
        ("{username}", ["a"], None),
        ("{:>1000000000}", ["a"], None),
        ("{}", [], None),
        ("{", ["a"], None),
        ("{}", [LONG + LONG], None),
        ("{}", [[1]], None),
    ],
)
def test_format(template, values, expected):
    """Fields by position, without a format."""
    assert hub_config_text.formatted(template, values) == expected


def test_f_strings():
    """All parts are known, and short together."""
    assert hub_config_text.joined(["a", 1, None]) == "a1None"
    assert hub_config_text.joined(["a", [1]]) is hub_config_text.joined([LONG, LONG]) is None
