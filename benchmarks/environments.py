"""What the hubs of hub.py are made of: copies of a stack's environment, users, keytabs."""

import contextlib
import glob
import os
import pwd
import shutil
import subprocess
import sys
from typing import List

from benchmarks import naive
from integration.e2e.stacks import Stack
from testing.kdc import Kdc

VARIANTS = ("unpatched", "control", "naive", "patched")
ASKING = ("naive", "patched")
"""Those that ask the KDC."""
_COPIES = "/mnt/copies"  # the private world has a file system in memory there
PASSWORD = "correct horse"


class Copy(Stack):
    """A variant's own copy of a stack, named as the variant."""

    __slots__ = ()

    @property
    def venv(self) -> str:
        """The folder of its virtual environment."""
        return os.path.join(_COPIES, self.name)

    @property
    def python(self) -> str:
        """Its interpreter."""
        return os.path.join(self.venv, "bin", "python")


def copied(stack: Stack, variant: str) -> Copy:
    """An overlay of the stack's environment, whose scripts run in it."""
    copy = Copy(*stack._replace(name=variant))
    upper = copy.venv + "-upper"
    for folder in (copy.venv, upper + "/upper", upper + "/work"):
        os.makedirs(folder)
    layers = "lowerdir=%s,upperdir=%s/upper,workdir=%s/work" % (stack.venv, upper, upper)
    called("mount", "-t", "overlay", "overlay", "-o", layers, copy.venv)
    for script in glob.glob(copy.venv + "/bin/jupyterhub*"):
        with open(script) as file:
            text = file.read()
        with open(script, "w") as file:
            file.write(text.replace(stack.venv + "/", copy.venv + "/"))
    return copy


def changed(copy: Copy, wheel: str) -> None:
    """Brings a copy into the state of its variant."""
    if copy.name == "naive":
        (site,) = glob.glob(copy.venv + "/lib/python*/site-packages")
        called(copy.python, "-m", "py_compile", *naive.write(site, copy.servers[0]))
    if copy.name == "patched":
        pip = [copy.python, "-m", "pip", "install", "-q", "--no-index", "--no-deps"]
        called(*pip, wheel)
        called(copy.python, "-m", "jhpatch", "apply")


def called(*argv: str) -> None:
    """Runs a program; what it says comes with the error."""
    done = subprocess.run(
        argv, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        sys.exit("%s: %s" % (" ".join(argv), done.stdout.decode(errors="replace")))


def users_of(variant: str, count: int) -> List[str]:
    """One who works, and ``count`` who log in."""
    return ["%s%02d" % (variant, number) for number in range(count + 1)]


def add_users(names: List[str]) -> None:
    """With a home that is theirs alone (newusers(8))."""
    rows = ["%s:%s::::/home/%s:/bin/bash\n" % (name, PASSWORD, name) for name in names]
    subprocess.run(["newusers"], input="".join(rows).encode(), check=True)
    for name in names:
        os.chmod("/home/" + name, 0o700)


def add_keytabs(kdc: Kdc, names: List[str]) -> None:
    """The classic layout: each user's keytab in the home."""
    for name in names:
        path = "/home/%s/%s.keytab" % (name, name)
        kdc.add_principal(name + "/service", keytab=path)
        shutil.chown(path, name, name)
        os.chmod(path, 0o600)


def cache_of(name: str) -> str:
    """The path of a user's cache in the classic layout."""
    return "/tmp/krb5cc_%d" % pwd.getpwnam(name).pw_uid


def drop_ticket(name: str) -> None:
    """The user's next login is the first of the day."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(cache_of(name))
