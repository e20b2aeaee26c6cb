"""Users of one hub who attack each other: names that are numbers, temporary caches, memory.

What one user does to make the others wait is in test_fairness.py; what a user prepares at a
path that root might touch is in test_holes.py.
"""

import concurrent.futures
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import Any, List, Tuple

import pytest

from integration.e2e import world
from integration.e2e.client import Browser, Refused
from integration.e2e.hub import CLASSIC, Hub, running
from integration.e2e.patched_stack import cache_of, is_valid
from integration.e2e.people import (
    PASSWORD,
    add_person,
    hang_keytab,
    owner_of,
    running_as,
    shell_as,
    stamp_of,
)
from integration.e2e.stacks import ENDS, Stack
from testing.waiting import until

# Other stacks have no tests here, rather than skipped ones (integration/e2e/test_front_ends.py).
__test__ = os.environ.get("JHPATCH_E2E_INNER", ENDS[0]) in ENDS


def central(folder: str) -> str:
    """The settings for keytabs that only root can read."""
    os.makedirs(folder, mode=0o711)
    return CLASSIC + "c.KerberosTicket.keytab = '%s/{username}.keytab'\n" % folder


def test_a_user_whose_name_is_anothers_uid_gets_nothing_of_theirs(
    patched: Stack, scratch: str, kdc: Any
) -> None:
    """setpriv(1) takes a bare number for a name first; the ticket is the uid's all the same."""
    keytabs = scratch + "/numeric-keytabs"
    extra = central(keytabs)
    uid = add_person(kdc, "nora", keytabs + "/nora.keytab")
    with open("/etc/passwd") as file:
        before = file.read()
    try:
        with open("/etc/passwd", "a") as file:
            file.write("%d:x:5555:5555::/nonexistent:/bin/sh\n" % uid)
        with running(patched, scratch + "/numeric", extra) as hub:
            Browser(hub, "nora").login(PASSWORD)
            assert os.lstat(cache_of("nora")).st_uid == uid
            assert is_valid("nora"), hub.tail()
    finally:
        with open("/etc/passwd", "w") as file:
            file.write(before)
    assert not [path for path in glob.glob("/tmp/*") if os.lstat(path).st_uid == 5555]


# mallory: looks at all new processes for the name of a temporary cache, and into /tmp; opens or
# makes what she finds, and says at the end what she has seen and whether a ticket is in it.
_SPY = r"""
import json, os, re, signal, sys
seen, held, over, turn = set(), [], [], 0
signal.signal(signal.SIGTERM, lambda *args: over.append(1))

def grab(path):
    for flags in (os.O_RDWR | os.O_CREAT | os.O_EXCL, os.O_RDWR, os.O_RDONLY):
        try:
            fd = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW, 0o666)
            os.fchmod(fd, 0o666)
        except OSError:
            continue
        held.append(fd)
        return

print("ready", flush=True)
while not over:
    with open("/proc/loadavg") as file:
        last = int(file.read().split()[-1])
    for pid in range(last - 4, last + 2):
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        for word in words:
            for path in re.findall(rb"/tmp/[^ :]*jhpatch-cc[^ :]*", word):
                if path not in seen and b"*" not in path and b"$" not in path:
                    seen.add(path)
                    grab(path)
    turn += 1
    top = (b"/tmp/", b"/run/")[turn % 2]
    for name in os.listdir(top):
        if b"jhpatch-" in name and b"planted" not in name:
            path = top + name
            seen.add(path)
            try:
                inside = os.listdir(path)
            except OSError:
                inside = []
            for other in set(inside + [b"cc"]):
                grab(path + b"/" + other)
            for steal in (os.rmdir, os.unlink, lambda p: os.rename(p, b"/tmp/stolen")):
                try:
                    steal(path)
                except OSError:
                    pass
loot = [os.pread(fd, 1 << 20, 0) for fd in held[:200]]
print(json.dumps([len(seen), sum(b"krbtgt" in text for text in loot)]))
"""
LOGINS = 15


class Spy:
    """mallory's process, in a block; ``seen`` and ``stolen`` are there after it."""

    def __init__(self, name: str) -> None:
        argv = ["nice", "-n", "-20"] + world.as_user(name, sys.executable, "-c", _SPY)
        self._child = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd="/")
        self.seen = self.stolen = 0

    def __enter__(self) -> "Spy":
        assert self._child.stdout and self._child.stdout.readline() == b"ready\n"
        return self

    def __exit__(self, *error: Any) -> None:
        self._child.send_signal(signal.SIGTERM)
        out, _ = self._child.communicate(timeout=300)
        self.seen, self.stolen = json.loads(out.decode())


