"""Patch directories: which patches there are, and which edition fits a release."""

import errno
import os
import shutil

import pytest

from jhpatch.errors import BadPatch
from jhpatch.patchset import catalog
from jhpatch.patchset.edition import digest
from jhpatch.report.next_command import Runner
from testing.patch_files import HEADER, put

VERSIONS = ">=1.0,<=1.4 | ==2.0rc1"
NOT_NEEDED = "Package: app\nVersions: 7.*\nDescription: d\nNot-Needed: because\n---\n"


@pytest.fixture
def tree(tmp_path):
    """A patch directory with ``app/hooks`` for 1.0 to 1.4 and 2.0rc1."""
    put(str(tmp_path), HEADER)
    return str(tmp_path)


@pytest.mark.parametrize("versions", ["==1.2", ">=1.4,<=3", ">=0.1,<=9", "==2.0rc1", "==1.4.0"])
def test_editions_that_overlap_are_refused(tree, versions):
    """Two editions of one patch for one release are an error that names both."""
    put(tree, HEADER.replace(VERSIONS, versions), "1.2-hooks.patch")
    with pytest.raises(BadPatch) as refused:
        catalog.editions([tree])
    assert "1.0-hooks.patch" in (refused.value.expected + refused.value.path)


def test_only_wanted_distributions_are_read(tree):
    """A broken header of a distribution that is not installed costs and breaks nothing."""
    put(tree, "broken", directory="other")
    assert [one.package for one in catalog.editions([tree], ["app"])] == ["app"]
    with pytest.raises(BadPatch):
        catalog.editions([tree])


def test_editions_come_in_the_order_of_their_releases(tree):
    """By patch, then by the number of the first release: 1.10 follows 1.9."""
    for version in ("1.10", "1.9"):
        put(tree, HEADER.replace(VERSIONS, "==" + version), version + "-hooks.patch")
    put(tree, HEADER, "1.0-another.patch")
    names = [one.name for one in catalog.editions([tree])]
    assert names == ["1.0-another", "1.0-hooks", "1.9-hooks", "1.10-hooks"]


def test_patches_are_known_by_the_names_of_their_files(tree):
    """Names need no header; directories of other tools are none of a distribution."""
    put(tree, "broken", "1.0-more.patch", "Other.Name")
    put(tree, "x", "1.0-x.patch", ".git")
    known = catalog.Catalog((tree,))
    assert known.distributions == ("app", "other_name")
    assert known.patches(known.distributions) == ("Other.Name/more", "app/hooks")
    assert known.patches(["app"]) == ("app/hooks",)


def test_a_catalog_can_be_loaded_ahead(tree):
    """A child that may not read the directory any more has the same patches."""
    known = catalog.Catalog((tree,))
    known.load()
    shutil.rmtree(tree)
    assert known.patches(known.distributions) == ("app/hooks",)
    (edition,) = known.fitting({"app": "1.0"})
    assert edition.patch == "app/hooks" and digest(edition)


def test_a_catalog_reads_each_file_once(tree):
    """What is written meanwhile counts for the next run."""
    known = catalog.Catalog((tree,))
    first = known.editions(["app"])
    for name in os.listdir(os.path.join(tree, "app")):
        if name.endswith(".patch"):
            put(tree, "broken\n", name)
    assert known.editions(["app"]) == first
    with pytest.raises(BadPatch):
        catalog.Catalog((tree,)).editions(["app"])


def test_the_newest_release_of_each_patch(tree):
    """The highest release that an edition names; a prefix names none."""
    put(tree, NOT_NEEDED, "7.0-hooks.patch")
    assert catalog.Catalog((tree,)).newest() == {"app/hooks": "2.0rc1"}


@pytest.mark.parametrize("kind", ["missing", "a file"])
def test_a_patch_directory_that_cannot_be_read(tmp_path, kind):
    """A directory that is missing or a file is BadPatch, not an empty one."""
    path = tmp_path / "patches"
    if kind == "a file":
        path.touch()
    with pytest.raises(BadPatch) as refused:
        catalog.distribution_dirs(str(path))
    assert refused.value.path == str(path)


def test_a_directory_of_a_distribution_that_cannot_be_read(tree, monkeypatch):
    """The directory and the expected layout are named, as for the patch directory itself."""
    real = os.listdir

    def listdir(path):
        if path == os.path.join(tree, "app"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    with pytest.raises(BadPatch) as refused:
        catalog.refuse_empty(tree)
    assert (refused.value.path, refused.value.expected) == (tree + "/app", catalog.LAYOUT)


def test_reading_few_headers_finds_what_reading_all_finds():
    """For the ends of each range and what lies around: the same edition, or all of them."""
    trees = (catalog.own_patch_dir(),)
    every = catalog.editions(list(trees))
    ends = {(e.distribution, end) for e in every for r in e.ranges for end in (r.low, r.high)}
    odd = {("notebook", "7.9"), ("notebook", "4.4.1"), ("jupyterhub", "6.0.0b3")}
    for name, version in sorted((ends | odd) - {("notebook", "")}):
        few = catalog.Catalog(trees, whole=False).fitting({name: version})
        for patch in {one.patch for one in every if one.distribution == name}:
            editions = [one for one in few if one.patch == patch]
            ours = [one for one in every if one.patch == patch]
            assert editions == ([one for one in ours if one.fits(version)] or ours), version


@pytest.mark.parametrize("whole", [True, False])
def test_two_editions_for_a_release_stop_a_change(tree, whole):
    """A change reads every edition; status takes the one whose first release is the nearest."""
    put(tree, HEADER.replace(VERSIONS, "==1.2"), "1.2-hooks.patch")
    known = catalog.Catalog((tree,), whole)
    if whole:
        with pytest.raises(BadPatch):
            known.fitting({"app": "1.2"})
    else:
        for version, names in (("1.2", ["1.2-hooks"]), ("1.3", ["1.0-hooks"])):
            assert [one.name for one in known.fitting({"app": version})] == names
        assert len(known.fitting({"app": "3"})) == 2


def test_a_jhpatch_without_its_patches(tmp_path, monkeypatch):
    """pip installs a version again only if it is forced to."""
    monkeypatch.setattr(catalog, "__file__", str(tmp_path / "jhpatch" / "patchset" / "x.py"))
    with pytest.raises(BadPatch) as error:
        catalog.own_patch_dir()
    assert "--force-reinstall" in Runner().shown(error.value.next)


def test_our_own_patches_have_sound_headers():
    """Each patch that comes with jhpatch has its fields, and says when it can be removed."""
    for edition in catalog.editions([catalog.own_patch_dir()]):
        names = {name for name, _ in edition.fields}
        assert edition.not_needed or {"Origin", "Forwarded", "Remove-When"} <= names
        assert edition.name.startswith(edition.versions.strip(">=")[:3].rstrip(".*,<"))
