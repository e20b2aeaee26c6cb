"""Environments with real distributions, as ``python -m venv`` and pip leave them."""

import os
import shutil
import subprocess
import sys
from typing import Iterable, NamedTuple, Tuple

from testing import wheels
from testing.wheels import PYTHON


class Environment(NamedTuple):
    """An environment as ``python -m venv`` and pip leave it. All paths are strings."""

    prefix: str
    """Its root: ``pyvenv.cfg``, ``bin``, ``lib``, ``share``."""
    site: str
    """Its site-packages, a site in jhpatch's sense."""
    python: str
    """Its interpreter, the one that runs the tests, with the environment's ``sys.prefix``."""


def make_environment(
    prefix: str,
    distributions: Iterable[Tuple[str, str]] = (),
    compiled: bool = False,
    slim: bool = False,
) -> Environment:
    """Make an environment in the directory ``prefix``; see ``fixtures.make_site``."""
    base = os.path.join(sys.base_prefix, "bin", PYTHON)
    site = os.path.join(prefix, "lib", PYTHON, "site-packages")
    os.makedirs(site)
    os.makedirs(os.path.join(prefix, "bin"))
    with open(os.path.join(prefix, "pyvenv.cfg"), "w") as config:
        config.write("home = %s\n" % os.path.dirname(base))
        config.write("include-system-site-packages = false\n")
        config.write("version = %d.%d.%d\n" % sys.version_info[:3])
    for python, target in ((PYTHON, base), ("python3", PYTHON), ("python", PYTHON)):
        os.symlink(target, os.path.join(prefix, "bin", python))
    for name, version in distributions:
        _copy(wheels.installed(name, version, compiled, slim), prefix)
    return Environment(prefix, site, os.path.join(prefix, "bin", "python"))


def _copy(tree: str, prefix: str) -> None:
    """Merge a cached tree into an environment. cp takes a third of shutil's time."""
    if "share" not in os.listdir(tree):
        _run("cp", "-a", tree + "/.", prefix, check=True)
        return
    for part in os.listdir(tree):
        source = os.path.join(tree, part)
        if part == "share" and not _run("cp", "-al", source, prefix):
            shutil.rmtree(os.path.join(prefix, part), ignore_errors=True)
            _run("cp", "-a", source, prefix, check=True)  # the cache is on another disk
        elif part != "share":
            _run("cp", "-a", source, prefix, check=True)


def _run(*command: str, check: bool = False) -> bool:
    quiet = None if check else subprocess.DEVNULL
    return subprocess.run(command, stderr=quiet, check=check).returncode == 0
