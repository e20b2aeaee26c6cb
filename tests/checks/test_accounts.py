"""Accounts of this host."""

import os
import pwd

import pytest

from jhpatch.checks import accounts


def test_an_account_is_that_of_the_databases():
    """The ids, the home and the groups are those of the password and group databases."""
    entry = pwd.getpwuid(os.getuid())
    account = accounts.account_of(entry.pw_name)
    assert (account.name, account.uid, account.gid) == (entry.pw_name, os.getuid(), entry.pw_gid)
    assert account.home == entry.pw_dir
    assert set(account.groups) == set(os.getgrouplist(entry.pw_name, entry.pw_gid))


@pytest.mark.parametrize("name", ["no-such-user", "", "a\0b", "../x"])
def test_a_name_without_an_account(name):
    """A name that the host does not know has no account, whatever its characters."""
    assert accounts.account_of(name) is None
