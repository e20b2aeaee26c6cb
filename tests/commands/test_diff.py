"""``jhpatch diff``: the exact bytes that apply would change."""

import os
import shutil
import subprocess

import pytest

from testing.index import made_wheel
from testing.notebook_site import (
    CONTENTS,
    HELPER,
    HELPERS,
    OPEN,
    PAGE,
    RECORD,
    SAVE,
    append,
    data,
    unchanged,
)


def test_the_diff_is_what_apply_does(env, jhpatch, tmp_path):
    """patch(1) with the output of diff gives the very bytes that apply gives."""
    if not shutil.which("patch"):
        pytest.skip("no patch(1)")
    copy = str(tmp_path / "copy")
    shutil.copytree(env.site, copy)
    shown = jhpatch(env, "diff").document["sites"][0]["diff"]
    subprocess.run(
        ["patch", "-p1", "--binary", "-s"],
        cwd=copy,
        input=shown.encode("utf-8", "surrogateescape"),
        check=True,
    )
    jhpatch(env, "apply")
    for name in (PAGE, CONTENTS, HELPER, RECORD):
        with open(os.path.join(copy, name), "rb") as file:
            assert file.read() == data(env, name), name


def test_a_named_patch_alone(env, jhpatch):
    """A patch that is named has its own module, the helper and RECORD, and no other file."""
    shown = jhpatch(env, "diff", SAVE).document["sites"][0]["diff"]
    files = [line[len("+++ b/") :] for line in shown.splitlines() if line.startswith("+++ ")]
    assert set(files) == {CONTENTS, RECORD, *HELPERS} and len(files) == len(set(files))


def test_an_edit_is_shown_against_the_known_bytes(env, jhpatch):
    """An edited module or helper of a patched site is shown as the edit alone: exit code 5."""
    jhpatch(env, "apply")
    for name in (PAGE, HELPER):
        append(env, name)
    answer = unchanged(jhpatch, env, (5, "diff"))
    lines = answer.document["sites"][0]["diff"].splitlines()
    changed = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert set(changed) == {"+# edited"}


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """pip has an empty cache and no index; the fixture is the cache."""
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tmp_path / "cache/wheels").mkdir(parents=True)
    return str(tmp_path / "cache")


def lines_of(answer):
    """The lines that a diff adds and removes."""
    lines = answer.document["sites"][0]["diff"].splitlines()
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def test_an_edit_of_an_unpatched_site_is_shown(env, jhpatch, offline, wheel):
    """Against the release's own bytes, from a directory of wheels or pip's cache."""
    append(env, PAGE)
    path = wheel("notebook", "5.7.9")
    answer = unchanged(jhpatch, env, (5, "diff", OPEN, "--wheels", os.path.dirname(path)))
    assert lines_of(answer) == ["+# edited"]
    shutil.copy(path, offline + "/wheels")
    assert lines_of(unchanged(jhpatch, env, (5, "diff", OPEN))) == ["+# edited"]
    os.unlink(os.path.join(env.site, PAGE))
    answer = jhpatch(env, "diff", OPEN)
    assert "+++ /dev/null" in answer.document["sites"][0]["diff"]


def test_an_edit_whose_original_cannot_be_had(env, jhpatch, offline):
    """It says so, and what would do; our own patch is not shown in its place."""
    append(env, PAGE)
    answer = unchanged(jhpatch, env, (5, "diff", OPEN))
    assert lines_of(answer) == []
    assert "the original file was not found: %s (pip's cache" % PAGE in answer.error["message"]
    assert answer.next.endswith("-m jhpatch diff --wheels DIR " + OPEN)


def test_a_wheel_with_other_bytes_is_not_believed(env, jhpatch, offline, tmp_path):
    """Its file does not have the hash of the release."""
    append(env, PAGE)
    wheels = str(tmp_path / "wheels")
    made_wheel(wheels, "notebook", "5.7.9", {PAGE: b"other\n"})
    answer = jhpatch(env, "diff", OPEN, "--wheels", wheels)
    assert (answer.code, lines_of(answer)) == (5, [])
    assert (
        "notebook-5.7.9-py3-none-any.whl does not contain the original" in answer.error["message"]
    )


def test_an_edit_beside_another_patch(env, jhpatch, offline, wheel):
    """The other patch is still shown as what apply would do."""
    append(env, PAGE)
    answer = jhpatch(env, "diff", "--wheels", os.path.dirname(wheel("notebook", "5.7.9")))
    assert answer.code == 5
    assert "+# edited" in lines_of(answer)
    assert "+++ b/" + CONTENTS in answer.document["sites"][0]["diff"]
