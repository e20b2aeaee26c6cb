"""The rules for patch files that need no wheel, and the comparison with wheels."""

import pytest

from jhpatch.maintenance import lint
from testing.index import made_wheel
from testing.packages import put_patch
from testing.patch_files import PATH, UPSTREAM, patch_text, put


@pytest.fixture
def patches(tmp_path, monkeypatch):
    """A patch directory without a patch, and a pip without an index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tmp_path / "patches").mkdir()
    return str(tmp_path / "patches")


def check(*directories, wheels=(), directory=None):
    """The report about patch directories."""
    return lint.check(list(directories), list(wheels), directory)


def messages(report):
    """What is wrong."""
    return [error.message for error in report.errors]


def test_what_was_checked(patches, tmp_path):
    """Editions with a valid header, and releases whose bytes were compared; each range's ends."""
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
    assert (error.message, error.path) == ("no patch names this file", path)


def test_directories_are_checked_together(patches, tmp_path):
    """Two editions for a release, and two patches for a file, also of two directories."""
    other = str(tmp_path / "other")
    put(patches, patch_text())
    put(other, patch_text(versions="==1.2"), "1.2-hooks.patch")
    put(other, patch_text(versions="==1.0"), "1.0-more.patch")
    assert check(patches).errors == []
    found = messages(check(patches, other))
    assert "two patch files of app/hooks are for the same release" in found
    assert "app/hooks and app/more change the same file" in found


def test_two_patches_add_the_same_file(patches):
    """One source for a path, or the second patch could not be applied."""
    put(patches, "x = 1\n", "x.py")
    put(patches, "x = 1\n", "same.py")
    put(patches, "x = 2\n", "other.py")
    more = {"Before": "app/b.py sha256:" + "0" * 64, "After": "app/b.py sha256:" + "1" * 64}
    put(patches, patch_text(Adds="app/x.py < app/x.py"))
    for source, expected in (("same", False), ("other", True)):
        put(patches, patch_text(Adds="app/x.py < app/%s.py" % source, **more), "1.0-more.patch")
        message = "app/hooks and app/more add different versions of the same file"
        assert (message in messages(check(patches))) is expected


def test_a_source_that_does_not_compile(patches):
    """Whoever adds it: each patch is named."""
    put(patches, "x =\n", "x.py")
    put(patches, patch_text(Adds="app/x.py < app/x.py"))
    put(patches, patch_text(Adds="app/x.py < app/x.py", versions="==1.4"), "1.4-hooks.patch")
    found = [error for error in check(patches).errors if "does not compile" in error.message]
    assert len(found) == 2 and len({error.path for error in found}) == 2


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
        ({}, PATH + " of app 1.0 differs from its Before row"),
        ({PATH: UPSTREAM + b"#\n"}, PATH + " of app 1.0 differs from its Before row"),
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


def test_every_release_of_a_range_is_compared(patches, tmp_path, monkeypatch):
    """Also one in the middle, from the directory of wheels and from the index, yanked or not."""
    put(patches, patch_text())
    for version, data in (("1.0", UPSTREAM), ("1.1", b"other\n"), ("1.2", UPSTREAM)):
        made_wheel(str(tmp_path / "w"), "app", version, {PATH: data})
    report = check(patches, directory=str(tmp_path / "w"))
    assert (report.releases, messages(report)) == (
        3,
        [PATH + " of app 1.1 differs from its Before row"],
    )
    (note,) = report.notes
    assert note.startswith("app: compared only the wheels in the directory: pip index failed")
    wheels = lint.wheels
    monkeypatch.setattr(wheels, "released_versions", lambda name: ["1.3", "1.2", "1.0"])
    monkeypatch.setattr(wheels, "yanked_versions", lambda name: ["1.1.5"])
    made_wheel(str(tmp_path / "w"), "app", "1.1.5", {PATH: b"other\n"})
    report = check(patches, directory=str(tmp_path / "w"))
    assert (report.releases, len(report.errors), report.notes) == (4, 2, ())


def test_data_files_are_not_compiled(patches, tmp_path):
    """A template is no Python, and a module is."""
    before, after = b"<html>\n", b"<html> {{ x }}\n"
    path = "app/page.html"
    put_patch(patches, "app/page", {path: (before, after)})
    wheel = made_wheel(str(tmp_path), "app", "1.0", {path: before})
    assert messages(check(patches, wheels=[wheel])) == []
    put_patch(patches, "app/page", {"app/page.py": (before, after)})
    wheel = made_wheel(str(tmp_path), "app", "1.0", {"app/page.py": before})
    (message,) = messages(check(patches, wheels=[wheel]))
    assert "does not compile" in message


def test_patches_that_are_never_read(patches):
    """A patch beside the directories of the distributions, or in a hidden one."""
    put(patches, patch_text(Adds=""))
    put(patches, patch_text(), "1.0-more.patch", "_app")
    put(patches, patch_text(), "1.0-x.diff", "")
    found = [(error.message, error.path) for error in check(patches).errors]
    assert ("jhpatch never reads this patch", patches + "/1.0-x.diff") in found
    assert ("jhpatch never reads this patch", patches + "/_app/1.0-more.patch") in found
    assert len(found) == 2


def test_the_header_and_the_diff_agree_on_new_files(patches):
    """``none`` in the header is /dev/null in the diff."""
    path = put_patch(patches, "app/new", {"app/new.py": (None, b"x = 1\n")})
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(
            text.replace("Before: app/new.py none", "Before: app/new.py sha256:" + "0" * 64)
        )
    (message,) = messages(check(patches))
    assert "do not agree on whether app/new.py is created" in message


def test_hashes_that_were_copied_are_found_without_a_wheel(patches):
    """Two patch files with the same Before and After, and different diffs: one is wrong."""
    text = patch_text(versions="==1.0")
    put(patches, text)
    moved = patch_text(before=b"# a line\n" + UPSTREAM, versions="==1.3")
    rows = [row for row in text.split("\n") if row.startswith(("Before:", "After:"))]
    lines = moved.split("\n")
    for row in rows:
        (number,) = (n for n, line in enumerate(lines) if line.startswith(row[:6]))
        lines[number] = row
    put(patches, moved, "1.3-hooks.patch")
    assert check(patches).errors == []
    path = put(patches, "\n".join(lines), "1.3-hooks.patch")
    (error,) = check(patches).errors
    assert error.path == path and "1.0-hooks" in error.message
