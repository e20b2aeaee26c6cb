"""README.md's command that sets up and does the main job."""

import os
import shutil
import subprocess
import sys

import pytest

from integration.deploy.recipes import ran
from testing import ROOT
from testing.pages import code

# /opt as it is, and what is written there in memory, for as long as the command runs.
_WORLD = """
mount -t tmpfs tmpfs "$0" && mkdir "$0/upper" "$0/work" || exit 99
mount -t overlay overlay -o "lowerdir=/opt,upperdir=$0/upper,workdir=$0/work" /opt || exit 99
rm -rf /opt/jupyterhub  # of who has run it for real
cd "$1" && eval "$2" && cd / || exit
/opt/jupyterhub/bin/python -m jhpatch status &&
/opt/jupyterhub/bin/python -I -m jhpatch apply &&
/opt/jupyterhub/bin/python -m jhpatch revert
"""


def _python():
    """The folder of a python3 that makes virtual environments: Debian's, where it does."""
    probe = ["/usr/bin/python3", "-c", "import ensurepip, venv"]
    debians = os.path.exists(probe[0]) and not subprocess.call(probe, stderr=subprocess.DEVNULL)
    return "/usr/bin" if debians else os.path.dirname(os.path.realpath(sys.executable))


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_the_main_job_is_done_by_the_readmes_own_words(tmp_path):
    """From nothing to patched servers; then there is nothing to do, and a way back.

    All but apt-get, which is asked for what it is asked for: the machine's packages stay.
    """
    (line,) = [line for line in code("README.md") if line.startswith("apt-get update")]
    checkout, programs = str(tmp_path / "checkout"), tmp_path / "bin"
    ignored = shutil.ignore_patterns(".git", ".tox", "__pycache__", "build", "*.egg-info")
    shutil.copytree(ROOT, checkout, ignore=ignored)
    programs.mkdir()
    (tmp_path / "memory").mkdir()
    asked, there = tmp_path / "asked", os.path.exists("/opt/jupyterhub")
    (programs / "apt-get").write_text('#!/bin/sh\necho "$@" >> %s\n' % asked)
    (programs / "apt-get").chmod(0o755)
    path = os.pathsep.join([str(programs), _python(), "/usr/sbin:/usr/bin:/sbin:/bin"])
    words = ("unshare", "--mount", "sh", "-c", _WORLD, str(tmp_path / "memory"), checkout, line)
    said = ran(*words, env={"PATH": path})
    assert asked.read_text() == "update\ninstall -y python3-venv krb5-user\n"
    for patch in ("jupyterhub/kerberos-login", "jupyter_server/kerberos-contents"):
        assert patch in said
    assert "nothing to do" in said and "reverted" in said
    assert os.path.exists("/opt/jupyterhub") == there
