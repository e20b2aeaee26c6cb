"""Other users than the one who runs the tests: who they are, and what they can reach."""

import os

import pytest

NOBODY = 65534
"""The uid of nobody."""
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to act as another user")


def make_reachable(directory: str) -> None:
    """Let other users reach a directory of pytest's, whose own are 0700."""
    while directory != "/":
        found = os.stat(directory)
        if found.st_uid == os.geteuid() and not found.st_mode & 0o001:
            os.chmod(directory, 0o755)
        directory = os.path.dirname(directory)
