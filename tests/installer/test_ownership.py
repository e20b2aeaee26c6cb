"""A patch changes files of its own distribution alone, and a file belongs to one patch."""

import os
import shutil

import pytest

from testing.packages import KINDS, LONG, put_patch, write
from testing.trees import tree

NEW = LONG.replace(b"line_9 = 9\n", b"")
SCRIPT = KINDS["with_script"]["with_script/__init__.py"]
OWN = {"extension/a.py": (LONG, NEW)}
OF_ANOTHER = {
    "changed": ("pure", {"pure/a.py": (LONG, NEW)}, ""),
    "changed, besides its own": ("pure", dict(OWN, **{"pure/a.py": (LONG, NEW)}), ""),
    "created": ("pure", {"pure/new.py": (None, b"x = 1\n")}, ""),
    "created in a new directory": ("pure", {"pure/new/deep/x.py": (None, b"x = 1\n")}, ""),
    "created in a namespace": ("name_space", {"spaces/one/new.py": (None, b"x = 1\n")}, ""),
    "removed": ("with_script", {"with_script/__init__.py": (SCRIPT, None)}, ""),
    "added": ("pure", OWN, "pure/new.py < extension/new.txt"),
}


@pytest.fixture
def patches(tmp_path):
    """The options for a patch directory with one patch of ``extension``."""

    def call(files, adds=""):
        put_patch(tmp_path / "p", "extension/x", files, adds)
        if adds:
            (tmp_path / "p/extension/new.txt").write_text("x = 1\n")
        return "--patches", str(tmp_path / "p")

    return call


@pytest.mark.parametrize("kind", sorted(OF_ANOTHER))
def test_a_file_of_another_distribution(patches, jhpatch, new_env, kind):
    """apply refuses it with the name of the other one; status tells that it would not apply."""
    owner, files, adds = OF_ANOTHER[kind]
    env, options = new_env("env"), patches(files, adds)
    before = tree(env.site)
    answer = jhpatch(env, "apply", *options, "extension/x")
    assert answer.code == 5 and tree(env.site) == before
    assert "changes or adds a file that does not belong to extension" in answer.error["message"]
    assert answer.error["found"] == "a file of " + owner
    assert jhpatch(env, "status", *options, "extension/x").document["would_change"] is False


@pytest.mark.parametrize("kind", sorted(OF_ANOTHER))
def test_lint_refuses_it_too(patches, jhpatch, packages, kind):
    """With the wheel of the distribution; a new file beside its own without one."""
    _, files, adds = OF_ANOTHER[kind]
    options = patches(files, adds)
    answer = jhpatch(None, "lint", *options, "--wheel", packages.wheel("extension"))
    assert answer.code == 3, answer
    if adds:
        assert jhpatch(None, "lint", *options).code == 3


@pytest.mark.parametrize("path", ["new.py", "new.pth", "new/x.py"])
def test_a_new_file_in_the_site_itself(patches, jhpatch, new_env, packages, path):
    """It is no part of the package: Python would import or execute it."""
    env, options = new_env("env"), patches(dict(OWN, **{path: (None, b"x = 1\n")}))
    answer = jhpatch(env, "apply", *options, "extension/x")
    assert (answer.code, answer.error["found"]) == (5, "a new file in the site itself")
    assert jhpatch(None, "lint", *options).code == 3


def test_new_directories_of_its_own(patches, jhpatch, new_env):
    """They are created, and removed by the revert."""
    env = new_env("env")
    options = patches({"extension/new/deep/x.py": (None, b"x = 1\n")})
    before = tree(env.site)
    assert jhpatch(env, "apply", *options, "extension/x").code == 0
    assert jhpatch(env, "apply", *options, "extension/x").document["changed"] is False
    assert os.path.exists(os.path.join(env.site, "extension/new/deep/x.py"))
    assert jhpatch(env, "revert").code == 0 and tree(env.site) == before


def test_a_module_without_a_package(jhpatch, new_env, tmp_path):
    """Its file lies in the site itself, and is its own."""
    put_patch(tmp_path / "p", "single/x", {"single.py": (LONG, NEW)})
    env = new_env("env")
    assert jhpatch(env, "apply", "--patches", str(tmp_path / "p"), "single/x").code == 0


