"""A copy of the checkout, to build from."""

import os
import shutil

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_NOT_OURS = (".git", ".tox", ".venv", "venv", ".*_cache", "__pycache__")
_BUILT = ("build", "dist", "*.egg-info", "jhpatch-*")


def copy(directory: str) -> str:
    """Copy the checkout into a new directory; return the directory.

    setuptools writes into the tree that it builds, which tox may build at the same time.
    """
    shutil.copytree(ROOT, directory, ignore=shutil.ignore_patterns(*_NOT_OURS + _BUILT))
    return directory
