"""Modules with a compiled copy, such as mypyc's, which Python imports in place of the source."""

import importlib.machinery
import os
import sys

import pytest

from jhpatch.installer.compiled_modules import compiled_copy
from jhpatch.system.rooted_files import RootDir
from testing.packages import LONG, edit, put_patch, write

VERSION = "%d.%d" % sys.version_info[:2]
SUFFIXES = importlib.machinery.EXTENSION_SUFFIXES


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_suffixes_of_this_python(tmp_path, suffix):
    """Each that its import system knows."""
    (tmp_path / "app").mkdir()
    for name in ("a.py", "a" + suffix, "ab" + suffix):
        (tmp_path / "app" / name).write_text("")
    with RootDir(str(tmp_path)) as root:
        for version in (VERSION, ""):
            assert compiled_copy(root, "app/a.py", version) == "app/a" + suffix
        assert compiled_copy(root, "app/b.py", VERSION) is None
        assert compiled_copy(root, "app/a.txt", VERSION) is None
        assert compiled_copy(root, "gone/a.py", VERSION) is None


def test_one_of_another_python(tmp_path):
    """It is not imported; for a site without its Python it counts."""
    (tmp_path / "a.cpython-399-x86_64-linux-gnu.so").write_text("")
    (tmp_path / "a.b.so").write_text("")
    with RootDir(str(tmp_path)) as root:
        assert compiled_copy(root, "a.py", VERSION) is None
        assert compiled_copy(root, "a.py", "") == "a.cpython-399-x86_64-linux-gnu.so"


@pytest.fixture
def env(new_env):
    """An environment whose ``pure/a.py`` has a compiled copy."""
    made = new_env("env")
    write(made, "pure/a" + SUFFIXES[0], b"\x7fELF\0")
    return made


def test_a_patch_of_it_is_refused(env, jhpatch, tmp_path):
    """status and apply name the compiled copy; an applied patch is still reverted."""
    put_patch(tmp_path / "p", "pure/x", {"pure/a.py": (LONG, LONG + b"A = 1\n")})
    words = ("--only-patches", "--patches", str(tmp_path / "p"))
    copy = "pure/a" + SUFFIXES[0]
    status = jhpatch(env, "status", *words)
    assert (status.code, status.states["pure/x"]) == (3, "unsupported")
    answer = jhpatch(env, "apply", *words)
    assert (answer.code, answer.error["found"]) == (5, copy)
    assert "would have no effect" in answer.error["message"]
    os.rename(os.path.join(env.site, copy), str(tmp_path / "copy"))
    assert jhpatch(env, "apply", *words).code == 0
    os.rename(str(tmp_path / "copy"), os.path.join(env.site, copy))
    assert jhpatch(env, "revert", *words).code == 0


def test_no_patch_is_created_of_it(env, jhpatch, packages, tmp_path):
    """create names it, and writes nothing."""
    edit(env, "pure/a.py", b"line_9 = 9\n", b"")
    words = ["--patches", str(tmp_path / "p"), "--wheel", packages.wheel("pure")]
    words += ["--file", "pure/a.py"]  # not the compiled copy, which RECORD does not list
    answer = jhpatch(env, "create", "pure/x", "--description", "d", *words)
    assert (answer.code, answer.error["path"]) == (5, env.site + "/pure/a.py"), answer
    assert not os.path.exists(str(tmp_path / "p"))