@pytest.mark.parametrize("source", ["home", "central"])
def test_nobody_opens_or_makes_the_temporary_cache_of_another(
    patched: Stack, scratch: str, kdc: Any, source: str
) -> None:
    """15 logins, watched by mallory: each gives a ticket, and none of them is in her hands."""
    keytabs = scratch + "/theft-keytabs"
    extra = central(keytabs) if source == "central" else CLASSIC
    victim, mallory = "victim-" + source, "spy-" + source
    uid = add_person(kdc, victim, keytabs + "/%s.keytab" % victim if source == "central" else "")
    world.add_user(mallory, PASSWORD)
    # What the victim's own sweep of stale directories meets: nothing of it is hers.
    precious = "/home/%s/precious" % victim
    shell_as(victim, "mkdir ~/precious; touch -d '1 day ago' ~/precious/file ~/precious")
    planted = "/tmp/.jhpatch-cc-%d-planted" % uid
    shell_as(mallory, "ln -s %s %s; touch -h -d '1 day ago' %s" % (precious, planted, planted))
    with running(patched, scratch + "/theft-" + source, extra) as hub:
        without = []
        with Spy(mallory) as spy:
            for number in range(LOGINS):
                if os.path.lexists(cache_of(victim)):
                    os.unlink(cache_of(victim))
                Browser(hub, victim).login(PASSWORD)
                if not is_valid(victim) or owner_of(cache_of(victim)) != victim:
                    without.append(number)
        assert spy.seen, "mallory has seen nothing: this is no attack"
        assert (spy.stolen, without) == (0, []), hub.tail()
    assert os.listdir(precious) == ["file"] and os.path.islink(planted)
    os.unlink(planted)
    assert temporary_caches(uid) == []


def temporary_caches(uid: int) -> List[str]:
    """What of temporary caches of a user, and of root's directories, is there."""
    return glob.glob("/tmp/.jhpatch-cc-%d-*" % uid) + glob.glob("/run/jhpatch-tickets-*")


# While a flag is there, the keytab is of no use and kinit -R, beside a copy of the ticket, hangs.
_HANGS = """#!/bin/sh
case " $* " in *" -R "*) while test -e %(flag)s; do sleep 0.1; done ;; esac
test -e %(flag)s && exit 1
exec %(kinit)s "$@"
"""
LIFE, PART = 120, 0.05


@pytest.mark.parametrize("killed", ["kinit", "hub"])
def test_what_a_killed_kinit_leaves_is_private_and_goes(
    patched: Stack, scratch: str, kdc: Any, killed: str
) -> None:
    """kinit -R is killed at the timeout, or its hub is: the next renewal removes what was left."""
    name, folder = "killed-" + killed, scratch + "/killed-" + killed
    uid = add_person(kdc, name, life="%ds" % LIFE)
    flag = folder + "/flag"
    os.makedirs(folder)
    with open(folder + "/kinit", "w") as file:
        file.write(_HANGS % {"flag": flag, "kinit": shutil.which("kinit")})
    os.chmod(folder + "/kinit", 0o755)
    for tool in ("klist", "kdestroy"):
        os.symlink(str(shutil.which(tool)), "%s/%s" % (folder, tool))
    extra = CLASSIC + "c.KerberosTicket.kinit = %r\n" % (folder + "/kinit")
    extra += "c.KerberosTicket.refresh_at = %r\nc.KerberosTicket.timeout = 4.0\n" % PART
    with running(patched, folder + "/hub", extra) as hub:
        Browser(hub, name).login(PASSWORD)
        old, began = stamp_of(name), os.stat(cache_of(name)).st_mtime
        until(lambda: time.time() > began + LIFE * PART + 2)  # a ticket's times are whole seconds
        open(flag, "w").close()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            login = pool.submit(Browser(hub, name).login, PASSWORD)
            until(lambda: running_as(uid, "-R"))
            if killed == "hub":
                hub.kill()
            concurrent.futures.wait([login])
        os.unlink(flag)
        until(lambda: not running_as(uid, "kinit"))
        left = temporary_caches(uid)
        for path in left:
            found = os.lstat(path)
            assert (found.st_uid, found.st_mode & 0o077) == (uid, 0), path
            # Older than any kinit may run.
            os.utime(path, (began - 600, began - 600), follow_symlinks=False)
        if killed == "hub":
            hub.start()
        until(lambda: is_renewed(hub, name, old))
        assert not set(left) & set(temporary_caches(uid))


