"""The script for those who upgrade by hand: the real pip, real wheels."""

import os
import re

import pytest

from integration.deploy.recipes import DEPLOY, beside, ran
from testing.trees import tree
from testing.wheels import CACHE, fetched_wheel

UPGRADE = os.path.join(DEPLOY, "pip", "upgrade")


@pytest.fixture
def environ(runner):
    """pip looks into the cache alone; jhpatch is in an environment of its own."""
    for version in ("0.7.2", "6.1.0", "6.1.1"):
        fetched_wheel("jupyterhub", version)
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": CACHE,
        "PIP_NO_DEPS": "1",
        "JHPATCH_PYTHON": runner.python,
    }


@pytest.fixture
def hub(tmp_path, make_site, jhpatch_at):
    """JupyterHub 6.1.0 and pip, patched."""
    env = make_site(tmp_path, [("jupyterhub", "6.1.0"), ("pip", "24.0")], slim=True)
    jhpatch_at(env, "apply")
    return env


def test_an_upgrade_ends_with_the_new_release_patched(hub, environ, jhpatch_at):
    """From 6.1.0 to 6.1.1 in one command: applied, exit code 0."""
    said = ran(UPGRADE, hub.python, "jupyterhub", env=environ)
    assert "1 patch applied" in said and "NOT" not in said
    assert "6.1.1\tapplied" in jhpatch_at(hub, "status")


def test_a_refusal_says_so_and_its_line_goes_back(hub, environ, jhpatch_at):
    """A release that no patch names: 5, not patched; the line that is printed undoes it all."""
    before = tree(hub.site + "/jupyterhub")
    said = ran(UPGRADE, hub.python, "jupyterhub==0.7.2", code=5, env=environ)
    assert "upgraded, but NOT patched (jhpatch exited with 5" in said
    assert "0.7.2" in jhpatch_at(hub, "status", code=3)
    (back,) = re.findall("^    (.+ -m pip install .+)$", said, re.MULTILINE)
    assert "jupyterhub==6.1.0" in back
    assert back.replace("jupyterhub==6.1.0", "…").startswith(
        "'%s' -m pip install … &&" % hub.python
    )
    ran("/bin/sh", "-c", back, env=environ)
    assert "6.1.0\tapplied" in jhpatch_at(hub, "status")
    assert tree(hub.site + "/jupyterhub").items() >= before.items()


def test_a_pip_that_fails_ends_it_and_the_patches_stay(hub, environ, jhpatch_at):
    """pip's own exit code, and not a byte of the hub is another."""
    before = tree(hub.site)
    said = ran(UPGRADE, hub.python, "jupyterhub==999", code=1, env=environ)
    assert "No matching distribution" in said
    assert tree(hub.site) == before
    jhpatch_at(hub, "status")


def test_without_a_package_it_says_how_it_is_used():
    """Exit code 2 and the usage."""
    assert "usage: " in ran(UPGRADE, "/usr/bin/python3", code=2)


def test_the_scripts_are_in_the_form_that_shellcheck_wants():
    """shellcheck has nothing to say of any script in ``deploy/``."""
    assert ran(beside("shellcheck"), UPGRADE, os.path.join(DEPLOY, "conda", "update")) == ""
