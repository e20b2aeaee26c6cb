"""What the recipes are tested with: wheels of jhpatch, and hosts that are folders."""

import os
import sys
from typing import Callable, List

import pytest

from integration.deploy.recipes import ran
from testing import checkout
from testing.sites import Environment, make_environment


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
    env = make_environment(prefix)
    _install(env, wheelhouse)
    return env


@pytest.fixture
def jhpatch_at(runner) -> Callable[..., str]:
    """Runs the installed jhpatch on an environment: ``jhpatch_at(env, "status", code=3)``."""

    def call(env: Environment, command: str, *arguments: str, code: int = 0) -> str:
        words: List[str] = [runner.python, "-I", "-m", "jhpatch", command, "--python", env.python]
        return ran(*words, *arguments, code=code)

    return call
