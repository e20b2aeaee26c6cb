"""The inner run: the same tests again, in a private world with a stack and its jhpatch."""

import os
import subprocess
import sys
from typing import Any, List, Sequence, Tuple

from integration.e2e import stacks, world
from integration.e2e.stacks import REPOSITORY, Stack

INNER = "JHPATCH_E2E_INNER"
WHEEL = "JHPATCH_E2E_WHEEL"
SECONDS = 5400 if os.environ.get("JHPATCH_LONG") else 3600
"""How long an inner run may last."""


def skipped(why: str) -> int:
    """Says so: 0 on a newcomer's machine, 1 in CI."""
    print("SKIPPED: " + why)
    return 1 if os.environ.get("CI", "") not in ("", "0", "false") else 0


def run_inside(
    config: Any, stack: Stack, wheel: str, chosen: Sequence[str] = (), seconds: int = SECONDS
) -> int:
    """Runs the tests again in a new world; their output comes in one piece.

    ``chosen`` are pytest's arguments; by default those of this run. It ends after ``seconds``.
    """
    chosen = chosen or list(config.invocation_params.args)
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--basetemp=/tmp/pytest"]
    argv += _without(chosen, ("--stack", "--basetemp"))
    with subprocess.Popen(
        world.command(argv),
        cwd=REPOSITORY,
        env=dict(os.environ, **{INNER: stack.name, WHEEL: wheel}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as inner:
        try:
            said, _ = inner.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            inner.kill()  # and by --kill-child everything in the world
            said, _ = inner.communicate()
            said += b"FAILED: did not end in %d s\n" % seconds
    print("===== %s =====\n%s" % (stack.name, said.decode(errors="replace")), flush=True)
    return abs(inner.returncode)


def _without(arguments: Sequence[str], names: Tuple[str, ...]) -> List[str]:
    kept: List[str] = []
    skip = False
    for argument in map(str, arguments):
        if not skip and argument.partition("=")[0] not in names:
            kept.append(argument)
        skip = not skip and argument in names
    return kept


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
    subprocess.run(pip + ["--no-deps", os.environ[WHEEL]], check=True)
    return folder
