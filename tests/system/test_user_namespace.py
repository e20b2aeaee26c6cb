"""Owners that have no uid in a user namespace."""

import os
import subprocess
import sys

import pytest

from jhpatch.errors import Refused
from jhpatch.system import user_namespace
from testing import ROOT
from testing.users import NOBODY, ROOT_ONLY

CODE = """
import os, sys
sys.path.insert(0, %r)
from jhpatch.system import user_namespace
for path in sys.argv[1:]:
    print(user_namespace.is_outside(path, os.lstat(path)))
"""


def test_every_owner_has_a_uid_here(tmp_path):
    """Outside of a user namespace, a file of nobody is nobody's."""
    with open("/proc/self/uid_map") as file:
        if file.read().split() != ["0", "0", "4294967295"]:
            pytest.skip("the tests run in a user namespace")
    user_namespace.refuse_outside(str(tmp_path))
    status = os.stat_result((0o100644, 0, 0, 1, 65534, 0, 0, 0, 0, 0))
    assert not user_namespace.is_outside(str(tmp_path), status)


@ROOT_ONLY
def test_an_owner_outside_of_the_namespace(tmp_path):
    """In a namespace of one uid: the files of that uid are inside, all others outside."""
    for name, uid in (("mine", 0), ("theirs", 1234), ("nobodys", NOBODY)):
        (tmp_path / name).write_text("")
        os.chown(str(tmp_path / name), uid, uid)
    paths = [str(tmp_path / name) for name in ("mine", "theirs", "nobodys")]
    argv = ["unshare", "--user", "--map-root-user", sys.executable, "-c", CODE % ROOT, *paths]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/")
    if b"unshare" in done.stderr:
        pytest.skip("no user namespaces")
    assert done.stdout.decode().split() == ["False", "True", "True"], done.stderr


def test_a_user_who_has_the_overflow_uid(tmp_path, monkeypatch):
    """In a namespace of many uids nobody is one of them: root can write their files."""
    uid = os.stat(str(tmp_path)).st_uid
    monkeypatch.setattr(user_namespace, "_overflow_uid", lambda: (uid, True))
    status = os.stat(str(tmp_path))
    for writable in (True, False):
        monkeypatch.setattr(os, "access", lambda *path, answer=writable: answer)
        assert user_namespace.is_outside(str(tmp_path), status) == (not writable)
    for gid in (uid, uid + 1):
        status = os.stat_result((0o041777, 0, 0, 1, uid, gid, 0, 0, 0, 0))
        assert user_namespace.is_outside("/tmp", status) == (gid == uid)


def test_a_refusal_has_the_path_and_the_reason(tmp_path, monkeypatch):
    """It names the path, what its owner is shown as, and what to do."""
    uid = os.stat(str(tmp_path)).st_uid
    monkeypatch.setattr(user_namespace, "_overflow_uid", lambda: (uid, False))
    with pytest.raises(Refused) as refused:
        user_namespace.refuse_outside(str(tmp_path))
    assert refused.value.path == str(tmp_path)
    assert "user namespace" in refused.value.message and refused.value.next is not None
