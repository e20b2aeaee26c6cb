"""Porting a patch: a piece moves only where its anchor is, exactly once."""

import sys

import pytest

from jhpatch.errors import Refused
from jhpatch.maintenance import rebase
from jhpatch.patchset.edition import edition_of
from testing.patch_files import PATH, UPSTREAM, patch_text, patched, put

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 8), reason="rebase itself says that it needs Python 3.8"
)


def edition(folder, versions, name="1.0-hooks.patch"):
    """An edition of ``app/hooks``."""
    return edition_of(put(str(folder), patch_text(versions=versions), name))


def pieces():
    """What the patch of ``app`` inserts."""
    return rebase.pieces_of(UPSTREAM, patched(UPSTREAM), PATH)


def test_the_pieces_of_a_patch():
    """An import, a call and two decorators, each with the method that has it."""
    assert [(one.kind, one.text.strip(), one.owner) for one in pieces()] == [
        ("import", "from app._helper import on_open, on_save, on_start", ""),
        ("call", "on_start(self)", "ContentsHandler.__init__"),
        ("decorator", "@on_open", "ContentsHandler.get"),
        ("decorator", "@on_save", "ContentsHandler._save"),
    ]


def test_pieces_move_onto_their_own_file():
    """Onto the same file they give the same bytes."""
    assert rebase.moved(pieces(), UPSTREAM, PATH) == patched(UPSTREAM)


@pytest.mark.parametrize(
    "change",
    [
        {"text": "@on_open\n    x = 1"},
        {"text": "@on_open  # and more\n    @on_save"},
        {"text": "# nothing"},
    ],
)
def test_a_ported_patch_is_compared_with_the_old_one(change):
    """A ported patch with other pieces, or with one elsewhere, is refused."""
    import_, call, get, save = pieces()
    with pytest.raises(Refused):
        rebase.moved((import_, call, get._replace(**change), save), UPSTREAM, PATH)


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
def test_widened(tmp_path, versions, version, others, expected):
    """A range grows to the next release of its major version, over no other edition's."""
    rest = [edition(tmp_path / "o", text, "%d-hooks.patch" % at) for at, text in enumerate(others)]
    assert rebase.widened(edition(tmp_path / "e", versions), version, rest) == expected
