"""The patch file that covers another release."""

import sys

import pytest

from jhpatch.errors import BadPatch, Failed, Refused, Usage
from jhpatch.maintenance import rebase
from jhpatch.maintenance.release_files import ReleaseFiles
from jhpatch.patchset.edition import read_edition
from jhpatch.report.next_command import Runner
from jhpatch.system.sha256 import sha256
from testing.index import made_wheel
from testing.patch_files import PATH, UPSTREAM, patch_text, put

needs_trees = pytest.mark.skipif(
    sys.version_info < (3, 8), reason="rebase itself requires Python 3.8"
)
NEWER = UPSTREAM.replace(b"import json\n", b"import json\nimport os\n")


def edition(directory, versions, name="1.0-hooks.patch"):
    """An edition of ``app/hooks``."""
    return read_edition(put(str(directory), patch_text(versions=versions), name))


@pytest.mark.parametrize(
    "versions, version, others, expected",
    [
        (">=1.0,<=1.2", "1.3", [], ">=1.0,<=1.3"),
        ("==1.2", "1.3", [], ">=1.2,<=1.3"),
        ("==1.4", "1.3", [], "==1.4 | ==1.3"),
        ("==1.2", "1.4", ["==1.3"], "==1.2 | ==1.4"),
        ("==1.2", "1.3", ["==1.4"], ">=1.2,<=1.3"),
        ("==1.2", "2.0", [], "==1.2 | ==2.0"),
        ("==1.2", "1.3rc1", [], "==1.2 | ==1.3rc1"),
        ("==1.0rc1", "1.0", [], "==1.0rc1 | ==1.0"),
        ("==1.0 | >=1.2,<=1.3", "1.4", [], "==1.0 | >=1.2,<=1.4"),
    ],
)
def test_extended_versions(tmp_path, released, versions, version, others, expected):
    """A range grows to the next release of its major version, over no other edition's."""
    released(version, "1.2", "1.0")
    rest = [edition(tmp_path / "o", text, "%d-hooks.patch" % at) for at, text in enumerate(others)]
    made = edition(tmp_path / "e", versions)
    assert rebase.extend_versions(made, version, rest, str(tmp_path)) == expected


@pytest.fixture
def released(monkeypatch, tmp_path):
    """``released("1.3", …, yanked=…)``: the releases on the index; None if there is no index."""

    def call(*versions, yanked=()):
        def listed(name):
            if versions == (None,):
                raise Failed("pip did not run")
            return list(versions)

        monkeypatch.setattr(rebase.wheels, "released_versions", listed)
        monkeypatch.setattr(rebase.wheels, "yanked_versions", lambda name: list(yanked))

    return call


@pytest.mark.parametrize(
    "versions, data, yanked, expected",
    [
        (["1.4", "1.3", "1.2"], UPSTREAM, [], ">=1.0,<=1.4"),
        (["1.4", "1.3", "1.2"], NEWER, [], ">=1.0,<=1.2 | ==1.4"),
        (["1.4", "1.2"], NEWER, ["1.3"], ">=1.0,<=1.2 | ==1.4"),
        (["1.4", "1.2"], UPSTREAM, ["1.3"], ">=1.0,<=1.4"),
        (["1.4", "1.3", "1.2"], None, [], ">=1.0,<=1.2 | ==1.4"),
        ([None], UPSTREAM, [], ">=1.0,<=1.2 | ==1.4"),
    ],
    ids=["same", "other", "yanked, other", "yanked, same", "no such file", "no index"],
)
def test_a_range_never_spans_an_unseen_release(
    tmp_path, released, versions, data, yanked, expected
):
    """A release in between has other bytes, or cannot be read: the new one is named alone."""
    released(*versions, yanked=yanked)
    made_wheel(str(tmp_path / "w"), "app", "1.3", {PATH: data} if data else {})
    made = edition(tmp_path, ">=1.0,<=1.2")
    assert rebase.extend_versions(made, "1.4", [], str(tmp_path / "w")) == expected


