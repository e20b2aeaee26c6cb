"""``jhpatch status``: the state of each patch; it only reads."""

import os

from testing.commands import typed
from testing.notebook_site import OPEN, PAGE


def test_files_have_what_was_expected_and_found(env, jhpatch):
    """Each file of a patch has its state and both hashes, as docs/json.md says."""
    (site,) = jhpatch(env, "status").document["sites"]
    patch = next(row for row in site["patches"] if row["patch"] == OPEN)
    file = patch["files"][0]
    assert file["path"] == PAGE and file["state"] == "before"
    assert file["expected"] == file["found"] and file["found"].startswith("sha256:")
    assert site["owner"] == "pip"


def test_the_next_command_is_about_the_named_patches(env):
    """Who asked about one gets a command that changes this one alone."""
    done = typed("status", OPEN, "--python", env.python)
    last = done.stdout.decode().splitlines()[-1]
    assert done.returncode == 3 and last.endswith(" apply --python %s %s" % (env.python, OPEN))
    assert typed(*last.split(" -m jhpatch ")[1].split()).returncode == 0
    states = [line.split() for line in typed("status", "--python", env.python).stdout.splitlines()]
    assert [row[2] for row in states if b"/" in row[0] and len(row) == 3].count(b"applied") == 1


def test_a_reason_comes_with_verbose_output(env):
    """A person gets a table, with -v the hash of each file, and the next command."""
    done = typed("status", "--python", env.python)
    assert done.returncode == 3 and b"sha256" not in done.stdout
    last = done.stdout.decode().splitlines()[-1]
    assert last.endswith(" -m jhpatch apply --python " + env.python)
    assert PAGE.encode() in typed("status", "-v", "--python", env.python).stdout


def test_what_an_interrupted_pip_has_left_is_named(tmp_path, make_site, jhpatch):
    """jupyterhub as ~upyterhub, beside a distribution that is whole: its row says so."""
    env = make_site(tmp_path, [("jupyter_server", "2.21.1")], slim=True)
    os.mkdir(os.path.join(env.site, "~upyterhub-6.1.1.dist-info"))
    answer = jhpatch(env, "status")
    rows = {row["patch"]: row for row in answer.document["sites"][0]["patches"]}
    row = rows["jupyterhub/kerberos-login"]
    assert row["state"] == "absent"
    assert row["reason"] == "an interrupted run of pip left ~upyterhub-6.1.1.dist-info"
    assert rows["notebook/kerberos-open"]["reason"] is None
