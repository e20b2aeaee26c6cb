"""The verdict on the place of a cache is that of the ticket service, which tries it."""

import itertools
import os
import shutil
import subprocess

import pytest

from jhpatch.checks.runner import Deadline
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.kinit import Kinit
from jhpatch.deployed.kerberos.settings import Settings
from jhpatch.kerberos.ccache import check_cache_path
from jhpatch.kerberos.path_components import read_components
from jhpatch.kerberos.programs import run_program
from testing.users import ROOT_ONLY, make_reachable
from tests.deployed.tickets import NOBODY, wanted
from tests.kerberos.findings_of import codes

pytestmark = ROOT_ONLY
OWNERS = (0, NOBODY.uid, 1)
MODES = (0o555, 0o700, 0o755, 0o777, 0o1777)


def make(kind, path):
    """Make what is at the path of the cache, before there is a ticket."""
    if kind == "file":
        path.write_text("")
    elif kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "fifo":
        os.mkfifo(str(path))
    elif kind == "directory":
        path.mkdir()


def verdicts(kdc, keytab, directory, name="cc"):
    """What doctor and the service make of a path: True for a cache that can be stored."""

    def run(argv, seconds, account):
        return run_program(argv, kdc.env(), seconds, account)

    path = str(directory / name)
    components = read_components(path, NOBODY, run, Deadline(300))
    is_well = not codes(check_cache_path(NOBODY, path, components), "error")
    try:
        Kinit(Settings(), kdc.env()).ensure(NOBODY, wanted(keytab, directory, name=name))
    except Problem:
        return is_well, False
    return is_well, True


@pytest.fixture
def place(tmp_path):
    """A directory that every user can reach."""
    make_reachable(str(tmp_path))
    yield tmp_path
    subprocess.run(["chmod", "-R", "u+rwx", str(tmp_path)], check=True)


@pytest.mark.slow
def test_every_directory(kdc, keytab, place):
    """Of every owner, with every mode: as new, and with a symlink on the way."""
    for number, (owner, mode) in enumerate(itertools.product(OWNERS, MODES)):
        directory = place / str(number)
        directory.mkdir()
        os.chown(str(directory), owner, owner)
        directory.chmod(mode)
        doctor, service = verdicts(kdc, keytab, directory)
        assert doctor == service, (owner, oct(mode))
        shutil.rmtree(str(directory))


@pytest.mark.slow
def test_every_old_cache(kdc, keytab, place):
    """Of every kind and owner, in a directory of the user and in one like /tmp."""
    kinds = ("file", "link", "fifo", "directory")
    wheres = (NOBODY.uid, 0o700), (NOBODY.uid, 0o1777), (0, 0o1777), (0, 0o777)
    for number, (kind, owner, where) in enumerate(itertools.product(kinds, OWNERS, wheres)):
        directory = place / str(number)
        directory.mkdir()
        make(kind, directory / "cc")
        os.chown(str(directory / "cc"), owner, owner, follow_symlinks=False)
        os.chown(str(directory), where[0], where[0])
        directory.chmod(where[1])
        doctor, service = verdicts(kdc, keytab, directory)
        assert doctor == service, (kind, owner, where)


@pytest.mark.parametrize("owner", [0, NOBODY.uid])
@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_a_directory_that_is_missing(kdc, keytab, place, owner, mode):
    """The service makes one, and not two."""
    os.chown(str(place), owner, owner)
    place.chmod(mode)
    assert len(set(verdicts(kdc, keytab, place / "a" / "b"))) == 1
    assert len(set(verdicts(kdc, keytab, place / "c"))) == 1


@pytest.mark.parametrize("owner", [0, NOBODY.uid])
def test_a_directory_behind_a_symlink(kdc, keytab, place, owner):
    """The one that it leads to counts."""
    (place / "real").mkdir()
    os.chown(str(place / "real"), owner, owner)
    (place / "link").symlink_to(place / "real")
    doctor, service = verdicts(kdc, keytab, place / "link")
    assert doctor == service == (owner == NOBODY.uid)
