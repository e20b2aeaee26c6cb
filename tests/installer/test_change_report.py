"""What a change says of itself: reverted patches, dropped records, recoveries, RECORD."""

import os
import shutil
import subprocess

import pytest

from jhpatch.cli.main import main
from testing.notebook_site import (
    CONTENTS,
    HELPERS,
    INFO,
    OPEN,
    PAGE,
    RECORD,
    SAVE,
    append,
    die_during_apply,
    path,
    reinstall,
)
from testing.patch_files import own_patch
from testing.trees import tree


def test_a_revert_without_patches_reports_what_it_reverted(tmp_path, make_site, jhpatch, capsys):
    """The state names a patch of --patches; the report has its row, also without that option."""
    env = make_site(tmp_path)
    before = {"our_app/a.py": b"a = 1\n"}
    ours = own_patch(tmp_path, before, {"our_app/a.py": b"a = 2\n"}, env.site)
    for as_json in (True, False):
        assert jhpatch(env, "apply", "--patches", ours).code == 0
        if as_json:
            answer = jhpatch(env, "revert")
            rows = {row["patch"]: row for row in answer.document["sites"][0]["patches"]}
            row = rows["our-app/ours"]
            assert answer.code == 0 and answer.document["changed"]
            assert (row["state"], row["changed"], row["version"]) == ("pristine", True, "1.0")
        else:
            assert main(["revert", "--python", env.python]) == 0
            out = capsys.readouterr().out
            assert "our-app/ours\t1.0\tunpatched (changed)\t" in out
            assert out.splitlines()[-1] == "1 patch reverted"


@pytest.mark.parametrize("command", ["apply", "revert"])
def test_a_dropped_record_is_not_a_patch(env, jhpatch, capsys, command):
    """After pip uninstall the records go: none is applied or reverted."""
    jhpatch(env, "apply")
    for name in ("notebook", INFO):
        shutil.rmtree(path(env, name))
    assert main([command, "--python", env.python]) == 0
    out = capsys.readouterr().out
    assert "%s\t-\tabsent (record removed)\t" % OPEN in out
    assert out.splitlines()[-1] == "2 records removed"


def test_patches_and_records_are_counted_apart(tmp_path, make_site, jhpatch, capsys):
    """A run that does both says both."""
    env = make_site(tmp_path, [("notebook", "5.7.9"), ("jupyterhub", "0.9.6")], slim=True)
    jhpatch(env, "apply", "jupyterhub/kerberos-login")
    for name in ("jupyterhub", "jupyterhub-0.9.6.dist-info"):
        shutil.rmtree(path(env, name))
    assert main(["apply", "--python", env.python]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 patches applied, 1 record removed"


@pytest.mark.parametrize("command", ["apply", "revert"])
def test_a_recovery_that_leaves_a_file_is_no_success(env, jhpatch, command):
    """An added file that somebody has changed since the kill stays: exit code 1 and its name."""
    die_during_apply(env)
    append(env, HELPERS[0])
    answer = jhpatch(env, command)
    assert answer.code == 1, answer
    named = answer.error["path"]
    assert named == path(env, HELPERS[0]) and "move" in answer.error["next"]
    os.unlink(named)
    assert jhpatch(env, command).code == 0


def test_a_recovery_of_what_pip_has_replaced_is_a_success(env, jhpatch, make_site, tmp_path):
    """Files of another release are no files of jhpatch: they are named, and the run goes on."""
    die_during_apply(env)
    reinstall(env, make_site, tmp_path, version="5.7.10")
    answer = jhpatch(env, "apply")
    assert answer.code == 0 and set(answer.states.values()) == {"applied"}
    assert any("changed in the meantime" in note for note in answer.document["sites"][0]["notes"])


def test_an_apply_without_record_says_so(env, jhpatch):
    """A .dist-info without RECORD, as Debian's packages have: a note for each patch."""
    os.unlink(path(env, RECORD))
    answer = jhpatch(env, "apply")
    notes = answer.document["sites"][0]["notes"]
    assert answer.code == 0
    assert [note.partition(": ")[0] for note in notes] == [OPEN, SAVE]
    assert all("has no RECORD" in note for note in notes)
    assert jhpatch(env, "revert").document["sites"][0]["notes"] == []


def test_a_site_with_record_has_no_such_note(env, jhpatch):
    """RECORD has the rows of what the patch adds."""
    assert jhpatch(env, "apply").document["sites"][0]["notes"] == []


def test_the_way_back_from_a_journal_removes_temporary_files(env, jhpatch):
    """A journal that cannot be read names them no more: the next step finds them itself."""
    before = tree(env.site)
    die_during_apply(env)
    (temp,) = [name for name in os.listdir(path(env, os.path.dirname(CONTENTS)))
               if name.startswith(".jhpatch-")][:1]  # fmt: skip
    with open(path(env, ".jhpatch/journal.json"), "w") as file:
        file.write("{")
    answer = jhpatch(env, "status")
    words, _, line = answer.error["next"].partition("; then ")
    assert answer.code == 1 and words.startswith("reinstall notebook==5.7.9 in ")
    subprocess.run(line, shell=True, check=True)
    left = {name for name in tree(env.site) if ".jhpatch" in name}
    assert temp and left == set()
    assert {PAGE, CONTENTS} < set(before)
