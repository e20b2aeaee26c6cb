"""``lint --installed``: the files of jhpatch against the RECORD of its own wheel."""

import base64
import hashlib
import os

import pytest

from jhpatch.errors import Refused
from jhpatch.installer import self_check


@pytest.fixture
def installed(tmp_path):
    """A package as pip leaves it: files, and a RECORD beside it."""
    package = tmp_path / "jhpatch"
    (package / "patches").mkdir(parents=True)
    files = {"jhpatch/__init__.py": b"", "jhpatch/patches/1.patch": b"diff\n"}
    rows = []
    for path, data in files.items():
        (tmp_path / path).write_bytes(data)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append("%s,sha256=%s,%d\n" % (path, digest, len(data)))
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "__init__.cpython-36.pyc").write_bytes(b"by pip")
    info = tmp_path / "jhpatch-0.1.0.dist-info"
    info.mkdir()
    (info / "RECORD").write_text("".join(rows) + "jhpatch-0.1.0.dist-info/RECORD,,\n")
    return package


def test_an_installation_as_pip_left_it_has_no_finding(installed):
    """The .pyc files, whose hashes no RECORD has, are not compared."""
    assert list(self_check.findings(str(installed))) == []


@pytest.mark.parametrize("how", ["changed", "missing", "added", "a symlink", "a folder's symlink"])
def test_a_jhpatch_that_was_changed_is_found(installed, how, tmp_path):
    """A patch file that was edited, removed, added or replaced by a link is a finding."""
    path = installed / "patches" / "1.patch"
    if how == "changed":
        path.write_bytes(b"diff \n")
    elif how == "added":
        path = installed / "patches" / "2.patch"
        path.write_bytes(b"")
    else:
        path.unlink()
    if how == "a symlink":
        (tmp_path / "same").write_bytes(b"diff\n")
        os.symlink(str(tmp_path / "same"), str(path))
    elif how == "a folder's symlink":
        (tmp_path / "moved").mkdir()
        (tmp_path / "moved" / "1.patch").write_bytes(b"diff\n")
        path.parent.rmdir()
        os.symlink(str(tmp_path / "moved"), str(path.parent))
    paths = {finding.path for finding in self_check.findings(str(installed))}
    assert str(path) in paths


def test_a_checkout_has_nothing_to_compare_with(tmp_path):
    """Without the RECORD of a wheel the check is refused, and does not pass."""
    (tmp_path / "jhpatch").mkdir()
    with pytest.raises(Refused):
        list(self_check.findings(str(tmp_path / "jhpatch")))
