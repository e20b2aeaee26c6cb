"""Other people's tools, fetched once and kept in ``.tox/peers``, and environments with them."""

import os
import shutil
import subprocess
import sys
import tempfile
from typing import Callable, Iterable, List

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(ROOT, ".tox", "peers")
NEEDS = (("patch-ng", "1.19.1"), ("packaging", "26.4"))
"""What jhpatch needs."""


class Missing(Exception):
    """A tool that cannot be had or does not work on this machine; the text says why."""


def program(name: str) -> str:
    """The path of a program of this machine. Raises Missing."""
    found = shutil.which(name)
    if found is None:
        raise Missing("no %s on this machine" % name)
    return found


def first_line(argv: List[str]) -> str:
    """What a program says of its version."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return (done.stdout.decode("utf-8", "replace").strip() or "?").splitlines()[0]


def wheels(name: str, version: str) -> str:
    """The wheels of a release on PyPI and of what it needs, in a folder of its own."""

    def fetch(folder: str) -> None:
        _ran(_pip("wheel", "-w", folder, "%s==%s" % (name, version)))

    return _kept("%s-%s" % (name, version), fetch)


def package(name: str, version: str) -> str:
    """A release on npm, installed into a folder of its own; gives the package's folder."""

    def fetch(folder: str) -> None:
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        _ran([program("npm"), "install", *options, "--prefix", folder, name + "@" + version])

    folder = _kept("npm-%s-%s" % (name.replace("/", "-"), version), fetch)
    return os.path.join(folder, "node_modules", *name.split("/"))


def own_wheels(folder: str) -> str:
    """A folder with a wheel of this checkout, its patches in it, and those of what it needs."""
    os.makedirs(folder)
    for kept in (wheels(*pin) for pin in NEEDS):
        for name in os.listdir(kept):
            shutil.copy(os.path.join(kept, name), folder)
    # From a copy: setuptools leaves build/ and an egg-info in the folder that it builds in.
    with tempfile.TemporaryDirectory() as above:
        source = os.path.join(above, "source")
        shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "tests"))
        _ran(_pip("wheel", "--no-deps", "-w", folder, source))
    return folder


def environment(folder: str, *sources: str) -> str:
    """A virtual environment with all wheels of some folders, put there by pip; its Python."""
    _ran([sys.executable, "-m", "venv", "--without-pip", folder])
    python = os.path.join(folder, "bin", "python")
    paths = [os.path.join(source, name) for source in sources for name in os.listdir(source)]
    found = [path for path in paths if path.endswith(".whl")]
    if found:
        _ran(_pip("--python", python, "install", "--no-index", "--no-deps", "--compile", *found))
    return python


def site_of(python: str) -> str:
    """The site-packages of an environment made here."""
    above = os.path.dirname(os.path.dirname(python))
    return os.path.join(above, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")


def _pip(*words: str) -> List[str]:
    at = 2 if words[0] == "--python" else 0
    quiet = [words[at], "-q", "--disable-pip-version-check", "--no-input"]
    return [sys.executable, "-m", "pip", *words[:at], *quiet, *words[at + 1 :]]


def _kept(name: str, fetch: Callable[[str], None]) -> str:
    """A folder of the cache, filled once: one that was interrupted is no folder."""
    folder = os.path.join(CACHE, name)
    if not os.path.isdir(folder):
        new = "%s.%d" % (folder, os.getpid())
        os.makedirs(new)
        try:
            fetch(new)
            if not os.path.isdir(folder):
                os.rename(new, folder)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    return folder


def _ran(argv: Iterable[str]) -> None:
    words = list(argv)
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except OSError as error:
        raise Missing("%s: %s" % (words[0], error.strerror))
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace").strip().splitlines() or ["no word"]
        wrong = [line for line in said if "rror" in line] or said[-1:]
        raise Missing("%s: %s" % (os.path.basename(words[0]), wrong[0].strip()[:160]))
