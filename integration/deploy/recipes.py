"""What the tests of the recipes share: programs that are run, and pip in an environment."""

import os
import shutil
import subprocess
import sys
from typing import Dict, Optional

import pytest

from testing import ROOT
from testing.sites import Environment

DEPLOY = os.path.join(ROOT, "deploy")


def ran(*words: str, code: int = 0, env: Optional[Dict[str, str]] = None) -> str:
    """What a command prints on both streams; it must end with ``code``."""
    done = subprocess.run(
        words,
        cwd="/",
        env=dict(os.environ, **(env or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    text = done.stdout.decode()
    assert done.returncode == code, (words, done.returncode, text)
    return text


def with_pip(env: Environment) -> Environment:
    """The same environment with a ``bin/pip`` that is its own, where pip is among its wheels."""
    script = os.path.join(env.prefix, "bin", "pip")
    with open(script, "w") as file:
        file.write('#!/bin/sh\nexec "%s" -m pip "$@"\n' % env.python)
    os.chmod(script, 0o755)
    return env


def beside(name: str) -> str:
    """A program that pip has installed for these tests; skips where it has not."""
    path = shutil.which(name, path=os.path.dirname(sys.executable))
    if path is None:
        pytest.skip("no %s beside this Python" % name)
    return path


def pip_upgrade(env: Environment, requirement: str, wheels: str) -> None:
    """``pip install`` into an environment, from a folder of wheels alone."""
    where = ["--no-index", "--find-links", wheels, "--no-deps", "--ignore-requires-python"]
    words = [sys.executable, "-m", "pip", "--python", env.python, "install", "--quiet", *where]
    ran(*words, requirement)
