"""A patch file as a value: its header is read strictly, or refused with the file's name."""

import pytest

from jhpatch.errors import BadPatch
from jhpatch.patchset import edition
from jhpatch.patchset.edition import Change
from testing.patch_files import HEADER, ONE, ZERO, patch_text, put

VERSIONS = "Versions: >=1.0,<=1.4 | ==2.0rc1"


def read(tmp_path, text=HEADER, name="1.0-hooks.patch"):
    """The edition of a patch file with that text."""
    return edition.read_edition(put(str(tmp_path), text, name))


def test_a_header_is_read(tmp_path):
    """Its fields become values; a folded description is one line."""
    made = read(tmp_path)
    assert (made.patch, made.name, made.package) == ("app/hooks", "1.0-hooks", "app")
    assert (made.description, made.not_needed, made.adds) == ("what it does", None, ())
    assert made.changes == (Change("app/a.py", ZERO, ONE),)
    assert made.fields[2] == ("Description", "what\nit does")


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
    assert read(tmp_path).fits(version) is fits


@pytest.mark.parametrize(
    "version, fits", [("7.0.0", True), ("7.7.0a2", True), ("7", True), ("70.1", False)]
)
def test_not_needed_may_name_a_prefix(tmp_path, version, fits):
    """Only a header without a diff may name releases that are yet to come."""
    text = "Package: app\nVersions: 7.*\nDescription: d\nNot-Needed: because\n---\n"
    assert read(tmp_path, text).fits(version) is fits


@pytest.mark.parametrize(
    "old, new",
    [
        ("---\n", ""),
        ("Package: app\n", ""),
        ("Package: app", "Package: other"),
        ("Description: what\n it does\n", ""),
        (VERSIONS, "Versions: >=1.0"),
        (VERSIONS, "Versions: <=1.4"),
        (VERSIONS, "Versions: *"),
        (VERSIONS, "Versions: 1.*"),
        (VERSIONS, "Versions: >=2.0,<=1.0"),
        (VERSIONS, "Versions: >1.0,<2.0"),
        (VERSIONS, "Versions:"),
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
    ],
)
def test_bad_headers_are_refused(tmp_path, old, new):
    """Each rule of patches/README.md that is broken is an error with the file's path."""
    assert old in HEADER
    with pytest.raises(BadPatch) as refused:
        read(tmp_path, HEADER.replace(old, new))
    assert refused.value.path == str(tmp_path / "app/1.0-hooks.patch")


@pytest.mark.parametrize("text", [b"\xff\xfe", b"", b"\0" * 100, b"A" * (5 * 1024 * 1024)])
def test_a_file_without_a_header_is_refused(tmp_path, text):
    """Bytes that are no text, and files that are too large."""
    with pytest.raises(BadPatch):
        read(tmp_path, text)


@pytest.mark.parametrize("name", ["slug.patch", "1.0.patch", "1.0-Slug!.patch", "-x.patch"])
def test_the_name_of_a_patch_file(tmp_path, name):
    """A file that is not named ``<first release>-<name>.patch`` is refused."""
    with pytest.raises(BadPatch):
        read(tmp_path, name=name)


@pytest.mark.parametrize("path", ["../../../share/app/page.html", "/etc/app.conf", "app/../b.py"])
def test_a_file_outside_of_the_site_is_refused_with_the_reason(tmp_path, path):
    """The data files of a distribution lie there; jhpatch changes files of a site only."""
    with pytest.raises(BadPatch, match="a file outside of the site") as failed:
        read(tmp_path, HEADER.replace("app/a.py", path))
    assert failed.value.found == path


def test_a_patch_may_change_a_thousand_files(tmp_path):
    """A header of two thousand hashes is read."""
    rows = [
        "%s: app/a_%d.py sha256:%s\n" % (word, number, digest)
        for word, digest in (("Before", ZERO), ("After", ONE))
        for number in range(1000)
    ]
    head = HEADER.partition("Before:")[0] + "".join(rows) + "---\n"
    assert len(read(tmp_path, head).changes) == 1000


def test_the_digest_covers_the_patch_and_what_it_adds(tmp_path):
    """Another text, or another file that is added, is another digest."""
    text = HEADER.replace("---\n", "Adds: app/h.py < app/h.py\n---\n")
    digests = set()
    for number, (source, more) in enumerate([("one", ""), ("two", ""), ("one", "\n")]):
        tree = tmp_path / str(number)
        put(str(tree), source, "h.py")
        digests.add(edition.digest(read(tree, text + more)))
    assert len(digests) == 3


def test_the_diff_is_what_lies_below_the_header(tmp_path):
    """The diff is given as it stands; only the header is parsed for an edition."""
    text = patch_text()
    assert read(tmp_path, text).diff.decode() == text.partition("\n---\n")[2]
    assert read(tmp_path / "odd", HEADER + "no diff\n").diff == b"no diff\n"


@pytest.mark.parametrize(
    "name, expected", [("Jupyter-Server", "jupyter_server"), ("a.-_b", "a_b"), ("app", "app")]
)
def test_names_compare_as_pep_503(name, expected):
    """Case and runs of ``-``, ``_`` and ``.`` do not count."""
    assert edition.normalized(name) == expected


def test_two_editions_meet_where_a_release_fits_both(tmp_path):
    """By ranges, whichever of the two is asked."""
    first = read(tmp_path)
    second = read(tmp_path, HEADER.replace(VERSIONS, "Versions: ==1.4"), "1.4-hooks.patch")
    third = read(tmp_path, HEADER.replace(VERSIONS, "Versions: ==1.5"), "1.5-hooks.patch")
    assert first.meets(second) and second.meets(first) and not first.meets(third)
