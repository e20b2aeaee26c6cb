"""The report of an inspected site, and the exit code that each state has."""

import pytest

from jhpatch.errors import Failed, Refused
from jhpatch.installer import site_report
from jhpatch.installer.distribution import Distribution
from jhpatch.installer.environment import Environment, Site
from jhpatch.installer.import_path import Shadows
from jhpatch.installer.inspection import Inspection
from jhpatch.installer.patch_status import PatchStatus, Reason, SiteSnapshot
from jhpatch.installer.state import AppliedPatch, DistributionState, State
from jhpatch.system import processes
from testing.results import HUB

APPLIED = AppliedPatch("app/hooks", "1.0-hooks", "0" * 64, "2026-01-01T00:00:00Z", ())
ONE = PatchStatus(
    "app/hooks", "pristine", None, None, Distribution("app", "1", "", None, None), None
)


def inspection(*statuses, inside=True, **fields):
    """An inspected site with these patches."""
    site = Site("/env/site", inside)
    view = SiteSnapshot("/env/site", {}, None, None, lambda path: None, lambda digest: b"")
    environment = Environment("/env/bin/python", "/env", (site,), False)
    return Inspection(environment, site, view, statuses, **fields)


@pytest.mark.parametrize(
    "state, applied, code",
    [
        ("applied", APPLIED, 0),
        ("pristine", None, 3),
        ("outdated", APPLIED, 3),
        ("superseded", APPLIED, 3),
        ("modified", None, 3),
        ("unsupported", None, 3),
        ("absent", None, 0),
        ("absent", APPLIED, 3),
        ("not-needed", None, 0),
        ("not-needed", APPLIED, 3),
    ],
)
def test_each_state_has_its_exit_code(state, applied, code):
    """0 where the patch is as it should be, 3 where it is not or where something is left."""
    status = ONE._replace(state=state, applied=applied)
    assert site_report.status_code(inspection(status)) == code
    assert site_report.site_report(inspection(status)).exit_code == code


@pytest.mark.parametrize("journal, code", [("busy", 4), ("interrupted", 3)])
def test_a_journal_is_the_state_of_each_patch(journal, code):
    """While a journal lies in the site, each patch is busy or interrupted."""
    report = site_report.site_report(inspection(ONE, ONE, journal=journal))
    assert {patch.state for patch in report.patches} == {journal}
    assert (report.journal, report.exit_code) == (journal, code)
    if journal == "busy":
        assert report.error.code == "locked" and report.error.path == "/env/site"
    else:
        assert report.error is None


def test_an_error_decides_the_exit_code():
    """The error of the command, or of the inspection; a stated code overrides it."""
    report = site_report.site_report(inspection(error=Failed("no")))
    assert (report.exit_code, report.error.message) == (1, "no")
    report = site_report.site_report(inspection(ONE), error=Refused("no"))
    assert report.exit_code == 5
    assert (
        site_report.site_report(inspection(ONE), error=Refused("no"), exit_code=1).exit_code == 1
    )


def test_what_was_changed_is_marked():
    """The named patches, and the site; in a dry run they would be changed."""
    other = ONE._replace(patch="app/other")
    report = site_report.site_report(inspection(ONE, other), ["app/hooks"])
    assert report.changed and [patch.changed for patch in report.patches] == [True, False]
    report = site_report.site_report(inspection(ONE, other), ["app/hooks"], would_change=True)
    assert report.would_change and not report.changed
    assert [patch.changed for patch in report.patches] == [False, False]


def test_reasons_of_copies_that_are_out_of_reach():
    """A hidden copy, and one outside of the environment, say so; a hidden one is no finding."""
    hidden = inspection(ONE, shadows=Shadows({"app": "/other"}))
    assert site_report.reason_of(hidden, ONE) == "shadowed: Python imports /other"
    assert site_report.site_report(hidden).patches[0].state == "shadowed"
    assert site_report.status_code(hidden) == 0
    unseen = Shadows({"app": "/other/app"}, frozenset({"app"}))
    for state, code in (("applied", 3), ("pristine", 0), ("absent", 0)):
        status = ONE._replace(state=state)
        assert site_report.status_code(inspection(status, shadows=unseen)) == code
    outside = inspection(ONE, inside=False)
    assert "--site" in site_report.reason_of(outside, ONE)
    assert site_report.reason_of(inspection(ONE), ONE._replace(reason=Reason("why"))) == "why"


@pytest.mark.parametrize("found", [(HUB,), (), None])
def test_processes_are_looked_for_where_something_is_ours(monkeypatch, found):
    """Since the last change; None says that they are hidden, and why."""
    asked = []
    servers = None if found is None else ()
    monkeypatch.setattr(processes, "servers_of", lambda *asks: asked.append(asks) or servers)
    monkeypatch.setattr(processes, "older_than", lambda *asks: asked.append(asks) or found)
    assert site_report.site_report(inspection(ONE), restart=True).restart == ()
    assert not asked
    here = inspection(ONE)
    entry = DistributionState("app", "1", None, (APPLIED,))
    here = here._replace(snapshot=here.snapshot._replace(state=State("0.1.0", (entry,))))
    report = site_report.site_report(here, restart=True)
    assert report.restart == found and bool(report.restart_reason) == (found is None)
    older = [] if found is None else [(1767225600.0, ())]
    assert asked == [("/env", "/env/bin/python"), *older]
