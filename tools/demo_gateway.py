"""What the demo shows: a patched hub and an unpatched one, and a job of a user on each.

The realm's tickets live for 60 s. alice's hub is patched, nginx in front of it; bob's hub is as
pip installed it, and bob has run kinit. Each has a kernel with a job, and no browser.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import Any, Iterator, List, NamedTuple, Optional, Sequence

from integration.e2e import stacks, world
from integration.e2e.client import Browser
from integration.e2e.hub import CLASSIC, Hub
from integration.e2e.patched_stack import cache_of, is_valid
from integration.e2e.people import keytab_of
from integration.e2e.stacks import Stack
from testing import ports
from testing.kdc import Kdc
from testing.waiting import until

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""They end the demo."""

_LIFE = 60  # seconds
_EVERY = 2.0  # seconds between two checks of the tickets
_SERVICE = "hdfs/namenode.example.test"
_JOB = """\
# As a long Spark job: a ticket for HDFS, again and again. Without one, it ends.
while error=$(kvno -q %s 2>&1); do
    echo "$(date +%%T) running" >> ~/job.log
    sleep 2
done
echo "$(date +%%T) ended: $error" >> ~/job.log
"""
_LAB = "c.Spawner.default_url = '/lab'\n"
_PATCHED = CLASSIC + _LAB + "c.KerberosTicket.retry = 2.0\n"
_PATCHED += "c.Authenticator.blocked_users = {'bob'}\n"
_UNPATCHED = _LAB + "c.Authenticator.blocked_users = {'alice'}\n"
_ROW = "  %-8s  %-5s  %-9s  %-19s  %s"


class User(NamedTuple):
    """A row of the table."""

    name: str
    hub: str


USERS = (User("alice", "patched"), User("bob", "unpatched"))


def run(stack: Stack, wheel: str, login: str, seconds: Optional[float]) -> int:
    """Start everything in the private world, show the tickets, and return 0 at the end.

    ``login`` is what ssh(1) needs to reach this host, empty if the visitor sits at it. The logs
    are beside the wheel, in a directory that the rest of this host sees too.
    """
    try:
        handle_signals(interrupt)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        _show(stack, wheel, login, seconds)
    except KeyboardInterrupt:
        print()
    say("ended; nothing is left of it")
    return 0


def say(text: str) -> None:
    """Print a line of progress."""
    print("demo: " + text, flush=True)


def interrupt(*signal_and_frame: Any) -> None:
    """Raise KeyboardInterrupt, once: what ends is not interrupted again."""
    handle_signals(signal.SIG_IGN)
    raise KeyboardInterrupt


def handle_signals(handler: Any) -> None:
    """Make a function handle what ends the demo."""
    for number in SIGNALS:
        signal.signal(number, handler)


def _show(stack: Stack, wheel: str, login: str, seconds: Optional[float]) -> None:
    """Start everything; what is not stopped here ends with the process namespace."""
    python = stacks.interpreter(stack)
    assert python is not None
    base = os.path.dirname(os.path.dirname(python))
    needed = [stacks.REPOSITORY, stacks.FOLDER, sys.prefix, sys.base_prefix, base]
    scratch = world.enter(needed, [stack.venv])
    binaries = os.path.join(stack.venv, "bin")
    pip = [binaries + "/python", "-m", "pip", "install", "-q", "--no-index", "--no-deps"]
    subprocess.run([*pip, wheel], check=True)
    with open("/etc/profile.d/demo.sh", "w") as file:  # JupyterLab's terminal is a login shell
        file.write("PATH=%s:$PATH\n" % binaries)
    say("a realm, users, keytabs")
    with Kdc(scratch + "/kdc", ticket_lifetime="%ds" % _LIFE) as kdc:
        _add_principals(kdc)
        say("python -m jhpatch apply")
        subprocess.run([binaries + "/python", "-m", "jhpatch", "apply"], cwd="/", check=True)
        logs = os.path.dirname(wheel)
        say("alice's hub")
        hub = _hub(stack, scratch, USERS[0], logs, _PATCHED)
        say("bob's hub, without the patches")
        # Below the overlay that has the patches is the environment that pip installed.
        uncover = ["unshare", "--mount", "sh", "-c", 'umount "$0" && exec "$@"', stack.venv]
        other = _hub(stack, scratch, USERS[1], logs, _UNPATCHED, uncover)
        with _proxied(hub, scratch + "/nginx") as address:
            say("their servers and jobs")
            _start_job(hub, "alice")
            _start_job(other, "bob", "kinit -k -t %s bob/service; " % keytab_of("bob"))
            _explain((address, other.url), (hub.log_path, other.log_path), login)
            _watch(seconds)


