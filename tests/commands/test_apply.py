"""``jhpatch apply``: the states in which it changes a site, and what the site is then."""

import os
import shutil
import subprocess

import pytest

from testing import ROOT
from testing.notebook_site import (
    CONTENTS,
    HELPER,
    HELPERS,
    INFO,
    OPEN,
    PAGE,
    RECORD,
    SAVE,
    data,
    die_during_apply,
    path,
    reinstall,
    rename_release,
    unchanged,
)
from testing.patch_files import own_patch
from testing.trees import times, tree


def test_unpatched(env, jhpatch):
    """An unpatched site: status 3, a diff, and apply changes modules, RECORD and helper."""
    before = tree(env.site)
    answer = unchanged(jhpatch, env, (3, "status"), (0, "revert"), (0, "apply", "--dry-run"))
    assert answer.states == {OPEN: "pristine", SAVE: "pristine"}
    assert answer.document["would_change"] is True
    answer = unchanged(jhpatch, env, (0, "diff"))
    shown = answer.document["sites"][0]["diff"]
    assert "+    @on_open\n" in shown and "+++ b/" + RECORD in shown
    assert "+++ b/" + HELPER in shown
    answer = jhpatch(env, "apply")
    assert (answer.code, answer.states) == (0, {OPEN: "applied", SAVE: "applied"})
    assert answer.document["changed"] is True
    changed = {name for name, row in tree(env.site).items() if before.get(name) != row}
    ours = {name for name in changed if name.startswith(".jhpatch")}
    assert changed - ours == {PAGE, CONTENTS, RECORD, os.path.dirname(HELPER), *HELPERS}


def test_applied(env, jhpatch):
    """A patched site: apply changes no byte and no mtime, and revert restores every file."""
    before = tree(env.site)
    jhpatch(env, "apply")
    answer = unchanged(jhpatch, env, (0, "status"), (0, "apply"), (0, "diff"))
    assert answer.document["sites"][0]["diff"] == ""
    answer = jhpatch(env, "revert")
    assert (answer.code, answer.states) == (0, {OPEN: "pristine", SAVE: "pristine"})
    assert tree(env.site) == before


def test_applied_without_a_record(env, jhpatch):
    """Our bytes without our state: apply writes the record, revert derives the original."""
    before = tree(env.site)
    jhpatch(env, "apply")
    shutil.rmtree(path(env, ".jhpatch"))
    applied = tree(env.site)
    answer = unchanged(jhpatch, env, (0, "diff"), (0, "status"))
    assert answer.states == {OPEN: "applied", SAVE: "applied"}
    assert answer.reasons[OPEN] == "unrecorded"
    assert jhpatch(env, "apply").code == 0
    after = tree(env.site)
    assert {name: after[name] for name in applied} == applied
    assert os.path.exists(path(env, ".jhpatch/state.json"))
    shutil.rmtree(path(env, ".jhpatch"))
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site)[PAGE] == before[PAGE]
    assert data(env, RECORD).count(b"_jhpatch") == 0
    rest = {name: row[0] for name, row in tree(env.site).items() if name != RECORD}
    assert rest == {name: row[0] for name, row in before.items() if name != RECORD}


def test_outdated(env, jhpatch, other_jhpatch):
    """An older helper is replaced by the present one, and revert restores the release."""
    before = tree(env.site)
    other_jhpatch("0.1.0", "apply", "--python", env.python)
    assert data(env, HELPER).endswith(b"# an older helper\n")
    answer = unchanged(jhpatch, env, (3, "status"), (0, "diff"))
    assert answer.states == {OPEN: "outdated", SAVE: "outdated"}
    assert "-# an older helper" in answer.document["sites"][0]["diff"]
    answer = jhpatch(env, "apply")
    assert (answer.code, answer.states) == (0, {OPEN: "applied", SAVE: "applied"})
    assert not data(env, HELPER).endswith(b"# an older helper\n")
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == before


def test_outdated_by_a_newer_jhpatch(env, jhpatch, other_jhpatch):
    """Files of a newer jhpatch are not replaced by an older one; revert is allowed."""
    other_jhpatch("9.9.9", "apply", "--python", env.python)
    answer = unchanged(jhpatch, env, (3, "status"), (5, "apply"))
    assert "9.9.9" in answer.error["found"]
    assert jhpatch(env, "revert").code == 0


def test_another_patch_does_not_hide_a_newer_jhpatch(tmp_path, make_site, jhpatch, other_jhpatch):
    """While a patch of a newer jhpatch is applied, its version stays recorded."""
    both = [("jupyter_server", "2.21.1"), ("notebook", "5.7.9")]
    env = make_site(tmp_path, both, slim=True, name="both")
    newer = "jupyter_server/kerberos-contents"
    other_jhpatch("9.9.9", "apply", "--python", env.python, newer)
    assert jhpatch(env, "apply", SAVE).code == 0
    answer = jhpatch(env, "apply")
    assert answer.code == 5 and "9.9.9" in answer.error["found"]
    assert jhpatch(env, "revert").code == 0