def test_without_a_record(patches, jhpatch, new_env):
    """What no RECORD lists is of nobody else (Debian's packages)."""
    env, options = new_env("env"), patches(OWN)
    shutil.rmtree(os.path.join(env.site, "extension-1.0.dist-info"))
    os.mkdir(os.path.join(env.site, "extension-1.0.egg-info"))
    write(env, "extension-1.0.egg-info/PKG-INFO", b"Name: extension\nVersion: 1.0\n")
    assert jhpatch(env, "apply", *options, "extension/x").code == 0
    assert jhpatch(env, "revert").code == 0


@pytest.mark.parametrize(
    "first, second",
    [
        ({"pure/a.py": (LONG, NEW)}, {"pure/a.py": (LONG, LONG + b"x = 1\n")}),
        ({"pure/new.py": (None, b"1\n")}, {"pure/new.py": (None, b"2\n")}),
        ({"pure/new.py": (None, b"1\n")}, {"pure/new.py": (None, b"1\n")}),
        ({"pure/a.py": (LONG, None)}, {"pure/a.py": (LONG, NEW)}),
    ],
    ids=["changed", "created", "created alike", "removed"],
)
def test_two_patches_of_one_file(jhpatch, new_env, tmp_path, first, second):
    """lint and apply refuse the second with both names; beside the first, status names it."""
    env, options = new_env("env"), ("--patches", str(tmp_path / "p"))
    put_patch(tmp_path / "p", "pure/first", first)
    put_patch(tmp_path / "p", "pure/second", second)
    (path,) = first
    messages = [row["message"] for row in jhpatch(None, "lint", *options).document["findings"]]
    assert "pure/first and pure/second change the same file" in messages
    answer = jhpatch(env, "apply", *options, "pure/first", "pure/second")
    assert answer.code == 5
    assert "pure/first" in answer.error["message"] and "pure/second" in answer.error["message"]
    assert jhpatch(env, "apply", *options, "pure/first").code == 0
    answer = jhpatch(env, "status", *options, "pure/first", "pure/second")
    assert answer.code == 3
    assert answer.states == {"pure/first": "applied", "pure/second": "unsupported"}
    expected = "%s belongs to pure/first, which is applied" % path
    assert answer.reasons["pure/second"] == expected
    answer = jhpatch(env, "apply", *options, "pure/second")
    assert (answer.code, answer.error["found"]) == (5, expected)
    assert (
        "two patches change the same file: pure/first and pure/second" in (answer.error["message"])
    )
    revert, _, other = answer.next.partition(" && ")
    assert revert.endswith("jhpatch revert pure/first")
    assert "jhpatch apply pure/second; or combine both patches in one: " in other
    assert "jhpatch create" not in other  # no directory is known that it could write to
    assert jhpatch(env, "revert", *options, "pure/first").code == 0
    assert jhpatch(env, "apply", *options, "pure/second").code == 0


def test_a_file_that_our_own_patch_has(jhpatch, make_site, tmp_path):
    """A patch on jupyterhub/auth.py beside ours: it belongs to ours, and is no other build."""
    env = make_site(tmp_path, [("jupyterhub", "6.1.1")], slim=True)
    with open(os.path.join(env.site, "jupyterhub/auth.py"), "rb") as file:
        before = file.read()
    put_patch(
        tmp_path / "p", "jupyterhub/lower", {"jupyterhub/auth.py": (before, before + b"#\n")}
    )
    path = str(tmp_path / "p/jupyterhub/1.0-lower.patch")
    with open(path) as file:
        text = file.read().replace("==1.0", "==6.1.1")
    with open(str(tmp_path / "p/jupyterhub/6.1.1-lower.patch"), "w") as file:
        file.write(text)
    os.unlink(path)
    options = ("--patches", str(tmp_path / "p"))
    assert jhpatch(env, "apply", *options, "jupyterhub/lower").code == 0
    answer = jhpatch(env, "status", *options)
    assert answer.reasons["jupyterhub/kerberos-login"] == (
        "jupyterhub/auth.py belongs to jupyterhub/lower, which is applied"
    )
