"""Runs the soak in a private world of a stack, as integration/e2e/conftest.py does.

``pytest integration/soak [--stack NAME] [--days N] [--seed N]``: a day is a minute, the life of a
ticket.
"""

import glob
import os
import random
from typing import Any, Iterator, Optional

import pytest

from integration.e2e import slow_directory, stacks, world
from integration.e2e.inner import INNER, enter, run_inside, skipped
from integration.e2e.patched_stack import jhpatch
from integration.e2e.stacks import ENDS, STACKS, Stack
from integration.soak.gateway import LIFE, Gateway
from testing.kdc import Kdc, missing
from testing.nginx import MISSING

BEFORE = dict(zip(ENDS, ("0.9.5", "6.1.0")))
"""The stacks that the soak runs on, and the release of JupyterHub before each one's own."""
_SET_UP = 1500
"""Seconds that all but the days may take on a busy machine."""


def pytest_addoption(parser: Any) -> None:
    """The options of the soak."""
    parser.addoption("--stack", default=ENDS[1], help="one of %s" % ", ".join(BEFORE))
    parser.addoption("--days", type=int, default=7, help="lives of a ticket, a minute each")
    parser.addoption("--users", type=int, default=30, help="users with servers")
    parser.addoption("--seed", type=int, default=0, help="of the events; a failed run prints it")
    parser.addoption("--only", default="", help="kinds of events, with commas; default: all")


def pytest_cmdline_main(config: Any) -> Optional[int]:
    """In the outer run: everything; in the inner one: leave it to pytest."""
    if os.environ.get(INNER) or config.option.collectonly or config.option.help:
        return None
    stack = next(one for one in STACKS if one.name == config.option.stack)
    lacking = world.missing_rights() or missing() or MISSING or slow_directory.missing()
    if not lacking and not stacks.interpreter(stack):
        lacking = "no Python " + " or ".join(stack.pythons)
    if lacking:
        return skipped("the soak does not run: " + lacking)
    before = world.fingerprint()
    with stacks.built(stack) as wheel:
        _download(stack)
        code = run_inside(config, stack, wheel, seconds=config.option.days * LIFE * 2 + _SET_UP)
    if world.fingerprint() != before:
        print("FAILED: the tests changed this machine: users, PAM, krb5.conf or /home")
        return 1
    return code


def _download(stack: Stack) -> None:
    """The two releases of JupyterHub between which the hub of the soak is upgraded."""
    folder = os.path.join(stacks.FOLDER, "soak-wheels", stack.name)
    for release in (stack.version("jupyterhub"), BEFORE[stack.name]):
        if not glob.glob("%s/jupyterhub-%s-*.whl" % (folder, release)):
            pip = [os.path.join(stack.venv, "bin", "python"), "-m", "pip", "download", "-q"]
            stacks.call(pip + ["--no-deps", "-d", folder, "jupyterhub==" + release])


@pytest.fixture(scope="session")
def seed(pytestconfig: Any) -> int:
    """The seed of this run's events."""
    return int(pytestconfig.option.seed) or random.SystemRandom().randrange(1, 10**6)


@pytest.fixture(scope="session")
def gateway(pytestconfig: Any) -> Iterator[Gateway]:
    """The patched gateway with its users at work."""
    stack: Stack = next(one for one in STACKS if one.name == os.environ[INNER])
    scratch = enter(stack, [], [])
    with Kdc(scratch + "/kdc", ticket_lifetime="%ds" % LIFE) as kdc:
        with open(kdc.krb5_conf) as source, open("/etc/krb5.conf", "w") as target:
            target.write(source.read())
        found = Gateway(stack, scratch + "/soak", kdc, pytestconfig.option.users)
        jhpatch(stack, "apply")
        try:
            found.set_up()
            yield found
        except BaseException:
            print("--- the hub's log\n" + found.hub.tail())
            raise
        finally:
            found.tear_down()
