"""The table of releases and the editions say the same."""

import pytest

from integration.releases.table import KNOWN_BYTES, OUTSIDE, PATCHES, RELEASES
from jhpatch.patchset import catalog

EDITIONS = [one for one in catalog.editions([catalog.own_patch_dir()]) if one.changes]
EACH = pytest.mark.parametrize("name", sorted(RELEASES))


def test_patches():
    """The patches that the table asks for are all that there are."""
    assert sorted({one.patch for one in EDITIONS}) == sorted(
        patch for patches in PATCHES.values() for patch in patches
    )


@EACH
def test_each_release_has_one_edition_of_each_patch(name):
    """No release of the table is left out by a patch, and none is named twice."""
    for version in RELEASES[name]:
        fitting = [one.patch for one in EDITIONS if one.distribution == name and one.fits(version)]
        assert fitting == PATCHES[name], version


@pytest.mark.parametrize("edition", EDITIONS, ids=lambda one: one.package + "-" + one.name)
def test_each_edition_has_releases(edition):
    """An edition's ranges begin and end at releases of the table, in order, and it is named
    after the first: so each edition is tried with a real release at least.
    """
    known = RELEASES[edition.distribution]
    for one in edition.ranges:
        assert known.index(one.low) <= known.index(one.high)
    assert edition.name.partition("-")[0] == edition.ranges[0].low


@EACH
def test_outside(name):
    """What the table calls outside is outside."""
    assert [v for v in OUTSIDE[name] if v in RELEASES[name]] == []
    for version in OUTSIDE[name]:
        assert [
            one.name for one in EDITIONS if one.distribution == name and one.fits(version)
        ] == []
    assert {version for other, version in KNOWN_BYTES if other == name} <= set(OUTSIDE[name])
