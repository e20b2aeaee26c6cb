"""Fixtures for the deployed code: a logger, and threads that end with their test."""

import logging
import os
import threading

import pytest
from tornado import ioloop

from testing.kdc_fixtures import kdc
from testing.kernels import as_user, host, install
from testing.waiting import until

__all__ = ["as_user", "host", "install", "kdc"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark these tests, and keep quiet of the renewers that ``renewers_leave`` sends away."""
    quiet = pytest.mark.filterwarnings("ignore:(?s)Exception in thread jhpatch.*SystemExit")
    directory = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
    for item in items:
        if str(item.fspath).startswith(directory):
            item.add_marker(pytest.mark.deployed)
        if "renewers_leave" in getattr(item, "fixturenames", ()):
            item.add_marker(quiet)


def _leave(*_):
    raise SystemExit


def _renewers():
    return [one for one in threading.enumerate() if one.name == "jhpatch-kerberos"]


@pytest.fixture(autouse=True)
def renewers_leave():
    """A renewer lives as long as its process: these leave at their next turn, which is now."""
    yield
    for one in _renewers():
        one._turn = _leave
        look = getattr(one, "_look", None)
        if look is not None and not look.done():  # its loop is gone
            look.cancel()
        one._wake.set()


@pytest.fixture(autouse=True, scope="package")
def no_renewer_stays():
    """Other tests fork this process: a lock that a thread holds there is never released."""
    yield
    until(lambda: not _renewers())


@pytest.fixture
def hub_settings(kdc, keytab, caches, monkeypatch):
    """Settings of a hub that obtain a real ticket for nobody."""
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    return dict(
        keytab=keytab,
        principal="alice/service@EXAMPLE.TEST",
        ccache=str(caches / "cc_{uid}"),
    )


@pytest.fixture
def fifo(caches):
    """A keytab whose reader hangs: a FIFO that nobody writes to."""
    path = str(caches / "fifo")
    os.mkfifo(path)
    os.chmod(path, 0o666)
    return path


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


@pytest.fixture
def loop():
    """A hub's event loop, in a thread of its own."""
    made, started = [], threading.Event()

    def run():
        one = ioloop.IOLoop()
        one.make_current()
        made.append(one)
        one.add_callback(started.set)
        one.start()
        one.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(300)
    made[0].thread = thread
    yield made[0]
    made[0].add_callback(made[0].stop)
    thread.join()
