"""Times as text, in UTC."""

import pytest

from jhpatch.system import timestamps


@pytest.mark.parametrize(
    "seconds", [0, 951782399, 951868800, 1709164800, 1709251199, 4102444799, 1e9 + 0.25]
)
def test_a_time_is_read_back(seconds):
    """A stored time is read back to the hundredth, also at the ends of months and leap years."""
    assert abs(timestamps.seconds_of(timestamps.now(seconds)) - seconds) < 0.011


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-01", "2026-01-01T00:00:00"])
def test_other_text_is_no_time(text):
    """Text that is not a full time in UTC counts as the epoch."""
    assert timestamps.seconds_of(text) == 0.0


def test_the_form_of_a_time():
    """A time is ISO 8601 with a Z; the stored form adds hundredths."""
    assert timestamps.iso(1709251199.5) == "2024-02-29T23:59:59Z"
    assert timestamps.now(1709251199.5) == "2024-02-29T23:59:59.50Z"
