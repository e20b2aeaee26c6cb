"""Builds the stacks, then runs these tests again in a private world, one a stack.

``pytest integration/e2e [--stack NAME] [--keep-seconds N]`` is the outer run: it needs the
network for pip and npm, and starts an inner run for each stack, a few at once, in new
namespaces. What a machine lacks is said and skipped; with CI=true it fails.
"""

import concurrent.futures
import glob
import os
import re
import subprocess
from typing import Any, Dict, Iterator, List, Optional

import pytest

from integration.e2e import stacks, world
from integration.e2e.inner import INNER, enter, run_inside, skipped
from integration.e2e.stacks import ENDS, STACKS, Stack

FOLDER = os.path.join("integration", "e2e")
OF_THE_SECOND = ("test_caches.py", "test_fairness.py", "test_hub_settings.py", "test_tickets.py")
"""The files that take half of the time, for a second world of the same stack."""


def pytest_addoption(parser: Any) -> None:
    """The options of these tests."""
    parser.addoption("--stack", action="append", default=[], help="only this stack; may repeat")
    parser.addoption(
        "--keep-seconds",
        type=int,
        default=0,
        help="how long a ticket of 60 s must stay valid (default: as the stack says)",
    )


def pytest_cmdline_main(config: Any) -> Optional[int]:
    """In the outer run: everything; in the inner one: leave it to pytest."""
    if os.environ.get(INNER) or config.option.collectonly or config.option.help:
        return None
    chosen = _chosen(config.option.stack)
    lacking = world.missing_rights()
    if lacking:
        return skipped("the real servers are not tested: %s" % lacking)
    runnable = [one for one in chosen if stacks.interpreter(one)]
    missing = [one for one in chosen if one not in runnable]
    codes = [
        skipped("%s is not tested: no Python %s" % (one.name, " or ".join(one.pythons)))
        for one in missing
    ]
    if runnable:
        codes += _run_all(config, runnable)
    return max(codes)


def _chosen(names: List[str]) -> List[Stack]:
    """By name, or by tox's environment, whose name has the Python ahead of the stack's."""
    wanted = [re.sub(r"^py[0-9]+-", "", name) for name in names]
    known = [one.name for one in STACKS]
    if not set(wanted) <= set(known):
        raise pytest.UsageError("no such stack; there are " + ", ".join(known))
    return [one for one in STACKS if not wanted or one.name in wanted]


def _run_all(config: Any, runnable: List[Stack]) -> List[int]:
    before = world.fingerprint()
    # One more than there are processors: the servers mostly wait.
    with concurrent.futures.ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        codes = list(pool.map(lambda stack: _run(config, stack), runnable))
    if world.fingerprint() != before:
        print("FAILED: the tests changed this machine: users, PAM, krb5.conf or /home")
        codes.append(1)
    return codes


def _run(config: Any, stack: Stack) -> int:
    """Builds a stack and runs the tests on it."""
    worlds = _worlds(list(config.invocation_params.args), stack)
    with stacks.built(stack) as wheel, concurrent.futures.ThreadPoolExecutor(len(worlds)) as pool:
        return max(pool.map(lambda chosen: run_inside(config, stack, wheel, chosen), worlds))


def _worlds(arguments: List[str], stack: Stack) -> List[List[str]]:
    """Return pytest's arguments for each world of a stack.

    Where most is tested, two at once: the servers mostly wait.
    """
    if FOLDER not in arguments or stack.name not in ENDS:
        return [arguments]
    files = [os.path.join(FOLDER, name) for name in OF_THE_SECOND]
    rest = [argument for argument in arguments if argument != FOLDER]
    return [arguments + ["--ignore=" + path for path in files], rest + files]


@pytest.fixture(scope="session")
def stack(request: Any) -> Stack:
    """The stack of this run."""
    name = os.environ[INNER]
    return next(one for one in STACKS if one.name == name)


@pytest.fixture(scope="session")
def scratch(stack: Stack) -> str:
    """The private world; a folder in it."""
    return enter(stack, [], [])


@pytest.fixture(scope="session")
def kdc(scratch: str) -> Iterator[Any]:
    """A KDC with alice's and bob's principals; its krb5.conf is the world's."""
    from testing.kdc import Kdc

    with Kdc(os.path.join(scratch, "kdc")) as server:
        with open(server.krb5_conf) as source, open("/etc/krb5.conf", "w") as target:
            target.write(source.read())
        yield server


@pytest.fixture(scope="session")
def keytabs(kdc: Any) -> Dict[str, str]:
    """The classic layout: alice has a keytab in her home; bob has none."""
    path = "/home/alice/alice.keytab"
    kdc.add_principal("alice/service", keytab=path)
    subprocess.run(["chown", "alice:", path], check=True)
    os.chmod(path, 0o600)
    return {"alice": path}


@pytest.fixture(scope="module")
def patched(stack: Stack, keytabs: Dict[str, str]) -> Iterator[Stack]:
    """The stack with all patches for a module's tests; then as upstream, without a cache."""
    python = os.path.join(stack.venv, "bin", "python")
    subprocess.run([python, "-m", "jhpatch", "apply"], cwd="/", check=True)
    yield stack
    subprocess.run([python, "-m", "jhpatch", "revert"], cwd="/", check=True)
    for path in glob.glob("/tmp/krb5cc_*"):
        os.unlink(path)
