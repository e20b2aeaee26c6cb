"""The verdict on whether a keytab can be used is that of the ticket service, which uses it."""

import itertools
import os
import shutil
import tempfile

import pytest

from jhpatch.checks.runner import Deadline
from jhpatch.deployed.kerberos import identity
from jhpatch.deployed.kerberos.account import find_account
from jhpatch.deployed.kerberos.errors import Problem
from jhpatch.deployed.kerberos.kinit import Kinit
from jhpatch.deployed.kerberos.settings import Settings, spec_of
from jhpatch.kerberos.facts import DoctorOptions, Facts
from jhpatch.kerberos.keytab import UNUSABLE, check_keytab_place
from testing.users import ROOT_ONLY
from tests.deployed.tickets import NOBODY
from tests.kerberos.findings_of import codes

pytestmark = ROOT_ONLY
OWNERS = (0, NOBODY.uid, 1)
SLOW = pytest.mark.slow
FILES = tuple(itertools.product(OWNERS, (0o000, 0o600, 0o640, 0o644)))


@pytest.fixture
def top():
    """A directory in one that only root can write."""
    directory = tempfile.mkdtemp(prefix="jhpatch-test-", dir="/run")
    os.chmod(directory, 0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.mark.slow
@pytest.mark.parametrize("directory_owner", [0, pytest.param(NOBODY.uid, marks=SLOW), 1])
@pytest.mark.parametrize(
    "directory_mode", [0o755, pytest.param(0o700, marks=SLOW), pytest.param(0o777, marks=SLOW)]
)
def test_every_owner_and_mode(kdc, keytab, top, caches, directory_owner, directory_mode):
    """Of the file and of its directory: as the user, or as root for a central keytab."""
    account = find_account("nobody")
    facts = Facts(DoctorOptions(environ=kdc.env()))
    for number, (owner, mode) in enumerate(FILES):
        path = os.path.join(top, str(number), "keytab")
        os.mkdir(os.path.dirname(path))
        shutil.copy(keytab, path)
        os.chown(path, owner, owner)
        os.chmod(path, mode)
        os.chown(os.path.dirname(path), directory_owner, directory_owner)
        os.chmod(os.path.dirname(path), directory_mode)
        values = Settings(
            principal="alice/service", keytab=path, ccache="%s/cc%d" % (caches, number)
        )
        spec = spec_of(values, account, identity.can_read)
        found, _ = facts.keytab(account, spec, Deadline(300))
        is_usable = not codes(check_keytab_place(account, found, True)) & UNUSABLE
        try:
            Kinit(values, kdc.env()).ensure(account, spec)
            service = True
        except Problem:
            service = False
        assert is_usable == found.is_readable == service, (owner, oct(mode), spec.central)
