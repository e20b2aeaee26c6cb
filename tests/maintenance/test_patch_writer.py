"""Patch files as they are written: text, hashes, versions, and their place on the disk."""

import os
import stat

import pytest

from jhpatch.errors import BadPatch, Failed, Refused
from jhpatch.maintenance import patch_writer
from jhpatch.patchset import edition
from testing.patch_files import PATH, UPSTREAM, patch_text, put


@pytest.fixture
def path(tmp_path):
    """The path of a patch without hashes."""
    edition._read.cache_clear()
    return put(str(tmp_path), patch_text(Before=PATH, After=PATH + " sha256:?"))


def text_of(path):
    """The text of a file."""
    with open(path, newline="") as file:
        return file.read()


def test_a_text_is_read_back(tmp_path):
    """Fields in their order, folded values and the diff are those of the edition."""
    path = put(str(tmp_path), patch_text())
    made = edition.edition_of(path)
    assert patch_writer.text_of(made.fields, edition.diff_of(made).decode()) == patch_text()


def test_hashes_are_filled_in_and_nothing_else(path):
    """Before from the release, After from the diff; comments in the rows go."""
    made = patch_writer.unhashed(path)
    assert patch_writer.filled(made, {PATH: UPSTREAM}) == patch_text()


def test_a_release_without_the_file_cannot_be_filled_in(path):
    """A file that the release does not have is an error that names it."""
    with pytest.raises(BadPatch) as refused:
        patch_writer.filled(patch_writer.unhashed(path), {})
    assert refused.value.expected == PATH


def test_a_diff_that_does_not_fit_cannot_be_filled_in(path):
    """Another file than the one that the diff was made for is BadPatch."""
    with pytest.raises(BadPatch):
        patch_writer.filled(patch_writer.unhashed(path), {PATH: b"# above\n" + UPSTREAM})


def test_versions_are_replaced(path):
    """The field alone, whatever else the text has."""
    made = patch_writer.unhashed(path)
    expected = text_of(path).replace(">=1.0,<=1.2", ">=1.0,<=1.3")
    assert patch_writer.versioned(made, ">=1.0,<=1.3") == expected


@pytest.mark.parametrize("kind", ["missing", "no UTF-8"])
def test_a_file_that_cannot_be_read(tmp_path, kind):
    """A missing file, and one that is no text, are errors that name the file."""
    path = str(tmp_path / "1.0-hooks.patch")
    if kind == "no UTF-8":
        with open(path, "wb") as file:
            file.write(b"\xff")
    with pytest.raises(Failed) as failed:
        patch_writer.unhashed(path)
    assert failed.value.path == path


def test_a_file_is_written_whole(tmp_path):
    """The text as UTF-8, readable by all, and no other file."""
    path = str(tmp_path / "1.0-hooks.patch")
    patch_writer.write(path, "caf\u00e9\r\n")
    with open(path, "rb") as file:
        assert file.read() == b"caf\xc3\xa9\r\n"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
    assert os.listdir(str(tmp_path)) == ["1.0-hooks.patch"]


def test_a_new_file_replaces_none(path):
    """A patch file of that name is kept, and the next command says how to go on."""
    before = text_of(path)
    with pytest.raises(Refused) as refused:
        patch_writer.write(path, "new", is_new=True)
    assert text_of(path) == before and refused.value.path == path
    assert refused.value.next.parts[0].arguments == ("rm", path)
    with pytest.raises(Failed):
        patch_writer.write(path + "/below", "new")
