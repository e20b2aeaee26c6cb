"""What the recipes are tested with: wheels of jhpatch, and hosts that are folders."""

import os
import shutil
import subprocess
import sys
from typing import Callable, Dict, List, Optional

import pytest

from testing import ROOT, checkout
from testing.sites import Environment, _environment

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


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory) -> str:
    """A folder with the wheels of this checkout and of what it depends on."""
    folder = str(tmp_path_factory.mktemp("wheelhouse"))
    source, out = checkout.copy(os.path.join(folder, "source")), os.path.join(folder, "wheels")
    ran(sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", out, source)
    return out


@pytest.fixture
def install(wheelhouse) -> Callable[..., None]:
    """Installs jhpatch into an environment from the wheelhouse: ``install(env)``."""
    return lambda env: _install(env, wheelhouse)


def _install(env: Environment, wheelhouse: str) -> None:
    where = ["--no-index", "--find-links", wheelhouse]
    ran(sys.executable, "-m", "pip", "--python", env.python, "install", "-q", *where, "jhpatch")


@pytest.fixture(scope="session")
def runner(tmp_path_factory, wheelhouse) -> Environment:
    """An environment with jhpatch and nothing else, as an administrator's own."""
    prefix = str(tmp_path_factory.mktemp("runner"))
    env = _environment(prefix, [], False, False)
    _install(env, wheelhouse)
    return env


@pytest.fixture
def jhpatch_at(runner) -> Callable[..., str]:
    """Runs the installed jhpatch on an environment: ``jhpatch_at(env, "status", code=3)``."""

    def call(env: Environment, command: str, *arguments: str, code: int = 0) -> str:
        words: List[str] = [runner.python, "-I", "-m", "jhpatch", command, "--python", env.python]
        return ran(*words, *arguments, code=code)

    return call


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
