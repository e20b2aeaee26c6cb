"""Site reports that travel through a child's JSON."""

import json

import pytest

from jhpatch.errors import command_alone, jhpatch_command, same_command
from jhpatch.report.packing import packed, unpacked
from testing.results import HUB, OPEN, PAGE, error, site

REPORTS = (
    site(),
    site(restart=(HUB,), notes=("a note",), diff="--- a/x\n", changed=True),
    site(restart=None, restart_reason="hidden", patches=(OPEN._replace(files=(PAGE,)),)),
    site(error=error(next="do " + jhpatch_command("diff") + "; " + same_command("sudo"))),
    site(error=error(next=command_alone("apply", "--site", "/s")), exit_code=5, patches=()),
)


def test_a_report_comes_back_as_it_was():
    """Every field of every value is the same after JSON."""
    text = json.dumps(packed(REPORTS))
    assert unpacked(json.loads(text)) == REPORTS


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row.pop("error"),
        lambda row: row.update(more=1),
        lambda row: row.update(patches=[{"patch": "a"}]),
        lambda row: row.update(restart=[{"pid": 1}]),
        lambda row: row.update(error={"code": "refused", "next": None}),
        lambda row: row.update(error={"next": [7]}),
    ],
)
def test_an_answer_of_another_form_is_an_error(change):
    """A field that is missing, unknown or of another form raises KeyError or TypeError."""
    (row,) = packed([site()])
    change(row)
    with pytest.raises((KeyError, TypeError, ValueError)):
        unpacked([row])
