"""The changes of one distribution, from values: its files, added files and RECORD."""

import pytest

from jhpatch.errors import BadPatch, Refused
from jhpatch.installer import assessment, record
from jhpatch.installer.distribution_plan import FORCED, DistributionPlan
from jhpatch.installer.state import FileHashes
from jhpatch.system.sha256 import sha256
from testing.patch_files import PATH, UPSTREAM
from tests.installer.small_app import HELPER, INFO, PATCHED, recorded, snapshot

RECORD = INFO + "/RECORD"
ROW = record.changed(b"", {}, {PATH: record.Entry(sha256(UPSTREAM), len(UPSTREAM))})
"""RECORD as the release has it."""
WHEN = "2026-01-01T00:00:00Z"


def planned(view, edition, reverting=False):
    """The plan of an apply, or of a revert, of the one patch, and the new entry."""
    statuses = list(assessment.assess(view, [edition] if edition else []))
    plan = DistributionPlan(view, "app", statuses)
    named = {status.patch for status in statuses}
    entry = plan.run([], named, WHEN) if reverting else plan.run(statuses, set(), WHEN)
    return plan, entry


def after(plan):
    """The bytes of each changed file after the plan."""
    return {change.path: change.after for change in plan.changes}


def saving(view, *originals):
    """The same site with these originals in its store."""
    return view._replace(original={sha256(data): data for data in originals}.__getitem__)


def test_an_apply_changes_files_and_record(edition, helper):
    """The entry has the hashes of both; what is replaced is an original."""
    plan, entry = planned(snapshot({PATH: UPSTREAM, RECORD: ROW}), edition)
    made = after(plan)
    assert (made[PATH], made[HELPER]) == (PATCHED, helper)
    rows = record.parse(made[RECORD])
    assert record.stated(rows, PATH) == sha256(PATCHED)
    assert record.stated(rows, HELPER) == sha256(helper)
    assert set(plan.originals) == {UPSTREAM, ROW}
    assert entry.record[:3] == (RECORD, sha256(ROW), sha256(made[RECORD]))
    (applied,) = entry.applied
    assert (applied.patch, applied.when) == ("app/hooks", WHEN)
    assert applied.files == recorded(edition, helper).patches()[0].files


@pytest.mark.parametrize("existing", [None, RECORD, INFO + "/METADATA"])
def test_an_added_file_is_guarded_by_the_release(edition, existing):
    """RECORD, or else the metadata, tells whether another release was installed since."""
    files = {PATH: UPSTREAM}
    if existing:
        files[existing] = ROW
    plan, _ = planned(snapshot(files), edition)
    guards = {change.path: change.guard for change in plan.changes}
    assert (guards[PATH], guards[HELPER]) == (None, existing)


def test_a_revert_restores_the_saved_originals(edition, helper):
    """The file gets its original, the added file goes, and no entry stays."""
    view = snapshot({PATH: PATCHED, HELPER: helper}, state=recorded(edition, helper))
    plan, entry = planned(saving(view, UPSTREAM), edition, reverting=True)
    assert (after(plan), entry) == ({PATH: UPSTREAM, HELPER: None}, None)


def test_a_revert_without_a_record_derives_the_originals(edition, helper):
    """The diff is reverted and verified by its hash; RECORD gets the release's row again."""
    view = snapshot({PATH: UPSTREAM, RECORD: ROW})
    changed = after(planned(view, edition)[0])
    plan, entry = planned(snapshot(changed), edition, reverting=True)
    made = after(plan)
    assert (made[PATH], made[HELPER], entry) == (UPSTREAM, None, None)
    assert made[RECORD] == ROW


def test_a_forced_revert_keeps_a_copy_of_an_edit(edition, helper):
    """The bytes that --force overwrites are written to .jhpatch/forced."""
    edited = PATCHED + b"# edited\n"
    view = snapshot({PATH: edited, HELPER: helper}, state=recorded(edition, helper))
    made = after(planned(saving(view, UPSTREAM), edition, reverting=True)[0])
    copy = "%s/%s-%s" % (FORCED, sha256(edited)[:16], PATH.replace("/", "-"))
    assert made == {copy: edited, PATH: UPSTREAM, HELPER: None}


