"""``app`` 1.0 in a site, as values: a patch for it, its files, and what is recorded of it."""

import pytest

from jhpatch.errors import Untrusted
from jhpatch.installer.distribution import Distribution
from jhpatch.installer.patch_status import SiteSnapshot
from jhpatch.installer.state import AppliedPatch, DistributionState, FileHashes, State
from jhpatch.patchset import catalog
from jhpatch.patchset.edition import digest
from jhpatch.system.sha256 import sha256
from testing.patch_files import PATH, UPSTREAM, patch_text, patched, put

HELPER = "app/_helper.py"
INFO = "app-1.0.dist-info"
PATCHED = patched(UPSTREAM)


@pytest.fixture(scope="module")
def edition(tmp_path_factory):
    """``app/hooks`` for 1.0 to 1.2: a module that is changed and a helper that is added."""
    tree = str(tmp_path_factory.mktemp("patches"))
    put(tree, patch_text())
    (edition,) = catalog.editions([tree])
    return edition


@pytest.fixture(scope="module")
def helper(edition):
    """The bytes of the helper."""
    (addition,) = edition.adds
    return addition.data


def snapshot(files, version="1.0", state=None, layout=None, info=INFO):
    """A site with these files and one release of ``app``; ``version`` None: not installed."""
    found = [Distribution("app", version, info, layout, "pip")] if version else []

    def original(digest):
        raise Untrusted("not asked for here")

    return SiteSnapshot("/site", {"app": found}, state, None, files.get, original)


def recorded(edition, helper, version="1.0", **fields):
    """The state of a site in which the edition is applied, with other ``fields``."""
    files = (
        FileHashes(PATH, sha256(UPSTREAM), sha256(PATCHED)),
        FileHashes(HELPER, None, sha256(helper)),
    )
    applied = AppliedPatch("app/hooks", edition.name, digest(edition), "now", files)
    applied = applied._replace(**fields)
    return State("0.1.0", (DistributionState("app", version, None, (applied,)),))
