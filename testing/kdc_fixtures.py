"""Fixtures around a real KDC: its keytabs, caches of other types, programs in kinit's place."""

import os
import shutil
import subprocess
from typing import Any, Callable, Iterator

import pytest

from testing import kdc as kdcs
from testing.users import NOBODY, make_reachable
from testing.waiting import until

_KCM, _KCM_SOCKET = "/usr/libexec/sssd/sssd_kcm", "/run/.heim_org.h5l.kcm-socket"


@pytest.fixture(scope="session")
def kdc(tmp_path_factory: Any) -> Iterator[kdcs.Kdc]:
    """A realm with alice/service and bob; skipped where the programs are missing, but in CI."""
    missing = kdcs.missing()
    if missing:
        assert os.environ.get("CI", "") in ("", "0", "false"), "missing: " + missing
        pytest.skip("no MIT KDC here: missing " + missing)
    directory = str(tmp_path_factory.mktemp("kdc"))
    make_reachable(directory)
    with kdcs.Kdc(directory) as server:
        for name in ("alice/service", "bob"):
            keytab = os.path.join(directory, name.partition("/")[0] + ".keytab")
            server.add_principal(name, keytab=keytab)
            if os.geteuid() == 0:
                os.chown(keytab, NOBODY, NOBODY)
        yield server


@pytest.fixture
def keytab(kdc: kdcs.Kdc) -> str:
    """The path of alice's keytab."""
    return os.path.join(kdc.folder, "alice.keytab")


@pytest.fixture
def caches(tmp_path: Any, monkeypatch: Any) -> Any:
    """A sticky directory that everybody can write, like /tmp.

    On a busy host too, a child that is killed has the time to remove what it made there.
    """
    monkeypatch.setattr("jhpatch.deployed.kerberos.process._GRACE", 20.0)
    directory = tmp_path / "caches"
    directory.mkdir()
    directory.chmod(0o1777)
    make_reachable(str(directory))
    return directory


@pytest.fixture
def script(tmp_path: Any) -> Callable[[str], str]:
    """Make a program that stands for kinit: ``script(text)`` gives its path."""

    def make(text: str) -> str:
        directory = tmp_path / "programs"
        directory.mkdir(exist_ok=True)
        path = directory / "kinit"
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        for name in ("klist", "kdestroy"):
            link = directory / name
            if not link.exists():
                os.symlink(str(shutil.which(name)), str(link))
        make_reachable(str(directory))
        return str(path)

    return make


@pytest.fixture
def kcm() -> Iterator[None]:
    """SSSD's daemon of caches; skipped where it is not installed, or runs already."""
    if not os.path.exists(_KCM) or os.path.exists(_KCM_SOCKET):
        pytest.skip("no sssd-kcm that a test may start")
    daemon = subprocess.Popen(
        [_KCM, "--uid", "0", "--gid", "0", "--logger=stderr"], stderr=subprocess.DEVNULL
    )
    until(lambda: os.path.exists(_KCM_SOCKET))
    yield
    daemon.kill()
    daemon.wait()
    os.unlink(_KCM_SOCKET)
