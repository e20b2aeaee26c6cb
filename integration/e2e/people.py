"""Users with principals and keytabs, their servers, and their tickets as others see them."""

import os
import pwd
import shutil
import subprocess
from typing import Any, Dict, List, Tuple

from integration.e2e import world
from integration.e2e.hub import Hub
from integration.e2e.patched_stack import cache_of, is_valid
from testing.waiting import until

PASSWORD = "a third password"


def add_person(kdc: Any, name: str, keytab: str = "", life: str = "") -> int:
    """Add a user with a principal, whose keytab lies in the home, or is root's; return the uid.

    ``life``: of the principal's tickets, if shorter than the KDC's.
    """
    uid = world.add_user(name, PASSWORD)
    path = keytab or keytab_of(name)
    kdc.add_principal(name + "/service", keytab=path, life=life)
    owner = "root" if keytab else name
    shutil.chown(path, owner, owner)
    os.chmod(path, 0o600)
    return uid


def keytab_of(name: str) -> str:
    """Return the path of a user's own keytab."""
    return "/home/%s/%s.keytab" % (name, name)


def hang_keytab(name: str) -> None:
    """Put a FIFO that nobody writes in place of a user's keytab: kinit waits for it."""
    path = keytab_of(name)
    if os.path.lexists(path):
        os.unlink(path)
    os.mkfifo(path, 0o600)
    shutil.chown(path, name, name)


def running_as(uid: int, word: str) -> List[int]:
    """Return the processes of a user whose command line has a word."""
    found = world.commands(lambda path: os.stat(path).st_uid == uid)
    return [pid for pid, line in found.items() if word in line]


def spawn(hub: Hub, name: str) -> None:
    """Start a user's server as a service does; return when it runs. No page of it is opened."""
    hub.api("POST", "users/" + name)  # 409 if the hub knows the user
    answer = hub.api("POST", "users/%s/server" % name)
    assert answer.status_code < 300, answer.text
    until(lambda: hub.api("GET", "users/" + name).json().get("server"))


def shell_as(name: str, script: str) -> str:
    """Return what a shell script of a user prints. It must succeed in its last command."""
    argv = world.as_user(name, "env", "HOME=/home/" + name, "sh", "-c", script)
    done = subprocess.run(argv, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = done.stdout.decode(errors="replace")
    assert done.returncode == 0, text
    return text


def stamp_of(name: str) -> Tuple[int, int]:
    """Return what changes if a user's cache is replaced."""
    found = os.stat(cache_of(name))
    return found.st_ino, found.st_mtime_ns


def wait_for_renewals(name: str, count: int = 1) -> None:
    """Return when a user's cache has been replaced so many times by one with a valid ticket."""
    for _ in range(count):
        old = stamp_of(name)
        until(lambda: stamp_of(name) != old and is_valid(name))  # noqa: B023


def environment_of(pid: int) -> Dict[str, str]:
    """Return what a process was started with."""
    with open("/proc/%d/environ" % pid, errors="replace") as file:
        return dict(one.split("=", 1) for one in file.read().split("\0") if "=" in one)


def owner_of(path: str) -> str:
    """Return the name of a file's owner."""
    return pwd.getpwuid(os.lstat(path).st_uid).pw_name
