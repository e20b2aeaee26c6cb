"""``jhpatch rebase --output``: where the patch file goes, and the next step."""

import os

import pytest

from jhpatch.cli.main import main
from testing.patch_files import UPSTREAM, patch_text
from testing.trees import tree as picture
from tests.commands.rebasing import moved_on, needs_syntax_trees, newer, patches, rebase

__all__ = ["newer", "patches", "rebase"]


@needs_syntax_trees
@pytest.mark.parametrize("output", [None, "new.patch", "other/App/1.3-hooks.patch"])
def test_lint_is_named_with_the_directory_of_the_patch_file(
    newer, patches, tmp_path, monkeypatch, capsys, output
):
    """Without --patches, it checks jhpatch's own; a file in no patch directory is moved first."""
    monkeypatch.setenv("JHPATCH_PATCHES", patches)
    os.makedirs(str(tmp_path / "other/App"))
    words = ["app/hooks", "--from", newer("1.0", UPSTREAM), "--to", newer("1.3", moved_on())]
    words += ["--output", str(tmp_path / output)] if output else []
    assert main(["rebase", *words]) == 0
    step = capsys.readouterr().out.splitlines()[-1]
    directory = str(tmp_path / "other") if output and "/" in output else patches
    assert step.endswith(" -m jhpatch lint --patches %s --wheels DIR" % directory)
    name = os.path.join(patches, "app/1.3-hooks.patch")
    moved = " and move it to " + name if output == "new.patch" else ""
    assert step.startswith("next: review the patch%s; then " % moved)


@needs_syntax_trees
def test_to_a_file(rebase, tmp_path):
    """An unpatched file with the release that it is of."""
    path = str(tmp_path / "handlers.py")
    with open(path, "wb") as file:
        file.write(moved_on())
    output = str(tmp_path / "out.patch")
    assert rebase("--to", path).code == 2
    assert rebase("--to", path, "--release", "../1.3").code == 2
    answer = rebase("--to", path, "--release", "1.3", "--output", output)
    assert answer.code == 0, answer.error
    with open(output) as file:
        assert file.read() == patch_text(moved_on(), versions="==1.3")


@needs_syntax_trees
def test_identical_files_and_another_output(rebase, newer, patches, tmp_path):
    """--output holds for the file with more releases, too: the patch directory is unchanged."""
    before, output = picture(patches), str(tmp_path / "out.patch")
    answer = rebase("--to", newer("1.3", UPSTREAM), "--output", output)
    assert (answer.code, answer.document["candidate"]["path"]) == (0, output)
    assert picture(patches) == before
    with open(output) as file:
        assert file.read() == patch_text(versions=">=1.0,<=1.3")
    assert rebase("--to", newer("1.3", UPSTREAM), "--output", output).code == 5


@needs_syntax_trees
def test_an_output_that_is_there_is_kept(rebase, newer, tmp_path):
    """Exit code 5, and the file is as it was."""
    output = str(tmp_path / "out.patch")
    with open(output, "w") as file:
        file.write("mine")
    assert rebase("--to", newer("1.3", moved_on()), "--output", output).code == 5
    with open(output) as file:
        assert file.read() == "mine"
    assert [name for name in os.listdir(str(tmp_path)) if name.startswith("out")] == ["out.patch"]
