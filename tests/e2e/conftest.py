"""Builds the stacks, then runs these tests again in a private world, one a stack.

``pytest tests/e2e [--stack NAME] [--keep-seconds N]`` is the outer run: it needs the
network for pip and npm, and starts an inner run for each stack, all at once, in new
namespaces. What a machine lacks is said and skipped; with CI=true it fails.
"""

import os
import subprocess
import sys
import tempfile
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest

from tests.e2e import stacks, world
from tests.e2e.stacks import REPOSITORY, STACKS, Stack

_INNER = "JHPATCH_E2E_INNER"


def pytest_addoption(parser: Any) -> None:
    """The options of these tests."""
    parser.addoption("--stack", action="append", default=[], help="only this stack; may repeat")
    parser.addoption(
        "--keep-seconds",
        type=int,
        default=240,
        help="how long a ticket of 60 s must stay valid (default: 240)",
    )


def pytest_cmdline_main(config: Any) -> Optional[int]:
    """In the outer run: everything; in the inner one: leave it to pytest."""
    if os.environ.get(_INNER) or config.option.collectonly or config.option.help:
        return None
    chosen = [one for one in STACKS if not config.option.stack or one.name in config.option.stack]
    if not chosen:
        raise pytest.UsageError("no such stack; there are " + ", ".join(s.name for s in STACKS))
    lacking = world.missing_rights()
    if lacking:
        return _skipped("the real servers are not tested: %s" % lacking)
    runnable = [one for one in chosen if stacks.interpreter(one)]
    missing = [one for one in chosen if one not in runnable]
    codes = [
        _skipped("%s is not tested: no Python %s" % (one.name, " or ".join(one.pythons)))
        for one in missing
    ]
    if runnable:
        codes += _run_all(config, runnable)
    return max(codes)


def _skipped(why: str) -> int:
    """0 on a newcomer's machine, 1 in CI."""
    print("SKIPPED tests/e2e: " + why)
    return 1 if os.environ.get("CI", "") not in ("", "0", "false") else 0


def _run_all(config: Any, runnable: List[Stack]) -> List[int]:
    with stacks.locked():
        stacks.build_proxy()
        for stack in runnable:
            stacks.build(stack)
            stacks.build_wheel(stack)
    before = world.fingerprint()
    runs = [_start(config, stack) for stack in runnable]
    codes = []
    for stack, process, output in runs:
        codes.append(process.wait())
        output.seek(0)
        print("===== %s =====\n%s" % (stack.name, output.read().decode(errors="replace")))
        output.close()
    if world.fingerprint() != before:
        print("FAILED: the tests changed this machine: users, PAM, krb5.conf or /home")
        codes.append(1)
    return codes


def _start(config: Any, stack: Stack) -> Tuple[Stack, "subprocess.Popen[bytes]", Any]:
    output = tempfile.TemporaryFile()
    chosen = list(config.invocation_params.args)
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--basetemp=/tmp/pytest"]
    argv += _without(chosen, ("--stack", "--basetemp"))
    process = subprocess.Popen(
        world.command(argv),
        cwd=REPOSITORY,
        env=dict(os.environ, **{_INNER: stack.name}),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )
    return stack, process, output


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
    name = os.environ[_INNER]
    return next(one for one in STACKS if one.name == name)


@pytest.fixture(scope="session")
def scratch(stack: Stack) -> str:
    """The private world; a folder in it."""
    python = stacks.interpreter(stack)
    assert python is not None
    needed = [
        REPOSITORY,
        stacks.FOLDER,
        sys.prefix,
        sys.base_prefix,
        os.path.dirname(os.path.dirname(python)),
    ]
    folder = world.enter(needed, [stack.venv])
    pip = [os.path.join(stack.venv, "bin", "python"), "-m", "pip", "install", "-q", "--no-index"]
    subprocess.run(pip + ["--no-deps", stacks.wheel(stack)], check=True)
    return folder


@pytest.fixture(scope="session")
def kdc(scratch: str) -> Iterator[Any]:
    """A KDC with alice's and bob's principals; its krb5.conf is the world's."""
    from tests.kdc import Kdc

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
