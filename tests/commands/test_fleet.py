"""``deploy/patches``: a patch set is built as a wheel, installed, applied and taken away."""

import importlib.util
import json
import os
import shutil

import pytest

from testing import ROOT
from testing.commands import typed
from testing.packages import edit
from testing.trees import tree
from testing.wheels import run_pip


def can_build_wheels():
    """Whether setuptools is here, with wheel or of 70.1 and later (its import has effects)."""
    spec = importlib.util.find_spec("setuptools")
    own = spec and os.path.join(os.path.dirname(spec.origin), "command", "bdist_wheel.py")
    return bool(spec and (importlib.util.find_spec("wheel") or os.path.exists(own)))


@pytest.fixture
def patch_set(tmp_path, new_env, packages, jhpatch):
    """The recipe with a patch that ``create`` made, as a wheel; its import would be an error."""
    if not can_build_wheels():
        pytest.skip("no setuptools that builds wheels")
    source = str(tmp_path / "source")
    shutil.copytree(os.path.join(ROOT, "deploy", "patches"), source)
    env = new_env("edited")
    edit(env, "pure/a.py", b"line_9 = 9\n", b"line_9 = 99\n")
    words = ["--patches", source + "/ourcompany_patches", "--description", "d"]
    answer = jhpatch(env, "create", "pure/x", *words, "--wheel", packages.wheel("pure"))
    assert answer.code == 0, answer
    with open(source + "/ourcompany_patches/__init__.py", "a") as file:
        file.write("raise SystemExit('imported')\n")
    wheels = str(tmp_path / "wheels")
    run_pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", wheels, source)
    (wheel,) = os.listdir(wheels)
    return os.path.join(wheels, wheel)


def test_a_fleet(patch_set, new_env, tmp_path):
    """Installed, it needs no option; without it, status and revert know what was applied."""
    site = str(tmp_path / "site")
    run_pip("install", "--no-deps", "--no-index", "--target", site, patch_set)
    host = new_env("host")
    before = tree(host.site)

    def run(command, *arguments, where=site):
        environment = {"PYTHONPATH": ROOT + ":" + where}
        words = [command, *arguments, "--json", "--python", host.python]
        done = typed(*words, environment=environment.items())
        assert b"imported" not in done.stderr
        document = json.loads(done.stdout.decode())
        states = {
            row["patch"]: row["state"] for one in document["sites"] for row in one["patches"]
        }
        return done.returncode, states.get("pure/x")

    assert run("status", "pure/x") == (3, "pristine")
    assert run("apply", "--only-patches") == (0, "applied")
    assert run("status", "--only-patches") == (0, "applied")
    assert run("status", where="/nowhere") == (0, "applied")
    assert run("revert", where="/nowhere")[0] == 0
    assert tree(host.site) == before