def test_a_named_patch_updates_the_shared_helper(env, jhpatch, other_jhpatch):
    """Applying one of two patches updates both: the other one imports the new helper, too."""
    before = tree(env.site)
    other_jhpatch("0.1.0", "apply", "--python", env.python)
    answer = jhpatch(env, "apply", OPEN)
    assert (answer.code, answer.states) == (0, {OPEN: "applied", SAVE: "applied"})
    assert jhpatch(env, "apply").document["changed"] is False
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == before


@pytest.mark.parametrize("helper_stays", [False, True], ids=["pip", "conda"])
def test_overwritten_by_a_reinstallation(env, jhpatch, make_site, tmp_path, helper_stays):
    """Installed again: status 3, apply patches anew, revert removes the record and the helper."""
    before = tree(env.site)
    jhpatch(env, "apply")
    reinstall(env, make_site, tmp_path, helper_stays)
    answer = unchanged(jhpatch, env, (0, "diff"), (3, "status"))
    assert answer.states == {OPEN: "superseded", SAVE: "superseded"}
    assert jhpatch(env, "apply").states == {OPEN: "applied", SAVE: "applied"}
    reinstall(env, make_site, tmp_path / "again", helper_stays)
    assert jhpatch(env, "revert").states == {OPEN: "pristine", SAVE: "pristine"}
    assert hashes(tree(env.site)) == hashes(before)


@pytest.mark.slow
def test_overwritten_by_another_release(env, jhpatch, make_site, tmp_path, monkeypatch):
    """Upgraded to a release that one patch fits: the other is refused, the named one applied."""
    fewer = str(tmp_path / "patches")
    shutil.copytree(os.path.join(ROOT, "patches"), fewer)
    os.unlink(os.path.join(fewer, "notebook", "5.7.10-kerberos-open.patch"))
    monkeypatch.setattr("jhpatch.patchset.catalog.own_patch_dir", lambda: fewer)
    jhpatch(env, "apply")
    reinstall(env, make_site, tmp_path, version="5.7.16")
    fresh = {k: v for k, v in hashes(tree(env.site)).items() if not k.startswith(".jhpatch")}
    answer = unchanged(jhpatch, env, (3, "status"), (5, "apply"))
    assert answer.states == {OPEN: "unsupported", SAVE: "superseded"}
    assert "jhpatch apply " + SAVE in answer.next
    assert jhpatch(env, "apply", SAVE).states[SAVE] == "applied"
    assert jhpatch(env, "revert").code == 0
    assert hashes(tree(env.site)) == fresh


def test_allow_unlisted(env, jhpatch):
    """Known bytes of an unknown release are patched with --allow-unlisted."""
    rename_release(env, "5.99.0")
    before = tree(env.site)
    answer = jhpatch(env, "apply", "--allow-unlisted")
    assert (answer.code, answer.states) == (0, {OPEN: "applied", SAVE: "applied"})
    assert jhpatch(env, "status").code == 0
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == before


def test_allow_unlisted_over_a_record(env, jhpatch):
    """Patched, then the release's bytes under an unknown number: --allow-unlisted patches anew."""
    before = {name: data(env, name) for name in (PAGE, CONTENTS, RECORD)}
    jhpatch(env, "apply")
    for name, original in before.items():
        with open(path(env, name), "wb") as file:
            file.write(original)
    rename_release(env, "5.99.0")
    assert jhpatch(env, "status").states == {OPEN: "unsupported", SAVE: "unsupported"}
    answer = jhpatch(env, "apply", "--allow-unlisted")
    assert (answer.code, answer.states) == (0, {OPEN: "applied", SAVE: "applied"})
    assert jhpatch(env, "revert").code == 0
    assert not os.path.exists(path(env, HELPER))
    assert data(env, PAGE) == before[PAGE]


def test_a_release_that_needs_no_patch(tmp_path, make_site, jhpatch):
    """notebook 7 needs no patch: nothing to do, and the reason says why."""
    env = make_site(tmp_path, [("notebook", "7.6.5")], slim=True)
    answer = unchanged(jhpatch, env, (0, "status"), (0, "diff"), (0, "revert"), (0, "apply"))
    assert answer.states == {OPEN: "not-needed", SAVE: "not-needed"}
    assert "jupyter_server" in answer.reasons[OPEN]


def test_stale_files_of_a_release_that_needs_no_patch(env, jhpatch, make_site, tmp_path):
    """Upgraded to notebook 7 with the helper left behind: status 3, apply removes the helper."""
    jhpatch(env, "apply")
    reinstall(env, make_site, tmp_path, helper_stays=True, version="7.6.5")
    assert unchanged(jhpatch, env, (3, "status")).states[OPEN] == "not-needed"
    assert jhpatch(env, "apply").code == 0
    assert not os.path.exists(path(env, HELPER))
    assert not os.path.exists(path(env, ".jhpatch"))
    assert jhpatch(env, "status").code == 0