def test_the_editions_of_a_patch(tmp_path):
    """By distribution and slug, however the distribution is spelled; one must change a file."""
    directories = [str(tmp_path)]
    first, second = edition(tmp_path, "==1.0"), edition(tmp_path, "==1.1", "1.1-hooks.patch")
    edition(tmp_path, "==1.0", "1.0-other.patch")
    assert rebase.editions_of("App/hooks", directories) == [first, second]
    text = "Package: app\nVersions: 3.*\nDescription: d\nNot-Needed: it is built in\n---\n"
    put(str(tmp_path), text, "3.0-gone.patch")
    for name in ("app/nothing", "app/gone", "other/hooks"):
        with pytest.raises(Usage) as error:
            rebase.editions_of(name, directories)
        assert error.value.expected == "one of app/hooks, app/other"


@needs_trees
def test_which_edition_is_ported(tmp_path):
    """The last before the release, or the first of all."""
    for version, name in (("0.9", "1.0-hooks"), ("1.5", "1.0-hooks"), ("2.5", "2.0-hooks")):
        editions = [edition(tmp_path, "==1.0"), edition(tmp_path, "==2.0", "2.0-hooks.patch")]
        wheel = made_wheel(str(tmp_path / "wheels"), "app", "1.0", {PATH: UPSTREAM})
        target = ReleaseFiles(version, {PATH: NEWER})
        rebased = rebase.rebase(editions, target, wheel, str(tmp_path))
        assert (rebased.edition.name, rebased.port) == (name, version + "-hooks")
        assert rebased.note == "%s: ported from %s" % (version, name)
        assert rebased.text == patch_text(NEWER, versions="==" + version)


def test_a_release_that_is_covered(tmp_path):
    """There is nothing to write; other bytes than the edition's are refused."""
    editions = [edition(tmp_path, "==1.0")]
    target = ReleaseFiles("1.0", {PATH: UPSTREAM})
    assert rebase.rebase(editions, target, None, str(tmp_path)).text is None
    with pytest.raises(Refused) as refused:
        rebase.rebase(editions, target._replace(files={PATH: NEWER}), None, str(tmp_path))
    assert refused.value.found.startswith("sha256:")
    with pytest.raises(Refused) as refused:
        rebase.rebase(editions, target._replace(files={}), None, str(tmp_path))
    assert refused.value.found == "no such file"


def test_the_file_of_a_covered_release_that_differs(tmp_path):
    """It is named, although the files before it have the bytes of the edition."""
    made = edition(tmp_path, "==1.0")
    other = made.changes[0]._replace(path="app/z.py")
    made = made._replace(changes=(*made.changes, other))
    target = ReleaseFiles("1.0", {PATH: UPSTREAM, "app/z.py": NEWER})
    with pytest.raises(Refused) as refused:
        rebase.rebase([made], target, None, str(tmp_path))
    assert refused.value.expected == "app/z.py sha256:" + sha256(UPSTREAM)
    assert refused.value.found == "sha256:" + sha256(NEWER)


@needs_trees
def test_a_port_is_refused(tmp_path):
    """A file that is gone; an edition that does not fit the files that it is said to be for."""
    ours = edition(tmp_path, "==1.0")
    with pytest.raises(Refused) as refused:
        rebase.port(ours, {PATH: UPSTREAM}, {}, "1.3")
    assert refused.value.path == PATH
    with pytest.raises(BadPatch):
        rebase.port(ours, {PATH: UPSTREAM.replace(b"tornado", b"flask")}, {PATH: NEWER}, "1.3")


@pytest.mark.parametrize("row, verb", [("Before", "creates"), ("After", "removes")])
def test_a_patch_of_whole_files_is_refused(tmp_path, row, verb):
    """With the reason, and the command that makes it of the same diff in the other release."""
    text = patch_text()
    line = next(line for line in text.splitlines() if line.startswith(row + ":"))
    whole = read_edition(put(str(tmp_path), text.replace(line, "%s: %s none" % (row, PATH))))
    with pytest.raises(Refused, match="the patch %s a file" % verb) as refused:
        rebase.port(whole, {PATH: UPSTREAM}, {PATH: UPSTREAM}, "1.3")
    assert refused.value.path == PATH
    step = Runner("py").shown(refused.value.next)
    assert step.startswith("install app==1.3 into an environment")
    assert " py -m jhpatch create app/hooks --from %s --python PYTHON " % whole.file in step
