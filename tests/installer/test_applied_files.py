"""Whose a file is: a recorded patch's, or the installed release's."""

from jhpatch.installer.applied_files import listed_by_the_release, owner_of
from jhpatch.installer.state import AppliedPatch, DistributionState, FileHashes, State
from jhpatch.system.sha256 import sha256

ROW = b"app/a.py,,\n"
FILES = (FileHashes("app/a.py", "1", "2"), FileHashes("app/gone.py", "1", None))
PATCH = AppliedPatch("app/one", "1.0-one", "d", "now", FILES)
RECORD = FileHashes("app-1.0.dist-info/RECORD", "0", sha256(ROW))
STATE = State("0.1.0", (DistributionState("app", "1.0", RECORD, (PATCH,)),))


def test_a_file_in_use_by_another_patch():
    """Its bytes are those of the other patch; a removed file counts while it is missing."""
    found = {"app/a.py": "2"}
    assert owner_of(STATE, "app/two", {"app/a.py"}, found.get) == ("app/a.py", "app/one")
    assert owner_of(STATE, "app/two", {"app/gone.py"}, found.get) == ("app/gone.py", "app/one")
    assert owner_of(STATE, "app/one", {"app/a.py"}, found.get) is None
    assert owner_of(STATE, "app/two", {"app/b.py"}, found.get) is None
    assert owner_of(STATE, "app/two", {"app/a.py"}, {"app/a.py": "1"}.get) is None
    assert owner_of(None, "app/two", {"app/a.py"}, found.get) is None


def test_what_a_new_record_lists():
    """A RECORD that jhpatch wrote lists what it added; another one lists the release's files."""
    assert listed_by_the_release(STATE, "app", ROW) == frozenset()
    assert listed_by_the_release(STATE, "app", ROW + b"app/b.py,,\n") == {"app/a.py", "app/b.py"}
    assert listed_by_the_release(None, "app", ROW) == {"app/a.py"}
    assert listed_by_the_release(STATE, "app", None) == frozenset()
