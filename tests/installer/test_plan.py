"""Everything that a command would do to a site, decided before the first write."""

import os

import pytest

from jhpatch.installer import environment
from jhpatch.installer.inspection import inspect
from jhpatch.installer.plan import plan_apply, plan_revert
from jhpatch.patchset import catalog
from jhpatch.system.sha256 import sha256
from testing.trees import times

OPEN, SAVE = "notebook/kerberos-open", "notebook/kerberos-save"
PAGE = "notebook/notebook/handlers.py"
CONTENTS = "notebook/services/contents/handlers.py"
HELPER = "notebook/_jhpatch_kerberos.py"
RECORD = "notebook-5.7.9.dist-info/RECORD"
STATE = ".jhpatch/state.json"


@pytest.fixture
def env(tmp_path, make_site):
    """notebook 5.7.9, as pip installed it."""
    return make_site(tmp_path, [("notebook", "5.7.9")], slim=True)


def inspected(env):
    """The inspection of the environment's site."""
    known = catalog.Catalog((catalog.own_tree(),))
    return inspect(environment.environment_of(env.python), known)[0]


def applying(env, *named):
    """The plan of an apply."""
    here = inspected(env)
    return plan_apply(here.view, here.assessments, set(named), "0.1.0", "2026-01-01T00:00:00Z")


def reverting(env, *named):
    """The plan of a revert."""
    here = inspected(env)
    return plan_revert(here.view, here.assessments, set(named), "0.1.0")


def paths(plan):
    """The files that change, in their order."""
    return [change.path for change in plan.changes]


def test_the_order_of_replacement(env, jhpatch):
    """What others import is written first and removed last; the state comes at the end."""
    assert paths(applying(env)) == [RECORD, HELPER, PAGE, CONTENTS, STATE]
    jhpatch(env, "apply")
    assert paths(reverting(env)) == [PAGE, CONTENTS, HELPER, RECORD, STATE]


def test_a_plan_is_a_value_and_writes_nothing(env, jhpatch):
    """The same site gives the same plan, and no byte and no time of it changes."""
    before = times(env.site)
    assert applying(env) == applying(env)
    assert times(env.site) == before
    jhpatch(env, "apply")
    before = times(env.site)
    assert reverting(env) == reverting(env)
    assert applying(env).changes == ()
    assert times(env.site) == before


def test_a_file_that_keeps_its_bytes_is_no_change(env, jhpatch):
    """The helper of the first patch is no change of the second one."""
    jhpatch(env, "apply", OPEN)
    assert paths(applying(env, SAVE)) == [RECORD, CONTENTS, STATE]
    jhpatch(env, "apply", SAVE)
    assert paths(reverting(env, OPEN)) == [PAGE, RECORD, STATE]


def test_every_before_is_what_lies_there(env):
    """Each change names the bytes that must be found, and what a revert needs is saved."""
    plan = applying(env)
    for change in plan.changes:
        full = os.path.join(env.site, change.path)
        if change.before is None:
            assert not os.path.exists(full)
        else:
            with open(full, "rb") as file:
                assert file.read() == change.before
    replaced = {sha256(c.before) for c in plan.changes if c.before is not None}
    assert replaced == set(plan.keep) == set(map(sha256, plan.originals))


def test_a_refusal_leaves_no_change_in_the_plan(env):
    """With one edited file the plan has a refusal and no changes."""
    with open(os.path.join(env.site, PAGE), "ab") as file:
        file.write(b"#")
    plan = applying(env)
    assert plan.changes == () and plan.patches == ()
    assert [patch for patch, _ in plan.refusals] == [OPEN]
    assert paths(applying(env, SAVE)) == [RECORD, HELPER, CONTENTS, STATE]
