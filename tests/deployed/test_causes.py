"""The words for a fault: a next step that can be filled in, and a form that travels."""

import pytest

from jhpatch.deployed import causes
from jhpatch.deployed.causes import Fault


def test_each_cause_has_a_next_step_that_can_be_filled_in():
    """Whatever a fault carries."""
    fill = {"address": "h 1", "path": "/p"}
    for code in causes.CAUSES:
        assert Fault(code, "m", fill=fill).next and "{}" not in Fault(code, "m", fill=fill).next


def test_a_fault_travels():
    """As JSON and back; what names no cause is refused."""
    fault = Fault("yarn-unreachable", "m", "/p", {"address": "h 1"})
    assert causes.unpacked(causes.packed(fault)) == fault
    with pytest.raises(ValueError):
        causes.unpacked(dict(causes.packed(fault), code="x"))
