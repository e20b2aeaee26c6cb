"""The recipe for conda, on conda's layout: files that are hard links into a package cache.

No conda: ``CONDA`` does to the files what ``conda list`` and ``conda update`` do. It unlinks
what the manifest in ``conda-meta`` lists, and links the next package's.
"""

import json
import os
import sys

import pytest

from integration.deploy.recipes import DEPLOY, ran
from testing import wheels
from testing.trees import tree

UPDATE = os.path.join(DEPLOY, "conda", "update")
CONDA = """#!%s
import glob, json, os, sys

command, prefix, packages = sys.argv[1], sys.argv[3], sys.argv[4:]
metas = glob.glob(prefix + "/conda-meta/*.json")
if command == "list":
    for path in metas:
        print(os.path.basename(path)[:-5].replace("-", "="))
    sys.exit()
for package in packages:
    for path in metas:
        with open(path) as file:
            for name in json.load(file):
                os.unlink(os.path.join(prefix, name))
        os.unlink(path)
    for above, _, _ in os.walk(prefix + "/lib", topdown=False):
        os.listdir(above) or os.rmdir(above)
    cached, names = os.path.join(%r, package.replace("=", "-")), []
    if not os.path.isdir(cached):
        sys.exit("PackagesNotFoundError: " + package)
    for above, _, found in os.walk(cached):
        for name in found:
            inside = os.path.relpath(os.path.join(above, name), cached)
            os.makedirs(os.path.dirname(os.path.join(prefix, inside)), exist_ok=True)
            os.link(os.path.join(above, name), os.path.join(prefix, inside))
            names.append(inside)
    with open("%%s/conda-meta/%%s.json" %% (prefix, package.replace("=", "-")), "w") as file:
        json.dump(names, file)
"""


class World:
    """A package cache and an environment that is linked from it."""

    def __init__(self, folder, env, runner):
        self.env, self.pkgs = env, os.path.join(folder, "pkgs")
        self.conda = os.path.join(folder, "conda")
        with open(self.conda, "w") as file:
            file.write(CONDA % (sys.executable, self.pkgs))
        os.chmod(self.conda, 0o755)
        os.makedirs(os.path.join(env.prefix, "conda-meta"))
        self.environ = {"CONDA_EXE": self.conda, "JHPATCH_PYTHON": runner.python}

    def package(self, name, version):
        """A release in the cache, as conda unpacks it."""
        ran(
            "cp",
            "-a",
            wheels.installed(name, version),
            "%s/%s-%s-py_0" % (self.pkgs, name, version),
        )


@pytest.fixture
def world(tmp_path, make_site, runner, jhpatch_at):
    """JupyterHub 6.1.0, linked and patched; 6.1.1 and 0.7.2 are in the cache."""
    env = make_site(tmp_path)
    world = World(str(tmp_path), env, runner)
    os.makedirs(world.pkgs)
    for version in ("0.7.2", "6.1.0", "6.1.1"):
        world.package("jupyterhub", version)
    ran(world.conda, "update", "--prefix", env.prefix, "jupyterhub=6.1.0=py_0")
    return world


def owner(world, jhpatch_at):
    """Whose files jhpatch takes them for."""
    return json.loads(jhpatch_at(world.env, "status", "--json", code=3))["sites"][0]["owner"]


def test_the_package_cache_keeps_its_bytes(world, jhpatch_at):
    """Apply, update, revert: not a byte, mode or time of the cache, which other links share."""
    before = tree(world.pkgs)
    stamps = {path: os.stat(os.path.join(world.pkgs, path)).st_mtime_ns for path in before}
    shared = os.path.join(world.pkgs, "jupyterhub-6.1.0-py_0", "lib")
    assert owner(world, jhpatch_at) == "conda"
    assert any(
        os.stat(os.path.join(above, name)).st_nlink == 2
        for above, _, names in os.walk(shared)
        for name in names
    )
    jhpatch_at(world.env, "apply")
    ran(UPDATE, world.env.prefix, "jupyterhub=6.1.1=py_0", env=world.environ)
    jhpatch_at(world.env, "revert")
    assert tree(world.pkgs) == before
    assert stamps == {path: os.stat(os.path.join(world.pkgs, path)).st_mtime_ns for path in before}


def test_an_update_ends_with_the_new_release_patched(world, jhpatch_at):
    """What conda leaves behind is taken up: applied, exit code 0."""
    jhpatch_at(world.env, "apply")
    said = ran(UPDATE, world.env.prefix, "jupyterhub=6.1.1=py_0", env=world.environ)
    assert "1 patch applied" in said
    assert "6.1.1\tapplied" in jhpatch_at(world.env, "status")


def test_a_refusal_says_so_and_names_the_build_to_go_back_to(world, jhpatch_at):
    """A release that no patch names: exit code 5, and ``conda install`` with what was there."""
    jhpatch_at(world.env, "apply")
    said = ran(UPDATE, world.env.prefix, "jupyterhub=0.7.2=py_0", code=5, env=world.environ)
    assert "updated, but NOT patched (jhpatch exited with 5" in said
    back = "'%s' install --prefix '%s' jupyterhub=6.1.0=py_0 && " % (world.conda, world.env.prefix)
    assert back in said


def test_a_conda_that_fails_ends_it(world):
    """conda's own exit code; jhpatch is not run."""
    said = ran(UPDATE, world.env.prefix, "jupyterhub=9=py_0", code=1, env=world.environ)
    assert "PackagesNotFoundError" in said and "patch" not in said
