"""Closed ranges of releases, and which of them overlap."""

import pytest

from jhpatch.patchset.versions import Range, clashes, near, parse


def ranges(*texts):
    """``"1.0-1.4"``, ``"1.2"`` or ``"7.*"`` as ranges."""
    made = []
    for text in texts:
        low, _, high = text.partition("-")
        made.append(Range("", "", text[:-1]) if text.endswith("*") else Range(low, high or low))
    return made


@pytest.mark.parametrize(
    "texts, expected",
    [
        (["1.0-1.4", "1.5-1.9"], []),
        (["1.0-1.4", "1.4-1.9"], [(0, 1)]),
        (["1.5-1.9", "1.0-1.5.0"], [(1, 0)]),
        (["1.0-1.9", "1.1", "1.5"], [(0, 1), (0, 2)]),
        (["7.*", "6.9-7.0", "6.0"], [(0, 1)]),
        (["7.*", "7.*"], [(1, 0)]),
        (["2.0rc1", "1.0-3.0"], []),
        (["2.0rc1", "2.0.rc.1", "2.0"], [(1, 0)]),
    ],
)
def test_clashes(texts, expected):
    """A release in two ranges is found in any order; a prerelease lies in no range."""
    assert list(clashes(ranges(*texts))) == expected


@pytest.mark.parametrize(
    "version, expected",
    [
        ("0.5", "1.0 to 5.1 (nearest: 1.0)"),
        ("1.5", "1.0 to 5.1 (nearest: 1.0 and 2.0 to 2.3)"),
        ("2.9rc1", "1.0 to 5.1 (nearest: 2.0 to 2.3 and 4.0)"),
        ("9", "1.0 to 5.1 (nearest: 5.0 to 5.1)"),
        ("nonsense", "1.0 to 5.1 (nearest: 1.0)"),
    ],
)
def test_near(version, expected):
    """Of many ranges the ends are shown, and those next to the release."""
    assert near(version, ranges("4.0", "1.0", "2.0-2.3", "5.0-5.1")) == expected


def test_near_few():
    """Few ranges are shown as they are."""
    assert near("1", ranges("1.0-1.4", "2.0")) == "1.0 to 1.4, 2.0"
    assert near("1", []) == "none"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ">=1",
            "<=1",
            "==1.*",
            "1.*",
            ">=2,<=1",
            ">=1,<=2 |",
            "~=1",
            "1",
            "==",
            "==1.",
            "==.1",
        ),
        *("== 1", ">= 1,<=2", ">=1 ,<=2", ">=1,<= 2", ">=1,2", ">=1rc1,<=2", ">=1,<=2,<=3"),
        *(
            "==1\n.0",
            "==\u0661",
            "==v1",
            "==1" + 100 * "0",
            "==1" + 50 * ".0",
            ">=" + 19 * "1" + ",<=2",
        ),
    ],
)
def test_what_is_open_or_odd_is_no_range(text):
    """An open or misspelled range is an error: an unknown release must not lie in it."""
    with pytest.raises(ValueError):
        parse(text, wildcard=False)


@pytest.mark.parametrize(
    "text, low, high, wildcard",
    [
        ("==1.0", "1.0", "1.0", ""),
        (">=1.0,<=2.10", "1.0", "2.10", ""),
        (">=1,\t<=1.0", "1", "1.0", ""),
        ("7.1.*", "", "", "7.1."),
        ("==1" + 49 * ".0", "1" + 49 * ".0", "1" + 49 * ".0", ""),
        ("==2.0.0.RC1", "2.0.0rc1", "2.0.0rc1", ""),
    ],
)
def test_what_is_a_range(text, low, high, wildcard):
    """A release, two ends or a prefix is a range."""
    assert parse(text, wildcard=True) == ((low, high, wildcard),)


@pytest.mark.parametrize("text", ["==0!1.0", "==0!1"])
def test_an_odd_spelling_is_the_release_that_it_means(text):
    """Epoch 0 is no epoch (PEP 440): such a range meets the plain ones."""
    (odd,), (plain,) = parse(text, False), parse(">=0,<=1", False)
    assert odd.meets(plain) and plain.meets(odd) and odd.holds("1.0")
    assert list(clashes([odd, plain]))
