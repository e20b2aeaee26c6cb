"""The rules for patch files that need no wheel, and the comparison with wheels."""

import pytest

from jhpatch.maintenance import lint
from testing.index import made_wheel
from testing.patch_files import PATH, UPSTREAM, patch_text, put


@pytest.fixture
def patches(tmp_path):
    """A patch directory without a patch."""
    (tmp_path / "patches").mkdir()
    return str(tmp_path / "patches")


def check(*directories, wheels=(), directory=None):
    """The report about patch directories."""
    return lint.check(list(directories), list(wheels), directory)


def messages(report):
    """What is wrong."""
    return [error.message for error in report.errors]


def test_what_was_checked(patches, tmp_path):
    """Editions with a sound header, and releases whose bytes were compared; each range's ends."""
    put(patches, patch_text())
    put(patches, patch_text(versions="==1.4"), "1.4-hooks.patch")
    put(patches, patch_text(Colour="blue"), "1.5-hooks.patch")
    assert check(patches)[:2] == (2, 0)
    wheel, _, _ = [
        made_wheel(str(tmp_path / "wheels"), "app", version, {PATH: UPSTREAM})
        for version in ("1.0", "1.2", "1.4")
    ]
    assert check(patches, wheels=[wheel])[:2] == (2, 1)
    report = check(patches, directory=str(tmp_path / "wheels"))
    assert report[:2] == (2, 3) and len(report.errors) == 1


def test_files_that_no_patch_names(patches):
    """A source is named by an Adds row; compiled files do not count."""
    put(patches, patch_text(Adds="app/x.py < app/x.py"))
    put(patches, "x = 1\n", "x.py")
    put(patches, "", "x.pyc", "app/__pycache__")
    assert check(patches).errors == []
    path = put(patches, "", "notes.txt")
    (error,) = check(patches).errors
    assert (error.message, error.path) == ("a file that no patch names", path)


def test_directories_are_checked_together(patches, tmp_path):
    """Two editions for a release, and two patches for a file, also of two directories."""
    other = str(tmp_path / "other")
    put(patches, patch_text())
    put(other, patch_text(versions="==1.2"), "1.2-hooks.patch")
    put(other, patch_text(versions="==1.0"), "1.0-more.patch")
    assert check(patches).errors == []
    found = messages(check(patches, other))
    assert "two editions of app/hooks fit the same release" in found
    assert "app/hooks and app/more change the same file" in found


def test_a_patch_that_is_not_needed(patches):
    """It has no diff; its versions may be open."""
    text = "Package: app\nVersions: 3.*\nDescription: d\nNot-Needed: it is built in\n---\n"
    put(patches, text, "3.0-hooks.patch")
    assert check(patches).errors == []
    put(patches, text + "--- a/x\n", "4.0-hooks.patch")
    assert "a patch that is not needed has a diff" in messages(check(patches))


@pytest.mark.parametrize(
    "files, message",
    [
        ({}, "Before is not what app 1.0 has as " + PATH),
        ({PATH: UPSTREAM + b"#\n"}, "Before is not what app 1.0 has as " + PATH),
        ({PATH: UPSTREAM}, None),
    ],
)
def test_a_release_is_compared(patches, tmp_path, files, message):
    """Byte for byte."""
    put(patches, patch_text())
    wheel = made_wheel(str(tmp_path), "app", "1.0", files)
    report = check(patches, wheels=[wheel])
    assert messages(report) == ([message] if message else []) and report.releases == 1


def test_a_wheel_of_another_release_is_not_compared(patches, tmp_path):
    """Neither another distribution's, nor one that no edition names."""
    put(patches, patch_text())
    for name, version in (("app", "1.3"), ("other", "1.0")):
        wheel = made_wheel(str(tmp_path), name, version, {PATH: b""})
        assert check(patches, wheels=[wheel]) == lint.Report(1, 0, [])
