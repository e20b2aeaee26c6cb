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
import sys
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest

from integration.e2e import stacks, world
from integration.e2e.stacks import REPOSITORY, STACKS, Stack

INNER = "JHPATCH_E2E_INNER"
_WHEEL = "JHPATCH_E2E_WHEEL"
SECONDS = 5400 if os.environ.get("JHPATCH_LONG") else 2700
"""How long an inner run may last."""


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


def skipped(why: str) -> int:
    """Says so: 0 on a newcomer's machine, 1 in CI."""
    print("SKIPPED: " + why)
    return 1 if os.environ.get("CI", "") not in ("", "0", "false") else 0


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
    with stacks.built(stack) as wheel:
        return run_inside(config, stack, wheel)


def run_inside(config: Any, stack: Stack, wheel: str) -> int:
    """Runs the tests again in a new world; their output comes in one piece."""
    chosen = list(config.invocation_params.args)
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--basetemp=/tmp/pytest"]
    argv += _without(chosen, ("--stack", "--basetemp"))
    with subprocess.Popen(
        world.command(argv),
        cwd=REPOSITORY,
        env=dict(os.environ, **{INNER: stack.name, _WHEEL: wheel}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as inner:
        try:
            said, _ = inner.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            inner.kill()  # and by --kill-child everything in the world
            said, _ = inner.communicate()
            said += b"FAILED: did not end in %d s\n" % SECONDS
    print("===== %s =====\n%s" % (stack.name, said.decode(errors="replace")), flush=True)
    return abs(inner.returncode)


def _without(arguments: List[str], names: Tuple[str, ...]) -> List[str]:
    kept: List[str] = []
    skip = False
    for argument in map(str, arguments):
        if not skip and argument.partition("=")[0] not in names:
            kept.append(argument)
        skip = not skip and argument in names
    return kept


@pytest.fixture(scope="session")
def stack(request: Any) -> Stack:
    """The stack of this run."""
    name = os.environ[INNER]
    return next(one for one in STACKS if one.name == name)


@pytest.fixture(scope="session")
def scratch(stack: Stack) -> str:
    """The private world; a folder in it."""
    return enter(stack, [], [])


def enter(stack: Stack, needed: List[str], changed: List[str]) -> str:
    """Makes the world of a stack with this run's jhpatch; other folders may be needed in it."""
    python = stacks.interpreter(stack)
    assert python is not None
    own = [
        REPOSITORY,
        stacks.FOLDER,
        sys.prefix,
        sys.base_prefix,
        os.path.dirname(os.path.dirname(python)),
    ]
    folder = world.enter(own + needed, [stack.venv] + changed)
    pip = [os.path.join(stack.venv, "bin", "python"), "-m", "pip", "install", "-q", "--no-index"]
    subprocess.run(pip + ["--no-deps", os.environ[_WHEEL]], check=True)
    return folder


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
