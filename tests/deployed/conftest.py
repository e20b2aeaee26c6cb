"""A real KDC for the tests of the helper."""

import logging
import os
import shutil
import threading
import time

import pytest

from testing import kdc as kdcs


@pytest.fixture(scope="session")
def kdc(tmp_path_factory):
    """A realm with alice/service and bob; skipped where the programs are missing, but in CI."""
    lacking = kdcs.missing()
    if lacking:
        assert os.environ.get("CI", "") in ("", "0", "false"), "missing: " + lacking
        pytest.skip("no MIT KDC here: missing " + lacking)
    folder = str(tmp_path_factory.mktemp("kdc"))
    reachable(folder)
    with kdcs.Kdc(folder) as server:
        for name in ("alice/service", "bob"):
            keytab = os.path.join(folder, name.partition("/")[0] + ".keytab")
            server.add_principal(name, keytab=keytab)
            if os.geteuid() == 0:
                os.chown(keytab, 65534, 65534)
        yield server


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
    deadline = time.monotonic() + 60
    while _keepers():
        assert time.monotonic() < deadline, _keepers()
        time.sleep(0.1)


def reachable(folder):
    """Lets other users reach a folder of pytest's, which are 0700."""
    while folder != "/":
        if os.stat(folder).st_uid == os.geteuid() and not os.stat(folder).st_mode & 0o001:
            os.chmod(folder, 0o755)
        folder = os.path.dirname(folder)


@pytest.fixture
def keytab(kdc):
    """The path of alice's keytab."""
    return os.path.join(kdc.folder, "alice.keytab")


@pytest.fixture
def caches(tmp_path):
    """A sticky folder that everybody can write, like /tmp."""
    folder = tmp_path / "caches"
    folder.mkdir()
    folder.chmod(0o1777)
    reachable(str(folder))
    return folder


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
def script(tmp_path):
    """Makes a program that stands for kinit: ``script(text)`` gives its path."""

    def make(text):
        folder = tmp_path / "programs"
        folder.mkdir(exist_ok=True)
        path = folder / "kinit"
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        for name in ("klist", "kdestroy"):
            link = folder / name
            if not link.exists():
                os.symlink(str(shutil.which(name)), str(link))
        reachable(str(folder))
        return str(path)

    return make
