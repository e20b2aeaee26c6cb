"""Benchmarks of real hubs start anew in a private world: namespaces that end with the process."""

import os
import re
import signal
import subprocess
import sys
import time

from integration.e2e import stacks, world
from integration.e2e.stacks import STACKS, Stack

_WHEEL = "JHPATCH_BENCHMARK_WHEEL"  # set within the private world
_STARTED = time.monotonic()


def say(text: str) -> None:
    """Print the progress, with the seconds since the start, to stderr."""
    print("%4d s  %s" % (time.monotonic() - _STARTED, text), file=sys.stderr, flush=True)


def chosen(name: str) -> Stack:
    """Return a stack by its name, or by its tox environment, whose name begins with the Python."""
    for stack in STACKS:
        if stack.name == re.sub(r"^py[0-9]+-", "", name):
            if not stacks.interpreter(stack):
                sys.exit("no Python %s" % " or ".join(stack.pythons))
            return stack
    sys.exit("no such stack; there are " + ", ".join(stack.name for stack in STACKS))


def wheel() -> str:
    """Return the path of jhpatch's wheel; empty outside of the private world."""
    return os.environ.get(_WHEEL, "")


def enter(stack: Stack) -> str:
    """Enter the private world, which ``outside`` made, and return a directory for its files."""
    python = os.path.dirname(os.path.dirname(str(stacks.interpreter(stack))))
    needed = [stacks.REPOSITORY, stacks.FOLDER, sys.prefix, sys.base_prefix, python]
    return world.enter(needed, [])


def outside(stack: Stack, module: str) -> int:
    """Build the stack, start this benchmark anew in new namespaces, and return its exit code.

    Ctrl-C and SIGTERM end it. Exits if the machine's users or configuration changed meanwhile.
    """
    lacking = world.missing_rights()
    if lacking:
        sys.exit("cannot start real hubs: " + lacking)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    before = world.fingerprint()
    try:
        with stacks.built(stack) as built:
            argv = world.command([sys.executable, "-m", module, *sys.argv[1:]])
            code = subprocess.call(
                ["setpriv", "--pdeathsig", "KILL", *argv],
                cwd=stacks.REPOSITORY,
                env=dict(os.environ, **{_WHEEL: built}),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is ours, and ends it
            )
    except KeyboardInterrupt:
        return 130
    if world.fingerprint() != before:
        sys.exit("users, PAM, krb5.conf or /home of this machine changed meanwhile")
    return code
