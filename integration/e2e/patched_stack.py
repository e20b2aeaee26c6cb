"""A stack that jhpatch works on: its site, its commands, and its users' tickets."""

import hashlib
import os
import pwd
import re
import stat
import subprocess
from typing import Any, Dict, Tuple

from integration.e2e.stacks import Stack
from integration.e2e.world import PASSWORDS

PRINCIPAL = "alice/service@EXAMPLE.TEST"


def jhpatch(stack: Stack, *arguments: str, code: int = 0) -> str:
    """What the command prints, as the administrator types it."""
    argv = [os.path.join(stack.venv, "bin", "python"), "-m", "jhpatch"] + list(arguments)
    done = subprocess.run(argv, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = done.stdout.decode()
    assert done.returncode == code, text
    return text


def site_of(stack: Stack) -> str:
    """The stack's site-packages."""
    lib = os.path.join(stack.venv, "lib")
    (python,) = (name for name in os.listdir(lib) if name.startswith("python"))
    return os.path.join(lib, python, "site-packages")


def tree(site: str) -> Dict[str, Tuple[str, int, int, int]]:
    """Every file of a site outside of ``__pycache__``: hash, mode, owner, group."""
    found = {}
    for folder, folders, names in os.walk(site):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names + folders:
            path = os.path.join(folder, name)
            info = os.lstat(path)
            digest = ""
            if stat.S_ISREG(info.st_mode):
                with open(path, "rb") as file:
                    digest = hashlib.sha256(file.read()).hexdigest()
            found[path] = (digest, info.st_mode, info.st_uid, info.st_gid)
    return found


def times(site: str) -> Dict[str, Tuple[int, int]]:
    """The mtime and inode of everything in a site."""
    found = {}
    for folder, _, names in os.walk(site):
        for path in [folder] + [os.path.join(folder, name) for name in names]:
            info = os.lstat(path)
            found[path] = (info.st_mtime_ns, info.st_ino)
    return found


def cache_of(name: str) -> str:
    """The path of a user's cache in the classic layout."""
    return "/tmp/krb5cc_%d" % pwd.getpwnam(name).pw_uid


def is_valid(name: str) -> bool:
    """Whether klist finds a valid ticket when the user types it."""
    argv = ["setpriv", "--reuid=" + name, "--regid=" + name, "--init-groups"]
    return subprocess.run(argv + ["klist", "-s", "-c", "FILE:" + cache_of(name)]).returncode == 0


def no_ticket() -> None:
    """Takes the users' caches away."""
    for name in PASSWORDS:
        if os.path.lexists(cache_of(name)):
            os.unlink(cache_of(name))


def requests_for(kdc: Any, principal: str) -> int:
    """How often the KDC was asked for a principal's ticket."""
    with open(kdc.log) as file:
        return len(re.findall(r"AS_REQ .* %s" % re.escape(principal), file.read()))
