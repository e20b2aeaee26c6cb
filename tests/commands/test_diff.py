"""``jhpatch diff``: the exact bytes that apply would change."""

import os
import shutil
import subprocess

import pytest

from testing.notebook_site import (
    CONTENTS,
    HELPER,
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
    assert files == [CONTENTS, HELPER, RECORD]


def test_an_edit_is_shown_against_the_known_bytes(env, jhpatch):
    """An edited module or helper of a patched site is shown as the edit alone: exit code 5."""
    jhpatch(env, "apply")
    for name in (PAGE, HELPER):
        append(env, name)
    answer = unchanged(jhpatch, env, (5, "diff"))
    lines = answer.document["sites"][0]["diff"].splitlines()
    changed = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert set(changed) == {"+# edited"}
