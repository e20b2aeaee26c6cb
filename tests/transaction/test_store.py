"""The files in .jhpatch: trusted only where nobody else can have written them."""

import hashlib
import os

import pytest

from jhpatch.errors import Untrusted
from jhpatch.system.rooted_files import RootDir
from jhpatch.transaction import store
from jhpatch.transaction.transaction import locked
from testing.users import ROOT_ONLY
from tests.transaction.small_site import KEEP, apply, contents, interrupt


def digest(data):
    """The SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def root(site):
    """The site, opened, with a .jhpatch in it."""
    (site / ".jhpatch").mkdir()
    with RootDir(str(site)) as opened:
        yield opened


def test_originals_are_saved_once_under_their_hash(root, site):
    """The hashes of those that were not there are given, and each proves its bytes."""
    data = [b"one", b"two", b"one"]
    assert list(store.save_originals(root, data, lambda label: None)) == [
        digest(b"one"),
        digest(b"two"),
    ]
    assert list(store.save_originals(root, [b"two"], lambda label: None)) == []
    assert store.original(root, digest(b"two")) == b"two"
    assert len(os.listdir(str(site / ".jhpatch/originals"))) == 2


@pytest.mark.parametrize("how", ["missing", "damaged", "a symlink"])
def test_an_original_is_proved_by_its_hash(root, site, how):
    """One that is missing, has other bytes or is a link is Untrusted, with its path."""
    (name,) = store.save_originals(root, [b"one"], lambda label: None)
    path = site / ".jhpatch/originals" / name
    path.unlink()
    if how == "damaged":
        path.write_bytes(b"evil")
    elif how == "a symlink":
        (site / "one").write_bytes(b"one")
        path.symlink_to(str(site / "one"))
    with pytest.raises(Untrusted) as refused:
        store.original(root, name)
    assert refused.value.path == str(path)


def test_a_damaged_original_is_not_restored(site):
    """Recovery proves each original by its hash before its first write."""
    interrupt(site)
    for name in os.listdir(str(site / ".jhpatch/originals")):
        (site / ".jhpatch/originals" / name).write_bytes(b"evil\n")
    before = contents(site)
    with pytest.raises(Untrusted), locked(str(site)):
        pass
    assert contents(site) == before


@ROOT_ONLY
def test_saved_files_of_another_user_are_refused(site):
    """A .jhpatch that others than the owner of the site can write is not trusted."""
    interrupt(site)
    os.chown(str(site / ".jhpatch/journal.json"), 1234, 1234)
    with pytest.raises(Untrusted), locked(str(site)):
        pass
    os.chown(str(site / ".jhpatch/journal.json"), 0, 0)
    os.chmod(str(site / ".jhpatch"), 0o777)
    with pytest.raises(Untrusted), locked(str(site)):
        pass


def test_a_site_without_jhpatch_has_no_saved_files(site):
    """Nothing is read, and there is nothing to clean up."""
    with RootDir(str(site)) as root:
        assert store.journal_of(root) is store.saved(root, "state.json") is None
        assert not store.needs_clean_up(root, set())


def test_a_directory_that_is_a_symlink_is_not_trusted(site, tmp_path):
    """A .jhpatch elsewhere is Untrusted."""
    (tmp_path / "elsewhere").mkdir()
    (site / ".jhpatch").symlink_to(str(tmp_path / "elsewhere"))
    with RootDir(str(site)) as root, pytest.raises(Untrusted):
        store.saved(root, "state.json")


def test_a_saved_file_is_replaced_at_once(root, site):
    """The new bytes wait under another name until the step before the rename."""
    store.write(root, ".jhpatch/state.json", b"old", lambda label: None)

    def step(label):
        assert label == "rename .jhpatch/state.json"
        assert (site / ".jhpatch/state.json").read_bytes() == b"old"

    store.write(root, ".jhpatch/state.json", b"new", step)
    assert store.saved(root, "state.json") == b"new"
    assert os.listdir(str(site / ".jhpatch")) == ["state.json"]


def test_pruning_keeps_what_is_named(root, site):
    """Other originals and half-written ones are removed; names that are not ours stay."""
    kept, pruned = store.save_originals(root, [b"one", b"two"], lambda label: None)
    (site / ".jhpatch/originals" / (pruned + ".new")).write_bytes(b"tw")
    (site / ".jhpatch/originals/notes.txt").write_bytes(b"")
    assert store.needs_clean_up(root, {kept})
    store.prune(root, {kept}, lambda label: None)
    assert set(os.listdir(str(site / ".jhpatch/originals"))) == {kept, "notes.txt"}


def test_cleaning_up_removes_what_a_kill_left(root, site):
    """A lock and originals without a state are removed with .jhpatch; foreign files stay."""
    list(store.save_originals(root, [b"one"], lambda label: None))
    (site / ".jhpatch/lock").touch()
    (site / ".jhpatch/journal.json.new").touch()
    (site / ".jhpatch/mine").touch()
    assert store.needs_clean_up(root, set())
    store.clean_up(root)
    assert sorted(os.listdir(str(site / ".jhpatch"))) == ["lock", "mine"]
    (site / ".jhpatch/mine").unlink()
    store.clean_up(root)
    assert not (site / ".jhpatch").exists()


def test_cleaning_up_keeps_what_a_state_needs(site):
    """The originals of an applied site stay."""
    apply(site)
    with RootDir(str(site)) as root:
        store.clean_up(root)
        assert not store.needs_clean_up(root, KEEP)
    assert sorted(os.listdir(str(site / ".jhpatch/originals"))) == sorted(KEEP)
