"""Which releases no patch names, by their versions and by their bytes."""

import pytest

from jhpatch.errors import Failed, Usage
from jhpatch.maintenance import survey
from testing.index import made_wheel
from testing.patch_files import PATH, UPSTREAM, patch_text, put

OTHER = UPSTREAM + b"# changed\n"


@pytest.fixture
def patches(tmp_path):
    """A patch for ``app`` 1.0 to 1.2."""
    put(str(tmp_path / "patches"), patch_text())
    return str(tmp_path / "patches")


@pytest.fixture
def surveyed(patches, tmp_path, monkeypatch):
    """``surveyed({version: bytes})``: each release's coverage, by version, the newest first."""

    def call(releases, yanked=()):
        for version, data in releases.items():
            made_wheel(
                str(tmp_path / "wheels"), "app", version, {} if data is None else {PATH: data}
            )
        listed = [version for version in releases if version not in yanked]
        monkeypatch.setattr(survey.wheels, "released_versions", lambda name: listed)
        monkeypatch.setattr(survey.wheels, "yanked_versions", lambda name: list(yanked))
        by_name = survey.editions_of([], [patches])
        steps = []
        rows = list(survey.survey(by_name, str(tmp_path / "wheels"), steps.append))
        assert steps == ["app " + version for version in releases]
        return {row.version: row for row in rows}

    return call


def test_the_states(surveyed):
    """Named, of known or unknown bytes, before all that is covered, a prerelease of a release."""
    rows = surveyed(
        {
            "2.0b1": UPSTREAM,
            "1.5": None,
            "1.4": OTHER,
            "1.4rc1": OTHER,
            "1.3": UPSTREAM,
            "1.2": UPSTREAM,
            "1.0rc1": OTHER,
            "0.9": OTHER,
        }
    )
    assert {version: row.state for version, row in rows.items()} == {
        "2.0b1": "identical",
        "1.5": "new",
        "1.4": "new",
        "1.4rc1": "passed",
        "1.3": "identical",
        "1.2": "covered",
        "0.9": "older",
        "1.0rc1": "older",
    }
    assert rows["1.2"].editions == rows["1.3"].editions == ("1.0-hooks",)
    assert (rows["1.2"].uncovered, rows["1.3"].uncovered) == ((), ("app/hooks",))
    assert rows["1.4"].reason == "no patch file of app/hooks fits the release"
    assert rows["1.5"].reason == "the release has no " + PATH
    assert rows["1.3"].reason is None


def test_a_release_needs_an_edition_of_each_patch(surveyed, patches):
    """Two patches, and one of them names the release: the other is uncovered."""
    text = patch_text(versions="==1.0").replace(PATH, "app/other.py")
    put(patches, text, "1.0-more.patch")
    row = surveyed({"1.1": UPSTREAM})["1.1"]
    assert (row.state, row.uncovered) == ("new", ("app/more",))


def test_a_version_that_is_invalid(surveyed):
    """What PEP 440 does not order is examined."""
    assert surveyed({"weird": OTHER})["weird"].state == "new"


def test_the_distributions(patches):
    """Those that are named, however they are spelled; all if none is."""
    assert list(survey.editions_of(["APP"], [patches])) == ["app"]
    assert list(survey.editions_of([], [patches])) == ["app"]
    with pytest.raises(Usage) as error:
        survey.editions_of(["nonsense"], [patches])
    assert (error.value.found, error.value.expected) == ("nonsense", "one of app")


def test_a_release_in_a_range_with_other_bytes(surveyed):
    """A backport to an old branch comes out late: it is new, whatever its number says."""
    rows = surveyed({"1.2": UPSTREAM, "1.1.9": OTHER, "1.1.1": None, "1.1": UPSTREAM})
    states = {version: row.state for version, row in rows.items()}
    assert states == {"1.2": "covered", "1.1.9": "new", "1.1.1": "new", "1.1": "covered"}
    row = rows["1.1.9"]
    assert (row.uncovered, row.editions) == (("app/hooks",), ())
    assert row.reason == "the release is in the range of 1.0-hooks, but has other bytes"


def test_a_release_in_a_range_that_cannot_be_read(surveyed, monkeypatch):
    """It has no wheel: nobody has seen its bytes."""

    def fetch(name, version, directory):
        raise Failed("pip brought no wheel of app 1.1")

    monkeypatch.setattr(survey.wheels, "fetch", fetch)
    row = surveyed({"1.2": UPSTREAM, "1.1": UPSTREAM})["1.1"]
    assert (row.state, row.uncovered) == ("new", ("app/hooks",))
    assert row.reason == "the release cannot be compared: pip brought no wheel of app 1.1"


def test_yanked_releases_are_listed(surveyed):
    """They can be installed, and are: each is in its place, and marked."""
    rows = surveyed({"1.3": OTHER, "1.2": UPSTREAM, "1.1": UPSTREAM}, yanked=["1.3", "1.1"])
    assert list(rows) == ["1.3", "1.2", "1.1"]
    assert [row.yanked for row in rows.values()] == [True, False, True]
    assert [row.state for row in rows.values()] == ["new", "covered", "covered"]
