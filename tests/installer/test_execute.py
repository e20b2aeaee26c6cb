"""From plans to changed sites: all planned first, one refusal stops all, each site whole."""

import argparse
import importlib.util
import os
import sys

from jhpatch.errors import Failed, Refused, jhpatch_command
from jhpatch.installer import environment, execute, selection
from jhpatch.installer.inspection import inspect
from jhpatch.installer.plan import Plan, plan_apply
from jhpatch.patchset.catalog import Catalog, own_tree
from jhpatch.transaction.transaction import locked
from testing.notebook_site import CONTENTS, OPEN, PAGE, RELEASE, SAVE, path
from testing.trees import times

KNOWN = Catalog((own_tree(),))
NOTHING = Plan((), (), (), (), ())


def arguments(**fields):
    """What a change needs of the command line."""
    return argparse.Namespace(
        **dict({"dry_run": False, "lock_timeout": 10.0, "environ": {}}, **fields)
    )


def applying(inspection):
    """The plan of an apply of all patches."""
    chosen = selection.within_reach(inspection, set())
    return plan_apply(inspection.view, chosen, set(), "0.1.0", "2026-01-01T00:00:00Z")


def change(envs, planned=applying, **fields):
    """Carry out what ``planned`` says of the sites of environments."""
    looks = [one for env in envs for one in inspect(environment.environment_of(env.python), KNOWN)]
    return execute.change("apply", looks, planned, KNOWN, arguments(**fields))


def test_a_plan_is_carried_out(env):
    """Each planned patch is applied, and the report names it as changed."""
    (site,) = change([env]).sites
    changed = {patch.patch: patch.state for patch in site.patches if patch.changed}
    assert site.changed and changed == {OPEN: "applied", SAVE: "applied"}


def test_one_refusal_stops_all_sites(tmp_path, make_site):
    """All sites are planned before the first one is changed."""
    envs = [make_site(tmp_path, [RELEASE], name=name, slim=True) for name in "ab"]
    before = [times(env.site) for env in envs]

    def planned(inspection):
        if inspection.site.path == envs[1].site:
            raise Refused("not this one", next=jhpatch_command("list"))
        return applying(inspection)

    first, second = change(envs, planned).sites
    assert (first.error, second.error.message) == (None, "not this one")
    assert [times(env.site) for env in envs] == before


def test_a_refused_patch_names_the_others(env):
    """The error has all refused patches, and the command for those that could be applied."""
    other = Refused("no", next=jhpatch_command("diff"))
    refusals = ((OPEN, Refused("no", next=jhpatch_command("diff"))), ("z/z", other))
    (site,) = change([env], lambda inspection: NOTHING._replace(refusals=refusals)).sites
    assert site.error.message == "no; refused too: z/z"
    assert site.error.next.parts[-1].arguments == ("apply", SAVE)


def test_a_dry_run_changes_nothing(env):
    """The report names each file that would be added or replaced."""
    before = times(env.site)
    result = change([env], dry_run=True)
    (site,) = result.sites
    assert result.dry_run and site.would_change and not site.changed
    assert "would replace " + PAGE in site.notes and times(env.site) == before


def test_a_site_that_a_run_disturbs_is_planned_again(env, jhpatch):
    """An error while another run begins or ends is none: the site is inspected again."""
    stamps = []

    def planned(inspection):
        stamps.append(inspection.stamp)
        if len(stamps) == 1:
            jhpatch(env, "apply", SAVE)
            raise Failed("between two of its renames")
        return applying(inspection)

    (site,) = change([env], planned).sites
    assert site.error is None and stamps[0] != stamps[1]
    states = {patch.patch: (patch.state, patch.changed) for patch in site.patches}
    assert (states[OPEN], states[SAVE]) == (("applied", True), ("applied", False))


def test_an_error_that_stays_is_the_sites(env):
    """A site that nothing disturbs is planned once, and its error reported."""
    calls = []

    def planned(inspection):
        calls.append(inspection)
        raise Failed("a bug")

    (site,) = change([env], planned).sites
    assert (site.exit_code, site.error.message, len(calls)) == (1, "a bug", 1)


def test_a_site_without_work_takes_no_lock(env, jhpatch):
    """A second apply changes no byte and no time, not even of the lock."""
    assert jhpatch(env, "apply").code == 0
    before = times(env.site)
    (site,) = change([env]).sites
    assert site.exit_code == 0 and not site.changed and times(env.site) == before


def test_bytecode_of_changed_modules_is_rebuilt(tmp_path, make_site):
    """Where pip compiled the modules, the .pyc files of the patched ones are new and valid."""
    env = make_site(tmp_path, [RELEASE], slim=True, compiled=True)
    caches = [importlib.util.cache_from_source(path(env, name)) for name in (PAGE, CONTENTS)]
    before = [os.stat(cache).st_ino for cache in caches]
    change([env])
    for cache, name, inode in zip(caches, (PAGE, CONTENTS), before):
        with open(cache, "rb") as file:
            head = file.read(16)[-8:] if sys.version_info >= (3, 7) else file.read(12)[-8:]
        source = os.stat(path(env, name))
        assert os.stat(cache).st_ino != inode
        assert int.from_bytes(head[:4], "little") == int(source.st_mtime) & 0xFFFFFFFF
        assert int.from_bytes(head[4:], "little") == source.st_size


def test_a_lock_that_is_held_is_exit_code_4(env):
    """A run that does not get the lock in time reports it for each site."""
    with locked(env.site):
        (site,) = change([env], lock_timeout=0).sites
    assert site.exit_code == 4 and site.error.code == "locked"
