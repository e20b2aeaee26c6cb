"""The text of patch files, and how they are written."""

import os

import pytest

from jhpatch.errors import BadPatch, Failed, Refused
from jhpatch.maintenance import patch_writer
from jhpatch.patchset.edition import read_edition
from testing.index import made_wheel
from testing.patch_files import PATH, UPSTREAM, patch_text, put


def test_the_text_has_what_was_read():
    """A value of several lines is folded, and unfolded again."""
    assert patch_writer.text_of([("A", "1"), ("B", "one\ntwo")], "diff") == (
        "A: 1\nB: one\n two\n---\ndiff"
    )


def test_only_the_versions_change(tmp_path):
    """Every other byte stays."""
    edition = read_edition(put(str(tmp_path), patch_text(versions="==1.0")))
    text = patch_writer.with_versions(edition, "==1.0 | ==1.3")
    assert text == patch_text(versions="==1.0 | ==1.3")


def test_an_existing_file_is_kept(tmp_path):
    """Where a new one is to be written; else it is replaced whole."""
    path = str(tmp_path / "1.0-hooks.patch")
    patch_writer.write(path, "one", is_new=True)
    with pytest.raises(Refused):
        patch_writer.write(path, "two", is_new=True)
    patch_writer.write(path, "three")
    with open(path) as file:
        assert file.read() == "three"
    assert os.listdir(str(tmp_path)) == ["1.0-hooks.patch"]
    with pytest.raises(Failed):
        patch_writer.write(str(tmp_path / "nowhere" / "x.patch"), "x")


def test_hashes_are_filled_in(tmp_path):
    """In each patch for the release of a wheel, and in no other; nothing else changes."""
    patches = str(tmp_path / "patches")
    wheel = made_wheel(str(tmp_path), "App", "1.0", {PATH: UPSTREAM})
    path = put(patches, patch_text(Before=PATH, After=PATH + " sha256:?"))
    other = put(patches, patch_text(versions="==1.3", After=PATH), "1.3-hooks.patch")
    assert patch_writer.fill_hashes([patches], [wheel]) == [path]
    with open(path) as file:
        assert file.read() == patch_text()
    with open(other) as file:
        assert file.read() == patch_text(versions="==1.3", After=PATH)


def test_all_hashes_or_none(tmp_path):
    """One patch that does not fit: no file is written."""
    patches = str(tmp_path / "patches")
    wheel = made_wheel(str(tmp_path), "app", "1.0", {PATH: UPSTREAM})
    path = put(patches, patch_text(Before=PATH, After=PATH))
    put(patches, patch_text(before=b"# other\n" + UPSTREAM, versions="==1.0"), "1.0-more.patch")
    with pytest.raises(BadPatch):
        patch_writer.fill_hashes([patches], [wheel])
    with open(path) as file:
        assert file.read() == patch_text(Before=PATH, After=PATH)
    newer = made_wheel(str(tmp_path), "app", "2.0", {PATH: UPSTREAM})
    with pytest.raises(Refused):
        patch_writer.fill_hashes([patches], [newer])
