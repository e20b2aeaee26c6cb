"""Wheels of real releases, and trees that pip installed from them, in one cache.

The cache is the directory that ``JHPATCH_WHEELS`` names, else ``.tox/wheels`` in the checkout.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
from typing import Set

from testing import ROOT

CACHE = os.path.abspath(os.environ.get("JHPATCH_WHEELS") or os.path.join(ROOT, ".tox", "wheels"))
PYTHON = "python%d.%d" % sys.version_info[:2]
_FRONT_ENDS = ("share", "static", "nbextensions", "labextension", "tests", "i18n")


def fetched_wheel(name: str, version: str) -> str:
    """Return the path of a release's wheel; pip downloads it the first time."""
    # PEP 427 writes a distribution's name with _ for each run of -_. and keeps its case; older
    # tools keep a dot.
    stem = re.sub(r"[-_.]+", "[-_.]", name)
    pattern = os.path.join(CACHE, "%s-%s-*.whl" % (stem, version))
    paths = glob.glob(pattern)
    if not paths:
        os.makedirs(CACHE, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=CACHE) as directory:
            run_pip(
                *"download --no-deps --only-binary :all: --ignore-requires-python".split(),
                *["--dest", directory, "%s==%s" % (name, version)],
            )
            for file_name in os.listdir(directory):
                # Two processes at once hold the same bytes: the last rename stays.
                os.replace(os.path.join(directory, file_name), os.path.join(CACHE, file_name))
        paths = glob.glob(pattern)
    return paths[0]


def installed(name: str, version: str, compiled: bool = False, slim: bool = False) -> str:
    """Return a prefix in the cache with one distribution, installed by pip.

    ``compiled``: pip compiles the modules. ``slim``: of the package only the
    files that a patch changes; RECORD lists all.
    """
    parts = ("installed", PYTHON + ("-compiled" if compiled else ""), "%s-%s" % (name, version))
    tree = os.path.join(CACHE, *parts)
    if not os.path.isdir(tree):
        _install(name, version, compiled, tree)
    return _slimmed(tree, name) if slim else tree


def _install(name: str, version: str, compiled: bool, tree: str) -> None:
    wheel = fetched_wheel(name, version)
    os.makedirs(os.path.dirname(tree), exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".install-", dir=os.path.dirname(tree)) as directory:
        made = os.path.join(directory, "tree")
        # By name and not by path: a path would leave a direct_url.json.
        run_pip(
            *"install --no-deps --no-index --ignore-requires-python --ignore-installed".split(),
            *["--no-warn-script-location", "--compile" if compiled else "--no-compile"],
            *["--find-links", os.path.dirname(wheel), "--prefix", made],
            "%s==%s" % (name, version),
        )
        _rename_first(made, tree)


def _slimmed(tree: str, name: str) -> str:
    slim = tree + "-patched-files"
    if not os.path.isdir(slim):
        with tempfile.TemporaryDirectory(prefix=".slim-", dir=os.path.dirname(tree)) as directory:
            made = os.path.join(directory, "tree")
            shutil.copytree(tree, made, symlinks=True, ignore=shutil.ignore_patterns(*_FRONT_ENDS))
            _remove_others(made, _patched(name))
            _rename_first(made, slim)
    return slim


def _patched(name: str) -> Set[str]:
    """The files of a distribution that a patch changes, as paths in a site."""
    from jhpatch.patchset import catalog
    from jhpatch.patchset.edition import normalized

    known = catalog.Catalog((catalog.own_patch_dir(),))
    editions = known.editions([normalized(name)])
    return {change.path for edition in editions for change in edition.changes}


def _remove_others(tree: str, patched: Set[str]) -> None:
    """Leave what is patched, the packages that it lies in, metadata and scripts.

    A distribution that no patch is for, such as pip, stays as it is.
    """
    (site,) = glob.glob(os.path.join(tree, "lib*", "python*", "site-packages"))
    packages = {os.path.dirname(path) + "/" for path in patched}
    for above, _, names in os.walk(site, topdown=False) if patched else ():
        where = os.path.relpath(above, site)
        for file_name in names:
            # A .pyc counts as its module (PEP 3147).
            package = os.path.dirname(where) if where.endswith("__pycache__") else where
            module = "%s/%s.py" % (package, file_name.partition(".")[0])
            is_package = file_name.startswith("__init__.") and any(
                directory.startswith(package + "/") for directory in packages
            )
            if not (module in patched or is_package or where.endswith(".dist-info")):
                os.unlink(os.path.join(above, file_name))
        if not os.listdir(above):
            os.rmdir(above)


def _rename_first(made: str, target: str) -> None:
    """Rename a directory, unless another process has already put the same one there."""
    try:
        os.rename(made, target)
    except OSError:
        if not os.path.isdir(target):
            raise


def run_pip(*arguments: str) -> None:
    """Run pip. Raises RuntimeError with its output."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    done = subprocess.run(
        command + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        raise RuntimeError(
            "pip %s\n%s" % (" ".join(arguments), done.stdout.decode(errors="replace"))
        )