@pytest.mark.parametrize("edited", [False, True], ids=["ours", "edited"])
def test_files_of_an_older_version_go(edition, helper, edited):
    """What the patch no longer adds is removed, unless somebody has changed it since."""
    old, text = "app/_older.py", b"older = 1\n"
    state = recorded(edition, helper, digest="f" * 64)
    applied = state.distributions[0].applied[0]
    files = (*applied.files, FileHashes(old, None, sha256(text)))
    entry = state.distributions[0]._replace(applied=(applied._replace(files=files),))
    found = {PATH: PATCHED, HELPER: helper, old: b"edited\n" if edited else text}
    view = saving(snapshot(found, state=state._replace(distributions=(entry,))), UPSTREAM)
    plan, entry = planned(view, edition)
    assert after(plan) == ({} if edited else {old: None})
    assert old not in {file.path for file in entry.applied[0].files}


def test_added_files_are_removed_in_reverse(edition, helper):
    """A file goes before those that it imports."""
    state = recorded(edition, helper)
    applied = state.distributions[0].applied[0]
    more = {"app/n%d.py" % number: b"%d\n" % number for number in (2, 1, 3)}
    files = applied.files + tuple(FileHashes(p, None, sha256(data)) for p, data in more.items())
    entry = state.distributions[0]._replace(applied=(applied._replace(files=files),))
    view = snapshot(dict(more, **{PATH: PATCHED, HELPER: helper}))
    view = saving(view._replace(state=state._replace(distributions=(entry,))), UPSTREAM)
    plan, _ = planned(view, None, reverting=True)
    removed = [change.path for change in plan.changes if change.after is None]
    assert removed == ["app/n3.py", "app/n1.py", "app/n2.py", HELPER]


def test_a_module_that_is_no_longer_patched_is_restored(edition, helper):
    """The older version changed it; its original is saved."""
    old, before, text = "app/older.py", b"older = 1\n", b"older = 2\n"
    state = recorded(edition, helper, digest="f" * 64)
    applied = state.distributions[0].applied[0]
    files = (*applied.files, FileHashes(old, sha256(before), sha256(text)))
    entry = state.distributions[0]._replace(applied=(applied._replace(files=files),))
    view = snapshot({PATH: PATCHED, HELPER: helper, old: text})
    view = saving(view._replace(state=state._replace(distributions=(entry,))), UPSTREAM, before)
    assert after(planned(view, edition)[0]) == {old: before}


def test_a_patch_that_stays_takes_over_what_it_needs(edition, helper):
    """A shared file that was recorded for the other patch alone is not removed with it."""
    state = recorded(edition, helper)
    applied = state.distributions[0].applied[0]
    module, added = applied.files
    other = applied._replace(patch="app/other", files=(added,))
    entry = state.distributions[0]._replace(applied=(applied._replace(files=(module,)), other))
    view = snapshot({PATH: PATCHED, HELPER: helper}, state=state._replace(distributions=(entry,)))
    statuses = list(assessment.assess(view, [edition]))
    plan = DistributionPlan(view, "app", statuses)
    entry = plan.run([], {"app/other"}, WHEN)
    assert after(plan) == {}
    assert entry.applied == (applied,)


def test_a_patch_that_stays_is_not_touched(edition, helper):
    """Without a patch to apply or to revert, the entry stays and no file changes."""
    view = snapshot({PATH: PATCHED, HELPER: helper}, state=recorded(edition, helper))
    plan = DistributionPlan(view, "app", list(assessment.assess(view, [edition])))
    assert plan.run([], set(), WHEN) == view.state.distributions[0]
    assert plan.changes == []


def test_bytes_that_no_patch_knows_are_an_error(edition):
    """A file that was edited is neither patched nor restored."""
    with pytest.raises((BadPatch, Refused)):
        planned(snapshot({PATH: UPSTREAM + b"# edited\n"}), edition)
