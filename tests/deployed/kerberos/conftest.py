"""Fixtures for the ticket service's modules: a Kinit, another time of day."""

import pytest

from jhpatch.deployed.kerberos import kinit, schedule
from jhpatch.deployed.kerberos.kinit import Kinit
from jhpatch.deployed.kerberos.settings import Settings
from tests.deployed.tickets import Later


@pytest.fixture
def service(kdc):
    """A Kinit with default settings, in the environment of the test's realm."""
    return Kinit(Settings(), kdc.env())


@pytest.fixture
def at(monkeypatch):
    """Set the time of day that decides whether tickets are valid: ``at(seconds)``."""

    def set_clock(now):
        for module in (kinit, schedule):
            monkeypatch.setattr(module, "time", Later(now))

    return set_clock


@pytest.fixture
def settings(kdc, keytab, tmp_path, monkeypatch):
    """Settings that obtain a real ticket for the user who runs the tests."""
    cache = str(tmp_path / "cc")
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    monkeypatch.setenv("KRB5CCNAME", "FILE:" + cache)
    return dict(keytab=keytab, principal="alice/service@EXAMPLE.TEST", ccache=cache)
