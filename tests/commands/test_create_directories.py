"""The patch directory that ``create`` writes to, and those beside it."""

import os

import pytest

from jhpatch.commands import edited_files
from jhpatch.patchset import catalog, patch_sets
from testing.packages import LONG, edit, put_patch
from testing.users import ROOT_ONLY


@pytest.fixture
def create(jhpatch, new_env, packages):
    """``create(…)`` of ``pure/try``, from an edit in a new environment."""
    env = new_env("env")
    edit(env, "pure/a.py", b"line_9 = 9\n", b"")

    def call(*arguments):
        words = ["--description", "d", "--wheel", packages.wheel("pure")]
        return jhpatch(env, "create", "pure/try", *words, *arguments)

    call.env = env
    return call


@pytest.mark.parametrize("kind", ["the host's", "JHPATCH_PATCHES", "a patch set"])
@pytest.mark.parametrize("name", ["p", "other"])
def test_an_empty_standing_directory(create, tmp_path, monkeypatch, kind, name):
    """The first patch is written to it, by any spelling of its path, or to another."""
    (tmp_path / "p").mkdir()
    path = str(tmp_path / "p")
    if kind == "the host's":
        monkeypatch.setattr(patch_sets, "STANDING", path)
    elif kind == "JHPATCH_PATCHES":
        monkeypatch.setenv("JHPATCH_PATCHES", path)
    else:
        monkeypatch.setattr(patch_sets, "installed", lambda _: [("ours", path)])
    monkeypatch.chdir(str(tmp_path))
    answer = create("--patches", name)
    assert (answer.code, answer.states["pure/try"]) == (0, "applied"), answer
    assert os.listdir(str(tmp_path / name)) == ["pure"]
    assert create("--patches", "./%s/" % name).document["changed"] is False


def test_the_first_of_the_variable(create, tmp_path, monkeypatch):
    """Without ``--patches`` it is the directory to write to, also if it is missing."""
    monkeypatch.setenv("JHPATCH_PATCHES", str(tmp_path / "p"))
    assert create().states["pure/try"] == "applied"
    assert os.listdir(str(tmp_path / "p")) == ["pure"]


@ROOT_ONLY
def test_root_creates_no_directory_in_one_of_a_user(create, tmp_path):
    """The user could replace it. A sticky directory of root is safe."""
    users, sticky = tmp_path / "users", tmp_path / "sticky"
    for path, uid, mode in ((users, 4242, 0o755), (sticky, 0, 0o1777)):
        path.mkdir()
        os.chmod(str(path), mode)
        os.chown(str(path), uid, uid)
    answer = create("--patches", str(users / "p"))
    assert (answer.code, answer.error["path"]) == (5, str(users)), answer
    assert os.listdir(str(users)) == []
    assert not os.path.exists(os.path.join(create.env.site, ".jhpatch"))
    assert create("--patches", str(sticky / "p")).code == 0


def test_a_directory_that_spells_the_name_as_its_package(create, jhpatch, packages, tmp_path):
    """The patch is updated by any spelling, and its own file is no file of another patch."""
    (tmp_path / "p/Pure").mkdir(parents=True)
    words = ("--patches", str(tmp_path / "p"))
    assert create(*words).states == {"Pure/try": "applied"}
    edit(create.env, "pure/a.py", b"line_20 = 20\n", b"")
    answer = create(*words)
    assert (answer.code, answer.states) == (0, {"Pure/try": "applied"}), answer
    assert os.listdir(str(tmp_path / "p")) == ["Pure"]
    assert answer.document["changed"] is True


def test_an_edit_of_a_file_of_a_shipped_patch(create, jhpatch, tmp_path, monkeypatch):
    """The next step is an own version of that patch, and it works as it is printed."""
    own = str(tmp_path / "own")
    monkeypatch.setattr(catalog, "own_patch_dir", lambda: own)
    monkeypatch.setattr(edited_files, "own_patch_dir", lambda: own)
    after = LONG.replace(b"line_9 = 9\n", b"")
    put_patch(own, "pure/shipped", {"pure/a.py": (LONG, after)})
    assert jhpatch(create.env, "apply").states == {"pure/shipped": "applied"}
    edit(create.env, "pure/a.py", b"line_20 = 20\n", b"")
    words = ("--patches", str(tmp_path / "p"))
    answer = create(*words)
    assert answer.code == 5 and "put the change in another file" in answer.error["next"]
    command = answer.error["next"].rpartition(" create ")[2].split()
    assert command[-2:] == ["--only-patches", "pure/shipped"]
    answer = jhpatch(None, "create", *command, "--description", "d")
    assert (answer.code, answer.states) == (0, {"pure/shipped": "applied"}), answer
    assert jhpatch(create.env, "revert", "--only-patches", *words).code == 0
    assert not os.path.exists(os.path.join(create.env.site, ".jhpatch"))
