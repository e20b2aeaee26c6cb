"""The text of a new patch file, and what it may not be."""

import os

import pytest

from jhpatch.errors import Refused, Usage
from jhpatch.maintenance import create
from testing.patch_files import PATH, UPSTREAM, patch_text, patched, put

BEFORE, AFTER = {PATH: UPSTREAM}, {PATH: patched(UPSTREAM)}


def made(tree, before=None, after=None, patch="app/hooks", version="1.0", description="d"):
    """A new patch in a patch directory."""
    before, after = before or BEFORE, after or AFTER
    return create.new_patch(patch, ("App", version), description, before, after, str(tree))


def test_a_new_patch(tmp_path):
    """Its directory is the normalized name, or the one that is there, however it is spelled."""
    assert made(tmp_path, patch="APP/hooks").edition.file == str(tmp_path / "app/1.0-hooks.patch")
    (tmp_path / "App").mkdir()
    assert made(tmp_path).edition.file == str(tmp_path / "App/1.0-hooks.patch")


def test_the_names():
    """The distribution as PEP 503 compares it, and a slug."""
    assert create.name_of("A.p-p/fix-1") == ("a_p_p", "fix-1")
    for name in ("app", "app/", "/x", "app/X", "app/x/y", "app/-x"):
        with pytest.raises(Usage):
            create.name_of(name)


def test_the_old_header_stays(tmp_path):
    """Fields that only a person can write, and its Versions if they are still proved."""
    path = put(str(tmp_path), patch_text(Bug="https://example.org/1", Adds=""))
    new = made(tmp_path, after={PATH: UPSTREAM + b"# more\n"}, version="1.1", description=None)
    assert new.edition.file == path
    fields = dict(new.edition.fields)
    assert (fields["Bug"], fields["Versions"]) == ("https://example.org/1", ">=1.0,<=1.2")
    assert new.edition.description == "what it does and why"


def test_a_file_that_other_releases_may_not_have(tmp_path):
    """A patch file for several releases does not get another file."""
    put(str(tmp_path), patch_text(Adds=""))
    with pytest.raises(Refused) as error:
        made(tmp_path, dict(BEFORE, **{"app/b.py": b"1\n"}), dict(AFTER, **{"app/b.py": b"2\n"}))
    assert error.value.found == ">=1.0,<=1.2"


def test_a_patch_file_of_the_same_name_for_another_release(tmp_path):
    """It stays: the next step neither removes it nor names an option that create lacks."""
    path = put(str(tmp_path), patch_text(Versions="==1.1", Adds=""), "1.0-hooks.patch")
    with pytest.raises(Refused) as error:
        made(tmp_path)
    assert error.value.path == path
    assert error.value.next.parts[0].startswith("rename that file")


def test_a_patch_that_no_command_would_read(tmp_path):
    """It is refused before it is written."""
    large = {PATH: UPSTREAM + b"# more and more\n" * 100000}
    with pytest.raises(Refused, match="too large"):
        made(tmp_path, after=large)


def test_a_description_is_needed(tmp_path):
    """A new patch says what it does."""
    with pytest.raises(Usage, match="description"):
        made(tmp_path, description=None)


def test_conflicts_are_refused(tmp_path):
    """Two patches for one file of a release, with both names."""
    put(str(tmp_path), patch_text(Adds=""))
    new = made(tmp_path, patch="app/other", version="1.2")
    with pytest.raises(Refused, match="app/hooks and app/other change the same file") as error:
        create.refuse_faulty(new.edition, [str(tmp_path)])
    assert error.value.path is None or os.path.exists(error.value.path)  # not the new patch file
    assert "--file PATH" in error.value.next.parts[0]
    create.refuse_faulty(made(tmp_path, patch="app/other", version="2.0").edition, [str(tmp_path)])