@pytest.mark.parametrize("command", ["apply", "revert"])
def test_stale_files_of_a_distribution_that_is_gone(env, jhpatch, command):
    """Removed by a manager that does not know the helper: apply and revert remove what is left."""
    jhpatch(env, "apply")
    shutil.rmtree(path(env, INFO))
    for name in (PAGE, CONTENTS):
        os.unlink(path(env, name))
    answer = unchanged(jhpatch, env, (3, "status"))
    assert answer.all_states[OPEN] == "absent"
    assert jhpatch(env, command).code == 0
    assert not os.path.exists(path(env, HELPER))
    assert not os.path.exists(path(env, ".jhpatch"))


def test_after_a_run_that_died(env, jhpatch):
    """A run that died: status and diff write nothing; the next apply restores and applies."""
    before = tree(env.site)
    die_during_apply(env)
    answer = unchanged(jhpatch, env, (0, "diff"), (0, "apply", "--dry-run"), (3, "status"))
    assert set(answer.states.values()) == {"interrupted"}
    assert answer.document["sites"][0]["journal"] == "interrupted"
    answer = jhpatch(env, "apply")
    assert (answer.code, answer.states) == (0, {OPEN: "applied", SAVE: "applied"})
    assert "an earlier run" in answer.document["sites"][0]["notes"][0]
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == before


def test_two_patches_in_every_order(env, jhpatch):
    """RECORD depends on the original and the set of patches, not on the order."""
    before = tree(env.site)
    seen = set()
    for first, second in ((OPEN, SAVE), (SAVE, OPEN)):
        jhpatch(env, "apply", first)
        jhpatch(env, "apply", second)
        seen.add(tree(env.site)[RECORD])
        for patch in (first, second):
            assert jhpatch(env, "revert", patch).code == 0
        assert tree(env.site) == before
    assert len(seen) == 1


def test_a_dry_run_writes_nothing(env, jhpatch):
    """A dry run names each file that would change, and changes nothing."""
    before = times(env.site)
    answer = jhpatch(env, "apply", "--dry-run")
    assert answer.document["dry_run"] and answer.document["would_change"]
    assert not answer.document["changed"]
    assert "would replace %s" % PAGE in answer.document["sites"][0]["notes"]
    assert times(env.site) == before


def test_a_distribution_without_record(env, jhpatch):
    """Debian's layout, an egg-info without RECORD, is patched by its hashes, with a note."""
    egg = path(env, "notebook-5.7.9.egg-info")
    os.rename(path(env, INFO), egg)
    os.rename(os.path.join(egg, "METADATA"), os.path.join(egg, "PKG-INFO"))
    os.unlink(os.path.join(egg, "RECORD"))
    before = tree(env.site)
    answer = jhpatch(env, "apply")
    assert answer.code == 0
    assert any("no RECORD" in note for note in answer.document["sites"][0]["notes"])
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == before


def test_pip_removes_a_patched_distribution(env, jhpatch):
    """After apply, pip uninstall removes the helper too: RECORD lists it."""
    jhpatch(env, "apply")
    pip = pytest.importorskip("pip")
    home = os.path.dirname(os.path.dirname(pip.__file__))
    subprocess.run(
        [env.python, "-m", "pip", "uninstall", "-y", "-q", "notebook"],
        env=dict(os.environ, PYTHONPATH=home, PIP_DISABLE_PIP_VERSION_CHECK="1"),
        check=True,
    )
    assert not os.path.exists(path(env, INFO))
    assert not os.path.exists(path(env, HELPER))


def test_a_patch_directory_of_ones_own(tmp_path, make_site, jhpatch):
    """--patches: a patch of several files for any distribution; revert does without it."""
    env = make_site(tmp_path)
    before = {"our_app/a.py": b"a = 1\n", "our_app/sub/b.py": b"b = 1\n"}
    after = {"our_app/a.py": b"a = 2\n", "our_app/sub/b.py": b"b = 2\n"}
    patches = own_patch(tmp_path, before, after, env.site)
    start = tree(env.site)
    answer = jhpatch(env, "apply", "--patches", patches, "OUR.app/ours")
    assert (answer.code, answer.states) == (0, {"our-app/ours": "applied"})
    with open(os.path.join(env.site, "our_app/sub/b.py"), "rb") as file:
        assert file.read() == after["our_app/sub/b.py"]
    assert os.path.exists(os.path.join(env.site, "our_app/extra.py"))
    assert jhpatch(env, "status").states == {"our-app/ours": "applied"}
    assert jhpatch(env, "revert").code == 0
    assert tree(env.site) == start


def hashes(rows):
    """The hash of each file of a tree."""
    return {name: row[0] for name, row in rows.items()}
