"""plan.py: everything that a command would do is decided before the first write."""

import os

import pytest

from jhpatch.installer import environment
from jhpatch.installer import plan as plan_module
from jhpatch.installer.inspection import inspect
from jhpatch.installer.plan import Operation, plan, would_change
from jhpatch.patchset import catalog
from jhpatch.system.sha256 import sha256
from jhpatch.transaction.change import FileChange
from testing.notebook_site import HELPERS, other_jhpatch
from testing.trees import times

__all__ = ["other_jhpatch"]

OPEN, SAVE = "notebook/kerberos-open", "notebook/kerberos-save"
PAGE = "notebook/notebook/handlers.py"
CONTENTS = "notebook/services/contents/handlers.py"
RECORD = "notebook-5.7.9.dist-info/RECORD"
STATE = ".jhpatch/state.json"


@pytest.fixture
def env(tmp_path, make_site):
    """notebook 5.7.9, as pip installed it."""
    return make_site(tmp_path, [("notebook", "5.7.9")], slim=True)


def inspected(env):
    """The inspection of the environment's site."""
    known = catalog.Catalog((catalog.own_patch_dir(),))
    return inspect(environment.environment_of(env.python), known)[0]


def applying(env, *named):
    """The plan of an apply."""
    site = inspected(env)
    operation = Operation("apply", frozenset(named), "0.1.0", "2026-01-01T00:00:00Z")
    return plan(operation, site.snapshot, site.statuses)


def reverting(env, *named):
    """The plan of a revert."""
    site = inspected(env)
    return plan(Operation("revert", frozenset(named), "0.1.0"), site.snapshot, site.statuses)


def paths(made):
    """The files that change, in their order."""
    return [change.path for change in made.changes]


def test_the_order_of_replacement(env, jhpatch):
    """What others import comes first and goes last, and the state is written at the end."""
    assert paths(applying(env)) == [RECORD, *HELPERS, PAGE, CONTENTS, STATE]
    jhpatch(env, "apply")
    assert paths(reverting(env)) == [PAGE, CONTENTS, *HELPERS[::-1], RECORD, STATE]


def test_a_plan_is_a_value_and_writes_nothing(env, jhpatch):
    """The same site gives the same plan; no byte and no time of the site changes."""
    before = times(env.site)
    assert applying(env) == applying(env)
    assert times(env.site) == before
    jhpatch(env, "apply")
    before = times(env.site)
    assert reverting(env) == reverting(env)
    assert applying(env).changes == ()
    assert times(env.site) == before


def test_a_file_that_keeps_its_bytes_is_no_change(env, jhpatch):
    """The second patch finds the helper that the first one brought."""
    jhpatch(env, "apply", OPEN)
    assert paths(applying(env, SAVE)) == [RECORD, CONTENTS, STATE]
    jhpatch(env, "apply", SAVE)
    assert paths(reverting(env, OPEN)) == [PAGE, RECORD, STATE]


def test_every_before_is_what_lies_there(env):
    """Each change names the bytes that must be found; what a revert needs is saved."""
    made = applying(env)
    for change in made.changes:
        full = os.path.join(env.site, change.path)
        if change.before is None:
            assert not os.path.exists(full)
        else:
            with open(full, "rb") as file:
                assert file.read() == change.before
    replaced = {sha256(c.before) for c in made.changes if c.before is not None}
    assert replaced == set(made.keep) == set(map(sha256, made.originals))


def test_a_refusal_leaves_no_change_in_the_plan(env):
    """One file that was edited: the plan holds its refusal, and nothing to do."""
    with open(os.path.join(env.site, PAGE), "ab") as file:
        file.write(b"#")
    made = applying(env)
    assert made.changes == () and made.patches == ()
    assert [patch for patch, _ in made.refusals] == [OPEN]
    assert paths(applying(env, SAVE)) == [RECORD, *HELPERS, CONTENTS, STATE]


def test_a_plan_opens_no_file(env, monkeypatch):
    """Pure: with the site's files at hand as values, nothing is read from a disk."""
    site = inspected(env)
    held = {path: site.snapshot.read(path) for path in (PAGE, CONTENTS, *HELPERS, RECORD)}
    snapshot = site.snapshot._replace(read=held.get, has_directory_of=lambda path: True)
    operation = Operation("apply", frozenset(), "0.1.0", "2026-01-01T00:00:00Z")
    expected = plan(operation, site.snapshot, site.statuses)  # and the parser is loaded
    opened = []
    monkeypatch.setattr(os, "open", lambda path, *rest, **named: opened.append(path))
    monkeypatch.setattr("builtins.open", lambda path, *rest, **named: opened.append(path))
    found = plan(operation, snapshot, site.statuses)
    monkeypatch.undo()
    assert found == expected and opened == []


def ordered(reverting, *changed):
    """The paths of changes in the order of a plan; ``-`` removes, ``+`` adds, else changes."""
    data = {"-": (b"x", None), "+": (None, b"x"), "=": (b"x", b"y")}
    made = [FileChange(text[1:], *data[text[0]]) for text in changed]
    return [change.path for change in plan_module._ordered(made, reverting)]


def test_a_package_is_whole_before_it_is_imported():
    """In the order of the patch, ``__init__.py`` last of its directory; then who imports it.

    What it replaces goes at the end.
    """
    changed = ["=app/z.py", "-app/_k.py", "+app/_k/__init__.py", "+app/_k/z.py", "+app/_k/a.py"]
    changed += ["+app/_k/deep/__init__.py", "+app/_k/deep/x.py", "=app-1.dist-info/RECORD"]
    assert ordered(False, *changed) == [
        "app-1.dist-info/RECORD",
        "app/_k/z.py",
        "app/_k/a.py",
        "app/_k/deep/x.py",
        "app/_k/deep/__init__.py",
        "app/_k/__init__.py",
        "app/z.py",
        "app/_k.py",
    ]


def test_a_package_is_no_package_before_its_files_go():
    """Its importers first, then ``__init__.py``, then the rest in the order of the plan."""
    changed = ["-app/_k/b.py", "-app/_k/a.py", "-app/_k/deep/__init__.py", "-app/_k/__init__.py"]
    changed += ["=app-1.dist-info/RECORD", "=app/z.py"]
    assert ordered(True, *changed) == [
        "app/z.py",
        "app/_k/__init__.py",
        "app/_k/deep/__init__.py",
        "app/_k/b.py",
        "app/_k/a.py",
        "app-1.dist-info/RECORD",
    ]


def test_patches_that_share_a_file_are_planned_together(env, jhpatch, other_jhpatch):
    """The other patch of an older helper is in the plan, and judged by the states alone too."""
    other_jhpatch("0.1.0", "apply", "--python", env.python)
    made = applying(env, OPEN)
    assert made.patches == (OPEN, SAVE) and paths(made) == [RECORD, HELPERS[-1], STATE]
    site = inspected(env)
    operation = Operation("apply", frozenset([OPEN]), "0.1.0", "2026-01-01T00:00:00Z")
    assert would_change(operation, site.snapshot, site.statuses)
    assert reverting(env, OPEN).patches == (OPEN,)
