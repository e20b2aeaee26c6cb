"""A temporary gateway to look at: ``tox -e demo``, as root.

Builds the hub's environment, then runs tools/demo_gateway.py in namespaces of its own: users,
homes, /etc and /tmp are private and end with it. The network is that of this host, so that your
browser reaches the gateway, which listens on loopback alone.

    bash tests/run -e demo                        [-- --seconds N] [--stack NAME]
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import Any, Iterator

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from integration.e2e import stacks, world
from integration.e2e.people import environment_of
from integration.e2e.stacks import STACKS
from tools import demo_gateway
from tools.demo_gateway import SIGNALS, say

_INSIDE = "JHPATCH_DEMO_WHEEL"
_SSH = "JHPATCH_DEMO_SSH"


def main() -> int:
    """Run the demo until Ctrl-C; return 0, or 1 if this host lacks what it takes."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--seconds", type=float, help="End after SECONDS (default: at Ctrl-C)")
    names = [stack.name for stack in STACKS if stack.serves_lab]
    parser.add_argument("--stack", default=names[-1], choices=names, help="(default: %(default)s)")
    arguments = parser.parse_args()
    stack = next(stack for stack in STACKS if stack.name == arguments.stack)
    if os.environ.get(_INSIDE):
        wheel, login = os.environ[_INSIDE], os.environ[_SSH]
        return demo_gateway.run(stack, wheel, login, arguments.seconds)
    lacking = world.missing_rights()
    if lacking or not stacks.interpreter(stack):
        why = lacking or "no Python " + " or ".join(stack.pythons)
        say("%s: as root, after: bash tests/run -e demo --notest" % why)
        return 1
    with _own_ctrl_c():
        demo_gateway.handle_signals(demo_gateway.interrupt)
        try:
            say("building the hub's environment (once)")
            with stacks.built(stack) as wheel:
                return _run_inside(wheel)
        except KeyboardInterrupt:
            print()
            say("ended while the environment was built")
            return 0


@contextlib.contextmanager
def _own_ctrl_c() -> Iterator[None]:
    """Make the terminal send Ctrl-C to the demo alone, as a shell does for a job.

    tox kills what has not ended 0.5 s after its own Ctrl-C.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        yield
        return
    group = os.getpgrp()
    is_ours = os.tcgetpgrp(terminal) == group and group != os.getpid()
    if is_ours:
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # else tcsetpgrp(3) stops us
        signal.signal(signal.SIGTSTP, lambda *_: None)  # no shell would see that we stopped
        os.setpgid(0, 0)
        os.tcsetpgrp(terminal, os.getpgrp())
    try:
        yield
    finally:
        if is_ours:
            with contextlib.suppress(OSError):  # the terminal may be closed
                os.tcsetpgrp(terminal, group)


def _run_inside(wheel: str) -> int:
    """Run this program again in new namespaces, with the wheel; return its exit code."""
    # Until the other process can handle them, they are pending.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    child = subprocess.Popen(
        # What is inside ends even if we are killed.
        "setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc".split()
        + [sys.executable, os.path.abspath(__file__), *sys.argv[1:]],
        env=dict(os.environ, **{_INSIDE: wheel, _SSH: ssh_login()}),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )

    def pass_on(*signal_and_frame: Any) -> None:
        """Interrupt the first process inside; unshare(1) itself ignores Ctrl-C."""
        inside = ""
        while not inside and child.poll() is None:
            time.sleep(0.05)
            with contextlib.suppress(OSError):
                with open("/proc/%d/task/%d/children" % (child.pid, child.pid)) as file:
                    inside = file.read().strip()
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(int(inside), signal.SIGINT)

    demo_gateway.handle_signals(pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    return child.wait()


def ssh_login() -> str:
    """Return ssh(1)'s arguments for this host, as its user has logged in; empty if by no ssh.

    sudo and tox remove SSH_CONNECTION, their parents have it (environ, proc(5)).
    """
    pid = os.getpid()
    while pid > 1:
        environment = environment_of(pid)
        connection = environment.get("SSH_CONNECTION", "").split()
        if len(connection) == 4:
            port = "" if connection[3] == "22" else "-p %s " % connection[3]
            return "%s%s@%s" % (port, environment.get("USER", "root"), connection[2])
        with open("/proc/%d/stat" % pid) as file:
            pid = int(file.read().rpartition(")")[2].split()[1])
    return ""


if __name__ == "__main__":
    sys.exit(main())
