"""Tickets of a user, and the records that renewal threads write about them."""

import json
import os
import subprocess
import sys
import time
from typing import Any, Callable, Dict, Iterator, List

import pytest

from testing import ROOT
from testing.kdc import Kdc

NAME = "alice/service@EXAMPLE.TEST"
RUNTIME = ".local/share/jupyter/runtime"
"""Where Jupyter's runtime files are in a home."""


@pytest.fixture
def home(kdc: Kdc, tmp_path: Any, monkeypatch: Any) -> Any:
    """A user's home, without the environment of the one who runs the tests."""
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KRB5_CONFIG", kdc.krb5_conf)
    monkeypatch.setenv("KRB5CCNAME", "FILE:%s/default" % tmp_path)
    (tmp_path / RUNTIME).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def kinit(kdc: Kdc, home: Any) -> Callable[..., str]:
    """Obtain a ticket in a cache of the home: ``kinit("cc", "-l", "1h")``."""

    def call(name: str, *options: str) -> str:
        keytab = os.path.join(kdc.folder, "alice.keytab")
        argv = ["kinit", "-k", "-t", keytab, "-c", "%s/%s" % (home, name), *options]
        subprocess.run([*argv, "alice/service"], check=True)
        return "FILE:%s/%s" % (home, name)

    return call


@pytest.fixture
def server() -> Iterator[Callable[[], int]]:
    """Start processes that stand for a user's servers: ``server()`` gives a pid."""
    started: List[Any] = []

    def start() -> int:
        started.append(subprocess.Popen(["sleep", "600"]))
        return started[-1].pid

    yield start
    for process in started:
        process.kill()
        process.wait()


def record(pid: int, **changed: Any) -> Dict[str, Any]:
    """What a renewal thread writes."""
    now = time.time()
    fields = {"schema": 1, "pid": pid, "principal": NAME, "ccache": "", "keytab": "/k"}
    fields.update(central=False, start=now, end=now + 3600, renew_till=now, next=now + 1800)
    fields.update(error=None, written=now)
    return dict(fields, **changed)


def put(home: Any, pid: int, **changed: Any) -> Any:
    """Write a record of a server; return its path."""
    path = home / RUNTIME / ("jhpatch-kerberos-%d.json" % pid)
    path.write_text(json.dumps(record(pid, **changed)))
    return path


def typed(*arguments: str, **environment: str) -> "subprocess.Popen[bytes]":
    """Start ``ticket`` as a person types it."""
    return subprocess.Popen(
        [sys.executable, "-m", "jhpatch", "ticket", *arguments],
        env=dict(os.environ, PYTHONPATH=ROOT, LC_ALL="C", **environment),
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def is_after(moment: float, seconds: float, began: float) -> bool:
    """Return whether ``moment`` is so many seconds after a request made since ``began``.

    kinit computes the ends of a ticket from its own clock, the KDC sets the start, and both round.
    """
    return began - 2 < moment - seconds < time.time() + 2
