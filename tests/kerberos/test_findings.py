"""The table of findings."""

import shlex

import pytest

from jhpatch.errors import NextStep
from jhpatch.kerberos.findings import TABLE, finding
from jhpatch.report.next_command import Runner

FIELDS = dict.fromkeys(
    ("realm", "host", "port", "protocol", "name", "principal", "command", "line"), "c d"
)


@pytest.mark.parametrize("code", sorted(TABLE.kinds))
def test_each_kind_has_a_reason_and_a_next_step(code):
    """Each kind has a known severity and a reason; only a note may lack a next step."""
    kind = TABLE.kinds[code]
    assert kind.severity in ("error", "warning", "note") and kind.why
    assert kind.next or kind.severity == "note"


@pytest.mark.parametrize("code", sorted(TABLE.kinds))
def test_each_next_step_can_be_filled_in(code):
    """Each value, spaces included, stays one argument of the command that is shown."""
    filled = finding(code, "x", "/a b", "u v", **FIELDS)
    assert (filled.next is None) == (not TABLE.kinds[code].next)
    for part in filled.next.parts if filled.next else ():
        if not isinstance(part, str) and not part.again:
            shown = Runner().shown(NextStep(part))
            assert tuple(shlex.split(shown)[-len(part.arguments) :]) == part.arguments
