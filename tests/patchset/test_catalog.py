"""catalog.py: headers are read strictly, and a release that nobody has seen is unknown."""

import os

import pytest

from jhpatch.errors import BadPatch
from jhpatch.patchset import catalog
from jhpatch.patchset.edition import Change, digest

ZERO, ONE = "0" * 64, "1" * 64
HEAD = """\
Package: app
Versions: >=1.0,<=1.4 | ==2.0rc1
Description: what
 it does
Before: app/a.py sha256:%s
After: app/a.py sha256:%s
---
""" % (ZERO, ONE)


def tree(tmp_path, name="1.0-slug.patch", text=HEAD, folder="app"):
    """A tree with one more patch file."""
    where = tmp_path / "tree" / folder
    where.mkdir(parents=True, exist_ok=True)
    (where / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return str(tmp_path / "tree")


def test_a_header_is_read(tmp_path):
    """Its fields become values; a folded description is one line."""
    (edition,) = catalog.editions([tree(tmp_path)])
    assert edition.patch == "app/slug"
    assert edition.description == "what it does"
    assert edition.changes == (Change("app/a.py", ZERO, ONE),)


@pytest.mark.parametrize(
    "version, fits",
    [
        ("1.0", True),
        ("1", True),
        ("1.0.0", True),
        ("1.2.7", True),
        ("1.4", True),
        ("1.4.0", True),
        ("1.4.1", False),
        ("0.9", False),
        ("1.10", False),
        ("2.0rc1", True),
        ("2.0.rc.1", True),
        ("2.0", False),
        ("1.2rc1", False),
        ("1.2.post1", False),
        ("1.2+local", False),
        ("1.2.dev3", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_which_releases_fit(tmp_path, version, fits):
    """Closed ranges of releases; prereleases and local versions only by name."""
    (edition,) = catalog.editions([tree(tmp_path)])
    assert edition.fits(version) is fits


@pytest.mark.parametrize(
    "version, fits", [("7.0.0", True), ("7.7.0a2", True), ("7", True), ("70.1", False)]
)
def test_not_needed_may_say_a_prefix(tmp_path, version, fits):
    """Only a header without a diff may speak of releases that are yet to come."""
    text = "Package: app\nVersions: 7.*\nDescription: d\nNot-Needed: because\n---\n"
    (edition,) = catalog.editions([tree(tmp_path, text=text)])
    assert edition.fits(version) is fits


@pytest.mark.parametrize(
    "old, new",
    [
        ("---\n", ""),
        ("Package: app\n", ""),
        ("Package: app", "Package: other"),
        ("Description: what\n it does\n", ""),
        ("Versions: >=1.0,<=1.4 | ==2.0rc1", "Versions: >=1.0"),
        ("Versions: >=1.0,<=1.4 | ==2.0rc1", "Versions: <=1.4"),
        ("Versions: >=1.0,<=1.4 | ==2.0rc1", "Versions: *"),
        ("Versions: >=1.0,<=1.4 | ==2.0rc1", "Versions: 1.*"),
        ("Versions: >=1.0,<=1.4 | ==2.0rc1", "Versions: >=2.0,<=1.0"),
        ("Versions: >=1.0,<=1.4 | ==2.0rc1", "Versions: >1.0,<2.0"),
        ("Versions: >=1.0,<=1.4 | ==2.0rc1", "Versions:"),
        ("Package: app\n", "Package: app\nPackage: app\n"),
        ("Package: app\n", "Package: app\nUnknown: x\n"),
        ("Package: app\n", "Package: app\nno field\n"),
        ("After: app/a.py", "After: app/b.py"),
        ("Before: app/a.py", "Before: ../a.py"),
        ("Before: app/a.py", "Before: /a.py"),
        ("Before: app/a.py", "Before: .jhpatch/state.json"),
        ("Before: app/a.py", "Before: app-1.dist-info/RECORD"),
        ("sha256:" + ZERO, "sha256:12"),
        ("sha256:" + ZERO, "md5:" + ZERO),
        ("---\n", "Not-Needed: both\n---\n"),
        ("---\n", "Adds: app/h.py\n---\n"),
        ("---\n", "Adds: app/h.py < ../../etc/passwd\n---\n"),
        ("---\n", "Adds: ../h.py < helper:kerberos\n---\n"),
        ("---\n", "Adds: app/h.py < helper:../x\n---\n"),
    ],
)
def test_bad_headers_are_refused(tmp_path, old, new):
    """Each with the file's name in the error."""
    assert old in HEAD
    with pytest.raises(BadPatch) as refused:
        catalog.editions([tree(tmp_path, text=HEAD.replace(old, new))])
    assert refused.value.path.endswith("1.0-slug.patch")


@pytest.mark.parametrize("text", [b"\xff\xfe", b"", b"\0" * 100, b"A" * (5 * 1024 * 1024)])
def test_what_is_no_header_is_refused(tmp_path, text):
    """Bytes that are no text, and files that are too large."""
    with pytest.raises(BadPatch):
        catalog.editions([tree(tmp_path, text=text)])


@pytest.mark.parametrize("name", ["slug.patch", "1.0.patch", "1.0-Slug!.patch", "-x.patch"])
def test_a_file_name_says_what_it_is(tmp_path, name):
    """``<first release>-<slug>.patch``."""
    with pytest.raises(BadPatch):
        catalog.editions([tree(tmp_path, name=name)])


@pytest.mark.parametrize("versions", ["==1.2", ">=1.4,<=3", ">=0.1,<=9", "==2.0rc1", "==1.4.0"])
def test_editions_that_overlap_are_refused(tmp_path, versions):
    """Two editions of one patch for one release: which would it be?"""
    tree(tmp_path)
    second = HEAD.replace(">=1.0,<=1.4 | ==2.0rc1", versions)
    with pytest.raises(BadPatch) as refused:
        catalog.editions([tree(tmp_path, name="1.2-slug.patch", text=second)])
    assert "1.0-slug.patch" in (refused.value.expected + refused.value.path)


def test_a_patch_may_change_a_thousand_files(tmp_path):
    """Its header has two lines for each."""
    rows = [
        "%s: app/a_%d.py sha256:%s\n" % (word, number, digest)
        for word, digest in (("Before", ZERO), ("After", ONE))
        for number in range(1000)
    ]
    head = HEAD.partition("Before:")[0] + "".join(rows) + "---\n"
    (edition,) = catalog.editions([tree(tmp_path, text=head)])
    assert len(edition.changes) == 1000


def test_only_wanted_distributions_are_read(tmp_path):
    """A broken header of a distribution that is not installed costs and breaks nothing."""
    tree(tmp_path, text=b"broken", folder="other")
    found = catalog.editions([tree(tmp_path)], ["app"])
    assert [one.package for one in found] == ["app"]


def test_the_digest_covers_the_patch_and_what_it_adds(tmp_path):
    """A changed source is a changed patch."""
    text = HEAD.replace("---\n", "Adds: app/h.py < app/h.py\n---\n")
    digests = []
    for number, source in enumerate(("one", "two")):
        folder = tmp_path / str(number)
        path = tree(folder, text=text)
        with open(os.path.join(path, "app", "h.py"), "w") as file:
            file.write(source)
        (edition,) = catalog.editions([path])
        digests.append(digest(edition))
    assert digests[0] != digests[1]


def test_a_quick_look_finds_what_a_whole_one_does():
    """For each end of each range and what lies around it: the same edition, or all of them."""
    trees = (catalog.own_patch_dir(),)
    every = catalog.editions(list(trees))
    ends = {(e.distribution, end) for e in every for r in e.ranges for end in (r.low, r.high)}
    odd = {("notebook", "7.9"), ("notebook", "4.4.1"), ("jupyterhub", "6.0.0b3")}
    for name, version in sorted((ends | odd) - {("notebook", "")}):
        quick = catalog.Catalog(trees, whole=False).fitting({name: version})
        for patch in {one.patch for one in every if one.distribution == name}:
            found = [one for one in quick if one.patch == patch]
            ours = [one for one in every if one.patch == patch]
            assert found == ([one for one in ours if one.fits(version)] or ours), version


@pytest.mark.parametrize("whole", [True, False])
def test_two_editions_for_a_release_stop_a_change(tmp_path, whole):
    """What changes a site reads every edition; a quick look takes the one that comes last."""
    tree(tmp_path)
    second = HEAD.replace(">=1.0,<=1.4 | ==2.0rc1", "==1.2")
    path = tree(tmp_path, name="1.2-slug.patch", text=second)
    known = catalog.Catalog((path,), whole)
    if whole:
        with pytest.raises(BadPatch):
            known.fitting({"app": "1.2"})
    else:
        assert [one.name for one in known.fitting({"app": "1.2"})] == ["1.2-slug"]
        assert [one.name for one in known.fitting({"app": "1.3"})] == ["1.0-slug"]
        assert [one.name for one in known.fitting({"app": "3"})] == ["1.0-slug", "1.2-slug"]


def test_our_own_tree_is_sound():
    """Every header of ours reads, and each patch says when it may go."""
    for edition in catalog.editions([catalog.own_patch_dir()]):
        names = {name for name, _ in edition.fields}
        assert edition.not_needed or {"Origin", "Forwarded", "Remove-When"} <= names
        assert edition.name.startswith(edition.versions.strip(">=")[:3].rstrip(".*,<"))