def test_a_kinit_that_fails_leaves_nothing(patched: Stack, scratch: str, kdc: Any) -> None:
    """Logins with a ruined keytab: at most a busy host kills a child before it has cleaned up."""
    uid = add_person(kdc, "failing")
    shell_as("failing", "echo rubbish >~/failing.keytab")
    left = []
    with running(patched, scratch + "/failing", CLASSIC) as hub:
        for _ in range(5):
            before = set(temporary_caches(uid))
            Browser(hub, "failing").login(PASSWORD)
            left.append(len(set(temporary_caches(uid)) - before))
        assert hub.lines("No Kerberos ticket for failing"), hub.tail()
    assert 0 in left


def is_renewed(hub: Hub, name: str, old: Tuple[int, int]) -> bool:
    """Whether the user has another cache after one more login."""
    Browser(hub, name).login(PASSWORD)
    return stamp_of(name) != old


# Writes without end into the pipe of a kinit of one's own, whose other end is the hub's. The
# pipe is root's: it cannot be opened by /proc, but a debugger has it (pidfd_getfd(2)).
_FEED = r"""
import ctypes, os, signal, sys
me, number, block, total, over = os.getuid(), int(sys.argv[1]), b"x" * (1 << 20), 0, []
call = ctypes.CDLL(None, use_errno=True).syscall
signal.signal(signal.SIGTERM, lambda *args: over.append(1))
print("ready", flush=True)
while not over:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat("/proc/" + pid).st_uid != me or int(pid) == os.getpid():
                continue
            with open("/proc/%s/cmdline" % pid) as file:
                if "kinit" not in file.read():
                    continue
        except OSError:
            continue
        process = call(434, int(pid), 0)  # pidfd_open
        fd = call(438, process, number, 0)  # pidfd_getfd
        try:
            while fd >= 0 and total < 600 << 20:
                total += os.write(fd, block)
        except OSError:
            pass
        for one in (process, fd):
            if one >= 0:
                os.close(one)
print(total)
"""
MOST = 100  # MiB by which the hub may grow; 600 are written


def may_debug() -> bool:
    """Whether a process has the descriptors of another of its user: Linux 5.6, no Yama."""
    with open("/proc/sys/kernel/osrelease") as file:
        release = tuple(int(word) for word in re.findall("[0-9]+", file.read())[:2])
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope") as file:
            return release >= (5, 6) and file.read().strip() == "0"
    except OSError:
        return release >= (5, 6)


@pytest.mark.parametrize("pipe, policy", [("1", "warn"), ("2", "require")])
@pytest.mark.skipif(not may_debug(), reason="users cannot debug their own processes here")
def test_a_child_that_writes_without_end_is_cut(
    patched: Stack, scratch: str, kdc: Any, pipe: str, policy: str
) -> None:
    """The hub stays small, and the login is let in or refused as the policy says."""
    name = "writer-" + policy
    add_person(kdc, name)
    hang_keytab(name)
    extra = CLASSIC + "c.KerberosTicket.policy = %r\n" % policy
    extra += "c.KerberosTicket.timeout = 30.0\n"  # it is not time that ends the child
    with running(patched, scratch + "/memory-" + policy, extra) as hub:
        before = peak(hub.pid)
        writer = subprocess.Popen(
            world.as_user(name, sys.executable, "-c", _FEED, pipe), stdout=subprocess.PIPE
        )
        assert writer.stdout and writer.stdout.readline() == b"ready\n"
        refusal = None
        try:
            Browser(hub, name).login(PASSWORD)
        except Refused as refused:
            refusal = refused.status
        writer.terminate()
        written = int(writer.communicate(timeout=300)[0])
        assert written > 1 << 20, "nothing was written: this is no attack"
        assert peak(hub.pid) - before < MOST
        assert refusal == (503 if policy == "require" else None)
        assert hub.lines("No Kerberos ticket for " + name, "wrote more than"), hub.tail()
        assert hub.is_alive()


def peak(pid: int) -> int:
    """The largest resident set that a process has had, in MiB."""
    with open("/proc/%d/status" % pid) as file:
        (line,) = [line for line in file if line.startswith("VmHWM:")]
    return int(line.split()[1]) // 1024
