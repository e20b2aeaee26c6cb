"""Patch sets that were installed as wheels: found by their entry point, never imported."""

import os
import sys

from jhpatch.patchset import patch_sets

POINTS = "[console_scripts]\nx = y:z\n\n[jhpatch.patches]\n# ours\nours = our_patches\n"


def put(path, text=""):
    """Write a file."""
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    with open(str(path), "w") as file:
        file.write(text)


def test_an_installed_set(tmp_path):
    """The name of the entry point, and the directory of the package that it names."""
    put(tmp_path / "our_patches-1.0.dist-info/entry_points.txt", POINTS)
    put(tmp_path / "our_patches/__init__.py", "raise SystemExit('imported')\n")
    assert patch_sets.installed([str(tmp_path)]) == [("ours", str(tmp_path / "our_patches"))]
    assert "our_patches" not in sys.modules


def test_many_other_entry_points(tmp_path):
    """The group counts wherever it stands in the file."""
    others = "[console_scripts]\n" + "".join("x%d = y:z\n" % n for n in range(20000))
    put(tmp_path / "our_patches-1.0.dist-info/entry_points.txt", others + POINTS)
    put(tmp_path / "our_patches/__init__.py")
    assert patch_sets.installed([str(tmp_path)]) == [("ours", str(tmp_path / "our_patches"))]


def test_a_package_in_a_package(tmp_path):
    """A dotted name; its parents are not imported either."""
    put(tmp_path / "c-1.dist-info/entry_points.txt", POINTS.replace("our_patches", "c.patches"))
    put(tmp_path / "c/__init__.py", "raise SystemExit('imported')\n")
    put(tmp_path / "c/patches/__init__.py")
    assert patch_sets.installed([str(tmp_path)]) == [("ours", str(tmp_path / "c/patches"))]


def test_an_editable_set(tmp_path, monkeypatch):
    """The package lies elsewhere on the import path; it is found, and not imported."""
    put(tmp_path / "site/our_patches-1.0.dist-info/entry_points.txt", POINTS)
    put(tmp_path / "src/our_patches/__init__.py", "raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    found = patch_sets.installed([str(tmp_path / "site")])
    assert found == [("ours", str(tmp_path / "src/our_patches"))]
    assert "our_patches" not in sys.modules


def test_the_first_on_the_path_counts(tmp_path):
    """As Python imports the first of two packages of a name."""
    for top in ("one", "two"):
        put(tmp_path / top / "our_patches-1.0.dist-info/entry_points.txt", POINTS)
        put(tmp_path / top / "our_patches/x")
    found = patch_sets.installed([str(tmp_path / "one"), str(tmp_path / "two")])
    assert found == [("ours", str(tmp_path / "one/our_patches"))]


def test_two_sets_with_one_name(tmp_path):
    """Of two teams that chose the same entry point, neither is left out in silence."""
    for package in ("a_patches", "b_patches"):
        text = POINTS.replace("our_patches", package)
        put(tmp_path / ("%s-1.0.dist-info/entry_points.txt" % package), text)
        put(tmp_path / package / "x")
    assert patch_sets.installed([str(tmp_path)]) == [
        ("ours", str(tmp_path / "a_patches")),
        ("ours", str(tmp_path / "b_patches")),
    ]


def test_what_is_no_set(tmp_path):
    """Other groups, other files, a path that is none, and a value that is no package."""
    put(tmp_path / "a-1.dist-info/entry_points.txt", "[other]\njhpatch.patches = x\n")
    put(tmp_path / "b-1.dist-info/METADATA", "")
    put(tmp_path / "c-1.egg-info", "")
    put(tmp_path / "d.zip", "")
    paths = [str(tmp_path), str(tmp_path / "d.zip"), "/nowhere"]
    assert patch_sets.installed(paths) == []
    put(tmp_path / "e-1.dist-info/entry_points.txt", "[jhpatch.patches]\nx = ../../etc:y\n")
    ((name, path),) = patch_sets.installed(paths)
    assert name == "x" and not os.path.exists(path)
