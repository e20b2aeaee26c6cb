"""Fixtures for the deployed code: a logger, and threads that end with their test."""

import logging
import threading

import pytest

from testing.kdc_fixtures import kdc
from testing.kernels import as_user, host, install
from testing.waiting import until

__all__ = ["as_user", "host", "install", "kdc"]


def pytest_collection_modifyitems(items):
    """No word of the keepers that ``keepers_leave`` sends away."""
    quiet = pytest.mark.filterwarnings("ignore:(?s)Exception in thread jhpatch.*SystemExit")
    for item in items:
        if "keepers_leave" in getattr(item, "fixturenames", ()):
            item.add_marker(quiet)


def _leave():
    raise SystemExit


def _keepers():
    return [one for one in threading.enumerate() if one.name == "jhpatch-kerberos"]


@pytest.fixture(autouse=True)
def keepers_leave():
    """A keeper lives as long as its process: these leave at their next turn, which is now."""
    yield
    for one in _keepers():
        one._turn = _leave
        one._wake.set()


@pytest.fixture(autouse=True, scope="package")
def no_keeper_stays():
    """Other tests fork this process: a lock that a thread holds there is never released."""
    yield
    until(lambda: not _keepers())


@pytest.fixture
def log():
    """A logger that keeps its lines."""
    logger = logging.Logger("helper")
    logger.lines = []

    class Keep(logging.Handler):
        def emit(self, record):
            logger.lines.append("%s %s" % (record.levelname, self.format(record)))

    logger.addHandler(Keep())
    return logger
