"""A patch directory, the wheels of two releases, and ``rebase`` from one to the other."""

import sys

import pytest

from testing.index import made_wheel
from testing.patch_files import PATH, UPSTREAM, patch_text, put

needs_syntax_trees = pytest.mark.skipif(
    sys.version_info < (3, 8), reason="rebase itself says that it needs Python 3.8"
)


@pytest.fixture
def patches(tmp_path):
    """A patch directory with one edition of ``app/hooks``, for 1.0 to 1.2."""
    put(str(tmp_path / "patches"), patch_text())
    return str(tmp_path / "patches")


@pytest.fixture
def rebase(jhpatch, patches, tmp_path):
    """Runs ``rebase app/hooks`` in that directory, from the wheel of 1.0."""
    wheel = made_wheel(str(tmp_path / "wheels"), "app", "1.0", {PATH: UPSTREAM})

    def call(*arguments):
        options = ["--patches", patches, "--from", wheel]
        return jhpatch(None, "rebase", "app/hooks", *(list(arguments) + options))

    return call


@pytest.fixture
def newer(tmp_path):
    """A wheel of ``app`` with another file: ``newer("1.3", bytes)`` gives its path."""

    def make(version, data):
        return made_wheel(str(tmp_path / "wheels"), "app", version, {PATH: data})

    return make


def moved_on(data=UPSTREAM):
    """Upstream's next release: lines above, a new import, a new method."""
    data = data.replace(b"import json\n", b"import json\nimport os\n")
    return data.replace(b"    async def _save", b"    def more(self):\n        pass\n\n" + SAVE)


SAVE = b"    async def _save"
