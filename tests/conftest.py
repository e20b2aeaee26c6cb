"""The fixtures of all tests, each described where it is written, and their directory."""

import os
import shutil
import tempfile
import zlib

import pytest

from testing.fixtures import handled_interrupt, jhpatch, make_site, unsynced, wheel
from testing.kdc_fixtures import caches, kcm, kdc, keytab, script
from testing.packages import new_env, packages

__all__ = [
    "caches",
    "handled_interrupt",
    "jhpatch",
    "kcm",
    "kdc",
    "keytab",
    "make_site",
    "new_env",
    "packages",
    "script",
    "unsynced",
    "wheel",
]


def pytest_addoption(parser):
    """``--part 2/6``: the second sixth of the tests, and the second third of ``deployed``."""
    parser.addoption(
        "--part", metavar="K/N", help="a part of the tests; of deployed/ a double one"
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Deselect the other parts. A test's part depends on its name alone."""
    if not config.getoption("--part"):
        return
    part, parts = map(int, config.getoption("--part").split("/"))
    chosen, others = [], []
    for item in items:
        count = parts // 2 if item.get_closest_marker("deployed") else parts
        is_chosen = zlib.crc32(item.nodeid.encode("utf-8", "replace")) % count == part % count
        (chosen if is_chosen else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = chosen


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Use a directory of this run's own: another run of root's closes pytest's shared one.

    Tests that act as other users open the directories above theirs (``make_reachable``).
    """
    if config.option.basetemp is None and not hasattr(config, "workerinput"):
        config.option.basetemp = os.path.join(tempfile.mkdtemp(prefix="jhpatch-tests-"), "run")
        config.jhpatch_directory = os.path.dirname(config.option.basetemp)


def pytest_sessionfinish(session, exitstatus):
    """Keep the directory of a run that failed."""
    directory = getattr(session.config, "jhpatch_directory", None)
    if directory and exitstatus == 0:
        shutil.rmtree(directory, ignore_errors=True)
