"""The refusals of a patch are reported together."""

import pytest

from jhpatch.errors import Failed, Refused
from jhpatch.maintenance.doubts import Doubts, doubtful


def test_each_refusal_is_kept_once_and_in_order():
    """The first is raised, with the others; those that one of them has, too."""
    doubts = Doubts()
    inner = doubtful("third", "a.py, line 3")
    with_others = doubtful("second", "a.py, line 2")
    with_others.further = (inner,)
    for error in (doubtful("first", "a.py, line 1"), with_others, doubtful("third", inner.path)):
        with doubts.collected():
            raise error
    with pytest.raises(Refused) as refused:
        doubts.refuse()
    assert refused.value.message == "first"
    assert [error.message for error in refused.value.further] == ["second", "third"]


def test_without_a_refusal_nothing_is_raised():
    """Nor is another error kept."""
    doubts = Doubts()
    with pytest.raises(Failed), doubts.collected():
        raise Failed("a disk")
    doubts.refuse()
