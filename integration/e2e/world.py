"""A private world: users, PAM, Kerberos, homes, /tmp and ports that the machine never sees.

Everything happens in new network, mount and pid namespaces (unshare(1)); /etc and the
stack's environment are overlays whose upper layers are in memory. What runs as a user
must reach the interpreter and the checkout, which may lie in a folder that only root
can enter, or in /tmp: those folders are covered, and what is needed is bound back.
"""

import contextlib
import hashlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from typing import Callable, Dict, Iterable, List

PASSWORDS = {"alice": "correct horse", "bob": "battery staple"}
_SCRATCH = "/mnt"  # covered by a tmpfs; every Debian has it, and nothing else is there
_COVERED = ("/tmp", "/var/tmp", "/home", "/root", "/run")
_WATCHED = ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/krb5.conf", "/etc/pam.d/login")


def missing_rights() -> str:
    """What this machine lacks for a private world; empty where it lacks nothing."""
    if os.geteuid() != 0:
        return "not root"
    lacking = [tool for tool in ("unshare", "ip", "useradd", "chpasswd") if not shutil.which(tool)]
    if lacking:
        return "no " + ", ".join(lacking)
    done = subprocess.run(_unshare() + ["true"], stderr=subprocess.PIPE)
    return done.stderr.decode().strip() if done.returncode else ""


def _unshare() -> List[str]:
    return "unshare --net --mount --pid --fork --kill-child --mount-proc".split()


def command(argv: List[str]) -> List[str]:
    """``argv`` in new namespaces; it ends with all its children when its parent ends."""
    return _unshare() + argv


def fingerprint() -> Dict[str, str]:
    """What of the machine must be the same after a run as before."""
    found = {path: _digest(path) for path in _WATCHED}
    found["/home"] = repr(sorted(os.listdir("/home")))
    return found


def commands(holds: Callable[[str], bool]) -> Dict[int, str]:
    """The command lines of the processes of which ``holds("/proc/PID")``; a zombie's is empty."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if holds("/proc/" + pid):
                with open("/proc/%s/cmdline" % pid) as file:
                    found[int(pid)] = file.read().replace("\0", " ")
    return found


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError as error:
        return str(error.errno)


def enter(needed: Iterable[str], changed: Iterable[str]) -> str:
    """Makes the world, from within the namespaces; gives a scratch folder.

    ``needed`` folders stay readable for every user; ``changed`` ones may be written
    without a trace.
    """
    _call("ip", "link", "set", "lo", "up")
    _call("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", _SCRATCH)
    _cover(sorted({os.path.realpath(path) for path in needed}))
    os.mkdir("/run/lock")
    os.chmod("/run/lock", 0o1777)
    for path in ["/etc"] + list(changed):
        overlay(path)
    _unreachable(needed)
    for name, password in PASSWORDS.items():
        add_user(name, password)
    scratch = os.path.join(_SCRATCH, "scratch")
    os.mkdir(scratch)
    return scratch


def add_user(name: str, password: str) -> int:
    """A user with a home of their own; their uid."""
    _call("useradd", "--create-home", "--shell", "/bin/bash", name)
    os.chmod("/home/" + name, 0o700)
    subprocess.run(["chpasswd"], input=("%s:%s\n" % (name, password)).encode(), check=True)
    return pwd.getpwnam(name).pw_uid


def as_user(name: str, *argv: str) -> List[str]:
    """``argv``, run by root as that user, as after a login of theirs."""
    return ["setpriv", "--reuid=" + name, "--regid=" + name, "--init-groups"] + list(argv)


def _cover(needed: List[str]) -> None:
    """New, empty folders in place of the machine's; what is needed is bound back into them."""
    for number, top in enumerate(_COVERED):
        inside = [path for path in needed if path.startswith(top + "/")]
        kept = []
        for index, path in enumerate(inside):
            place = os.path.join(_SCRATCH, "kept-%d-%d" % (number, index))
            os.mkdir(place)
            _call("mount", "--rbind", path, place)
            kept.append((place, path))
        mode = "mode=1777" if top.endswith("tmp") else "mode=0755"
        _call("mount", "-t", "tmpfs", "-o", mode, "tmpfs", top)
        for place, path in kept:
            os.makedirs(path, exist_ok=True)
            _call("mount", "--rbind", place, path)


def overlay(path: str) -> None:
    """What is written below ``path`` from here on leaves no trace on the machine."""
    upper = tempfile.mkdtemp(prefix="overlay-", dir=_SCRATCH)
    os.chmod(upper, 0o755)
    for name in ("upper", "work"):
        os.makedirs(os.path.join(upper, name))
    layers = "lowerdir=%s,upperdir=%s/upper,workdir=%s/work" % (path, upper, upper)
    _call("mount", "-t", "overlay", "overlay", "-o", layers, path)


def _unreachable(needed: Iterable[str]) -> None:
    for path in needed:
        while path != "/":
            if not os.stat(path).st_mode & 0o001:
                raise AssertionError("users cannot enter %s: chmod o+x it for this test" % path)
            path = os.path.dirname(path)


def _call(*argv: str) -> None:
    done = subprocess.run(argv, stderr=subprocess.PIPE)
    if done.returncode:
        sys.exit("%s: %s" % (" ".join(argv), done.stderr.decode()))
