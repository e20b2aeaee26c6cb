"""What a patch's status says about itself."""

from jhpatch.installer.distribution import Distribution
from jhpatch.installer.patch_status import LAYOUT, UNRECORDED, PatchStatus, Reason
from jhpatch.installer.state import AppliedPatch, FileHashes
from jhpatch.report import states

STATUS = PatchStatus("App.One/hooks", states.APPLIED, None, None, None, None)


def test_the_release_and_the_name_of_a_distribution():
    """The name compares as PEP 503 says; there is no release without a distribution."""
    assert (STATUS.version, STATUS.distribution_name) == (None, "app_one")
    app = Distribution("app_one", "1.0", "app_one-1.0.dist-info", None, "pip")
    assert STATUS._replace(distribution=app).version == "1.0"


def test_what_a_patch_has_added():
    """The files that did not exist before, by the record of the site."""
    files = (FileHashes("app/a.py", "0" * 64, "1" * 64), FileHashes("app/new.py", None, "1" * 64))
    applied = AppliedPatch("app_one/hooks", "1.0-hooks", "1" * 64, "now", files)
    assert STATUS.added == frozenset()
    assert STATUS._replace(applied=applied).added == {"app/new.py"}


def test_the_kind_of_a_reason():
    """A status without a reason has none."""
    assert not STATUS.is_because(LAYOUT)
    status = STATUS._replace(reason=Reason("unrecorded", UNRECORDED))
    assert status.is_because(UNRECORDED) and not status.is_because(LAYOUT)
