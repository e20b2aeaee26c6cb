"""A site as it lies on the disk; where a run has died, as the next run will restore it."""

import os
import shutil

import pytest

from jhpatch.errors import Untrusted
from jhpatch.installer import environment
from jhpatch.installer.inspection import inspect, stamp_of, with_recovery_hint
from jhpatch.patchset.catalog import Catalog, own_patch_dir
from testing.notebook_site import (
    CONTENTS,
    HELPER,
    OPEN,
    PAGE,
    SAVE,
    append,
    data,
    die_during_apply,
    path,
)
from testing.trees import times

KNOWN = Catalog((own_patch_dir(),))


def inspected(env):
    """The inspections of an environment."""
    return inspect(environment.environment_of(env.python), KNOWN)


def states(inspection):
    """The states of the installed patches."""
    return {row.patch: row.state for row in inspection.statuses if row.state != "absent"}


def test_a_site_is_read_and_not_changed(env):
    """Each patch has a state, and no byte, mode or time of the site changes."""
    before = times(env.site)
    (inspection,) = inspected(env)
    assert states(inspection) == {OPEN: "pristine", SAVE: "pristine"}
    assert inspection.snapshot.read(PAGE) == data(env, PAGE) and inspection.journal is None
    assert times(env.site) == before


def test_patches_of_absent_distributions_stand_with_the_first_site(env):
    """A patch for what is not installed is shown once, as absent."""
    (inspection,) = inspected(env)
    absent = [row.patch for row in inspection.statuses if row.state == "absent"]
    assert "jupyterhub/kerberos-login" in absent


def test_a_site_where_a_run_died_is_seen_as_it_will_be_restored(env, jhpatch):
    """The journal is interrupted, and the half-written site reads as before the run."""
    before = {name: data(env, name) for name in (PAGE, CONTENTS)}
    die_during_apply(env)
    assert data(env, PAGE) != before[PAGE] or data(env, CONTENTS) != before[CONTENTS]
    (inspection,) = inspected(env)
    assert inspection.journal == "interrupted"
    assert {name: inspection.snapshot.read(name) for name in before} == before
    assert inspection.snapshot.read(HELPER) is None
    assert states(inspection) == {OPEN: "pristine", SAVE: "pristine"}


def test_what_another_wrote_since_is_seen_as_it_is(env):
    """A file that was edited after a run died is not restored, and not shown so."""
    die_during_apply(env)
    append(env, PAGE)
    append(env, CONTENTS)
    (inspection,) = inspected(env)
    assert inspection.snapshot.read(PAGE) == data(env, PAGE)
    assert states(inspection) == {OPEN: "modified", SAVE: "modified"}


@pytest.mark.parametrize("name", ["state.json", "journal.json"])
def test_a_state_that_cannot_be_trusted_is_the_error_of_its_site(env, name):
    """The inspection has the error and the way back; there are no assessments."""
    os.mkdir(path(env, ".jhpatch"))
    with open(path(env, ".jhpatch/" + name), "w") as file:
        file.write("{")
    (inspection,) = inspected(env)
    assert isinstance(inspection.error, Untrusted) and not inspection.statuses
    again, words, remove = inspection.error.next.parts
    assert "notebook==5.7.9" in again and words == "; then "
    assert remove.arguments[:2] == ("find", env.site)


def test_a_way_back_is_added_to_what_cannot_be_trusted_alone(env):
    """Other errors keep their next step."""
    (inspection,) = inspected(env)
    error = with_recovery_hint(Untrusted("no", next="mine"), inspection, KNOWN)
    assert error.next.parts == ("mine",)
    assert with_recovery_hint(Untrusted("no"), inspection, KNOWN).next is not None


def test_who_installed_it(env):
    """pip by INSTALLER, conda by its directory."""
    assert inspected(env)[0].owner == "pip"
    os.mkdir(os.path.join(env.prefix, "conda-meta"))
    assert inspected(env)[0].owner == "conda"


def test_a_second_copy_is_hidden(env, make_site, tmp_path):
    """Of two copies on the import path the first one counts."""
    other = make_site(tmp_path, [("notebook", "5.7.9")], name="other", slim=True)
    with open(path(env, "other.pth"), "w") as file:
        file.write(other.site + "\n")
    first, second = inspected(env)
    assert not first.is_shadowed(OPEN) and second.is_shadowed(OPEN)
    shutil.rmtree(path(env, "notebook-5.7.9.dist-info"))
    assert [site.is_shadowed(OPEN) for site in inspected(env)] == [False, True]  # its package
    shutil.rmtree(path(env, "notebook"))
    assert [site.is_shadowed(OPEN) for site in inspected(env)] == [False, False]


def test_a_run_that_begins_or_ends_changes_the_stamp(env, jhpatch):
    """The stamp is another after each change of the site, and the same in between."""
    stamps = [inspected(env)[0].stamp]
    for command in ("apply", "revert"):
        jhpatch(env, command)
        stamps.append(inspected(env)[0].stamp)
    assert stamps[0] != stamps[1] != stamps[2]
    assert stamps[2] == inspected(env)[0].stamp == stamp_of(env.site)
