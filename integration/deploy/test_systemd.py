"""The drop-in: its command lines, run as they stand, and the unit as systemd reads it."""

import os
import re
import shutil
import subprocess

import pytest

from integration.deploy.recipes import DEPLOY, pip_upgrade, ran
from testing.trees import times, tree
from testing.wheels import CACHE, fetched_wheel

FOLDER = os.path.join(DEPLOY, "systemd")
FILE = os.path.join(FOLDER, "jupyterhub.service.d", "jhpatch.conf")
GOES_ON, REFUSES = "goes on", "refuses"
"""The two variants: what the hub does where jhpatch refuses."""


def drop_in(env, variant=GOES_ON):
    """The file's text for an environment, with the line of a variant in force."""
    with open(FILE) as file:
        text = file.read().replace("/opt/jupyterhub", env.prefix)
    if variant == REFUSES:
        text = re.sub("^ExecStartPre=", "#was: ", text, flags=re.MULTILINE)
        text = text.replace("#ExecStartPre=", "ExecStartPre=")
    return text


def command(env, variant=GOES_ON):
    """The prefixes of the line in force (systemd.service(5)), and its words."""
    (line,) = re.findall("^ExecStartPre=([-+]*)(.*)$", drop_in(env, variant), re.MULTILINE)
    return line[0], line[1].split()


@pytest.fixture
def hub(tmp_path, make_site, install):
    """JupyterHub 6.1.0 in an environment that has jhpatch, patched."""
    env = make_site(tmp_path, [("jupyterhub", "6.1.0")], slim=True)
    install(env)
    for version in ("0.7.2", "6.1.1"):
        fetched_wheel("jupyterhub", version)
    assert "1 patch applied" in ran(*command(env)[1])
    return env


def test_a_start_after_an_upgrade_patches_the_new_release(hub):
    """pip upgrades to 6.1.1: superseded; the line of the file makes it applied."""
    pip_upgrade(hub, "jupyterhub==6.1.1", CACHE)
    status = [hub.python, "-I", "-m", "jhpatch", "status"]
    assert "overwritten by an upgrade" in ran(*status, code=3)
    assert "1 patch applied" in ran(*command(hub)[1])
    assert "applied" in ran(*status)


def test_a_start_with_nothing_to_do_changes_nothing(hub):
    """No byte and no time of the site."""
    before = times(hub.site)
    assert "nothing to do" in ran(*command(hub)[1])
    assert times(hub.site) == before


@pytest.mark.parametrize("variant, prefixes", [(GOES_ON, "-+"), (REFUSES, "+")])
def test_a_release_that_no_patch_names_is_refused_with_a_reason(hub, variant, prefixes):
    """Exit code 5 and nothing changed; ``-`` is what makes systemd go on (systemd.service(5))."""
    pip_upgrade(hub, "jupyterhub==0.7.2", CACHE)
    before = tree(hub.site)
    found, words = command(hub, variant)
    assert found == prefixes
    said = ran(*words, code=5)
    assert "jupyterhub" in said and "0.7.2" in said and "next" in said
    assert tree(hub.site) == before


@pytest.mark.parametrize("variant", [GOES_ON, REFUSES])
def test_systemd_finds_no_fault_with_it(tmp_path, make_site, variant):
    """``systemd-analyze verify`` of a hub's unit with the drop-in, in both variants."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze")
    env = make_site(tmp_path)
    unit = tmp_path / "units" / "jupyterhub.service"
    (tmp_path / "units" / "jupyterhub.service.d").mkdir(parents=True)
    unit.write_text("[Service]\nExecStart=%s -m jupyterhub\n" % env.python)
    target = tmp_path / "units" / "jupyterhub.service.d" / "jhpatch.conf"
    target.write_text(drop_in(env, variant))
    verify = [analyze, "verify", "--man=no", "--recursive-errors=no", str(unit)]
    assert ran(*verify) == ""
    # It does read the drop-in.
    target.write_text(drop_in(env, variant).replace("ExecStartPre=", "ExecStartPry="))
    done = subprocess.run(verify, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert b"ExecStartPry" in done.stdout