def _add_principals(kdc: Kdc) -> None:
    with open(kdc.krb5_conf) as source, open("/etc/krb5.conf", "w") as target:
        target.write(source.read())
    kdc.add_principal(_SERVICE)
    for user in USERS:
        path = keytab_of(user.name)
        kdc.add_principal(user.name + "/service", keytab=path)
        subprocess.run(["chown", user.name + ":", path], check=True)
        os.chmod(path, 0o600)


def _hub(
    stack: Stack, scratch: str, user: User, logs: str, extra: str, launcher: Sequence[str] = ()
) -> Hub:
    """Start the hub of a user."""
    folder = os.path.join(scratch, user.hub)
    os.makedirs(folder)
    hub = Hub(stack, folder, extra, launcher=launcher)
    hub.log_path = os.path.join(logs, user.hub + ".log")
    hub.start()
    return hub


@contextlib.contextmanager
def _proxied(hub: Hub, folder: str) -> Iterator[str]:
    """Run nginx with TLS in front of the hub; give the address. Without nginx, the hub's own.

    The name differs from that of the other hub: browsers share cookies between ports.
    """
    from jhpatch.nginx import version as nginx_version
    from jhpatch.nginx.site import ProxySite
    from jhpatch.nginx.site_file import render
    from testing.nginx import certificate, running

    version = nginx_version.installed()
    if version is None:
        say("no nginx on this machine: without the reverse proxy")
        yield hub.url.replace("127.0.0.1", "localhost")
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


def _start_job(hub: Hub, name: str, before: str = "") -> None:
    """Log a user in, and start the job in a kernel that runs on without a client."""
    with open("/home/%s/job.sh" % name, "w") as file:
        file.write(_JOB % _SERVICE)
    browser = Browser(hub, name)
    browser.login(world.PASSWORDS[name])
    browser.spawn()
    browser.api("GET", "contents")  # as JupyterLab does; the server's renewal thread starts
    script = before + "exec sh ~/job.sh"
    browser.start_kernel("python3").run(
        "import subprocess; job = subprocess.Popen(%r, shell=True)" % script
    )
    until(lambda: _job(name) == "running")


def _explain(addresses: Sequence[str], logs: Sequence[str], login: str) -> None:
    """Print what a visitor can do."""
    print()
    for user, address, log in zip(USERS, addresses, logs):
        print("  %s: user %-6s password %s" % (address, user.name, world.PASSWORDS[user.name]))
        print("      %s hub; its log: %s" % (user.hub, log))
    if login:
        found = [address.rpartition(":")[2] for address in addresses]
        tunnels = " ".join("-L %s:127.0.0.1:%s" % (port, port) for port in found)
        print("\n  These addresses are this host's alone. First, on your own computer:")
        print("      ssh -N %s %s" % (tunnels, login))
    print(
        """
  Tickets live for %d s. Each user has started ~/job.sh in a kernel and closed the browser.
  jhpatch renews alice's ticket; bob has run kinit once: after a minute that job ends.
  Log in (your browser does not know the certificate of this demo: accept it), open a
  terminal in JupyterLab, and type as alice: jhpatch ticket; as bob: cat job.log
  Ctrl-C ends the demo.
"""
        % _LIFE
    )
    print(_ROW % ("TIME", "USER", "HUB", "TICKET", "JOB"), flush=True)


def _watch(seconds: Optional[float]) -> None:
    """Print a row whenever a user's ticket or job has changed."""
    end = time.monotonic() + (seconds if seconds is not None else float("inf"))
    shown: List[Sequence[str]] = []
    while time.monotonic() < end:
        for user in USERS:
            state = (user.name, user.hub, _ticket(user.name), _job(user.name))
            if state not in shown:
                shown.append(state)
                print(_ROW % ((time.strftime("%H:%M:%S"),) + state), flush=True)
        time.sleep(min(_EVERY, max(end - time.monotonic(), 0)))


def _ticket(name: str) -> str:
    """Return until when a user's ticket is valid, as klist(1) prints it, or since when not."""
    done = subprocess.run(
        world.as_user(name, "env", "LC_ALL=C", "klist", "-c", cache_of(name)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    for line in done.stdout.decode().splitlines():
        if "krbtgt/" in line:
            return ("until " if is_valid(name) else "expired at ") + line.split()[3]
    return "none"


def _job(name: str) -> str:
    """Return the last state in the log of a user's job."""
    lines = stacks.text_of("/home/%s/job.log" % name).splitlines()
    return lines[-1].partition(" ")[2] if lines else "-"
