"""A throwaway gateway to look at: ``tox -e demo``, as root.

A realm whose tickets live for 60 s, a patched JupyterHub with JupyterLab, the users alice and
bob, and the nginx front in front of it (where nginx is installed), on loopback. Prints the
address and the passwords, then the tickets as they are renewed, until Ctrl-C; users, homes,
/etc and /tmp are in a private world that ends with it.

    bash tests/run -e demo                        [-- --seconds N] [--stack NAME]
"""

import argparse
import contextlib
import glob
import os
import signal
import subprocess
import sys
import time
from typing import Any, Iterator, List, Optional

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from integration.e2e import stacks, world
from integration.e2e.hub import CLASSIC, Hub
from integration.e2e.stacks import STACKS, Stack
from testing import ports
from testing.kdc import Kdc

_INNER = "JHPATCH_DEMO_WHEEL"
_LIFE = 60  # seconds
_EVERY = 5.0  # seconds between two looks at the tickets
_LAB = "c.Spawner.default_url = '/lab'\nc.KerberosTicket.retry = 2.0\n"


def main() -> int:
    """Builds the stack, then starts itself again in namespaces of its own."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--seconds", type=float, help="end by itself (default: at Ctrl-C)")
    parser.add_argument("--stack", default="hub61-js221", choices=[one.name for one in STACKS])
    arguments = parser.parse_args()
    stack = next(one for one in STACKS if one.name == arguments.stack)
    if os.environ.get(_INNER):
        return show(stack, arguments.seconds)
    lacking = world.missing_rights()
    if lacking or not stacks.interpreter(stack):
        why = lacking or "no Python " + " or ".join(stack.pythons)
        print("demo: %s: as root, after: bash tests/run -e demo --notest" % why)
        return 1
    say("building the hub's environment (once)")
    with stacks.built(stack) as wheel:
        # The network is the machine's own: a browser of yours is to reach the front.
        command = "unshare --mount --pid --fork --kill-child --mount-proc".split()
        child = subprocess.Popen(
            [*command, sys.executable, __file__, *sys.argv[1:]],
            env=dict(os.environ, **{_INNER: wheel}),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

        def pass_on(*signal_and_frame: Any) -> None:
            """To the world's first process, which tidies up; unshare itself heeds no Ctrl-C."""
            with open("/proc/%d/task/%d/children" % (child.pid, child.pid)) as file:
                for pid in file.read().split():
                    os.kill(int(pid), signal.SIGINT)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, pass_on)
        return child.wait()


def say(text: str) -> None:
    """A line for who looks on."""
    print("demo: " + text, flush=True)


def show(stack: Stack, seconds: Optional[float]) -> int:
    """In the private world: starts everything, looks at the tickets, ends everything."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    python = stacks.interpreter(stack)
    assert python is not None
    base = os.path.dirname(os.path.dirname(python))
    scratch = world.enter(
        [stacks.REPOSITORY, stacks.FOLDER, sys.prefix, sys.base_prefix, base], [stack.venv]
    )
    hub_python = os.path.join(stack.venv, "bin", "python")
    pip = [hub_python, "-m", "pip", "install", "-q", "--no-index", "--no-deps"]
    subprocess.run([*pip, os.environ[_INNER]], check=True)
    with contextlib.ExitStack() as ends:
        try:
            say("a realm, users, keytabs")
            kdc = ends.enter_context(Kdc(scratch + "/kdc", ticket_lifetime="%ds" % _LIFE))
            _people(kdc)
            say("python -m jhpatch apply")
            subprocess.run([hub_python, "-m", "jhpatch", "apply"], cwd="/", check=True)
            say("the hub")
            hub = Hub(stack, _made(scratch + "/hub"), CLASSIC + _LAB)
            ends.callback(hub.stop)
            hub.start()
            address = ends.enter_context(_front(hub, scratch + "/front"))
            _tell(address, hub)
            _watch(kdc, seconds)
        except KeyboardInterrupt:
            pass
        print()
        say("ends, and leaves nothing behind")
    return 0


def _stop(*signal_and_frame: Any) -> None:
    raise KeyboardInterrupt


def _made(folder: str) -> str:
    os.makedirs(folder)
    return folder


def _people(kdc: Kdc) -> None:
    with open(kdc.krb5_conf) as source, open("/etc/krb5.conf", "w") as target:
        target.write(source.read())
    for name in world.PASSWORDS:
        path = "/home/%s/%s.keytab" % (name, name)
        kdc.add_principal(name + "/service", keytab=path)
        subprocess.run(["chown", name + ":", path], check=True)
        os.chmod(path, 0o600)


@contextlib.contextmanager
def _front(hub: Hub, folder: str) -> Iterator[str]:
    """nginx with TLS in front of the hub; without nginx the hub's own address."""
    from jhpatch.nginx import version as nginx_version
    from jhpatch.nginx.options import ProxySite
    from jhpatch.nginx.site_file import render
    from testing.nginx import certificate, running

    version = nginx_version.installed()
    if version is None:
        say("no nginx on this machine: without the front")
        yield hub.url
        return
    os.makedirs(folder)
    certificate(folder, "localhost", "localhost")
    (port,) = ports.free(1)
    site = render(
        ProxySite(
            server_names=("localhost",),
            upstreams=(hub.url[len("http://") :],),
            version=str(version),
            listens=("127.0.0.1:%d" % port,),
            certificates=((folder + "/localhost.pem", folder + "/localhost.key"),),
        )
    )
    with running(site, folder, port):
        yield "https://localhost:%d" % port


def _tell(address: str, hub: Hub) -> None:
    print("\n  %s   (its certificate is made for this demo)" % address)
    for name, password in world.PASSWORDS.items():
        print("      user %-6s password %s" % (name, password))
    print("\n  Log in, open JupyterLab, close the browser: tickets of %d s stay valid." % _LIFE)
    print("  Ctrl-C ends it. The hub's log: %s\n" % hub.log_path, flush=True)


def _watch(kdc: Kdc, seconds: Optional[float]) -> None:
    """A line for each ticket whenever it has changed."""
    end = time.monotonic() + (seconds if seconds is not None else float("inf"))
    seen: List[str] = []
    while time.monotonic() < end:
        for path in sorted(glob.glob("/tmp/krb5cc_*")):
            name = path.rpartition("_")[2]
            done = subprocess.run(
                world.as_user(name, "klist", "-c", path) if name.isdigit() else ["true"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            lines = [line for line in done.stdout.decode().splitlines() if "krbtgt" in line]
            line = "%s  %s" % (_owner(path), lines[0].strip()) if lines else ""
            if line and line not in seen:
                seen.append(line)
                print("  %s  ticket of %s" % (time.strftime("%H:%M:%S"), line), flush=True)
        time.sleep(min(_EVERY, max(end - time.monotonic(), 0)))


def _owner(path: str) -> str:
    import pwd

    return pwd.getpwuid(os.stat(path).st_uid).pw_name


if __name__ == "__main__":
    sys.exit(main())
