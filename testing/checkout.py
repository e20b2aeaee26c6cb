"""A copy of the checkout, for whoever builds it."""

import os
import shutil

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_NOT_OURS = (".git", ".tox", ".venv", "venv", ".*_cache", "__pycache__")
_BUILT = ("build", "dist", "*.egg-info", "jhpatch-*")


def copy(folder: str) -> str:
    """Into a folder that is not there yet, which is given back.

    setuptools writes into the tree that it builds, as tox may do to the checkout right now.
    """
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*_NOT_OURS + _BUILT))
    return folder
