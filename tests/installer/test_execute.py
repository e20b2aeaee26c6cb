"""From plans to changed sites: all planned first, one refusal stops all, each site whole."""

import importlib.util
import os
import sys

from jhpatch.errors import Failed
from jhpatch.installer import environment, execute
from jhpatch.installer.execute import Run
from jhpatch.installer.inspection import inspect
from jhpatch.installer.plan import Operation
from jhpatch.patchset.catalog import Catalog, own_patch_dir
from jhpatch.transaction.transaction import locked
from testing.notebook_site import CONTENTS, OPEN, PAGE, RELEASE, SAVE, path
from testing.trees import times

RUN = Run(
    Operation("apply", frozenset(), "0.1.0", "2026-01-01T00:00:00Z"),
    Catalog([own_patch_dir()]),
    lock_timeout=10.0,
    dry_run=False,
    dated=False,
)


def change(envs, **fields):
    """Apply all patches in the sites of environments; ``fields`` of the run."""
    environments = [environment.environment_of(env.python) for env in envs]
    sites = [site for found in environments for site in inspect(found, RUN.catalog)]
    return execute.execute(RUN._replace(**fields), sites)


def edit(env, name):
    """Add a line to a file of the site."""
    with open(path(env, name), "ab") as file:
        file.write(b"# edited\n")


def test_a_plan_is_carried_out(env):
    """Each planned patch is applied, and the report names it as changed."""
    (site,) = change([env]).sites
    changed = {patch.patch: patch.state for patch in site.patches if patch.changed}
    assert site.changed and changed == {OPEN: "applied", SAVE: "applied"}


def test_one_refusal_stops_all_sites(tmp_path, make_site):
    """All sites are planned before the first one is changed."""
    envs = [make_site(tmp_path, [RELEASE], name=name, slim=True) for name in "ab"]
    edit(envs[1], PAGE)
    before = [times(env.site) for env in envs]
    first, second = change(envs).sites
    assert first.error is None and OPEN in second.error.message
    assert [times(env.site) for env in envs] == before


def test_a_refused_patch_names_the_others(env):
    """The error has all refused patches, and the command for those that could be applied."""
    edit(env, PAGE)
    (site,) = change([env]).sites
    assert site.error.next.parts[-1].arguments == ("apply", SAVE)
    edit(env, CONTENTS)
    (site,) = change([env]).sites
    assert site.error.message.endswith("; also refused: " + SAVE)
    assert ("apply", SAVE) not in [part[0] for part in site.error.next.parts]


def test_a_refused_revert_names_the_others(env):
    """The command for them is revert, too; a patch that is not applied is none of them."""
    change([env])
    edit(env, PAGE)
    revert = RUN.operation._replace(command="revert")
    (site,) = change([env], operation=revert).sites
    assert OPEN in site.error.message and "also refused" not in site.error.message
    assert site.error.next.parts[-1].arguments == ("revert", SAVE)
    edit(env, CONTENTS)
    named = revert._replace(named=frozenset([SAVE, OPEN]))
    (site,) = change([env], operation=named).sites
    refused = [name for name in (OPEN, SAVE) if site.error.message.endswith("refused: " + name)]
    assert len(refused) == 1 and not site.error.message.startswith(refused[0])


def test_a_dry_run_changes_nothing(env):
    """The report names each file that would be added or replaced."""
    before = times(env.site)
    result = change([env], dry_run=True)
    (site,) = result.sites
    assert result.dry_run and site.would_change and not site.changed
    assert "would replace " + PAGE in site.notes and times(env.site) == before


def test_a_site_that_a_run_disturbs_is_planned_again(env, jhpatch, monkeypatch):
    """An error while another run begins or ends is none: the site is inspected again."""
    plan, calls = execute.plan, []

    def disturbed(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            monkeypatch.setattr(execute, "plan", plan)
            jhpatch(env, "apply", SAVE)
            monkeypatch.setattr(execute, "plan", disturbed)
            raise Failed("between two of its renames")
        return plan(*arguments)

    monkeypatch.setattr(execute, "plan", disturbed)
    (site,) = change([env]).sites
    assert site.error is None and len(calls) > 1
    states = {patch.patch: (patch.state, patch.changed) for patch in site.patches}
    assert (states[OPEN], states[SAVE]) == (("applied", True), ("applied", False))


def test_an_error_that_stays_is_the_sites(env, monkeypatch):
    """A site that nothing disturbs is planned once, and its error reported."""
    calls = []

    def failing(*arguments):
        calls.append(arguments)
        raise Failed("a bug")

    monkeypatch.setattr(execute, "plan", failing)
    (site,) = change([env]).sites
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
    sizes = [os.stat(path(env, name)).st_size for name in (PAGE, CONTENTS)]
    change([env])
    for cache, name, size in zip(caches, (PAGE, CONTENTS), sizes):
        with open(cache, "rb") as file:
            head = file.read(16)[-8:] if sys.version_info >= (3, 7) else file.read(12)[-8:]
        source = os.stat(path(env, name))
        assert source.st_size != size, "the patch changes it: else the test shows nothing"
        assert int.from_bytes(head[:4], "little") == int(source.st_mtime) & 0xFFFFFFFF
        assert int.from_bytes(head[4:], "little") == source.st_size


def test_a_lock_that_is_held_is_exit_code_4(env):
    """A run that does not get the lock in time reports it for each site."""
    with locked(env.site):
        (site,) = change([env], lock_timeout=0).sites
    assert site.exit_code == 4 and site.error.code == "locked"
