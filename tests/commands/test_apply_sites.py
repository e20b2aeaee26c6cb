"""``jhpatch apply`` and ``revert`` on several environments, and on sites of other users."""

import os
import subprocess
import sys

import pytest

from testing.trees import times, tree
from testing.users import NOBODY, ROOT_ONLY, make_reachable


def test_several_environments(tmp_path, make_site, jhpatch):
    """Each has its own report; one refusal, and no site is changed."""
    one = make_site(tmp_path, [("notebook", "5.7.9")], name="one", slim=True)
    two = make_site(tmp_path, [("jupyterhub", "0.9.6")], name="two", slim=True)
    both = ["--python", one.python, "--python", two.prefix]
    answer = jhpatch(None, "apply", *both)
    assert answer.code == 0
    assert [site["changed"] for site in answer.document["sites"]] == [True, True]
    assert jhpatch(None, "revert", *both).code == 0
    with open(os.path.join(two.site, "jupyterhub/auth.py"), "a") as file:
        file.write("#")
    before = times(one.site)
    assert jhpatch(None, "apply", *both).code == 5
    assert times(one.site) == before


def test_a_failure_in_the_second_site_leaves_the_first(tmp_path, make_site, jhpatch):
    """Earlier sites stay and are reported; the same command does the rest."""
    envs = [
        make_site(tmp_path, [("notebook", "5.7.9")], name=name, slim=True) for name in ("a", "b")
    ]
    envs.sort(key=lambda env: os.stat(env.site).st_ino)
    both = ["--python", envs[0].python, "--python", envs[1].python]
    directory = os.path.join(envs[1].site, "notebook/services/contents")
    if subprocess.run(["chattr", "+i", directory], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no immutable files on this file system")
    before = tree(envs[1].site)
    try:
        answer = jhpatch(None, "apply", *both)
    finally:
        subprocess.run(["chattr", "-i", directory], check=True)
    assert answer.code == 1
    assert [site["changed"] for site in answer.document["sites"]] == [True, False]
    assert tree(envs[1].site) == before
    assert jhpatch(None, "apply", *both).code == 0


def test_sites_outside_are_shown_and_not_changed(tmp_path, make_site, jhpatch):
    """The system site of a venv is changed only when it is named with --site."""
    base = make_site(tmp_path, [("notebook", "5.7.9")], name="base", slim=True)
    venv = make_site(tmp_path, name="venv")
    with open(os.path.join(venv.prefix, "pyvenv.cfg"), "a") as file:
        text = "home = %s/bin\ninclude-system-site-packages = true\n" % base.prefix
        file.seek(0)
        file.truncate()
        file.write(text + "version = %d.%d.0\n" % sys.version_info[:2])
    before = times(base.site)
    answer = jhpatch(venv, "status")
    assert answer.states["notebook/kerberos-open"] == "pristine"
    answer = jhpatch(venv, "apply")
    assert answer.code == 5 and "--site " + base.site in answer.error["next"]
    assert times(base.site) == before
    assert jhpatch(venv, "revert").code == 0  # nothing to do
    assert jhpatch(None, "apply", "--site", base.site).code == 0
    answer = jhpatch(venv, "revert")
    assert answer.code == 5 and "--site " + base.site in answer.error["next"]
    assert jhpatch(None, "revert", "--site", base.site).code == 0


@ROOT_ONLY
def test_root_becomes_the_owner_of_a_users_site(tmp_path, env, jhpatch):
    """What is written in a user's environment is written as that user."""
    make_reachable(os.path.dirname(env.prefix))
    subprocess.run(["chown", "-hR", "nobody:", env.prefix], check=True)
    before = tree(env.site)
    answer = jhpatch(None, "apply", "--site", env.site)
    assert answer.code == 0, answer
    owners = {row[2] for row in tree(env.site).values()}
    assert owners == {NOBODY}
    assert jhpatch(None, "status", "--site", env.site).code == 0
    assert jhpatch(None, "revert", "--site", env.site).code == 0
    assert tree(env.site) == before


@ROOT_ONLY
def test_a_site_of_root_below_the_directory_of_another_user(env, jhpatch):
    """That user cannot write it, and root becomes that user again after sudo: no such step."""
    above = os.path.dirname(env.prefix)
    make_reachable(above)
    os.chown(above, NOBODY, NOBODY)
    before = tree(env.site)
    answer = jhpatch(env, "apply")
    assert (answer.code, answer.error["path"]) == (1, os.path.join(env.site, ".jhpatch")), answer
    assert "sudo" not in answer.error["next"]
    assert "only root can write %s, or " % above in answer.error["next"]
    assert tree(env.site) == before
    os.chown(above, 0, 0)
    assert jhpatch(env, "apply").code == 0
    os.chown(above, NOBODY, NOBODY)
    subprocess.run(["chown", "-hR", "nobody:", env.prefix], check=True)
    assert jhpatch(None, "revert", "--site", env.site).code == 0
