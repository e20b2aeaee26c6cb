"""The upstream stacks that the whole job is run on: the one place with their pins.

Each is a virtual environment, built once with pip and kept; a marker, written last,
says what it was built from, so that a build that died is built anew.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from typing import Iterator, List, NamedTuple, Optional, Tuple

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.abspath(
    os.environ.get("JHPATCH_E2E_DIR") or os.path.join(REPOSITORY, ".tox", "e2e-stacks")
)
PROXY = "configurable-http-proxy@5.3.0"


class Stack(NamedTuple):
    """What a stack is made of; ``pythons`` are the minor versions that it runs on, best first."""

    name: str
    pythons: Tuple[str, ...]
    pip: str
    requirements: Tuple[str, ...]

    @property
    def venv(self) -> str:
        """The folder of its virtual environment."""
        return os.path.join(FOLDER, self.name)

    @property
    def is_old(self) -> bool:
        """Whether notebook has a server of its own, as it had before 7."""
        return "notebook==5.7.9" in self.requirements


_JHPATCH_NEEDS = ("patch-ng==1.18.1", "packaging")

STACKS = (
    Stack(
        "hub09-nb57",
        ("3.6",),
        "pip==21.3.1",
        (
            "jupyterhub==0.9.6",
            "notebook==5.7.9",
            "sqlalchemy<1.4",
            "tornado<6",
            "jinja2<3",
            "markupsafe<2",
            "alembic<1.5",
            "importlib-metadata",
        )
        + _JHPATCH_NEEDS,
    ),
    Stack(
        "hub61-nb76",
        ("3.11", "3.12", "3.13"),
        "pip",
        (
            "jupyterhub==6.1.1",
            "jupyter_server==2.21.1",
            "notebook==7.6.5",
            "jupyterlab==4.6.6",
        )
        + _JHPATCH_NEEDS,
    ),
)


def interpreter(stack: Stack) -> Optional[str]:
    """A Python that the stack runs on, from PATH or from pyenv; None where there is none."""
    for minor in stack.pythons:
        pyenv = os.path.expanduser("~/.pyenv/versions/%s.*/bin/python%s" % (minor, minor))
        for path in sorted(glob.glob(pyenv)) + [shutil.which("python" + minor)]:
            if path and not _is_shim(path):
                return os.path.realpath(path)
    return None


def _is_shim(path: str) -> bool:
    """pyenv's shims are scripts that need its settings."""
    with open(path, "rb") as file:
        return file.read(2) == b"#!"


def build(stack: Stack) -> None:
    """Makes the stack's environment, unless it is there with the same pins."""
    python = interpreter(stack)
    assert python is not None
    marker = os.path.join(stack.venv, "built-from")
    wanted = hashlib.sha256(repr((stack, python)).encode()).hexdigest()
    if _text(marker) == wanted:
        return
    shutil.rmtree(stack.venv, ignore_errors=True)
    _call([python, "-m", "venv", stack.venv])
    pip = [os.path.join(stack.venv, "bin", "python"), "-m", "pip", "install", "-q"]
    _call(pip + ["--upgrade", stack.pip])
    _call(pip + list(stack.requirements))
    with open(marker, "w") as file:
        file.write(wanted)


def build_proxy() -> None:
    """configurable-http-proxy from npm, in a folder of its own."""
    folder = os.path.join(FOLDER, "proxy")
    if _text(os.path.join(folder, "built-from")) == PROXY:
        return
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    _call(["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--silent", PROXY])
    with open(os.path.join(folder, "built-from"), "w") as file:
        file.write(PROXY)


def proxy_command() -> List[str]:
    """The proxy's argv."""
    script = "proxy/node_modules/configurable-http-proxy/bin/configurable-http-proxy"
    return [os.path.realpath(shutil.which("node") or "node"), os.path.join(FOLDER, script)]


def build_wheel(stack: Stack) -> None:
    """The wheel of this checkout, as an administrator would install it.

    Built from a copy: pip builds in the tree, and others may build there too.
    """
    folder = _wheel_folder(stack)
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        copy = os.path.join(scratch, "jhpatch")
        ignored = shutil.ignore_patterns(
            ".*", "tests", "build", "dist", "jhpatch-*", "__pycache__"
        )
        shutil.copytree(REPOSITORY, copy, ignore=ignored)
        _call([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, copy])


def wheel(stack: Stack) -> str:
    """The path of the wheel."""
    return glob.glob(os.path.join(_wheel_folder(stack), "*.whl"))[0]


def _wheel_folder(stack: Stack) -> str:
    return os.path.join(FOLDER, "wheel-" + stack.name)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One builder at a time: two runs may share the folder."""
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, "lock"), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _call(argv: List[str]) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, env=environment)


def _text(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
